// Package charset reads the encodings of one byte a character in which people here still write.
// Those of East Asia would add half a megabyte to the program.
package charset

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// ErrUnknown is the error about an encoding that is not read here.
var ErrUnknown = errors.New("unknown encoding")

// Reader returns the text in UTF-8, given the name of its encoding as XML and mail have it. As
// browsers do, it takes ISO 8859-1 and ASCII for Windows-1252, which has all that they have
// (WHATWG Encoding).
func Reader(label string, text io.Reader) (io.Reader, error) {
	name := bare(label)
	switch name {
	case "utf8":
		return text, nil
	case "usascii", "ascii", "latin1", "iso88591":
		name = "windows1252"
	}
	name = strings.Replace(name, "cp125", "windows125", 1)
	for _, known := range charmap.All {
		if one, ok := known.(fmt.Stringer); ok && bare(one.String()) == name {
			return transform.NewReader(text, known.NewDecoder()), nil
		}
	}
	return nil, ErrUnknown
}

// bare is a name without what its writers differ in.
func bare(label string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(label)))
}
