// Package plaintext says what text that people type is taken as it is.
package plaintext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsLine reports whether a text is one line: it has something to be seen, up to so many characters,
// and no control characters.
func IsLine(s string, most int) bool { return is(s, most, unicode.IsControl) }

// IsText reports whether a text is one that may have several lines: IsLine, but for line ends and
// tabs.
func IsText(s string, most int) bool {
	return is(s, most, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' })
}

func is(s string, most int, refused func(rune) bool) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, refused)
}
