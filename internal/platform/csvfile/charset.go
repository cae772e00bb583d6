package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// The character sets that are read beside UTF-8, by the names that are kept.
const (
	utf8Name    = ""
	utf16Name   = "utf-16"
	utf16LEName = "utf-16le"
	utf16BEName = "utf-16be"
)

// charsets leads from the names that senders give to those that are kept. What programs call
// Latin-1 is Windows-1252.
var charsets = map[string]string{
	"utf-8": utf8Name, "utf8": utf8Name, "us-ascii": utf8Name, "ascii": utf8Name,
	"windows-1252": "windows-1252", "cp1252": "windows-1252", "cp-1252": "windows-1252", "x-cp1252": "windows-1252",
	"iso-8859-1": "windows-1252", "iso8859-1": "windows-1252", "iso_8859-1": "windows-1252", "latin1": "windows-1252",
	"latin-1":     "windows-1252",
	"iso-8859-15": "iso-8859-15", "iso8859-15": "iso-8859-15", "latin9": "iso-8859-15", "latin-9": "iso-8859-15",
	"macintosh": "macintosh", "x-mac-roman": "macintosh",
	"ibm850": "ibm850", "cp850": "ibm850", "850": "ibm850",
	"utf-16": utf16Name, "utf16": utf16Name, "utf-16le": utf16LEName, "utf-16be": utf16BEName,
}

// Charset returns the name under which a character set is kept. It is "" for UTF-8, and false is
// for one that is not read.
func Charset(label string) (string, bool) {
	name, known := charsets[strings.ToLower(strings.TrimSpace(label))]
	return name, known
}

func encodingOf(charset string) encoding.Encoding {
	switch charset {
	case "windows-1252":
		return charmap.Windows1252
	case "iso-8859-15":
		return charmap.ISO8859_15
	case "macintosh":
		return charmap.Macintosh
	case "ibm850":
		return charmap.CodePage850
	case utf16LEName:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case utf16Name, utf16BEName:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return encoding.Nop
}

// marks are what stands before a text and says how it is written, and the name of that. It wins
// over what its sender says.
var marks = []struct{ bytes, charset string }{
	{"\xef\xbb\xbf", utf8Name}, {"\xff\xfe", utf16LEName}, {"\xfe\xff", utf16BEName},
}

// foreign are the beginnings of files that are no text: archives, which workbooks are, old
// workbooks, PDF and compressed files.
var foreign = []string{"PK\x03\x04", "PK\x05\x06", "\xd0\xcf\x11\xe0", "%PDF-", "\x1f\x8b", "{\\rtf"}

// decode returns a file as UTF-8, and false for one that is no text. Where two bytes begin with
// one of zero it is UTF-16: no table does otherwise.
func decode(file *bufio.Reader, charset string) (io.Reader, bool, error) {
	head, err := file.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	for _, mark := range marks {
		if bytes.HasPrefix(head, []byte(mark.bytes)) {
			_, err := file.Discard(len(mark.bytes))
			return encodingOf(mark.charset).NewDecoder().Reader(file), true, err
		}
	}
	for _, beginning := range foreign {
		if bytes.HasPrefix(head, []byte(beginning)) {
			return nil, false, nil
		}
	}
	// A page or a document that programs call a table.
	if bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("<")) {
		return nil, false, nil
	}
	if charset == utf8Name && len(head) > 1 && (head[0] == 0) != (head[1] == 0) {
		if charset = utf16LEName; head[0] == 0 {
			charset = utf16BEName
		}
	}
	return encodingOf(charset).NewDecoder().Reader(file), true, nil
}

// Garbled reports whether a text was read in a wrong character set before (NICCOLÃ’), or has lost
// characters. It cannot be put right with certainty.
func Garbled(s string) bool {
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r < 0x80:
			continue
		case r == 0xFFFD, 0x2500 <= r && r <= 0x259F:
			// Lines of tables are what MS-DOS shows for accents.
			return true
		case i+1 < len(runes) && r == '√' && runes[i+1] >= 0x80:
			return true
		case r == 'Ã' && (i+1 == len(runes) || runes[i+1] == ' ' || runes[i+1] == '?') && i > 0 && isSmall(runes[i-1]),
			r == 'Ã' && i+1 < len(runes) && runes[i+1] == '?':
			// The second half was a space that does not break, or is lost.
			return true
		}
		if wasUTF8(runes[i:]) {
			return true
		}
	}
	return false
}

func isSmall(r rune) bool { return 'a' <= r && r <= 'z' }

// wasUTF8 reports whether characters are the bytes of one in UTF-8, each shown as Windows-1252 has
// it. Only those count that are usual in names: letters of Western and Central Europe and quotation
// marks.
func wasUTF8(runes []rune) bool {
	lead, ok := byteOf(runes[0])
	if !ok {
		return false
	}
	size := 0
	switch {
	case 0xC2 <= lead && lead <= 0xC5:
		size = 2
	case lead == 0xE2:
		size = 3
	default:
		return false
	}
	if len(runes) < size {
		return false
	}
	code := rune(lead & 0x3F)
	if size == 3 {
		code = rune(lead & 0x0F)
	}
	for _, r := range runes[1:size] {
		b, ok := byteOf(r)
		if !ok || b < 0x80 || b > 0xBF {
			return false
		}
		code = code<<6 | rune(b&0x3F)
	}
	return size == 2 || 0x2010 <= code && code <= 0x203A || code == '€' || code == '™'
}

// byteOf returns the byte of a character in Windows-1252.
func byteOf(r rune) (byte, bool) {
	if 0x80 <= r && r <= 0x9F {
		return byte(r), true
	}
	return charmap.Windows1252.EncodeRune(r)
}
