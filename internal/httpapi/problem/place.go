package problem

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"diresco/api"
	"diresco/internal/platform/fault"
)

// How long the texts of an answer may be, in characters.
const (
	maxDetail = 2000
	maxRight  = 1000
	maxValue  = 255
	// maxNamed is how many values a text names; all of them stand beside it.
	maxNamed = 20
)

// hints are the words about what would have been right, each a format.
type hints struct {
	atLeast, atMost, between                string // of a number
	shortest, longest, length               string // of a text
	fewest, most, members                   string // of a list or an object
	multipleOf, oneOf, expected, check, did string
	example                                 string
	// allowed are those of a whole problem, by its code.
	allowed map[fault.Code]string
}

// allowed says what would have been taken instead of the whole request.
func (d dictionary) allowed(f *fault.Fault) string {
	format, ok := d.hints.allowed[f.Code]
	if !ok {
		format = d.hints.oneOf
	}
	return fmt.Sprintf(format, strings.Join(f.Allowed, ", "))
}

// place shows one wrong place.
func (d dictionary) place(f fault.Field) api.ProblemError {
	shown := api.ProblemError{Code: f.Code, Detail: d.field(f.Code)}
	at := fitPointer(f.Pointer)
	switch f.In {
	case fault.InParameter:
		shown.Parameter = &at
	case fault.InHeader:
		shown.Header = &at
	case fault.InBody:
		shown.Pointer = &at
	}
	if f.Line > 0 {
		shown.Line = new(int32(f.Line)) //nolint:gosec // fewer than the file has bytes
	}
	r := f.Right
	if r == nil {
		return shown
	}
	shown.Minimum, shown.Maximum, shown.MultipleOf = r.Minimum, r.Maximum, r.MultipleOf
	shown.MinLength, shown.MaxLength, shown.MinItems, shown.MaxItems = r.MinLength, r.MaxLength, r.MinItems, r.MaxItems
	if allowed := fitAll(r.Allowed); len(allowed) > 0 {
		shown.Allowed = &allowed
	}
	for _, expected := range []string{r.Expected, r.CheckCharacter, r.Meant} {
		if expected != "" {
			shown.Expected = new(fitText(expected, maxRight))
		}
	}
	if r.Example != "" {
		shown.Example = new(fitText(r.Example, maxRight))
	}
	shown.Detail = fitText(strings.Join(append([]string{shown.Detail}, d.right(r)...), " "), maxRight)
	return shown
}

// right says in words what would have been right.
func (d dictionary) right(r *fault.Right) []string {
	var said []string
	say := func(format string, values ...any) { said = append(said, fmt.Sprintf(format, values...)) }
	h := d.hints
	bounds(say, r.Minimum, r.Maximum, number, h.atLeast, h.atMost, h.between)
	bounds(say, r.MinLength, r.MaxLength, whole, h.shortest, h.longest, h.length)
	bounds(say, r.MinItems, r.MaxItems, whole, h.fewest, h.most, h.members)
	if r.MultipleOf != nil {
		say(h.multipleOf, number(*r.MultipleOf))
	}
	if r.Meant != "" {
		say(h.did, r.Meant)
	}
	if named := fitAll(r.Allowed); len(named) > maxNamed {
		say(h.oneOf, strings.Join(named[:maxNamed], ", ")+" …")
	} else if len(named) > 0 {
		say(h.oneOf, strings.Join(named, ", "))
	}
	if r.Expected != "" {
		say(h.expected, r.Expected)
	}
	if r.CheckCharacter != "" {
		say(h.check, r.CheckCharacter)
	}
	if r.Example != "" {
		say(h.example, r.Example)
	}
	return said
}

func bounds[T any](say func(string, ...any), least, most *T, write func(T) string, atLeast, atMost, between string) {
	switch {
	case least != nil && most != nil:
		say(between, write(*least), write(*most))
	case least != nil:
		say(atLeast, write(*least))
	case most != nil:
		say(atMost, write(*most))
	}
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func whole(n int64) string { return strconv.FormatInt(n, 10) }

// fitText cuts a text to what the contract lets an answer hold.
func fitText(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

func fitAll(values []string) []string {
	var all []string
	for _, v := range values[:min(len(values), MaxFields)] {
		if v != "" {
			all = append(all, fitText(v, maxValue))
		}
	}
	return all
}
