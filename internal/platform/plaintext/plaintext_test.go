package plaintext_test

import (
	"strings"
	"testing"

	"diresco/internal/platform/plaintext"
)

func TestPlainText_IsWhatPeopleType(t *testing.T) {
	const most = 12
	for _, c := range []struct {
		typed      string
		line, text bool
	}{
		{"perché no", true, true},
		{"àèìòù ñ €", true, true},
		{strings.Repeat("è", most), true, true},
		{strings.Repeat("è", most+1), false, false},
		{"", false, false},
		{" \t\n", false, false},
		{"due\nrighe", false, true},
		{"due\r\nrighe", false, true},
		{"un\ttab", false, true},
		{"a\x00b", false, false},
		{"a\u0085b", false, false},
		{"a\xffb", false, false},
	} {
		if got := plaintext.IsLine(c.typed, most); got != c.line {
			t.Errorf("%q is a line: %t", c.typed, got)
		}
		if got := plaintext.IsText(c.typed, most); got != c.text {
			t.Errorf("%q is a text: %t", c.typed, got)
		}
	}
}
