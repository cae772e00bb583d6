package attachment

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/encoding/charmap"
	unicodetext "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"diresco/internal/platform/charset"
	"diresco/internal/platform/fault"
)

// plain returns which of XML, text and archive a file is, if that is allowed, or "". exact is what
// a library takes it for.
func plain(u *Upload, head []byte, exact *mimetype.MIME, allowed []MediaType) MediaType {
	may := func(t MediaType) bool { return slices.Contains(allowed, t) }
	switch {
	case isArchive(head):
		// What is built as an archive and is a kind of its own (a program, an office document) says
		// so by what comes first in it.
		if may(ZIP) && exact.Is(string(ZIP)) {
			return ZIP
		}
	case may(XML) && isXML(u, head):
		return XML
	case may(Text) && isText(u, head):
		return Text
	}
	return ""
}

// isArchive reports whether a file begins as a ZIP does. An empty one has nothing to tell.
func isArchive(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

// isXML reports whether a file is well-formed XML from the beginning to the end. Pages and drawings
// for a browser (XHTML, SVG) are not taken for it, nor is what declares a document type: entities
// are how XML reads other files, and grows without an end.
func isXML(u *Upload, head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if !bytes.HasPrefix(text, []byte("<")) && !bytes.HasPrefix(head, []byte("\xff\xfe")) && !bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return false
	}
	d := xml.NewDecoder(decoded(u, head))
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			// It was read by its mark.
			return r, nil
		}
		return charset.Reader(label, r)
	}
	for roots, depth := 0, 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return roots == 1 && depth == 0
		}
		if err != nil {
			return false
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
				if forBrowsers(t) {
					return false
				}
			}
			if depth++; depth > mostDepth {
				// Each open element is kept in memory.
				return false
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return false
		}
		if roots > 1 || depth < 0 {
			return false
		}
	}
}

// mostDepth is how deep the elements of a document may stand within each other.
const mostDepth = 256

func forBrowsers(root xml.StartElement) bool {
	return slices.Contains([]string{"html", "svg", "script"}, strings.ToLower(root.Name.Local))
}

// decoded returns a text without its mark, and as UTF-8 where the mark says that it is UTF-16.
func decoded(u *Upload, head []byte) io.Reader {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return transform.NewReader(u.Open(), unicodetext.UTF16(unicodetext.BigEndian, unicodetext.ExpectBOM).NewDecoder())
	}
	return transform.NewReader(u.Open(), unicodetext.UTF8BOM.NewDecoder())
}

// markup is how pages and scripts begin.
var markup = regexp.MustCompile(`(?i)^\s*(?:<|#!|@echo|%!PS|\{\\rtf)`)

// isText reports whether a file is text all through, in UTF-8, in UTF-16 with its mark, or in the
// 8-bit alphabet of Western Windows. Text has no control characters but for lines, tabs and pages.
// What begins as markup or as a script is not taken for it.
func isText(u *Upload, head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return isPrintable(decoded(u, head))
	}
	if markup.Match(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		return false
	}
	if isUTF8(u.Open()) {
		return isPrintable(decoded(u, head))
	}
	return isPrintable(transform.NewReader(u.Open(), charmap.Windows1252.NewDecoder()))
}

func isUTF8(r io.Reader) bool {
	b := bufio.NewReader(r)
	for {
		c, size, err := b.ReadRune()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if c == utf8.RuneError && size == 1 {
			return false
		}
	}
}

func isPrintable(r io.Reader) bool {
	b, first := bufio.NewReader(r), true
	for {
		c, _, err := b.ReadRune()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if first && c == '<' || unicode.IsControl(c) && !strings.ContainsRune("\t\r\n\f", c) || c == utf8.RuneError {
			return false
		}
		first = first && unicode.IsSpace(c)
	}
}

const (
	// mostEntries is how many files an archive may hold.
	mostEntries = 1000
	// mostUnpacked is how long what an archive holds may be, by what it says, in bytes: 200 MiB.
	mostUnpacked = 200 << 20
	// encryptedEntry is the flag of a file in an archive that opens with a password.
	encryptedEntry = 1
)

// program is how the names of files end that a computer runs when they are opened.
var program = regexp.MustCompile(`(?i)\.(?:exe|com|bat|cmd|scr|pif|msi|msp|cpl|dll|sys|lnk|url|hta|js|jse|vbs|vbe|wsf|wsh|ps1|psm1|jar|` +
	`class|apk|app|sh|command|reg|chm|iso|img|docm|xlsm|pptm|xlam|html?|xhtml|svg)[. ]*$`)

// refuseArchive returns why an archive is not taken, or "". Nothing of it is ever unpacked here:
// what counts is its directory, which is what the reader at the office goes by.
func refuseArchive(u *Upload) string {
	archive, err := zip.NewReader(u.at(), u.Size())
	if err != nil || len(archive.File) == 0 || len(archive.File) > mostEntries {
		return fault.FieldFileUnsafe
	}
	var unpacked uint64
	for _, f := range archive.File {
		switch {
		case f.Flags&encryptedEntry != 0:
			return fault.FieldFilePassword
		case !leadsInside(f.Name), program.MatchString(f.Name), !f.Mode().IsRegular() && !f.Mode().IsDir():
			return fault.FieldFileUnsafe
		}
		if unpacked += min(f.UncompressedSize64, mostUnpacked+1); unpacked > mostUnpacked {
			return fault.FieldFileUnsafe
		}
	}
	return ""
}

// leadsInside reports whether a name in an archive stays below the folder where that is unpacked.
func leadsInside(name string) bool {
	if name == "" || strings.ContainsAny(name, "\\:\x00") || name[0] == '/' {
		return false
	}
	return !slices.Contains(strings.Split(name, "/"), "..")
}
