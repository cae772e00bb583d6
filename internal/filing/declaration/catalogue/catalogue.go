// Package catalogue holds the declaration types that come with the program, one JSON file each. It
// checks the document in which a type is published, and the content of declarations against the
// JSON Schema of their type. A type is data: adding one needs no code.
package catalogue

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"diresco/internal/kernel/access"
)

//go:embed types/*.json
var files embed.FS

// Type is one version of a declaration type. Its JSON form is the document in which it is
// published.
type Type struct {
	Code           string `json:"code"`
	Version        int    `json:"version"`
	Title          Title  `json:"title"`
	LegalReference string `json:"legal_reference"`
	// Submitters are the rights by which the type may be submitted; none stands for all by which
	// somebody may declare.
	Submitters []access.ActingAs `json:"submitters,omitempty"`
	// Declarations are taken from OpensAt until, but not at, ClosesAt. Without
	// a ClosesAt the type stays open.
	OpensAt  time.Time  `json:"opens_at"`
	ClosesAt *time.Time `json:"closes_at,omitempty"`
	// Decision says who decides a type of one step, Withdrawal how long it may be taken back.
	Decision   Decision   `json:"decision,omitempty"`
	Withdrawal Withdrawal `json:"withdrawal,omitempty"`
	// Steps are one single step, or a reservation and its confirmation.
	Steps []Step `json:"steps"`
	// Fund has the money of a type that is capped.
	Fund *Fund `json:"fund,omitempty"`
	// Deferred is the batch for hires before OpensAt.
	Deferred *Deferred `json:"deferred,omitempty"`
	// WorkerField is the JSON pointer (RFC 6901) of the worker's tax code in the content.
	// HireDateField is that of the day on which the work begins, EventField that of the kind of
	// event. Each is empty where the content has none.
	WorkerField   string `json:"worker_field,omitempty"`
	HireDateField string `json:"hire_date_field,omitempty"`
	EventField    string `json:"event_field,omitempty"`
	// ContentSchema is a JSON Schema 2020-12, ContentExample a content that meets it in every step.
	ContentSchema  json.RawMessage `json:"content_schema"`
	ContentExample json.RawMessage `json:"content_example"`
}

// Title is what a type is called.
type Title struct {
	IT string `json:"it"`
	EN string `json:"en"`
}

// In returns the title in English or in Italian.
func (t Title) In(english bool) string {
	if english && t.EN != "" {
		return t.EN
	}
	return t.IT
}

// Decision says who decides about a declaration.
type Decision string

// The decisions: a person at the office, or the rules of the type.
const (
	ByOperator    Decision = "operator"
	Automatically Decision = "automatic"
)

// Withdrawal says how long a declaration may be taken back.
type Withdrawal string

// The withdrawals.
const (
	UntilDecision     Withdrawal = "until_decision"
	UntilConfirmation Withdrawal = "until_confirmation"
	NoWithdrawal      Withdrawal = "never"
)

// The steps of a type.
const (
	Single       = "single"
	Reservation  = "reservation"
	Confirmation = "confirmation"
)

// Step is one step of a declaration type: single, reservation or confirmation.
type Step struct {
	Step string `json:"step"`
	// PrintedCode is what receipts call the step; without it that is the code of the type.
	PrintedCode string `json:"printed_code,omitempty"`
	// Requires names members of the content that the step needs beside those of the schema.
	Requires []string `json:"requires,omitempty"`
	// HireWithin and ConfirmWithin are terms of a confirmation. They run from the acceptance of the
	// reservation.
	HireWithin    *Term         `json:"hire_within,omitempty"`
	ConfirmWithin *Term         `json:"confirm_within,omitempty"`
	Requirements  []Requirement `json:"requirements,omitempty"`
	// Amount says what the step asks of the fund.
	Amount *Amount `json:"amount,omitempty"`
}

// Fund says where the money of a type comes from.
type Fund struct {
	Code string `json:"fund_code"`
	// RegionField is the JSON pointer of a region's ISTAT code. With it each region has its own
	// fund.
	RegionField string `json:"region_field,omitempty"`
}

// Deferred is a batch for hires before a type opens. It is ranked when it closes.
type Deferred struct {
	ClosesAt time.Time `json:"closes_at"`
}

// StepCalled returns a step of the type.
func (t Type) StepCalled(name string) (Step, bool) {
	i := slices.IndexFunc(t.Steps, func(s Step) bool { return s.Step == name })
	if i < 0 {
		return Step{}, false
	}
	return t.Steps[i], true
}

// PrintedCode returns what receipts call a step of the type.
func (t Type) PrintedCode(step string) string {
	if s, found := t.StepCalled(step); found && s.PrintedCode != "" {
		return s.PrintedCode
	}
	return t.Code
}

// FundFor returns the code of the fund that a decoded content asks, or "" where it asks none. A
// region's fund is called <code>-<region>.
func (t Type) FundFor(content any) string {
	switch {
	case t.Fund == nil:
		return ""
	case t.Fund.RegionField == "":
		return t.Fund.Code
	}
	region := TextAt(content, t.Fund.RegionField)
	if region == "" {
		return ""
	}
	return t.Fund.Code + "-" + region
}

// MaySubmit reports whether the type may be submitted by a right.
func (t Type) MaySubmit(by access.ActingAs) bool {
	return len(t.Submitters) == 0 || slices.Contains(t.Submitters, by)
}

// Missing returns findings for the members that a step needs and a decoded content has not got.
func (s Step) Missing(content any) []Finding {
	var missing findings
	object, _ := content.(map[string]any)
	for _, name := range s.Requires {
		if _, there := object[name]; !there {
			missing.add("required", name)
		}
	}
	return missing
}

// All returns the declaration types that come with the program, ordered by file name. Their schemas
// and examples are in compact form. The error is that of a malformed file, so a test of this
// package is enough to rule it out.
func All() ([]Type, error) {
	entries, err := files.ReadDir("types")
	if err != nil {
		return nil, err
	}
	types := make([]Type, 0, len(entries))
	for _, e := range entries {
		b, err := files.ReadFile(path.Join("types", e.Name()))
		if err != nil {
			return nil, err
		}
		t, err := Read(b)
		if err != nil {
			return nil, fmt.Errorf("declaration type %s: %w", e.Name(), err)
		}
		types = append(types, t)
	}
	return types, nil
}

// Read reads the document of a type, without a check of what it says. What may be left out gets its
// default, and schema and example come in compact form.
func Read(document []byte) (Type, error) {
	var t Type
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return Type{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Type{}, errors.New("text after the JSON value")
	}
	t = t.WithDefaults()
	for _, doc := range []*json.RawMessage{&t.ContentSchema, &t.ContentExample} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, *doc); err != nil {
			return Type{}, err
		}
		*doc = compact.Bytes()
	}
	return t, nil
}

// WithDefaults returns the type with what its document left out.
func (t Type) WithDefaults() Type {
	if t.Withdrawal == "" {
		t.Withdrawal = UntilDecision
	}
	if t.Decision == "" {
		t.Decision = ByOperator
		if t.Fund != nil {
			t.Decision = Automatically
		}
	}
	return t
}
