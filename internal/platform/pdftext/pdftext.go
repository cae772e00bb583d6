// Package pdftext is what every PDF of the service has in common. It has free typefaces with all
// Italian letters, text that is safe to draw, and lines that fit.
package pdftext

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// The typefaces of a document.
const (
	Sans = "sans"
	Bold = "bold"
	Mono = "mono"
)

// New prepares an empty document of upright A4 pages, measured in millimetres, which break only
// where its author says. What stands in it beside its pages is pdfa's to write.
func New() *fpdf.Fpdf {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCellMargin(0)
	// The library writes into the bytes that it is given: every document needs its own.
	pdf.AddUTF8FontFromBytes(Sans, "", bytes.Clone(goregular.TTF))
	pdf.AddUTF8FontFromBytes(Bold, "", bytes.Clone(gobold.TTF))
	pdf.AddUTF8FontFromBytes(Mono, "", bytes.Clone(gomono.TTF))
	return pdf
}

// missing stands for a character that the fonts lack. They have the Latin, Greek and Cyrillic
// scripts, so every Italian text is whole.
const missing = '□'

var fonts = sync.OnceValue(func() []*sfnt.Font {
	var parsed []*sfnt.Font
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF, gomono.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			panic("pdftext: " + err.Error()) // impossible: the fonts are compiled in
		}
		parsed = append(parsed, f)
	}
	return parsed
})

// Printable makes text safe to draw. It composes characters, makes spaces plain, keeps line breaks
// and leaves other control characters out. It puts a box for each character that a font lacks,
// those that reverse the direction of writing among them.
func Printable(s string) string {
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

// Line is printable text in one line.
func Line(s string) string { return strings.Join(strings.Fields(Printable(s)), " ") }

func inEveryFont(buf *sfnt.Buffer, r rune) bool {
	for _, f := range fonts() {
		if i, err := f.GlyphIndex(buf, r); err != nil || i == 0 {
			return false
		}
	}
	return true
}

// Wrap breaks text into printable lines that fit the room in the document's current font. It breaks
// between words where it can, else within one. A line after which a new word begins ends in the
// space between the two, which may stand outside the room: read together, lines say what the text
// says.
func Wrap(pdf *fpdf.Fpdf, str string, room float64) []string {
	var lines []string
	for part := range strings.SplitSeq(Printable(str), "\n") {
		if i := len(lines) - 1; i >= 0 && lines[i] != "" {
			lines[i] += " "
		}
		line := ""
		for _, word := range strings.Fields(part) {
			if line != "" && pdf.GetStringWidth(line+" "+word) <= room {
				line += " " + word
				continue
			}
			if line != "" {
				lines = append(lines, line+" ")
			}
			var head string
			for {
				if head, word = cut(pdf, word, room); word == "" {
					break
				}
				lines = append(lines, head)
			}
			line = head
		}
		lines = append(lines, line)
	}
	return lines
}

// cut splits a word after as many characters as fit the room, at least one.
func cut(pdf *fpdf.Fpdf, word string, room float64) (head, tail string) {
	end := 0
	for i, r := range word {
		next := i + utf8.RuneLen(r)
		if end > 0 && pdf.GetStringWidth(word[:next]) > room {
			return word[:end], word[end:]
		}
		end = next
	}
	return word, ""
}
