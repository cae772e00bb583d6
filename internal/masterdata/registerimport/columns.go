package registerimport

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/taxcode"
)

// column is one field of the lines of a register.
type column struct {
	name     string
	optional bool
	// check returns the value as it is kept, and what is wrong with it or "".
	check func(string) (string, string)
}

// maxText is how long a text of a register may be, in characters.
const maxText = 300

func text(s string) (string, string) { return bounded(s, maxText) }

func bounded(s string, most int) (string, string) {
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable):
		return s, fault.FieldCharacter
	case utf8.RuneCountInString(s) > most:
		return s, fault.FieldTooLong
	}
	return s, ""
}

// unprintable reports whether a character has no place in a name; what decoders put for broken ones
// has none either.
func unprintable(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }

func personName(s string) (string, string) { return naming.Person(s, maxText) }

func legalName(s string) (string, string) { return s, naming.Display(s, maxText) }

func code(s string) (string, string) {
	c, err := taxcode.Parse(s)
	if err != nil {
		return s, fault.FieldFormat
	}
	return c.Clear(), ""
}

func personCode(s string) (string, string) {
	c, err := taxcode.Parse(s)
	if err != nil || !c.IsPerson() {
		return s, fault.FieldFormat
	}
	return c.Clear(), ""
}

func date(s string) (string, string) {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return s, fault.FieldFormat
	}
	return s, ""
}

// matching takes what the expression matches as a whole.
func matching(expression string) func(string) (string, string) {
	pattern := regexp.MustCompile("^(?:" + expression + ")$")
	return func(s string) (string, string) {
		if !pattern.MatchString(s) {
			return s, fault.FieldFormat
		}
		return s, ""
	}
}

func oneOf(values ...string) func(string) (string, string) {
	return func(s string) (string, string) {
		if !slices.Contains(values, s) {
			return s, fault.FieldFormat
		}
		return s, ""
	}
}

// truth is kept as 1 or 0.
func truth(s string) (string, string) {
	switch s {
	case "true":
		return "1", ""
	case "false":
		return "0", ""
	}
	return s, fault.FieldFormat
}

var (
	officeCode   = matching(`[0-9A-Z]{4}`)
	registerCode = matching(`[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`)
	number       = matching(`[0-9]{10}`)
)

// record is a line of a file, its values in the order of the columns; what is missing is "".
type record struct {
	line   int
	values []string
}

// inspect checks a record's values and keeps them as they are to be kept.
func inspect(r record, columns []column) (wrong []LineError) {
	for i, c := range columns {
		if r.values[i] == "" {
			if !c.optional {
				wrong = append(wrong, LineError{r.line, "/" + c.name, fault.FieldRequired})
			}
			continue
		}
		var bad string
		if r.values[i], bad = c.check(r.values[i]); bad != "" {
			wrong = append(wrong, LineError{r.line, "/" + c.name, bad})
		}
	}
	return wrong
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
