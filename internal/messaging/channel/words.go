package channel

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	personal  = regexp.MustCompile(`\S*(@|[0-9]{4,})\S*`)
	maxReason = 100
)

// Impersonal keeps what a carrier says short, on one line. It leaves out what could be a number or
// an address.
func Impersonal(words string) string {
	words = strings.TrimSpace(personal.ReplaceAllString(OneLine(words), "…"))
	if runes := []rune(words); len(runes) > maxReason {
		words = string(runes[:maxReason])
	}
	return words
}

// OneLine makes a text one line: what carries it may well speak a protocol of lines further on.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
