// Package naming says what may stand in a name. Names are printed on letters, receipts and forms
// and shown to others, so nothing may hide in them.
package naming

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/fault"
)

// Person returns the name of a person as it is kept, and what is wrong with it or "". Format
// characters, such as those that turn the direction of writing, are dropped; a backtick or an acute
// accent that stands alone is an apostrophe, a comma a space, and several spaces are one. What is
// left are letters and their marks, apostrophes, hyphens, full stops and spaces; else it is
// fault.FieldCharacter. Without any letter it is fault.FieldPattern, and fault.FieldTooLong beyond
// so many characters.
func Person(typed string, most int) (string, string) {
	if !utf8.ValidString(typed) {
		return typed, fault.FieldCharacter
	}
	name := strings.Map(kept, typed)
	if strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !inPerson(r) }) {
		return typed, fault.FieldCharacter
	}
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case !strings.ContainsFunc(name, unicode.IsLetter):
		return typed, fault.FieldPattern
	case utf8.RuneCountInString(name) > most:
		return typed, fault.FieldTooLong
	}
	return name, ""
}

// kept is what a typed character is kept as; -1 stands for nothing.
func kept(r rune) rune {
	switch {
	case r == '`' || r == '´':
		return '\''
	case r == ',' || unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Cf, r):
		return -1
	}
	return r
}

// inPerson reports whether a character may stand in the name of a person, a space aside.
func inPerson(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || strings.ContainsRune("'’-‐‑.", r)
}

// Display returns what is wrong with the name of an organisation, or "". It is for lines printed
// beside a name, too. It may hold any character but those that are not seen or change how others
// are: control and format characters, and those that break a line (fault.FieldCharacter). Without
// anything to be seen it is fault.FieldPattern, and fault.FieldTooLong beyond so many characters.
func Display(typed string, most int) string {
	switch {
	case !utf8.ValidString(typed) || strings.ContainsFunc(typed, hidden):
		return fault.FieldCharacter
	case strings.TrimSpace(typed) == "":
		return fault.FieldPattern
	case utf8.RuneCountInString(typed) > most:
		return fault.FieldTooLong
	}
	return ""
}

// hidden reports whether a character is not seen, or is what decoders put for a broken one.
func hidden(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
