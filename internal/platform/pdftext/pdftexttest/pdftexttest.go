// Package pdftexttest reads the PDFs of the service back, for tests.
package pdftexttest

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"
)

var (
	streams = regexp.MustCompile(`(?s)/FlateDecode[^>]*>>\s*stream\n(.*?)\nendstream`)
	texts   = regexp.MustCompile(`(?s)\(((?:\\.|[^\\)])*)\)\s*Tj`)
	sheets  = regexp.MustCompile(`/Type /Page\s`)
)

// largest bounds what a page may unpack to, in bytes.
const largest = 64 << 20

// Read returns the lines of text that a PDF shows, and its number of pages. The spaces that end
// lines are cut.
func Read(pdf []byte) (lines []string, pages int) {
	for _, s := range texts.FindAllStringSubmatch(Content(pdf), -1) {
		lines = append(lines, strings.TrimRight(decode(s[1]), " "))
	}
	return lines, len(sheets.FindAll(pdf, -1))
}

// Content returns what draws the pages, unpacked.
func Content(pdf []byte) string {
	var content strings.Builder
	for _, stream := range streams.FindAllSubmatch(pdf, -1) {
		z, err := zlib.NewReader(bytes.NewReader(stream[1]))
		if err != nil {
			continue // not compressed by zlib alone: an image
		}
		page, err := io.ReadAll(io.LimitReader(z, largest))
		if err != nil || !texts.Match(page) {
			continue
		}
		content.Write(page)
		content.WriteByte('\n')
	}
	return content.String()
}

func decode(escaped string) string {
	raw := strings.NewReplacer(`\\`, `\`, `\(`, `(`, `\)`, `)`, `\r`, "\r").Replace(escaped)
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units))
}
