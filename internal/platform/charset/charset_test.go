package charset_test

import (
	"io"
	"strings"
	"testing"

	"diresco/internal/platform/charset"
)

func TestReader(t *testing.T) {
	for label, text := range map[string]string{
		"utf-8": "è €", "UTF8": "è €", "iso-8859-1": "\xe8 \x80", "ISO8859-1": "\xe8 \x80", "latin1": "\xe8 \x80", "us-ascii": "\xe8 \x80",
		"windows-1252": "\xe8 \x80", "cp1252": "\xe8 \x80", "ISO-8859-15": "\xe8 \xa4", "Windows_1252": "\xe8 \x80",
	} {
		r, err := charset.Reader(label, strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "è €" {
			t.Errorf("%s: %q, %v", label, got, err)
		}
	}
	for _, label := range []string{"", "utf-16", "klingon", "big5"} {
		if _, err := charset.Reader(label, strings.NewReader("x")); err == nil {
			t.Errorf("%q is read", label)
		}
	}
}
