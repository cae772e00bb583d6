package edge

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/httpapi/problem"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// maxPattern is how long a pattern may be that helps somebody who reads it.
const maxPattern = 100

// forms are what formats ask for, and a value of each.
var forms = map[string]fault.Right{
	"date-time": {Expected: "RFC 3339", Example: "2026-03-16T08:15:04Z"},
	"date":      {Expected: "RFC 3339 (full-date)", Example: "2026-03-16"},
	"uuid":      {Expected: "UUID", Example: "018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c"},
	"email":     {Expected: "RFC 5321", Example: "mario.rossi@posta.example"},
}

// rightOf says what a schema would have taken in the place of what is wrong by the code. It is nil
// where there is nothing to say; it holds what the contract says, and nothing of the request.
func rightOf(code string, s *openapi3.Schema) *fault.Right {
	if s == nil {
		return nil
	}
	switch code {
	case fault.FieldMinimum, fault.FieldMaximum:
		return &fault.Right{Minimum: s.Min, Maximum: s.Max}
	case fault.FieldMultipleOf:
		return &fault.Right{MultipleOf: s.MultipleOf}
	case fault.FieldTooShort, fault.FieldTooLong:
		return &fault.Right{MinLength: least(s.MinLength), MaxLength: most(s.MaxLength)}
	case fault.FieldTooFew, fault.FieldTooMany:
		if s.Type.Is(openapi3.TypeArray) {
			return &fault.Right{MinItems: least(s.MinItems), MaxItems: most(s.MaxItems)}
		}
		return &fault.Right{MinItems: least(s.MinProps), MaxItems: most(s.MaxProps)}
	case fault.FieldEnum:
		return &fault.Right{Allowed: valuesOf(s)}
	case fault.FieldType, fault.FieldNull, fault.FieldRequired:
		return typeOf(s)
	case fault.FieldFormat, fault.FieldPattern:
		return formOf(s)
	default:
		return nil
	}
}

// typeOf says of which type a value should be.
func typeOf(s *openapi3.Schema) *fault.Right {
	r := &fault.Right{Allowed: valuesOf(s)}
	if form, ok := forms[s.Format]; ok {
		return &form
	}
	if len(r.Allowed) == 0 {
		r.Example = exampleOf(s)
	}
	if s.Type != nil && len(*s.Type) > 0 {
		r.Expected = (*s.Type)[0]
	}
	return r
}

// formOf says how a text should look.
func formOf(s *openapi3.Schema) *fault.Right {
	if form, ok := forms[s.Format]; ok {
		return &form
	}
	r := &fault.Right{Example: exampleOf(s)}
	if len(s.Pattern) <= maxPattern {
		r.Expected = s.Pattern
	}
	if r.Expected == "" && r.Example == "" {
		return nil
	}
	return r
}

func least(n uint64) *int64 {
	if n == 0 {
		return nil
	}
	return new(int64(n)) //nolint:gosec // a bound in the contract
}

func most(n *uint64) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n)) //nolint:gosec // a bound in the contract
}

func valuesOf(s *openapi3.Schema) []string {
	var all []string
	for _, v := range s.Enum {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// exampleOf is the schema's example, unless it is a whole object or list.
func exampleOf(s *openapi3.Schema) string {
	switch s.Example.(type) {
	case string, float64, bool:
		return fmt.Sprint(s.Example)
	default:
		return ""
	}
}

// knownNames are those that there are where one is unknown, and which of them was probably meant.
func knownNames[V any](unknown string, known map[string]V) *fault.Right {
	names := slices.Sorted(maps.Keys(known))
	if len(names) == 0 {
		return nil
	}
	return &fault.Right{Allowed: names, Meant: fault.Nearest(unknown, names)}
}

// whoMay adds to a refusal of the guard who may use the operation, as the contract has it.
func (op *operation) whoMay(a access.Actor, refused error) error {
	f := asFault(refused)
	if f.Reason != "" || len(f.Allowed) > 0 {
		return refused
	}
	told := *f
	switch {
	case f.Code == fault.Forbidden && op.staff() && !slices.Contains(op.rule.Classes, a.UserClass):
		told.Reason = problem.ReasonClass
		for _, c := range op.rule.Classes {
			told.Allowed = append(told.Allowed, string(c))
		}
	case f.Code == fault.Forbidden && op.rule.To == access.ToOffice:
		told.Reason = problem.ReasonOffice
	case f.Code == fault.ServiceNotDelegated && op.rule.Service != "":
		told.Allowed = []string{string(op.rule.Service)}
	default:
		return refused
	}
	return &told
}
