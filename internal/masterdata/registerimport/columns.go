package registerimport

import (
	"regexp"
	"slices"
	"strconv"
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
	// within takes the place of check where other columns say what a value means.
	within func(value string, values []string) (string, string)
	// isTruth says that JSON may give it as a truth value.
	isTruth bool
}

// truthColumn is an optional column that says whether something is so.
func truthColumn(name string) column {
	return column{name: name, optional: true, check: truth, isTruth: true}
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
	c, err := taxcode.Parse(withZeros(s, 8, 11))
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

// withZeros puts the zeros back that a spreadsheet took from the beginning of a number. At least
// some digits must be left. It is for numbers that are held against something afterwards.
func withZeros(s string, least, length int) string {
	if !isNumber(s) || len(s) < least || len(s) >= length {
		return s
	}
	return strings.Repeat("0", length-len(s)) + s
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

var (
	// dayFirst is how Italy writes a date; the month never stands first.
	dayFirst = regexp.MustCompile(`^([0-9]{1,2})([/.-])([0-9]{1,2})([/.-])([0-9]{4})$`)
	midnight = regexp.MustCompile(`[ T]0{1,2}[:.]00([:.]00([.,]0+)?)?Z?$`)
)

// date takes 2026-03-16 and 16/03/2026, also with a time that says midnight.
func date(s string) (string, string) {
	day := midnight.ReplaceAllString(s, "")
	if parts := dayFirst.FindStringSubmatch(day); parts != nil && parts[2] == parts[4] {
		day = parts[5] + "-" + withZeros(parts[3], 1, 2) + "-" + withZeros(parts[1], 1, 2)
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return s, fault.FieldFormat
	}
	return day, ""
}

var (
	// italianAmount has a decimal comma; points part thousands.
	italianAmount = regexp.MustCompile(`^-?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]{1,2}$`)
	plainAmount   = matching(`-?(?:0|[1-9][0-9]{0,12})(?:\.[0-9]{1,2})?`)
)

// amount takes 1850.00, and 1.850,00 and 1850,00 as Italy writes them.
func amount(s string) (string, string) {
	if italianAmount.MatchString(s) {
		return plainAmount(strings.NewReplacer(".", "", ",", ".").Replace(s))
	}
	return plainAmount(s)
}

// abroad is the province of who lives in another country.
const abroad = "EE"

var (
	italianPostalCode = matching(`[0-9]{5}`)
	foreignPostalCode = matching(`[0-9A-Za-z -]{3,10}`)
)

// postalCode takes five digits in Italy, where zeros that a spreadsheet dropped are put back: the
// lowest is 00010.
func postalCode(s, province string) (string, string) {
	if province == abroad {
		return foreignPostalCode(s)
	}
	return italianPostalCode(withZeros(s, 2, 5))
}

// upper and lower take a text in any case and keep it in one.
func upper(check func(string) (string, string)) func(string) (string, string) {
	return func(s string) (string, string) { return check(strings.ToUpper(s)) }
}

func lower(check func(string) (string, string)) func(string) (string, string) {
	return func(s string) (string, string) { return check(strings.ToLower(s)) }
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
	return lower(func(s string) (string, string) {
		if !slices.Contains(values, s) {
			return s, fault.FieldFormat
		}
		return s, ""
	})
}

// truth is kept as 1 or 0. Spreadsheets write it in capitals, and in their user's language.
func truth(s string) (string, string) {
	switch strings.ToLower(s) {
	case "true", "vero":
		return "1", ""
	case "false", "falso":
		return "0", ""
	}
	return s, fault.FieldFormat
}

var (
	registerCode = matching(`[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`)
	tenDigits    = matching(`[0-9]{10}`)
	fourSigns    = upper(matching(`[0-9A-Z]{4}`))
)

var (
	mailAddress  = matching(`[^\s@\x00-\x1F\x7F-\x9F]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,3}`)
	mobileNumber = matching(`\+[0-9]{8,15}`)
	contactWord  = oneOf("unverified", "verified", "bounced")
)

// contactState is the state of the contact in the column at the place.
func contactState(of int) func(string, []string) (string, string) {
	return func(s string, values []string) (string, string) {
		if values[of] == "" {
			return s, fault.FieldNotApplicable
		}
		return contactWord(s)
	}
}

// officeCode is held against the offices that there are.
func officeCode(s string) (string, string) { return fourSigns(withZeros(s, 1, 4)) }

// number is that of a position. Nobody can tell one that lost its zeros from one that lost another
// digit.
func number(s string) (string, string) {
	if isNumber(s) && len(s) < 10 {
		return s, fault.FieldLeadingZeros
	}
	return tenDigits(s)
}

// planKind is the kind of public_body_data that has instalments, kindColumn where that stands.
const (
	planKind   = "amortisation_plan"
	kindColumn = 1
)

// ofPlan takes a value of an amortisation plan alone.
func ofPlan(check func(string) (string, string)) func(string, []string) (string, string) {
	return func(value string, values []string) (string, string) {
		if !strings.EqualFold(values[kindColumn], planKind) {
			return value, fault.FieldNotApplicable
		}
		return check(value)
	}
}

var count = matching(`0|[1-9][0-9]{0,3}`)

// counted is the number that a text was checked to be, or nil.
func counted(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil
	}
	return &n
}

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
		if c.within != nil {
			r.values[i], bad = c.within(r.values[i], r.values)
		} else {
			r.values[i], bad = c.check(r.values[i])
		}
		if bad != "" {
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
