package receiptpdf

import (
	"strings"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// missing stands for a character that the fonts lack. The fonts have the
// Latin, Greek and Cyrillic scripts, so every Italian text is whole; the
// receipt's digest covers the original in any case.
const missing = '□'

var fonts = sync.OnceValue(func() []*sfnt.Font {
	var parsed []*sfnt.Font
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF, gomono.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic("receiptpdf: " + err.Error()) // impossible: the fonts are compiled in
		}
		parsed = append(parsed, f)
	}
	return parsed
})

// printable makes text safe to draw: composed characters, plain spaces, line
// breaks kept, other control characters left out, and a box for each
// character that a font lacks, those that reverse the direction of writing
// among them.
func printable(s string) string {
	var buf sfnt.Buffer
	s = strings.ReplaceAll(norm.NFC.String(s), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029':
			return '\n'
		case r == '\t' || r == '\u00a0':
			return ' '
		case r < ' ' || 0x7f <= r && r < 0xa0:
			return -1
		case r > 0xffff || !inEveryFont(&buf, r): // fpdf knows the first plane only
			return missing
		}
		return r
	}, s)
}

func inEveryFont(buf *sfnt.Buffer, r rune) bool {
	for _, f := range fonts() {
		if i, err := f.GlyphIndex(buf, r); err != nil || i == 0 {
			return false
		}
	}
	return true
}
