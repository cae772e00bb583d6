package catalogue

import (
	"math/big"
	"strconv"
	"strings"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// Term is a number of days, the first of which does not count. It is over at 24:00 of the last, in
// Rome.
type Term struct {
	Days int      `json:"days"`
	Kind TermKind `json:"kind"`
}

// TermKind says which days count.
type TermKind string

// The kinds of term.
const (
	CalendarDays TermKind = "calendar"
	WorkingDays  TermKind = "working"
)

// RequirementName is one of the requirements that the program can check.
type RequirementName string

// The requirements.
const (
	// AgeAtHire wants the worker to be at least Min and at most Max years old on the day of hire.
	AgeAtHire RequirementName = "age_at_hire"
	// HireDateWindow wants the day of hire to be between From and To, both included.
	HireDateWindow RequirementName = "hire_date_window"
	// ContributorRegular wants a contributor that the register does not mark as irregular.
	ContributorRegular RequirementName = "contributor_regular"
	// NoOtherLive wants no other live declaration of the type for the worker.
	NoOtherLive RequirementName = "no_other_live"
)

// Requirement is what must hold before money is reserved or granted.
type Requirement struct {
	Name RequirementName `json:"requirement"`
	// Min and Max are whole years.
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`
	// From and To are days, YYYY-MM-DD.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Amount says how much a step asks of its fund. It is either a member of the content, at most Cap,
// or the lesser of Cap and Rate × pay × months.
type Amount struct {
	// Cap, a money text, is the most that there is.
	Cap string `json:"cap"`
	// Field is the JSON pointer of the amount in the content.
	Field string `json:"field,omitempty"`
	// Rate is a decimal fraction, PayField the JSON pointer of a monthly pay. The months are either
	// Months or a whole number in the content at MonthsField.
	Rate        string `json:"rate,omitempty"`
	PayField    string `json:"pay_field,omitempty"`
	Months      int    `json:"months,omitempty"`
	MonthsField string `json:"months_field,omitempty"`
}

// Of returns the amount that a decoded content asks. It is rounded once, half a cent upwards. What
// is missing or is no amount, and what is more than the cap, is a finding.
func (a Amount) Of(content any) (money.Cents, []Finding) {
	most, err := money.Parse(a.Cap)
	if err != nil {
		return 0, []Finding{{Code: fault.FieldOther}}
	}
	if a.Field != "" {
		asked, wrong := centsAt(content, a.Field)
		if wrong == nil && asked > most {
			euros, _ := new(big.Rat).SetFrac64(int64(most), 100).Float64()
			wrong = []Finding{{Pointer: a.Field, Code: fault.FieldMaximum, Right: &fault.Right{Maximum: &euros}}}
		}
		return asked, wrong
	}
	pay, wrong := centsAt(content, a.PayField)
	months := a.Months
	if a.MonthsField != "" {
		value, found := At(content, a.MonthsField)
		whole, ok := value.(float64)
		switch {
		case !found:
			wrong = append(wrong, Finding{Pointer: a.MonthsField, Code: fault.FieldRequired})
		case !ok || whole < 1 || whole > mostMonths || whole != float64(int(whole)):
			wrong = append(wrong, Finding{Pointer: a.MonthsField, Code: fault.FieldType})
		default:
			months = int(whole)
		}
	}
	rate, fine := new(big.Rat).SetString(a.Rate)
	if wrong != nil || !fine {
		return 0, wrong
	}
	sum := rate.Mul(rate, new(big.Rat).SetInt64(int64(pay)))
	sum.Mul(sum, new(big.Rat).SetInt64(int64(months)))
	if sum.Cmp(new(big.Rat).SetInt64(int64(most))) >= 0 {
		return most, nil
	}
	// ⌊(2n + d) / 2d⌋ is the half upwards.
	twice := new(big.Int).Lsh(sum.Denom(), 1)
	cents := new(big.Int).Lsh(sum.Num(), 1)
	return money.Cents(cents.Add(cents, sum.Denom()).Quo(cents, twice).Int64()), nil
}

// mostMonths bounds the months of an amount.
const mostMonths = 120

func centsAt(content any, pointer string) (money.Cents, []Finding) {
	value, found := At(content, pointer)
	if !found {
		return 0, []Finding{{Pointer: pointer, Code: fault.FieldRequired}}
	}
	text, _ := value.(string)
	cents, err := money.Parse(text)
	if err != nil {
		return 0, []Finding{{Pointer: pointer, Code: fault.FieldFormat}}
	}
	return cents, nil
}

// At returns the value at a JSON pointer (RFC 6901) in decoded JSON.
func At(value any, pointer string) (any, bool) {
	if pointer == "" {
		return value, true
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = unescapeToken.Replace(token)
		switch inner := value.(type) {
		case map[string]any:
			member, there := inner[token]
			if !there {
				return nil, false
			}
			value = member
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(inner) {
				return nil, false
			}
			value = inner[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// TextAt returns the text at a JSON pointer in decoded JSON, or "" where there is none.
func TextAt(value any, pointer string) string {
	if pointer == "" {
		return ""
	}
	found, _ := At(value, pointer)
	text, _ := found.(string)
	return text
}

var unescapeToken = strings.NewReplacer("~1", "/", "~0", "~")
