package declarationbatch

import (
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

// Reasons for which an item is refused, beside what its declaration is refused for.
const (
	// The sender's right or credentials ended before the item was filed.
	reasonRightEnded = "batch-right-ended"
	// Another item of a batch was refused of which all or nothing is filed.
	reasonNotWhole = "batch-not-whole"
)

// maxFields is how many wrong fields of one item are kept.
const maxFields = 20

// rightEnded is the fault of what its sender may not file any more.
func rightEnded() error { return fault.Because(fault.Forbidden, reasonRightEnded) }

// notWhole is the fault of what is not filed since another item was refused.
func notWhole() error { return fault.Because(fault.Conflict, reasonNotWhole) }

// duplicate is the fault of a reference under which a declaration was filed before.
func duplicate(declarationID uuid.UUID) error {
	return &fault.Fault{
		Code: fault.Duplicate, Href: "/declarations/" + declarationID.String(),
		Fields: []fault.Field{{Pointer: "/reference", Code: fault.FieldDuplicate}},
	}
}

// kept is a fault as it is stored.
type kept struct {
	Code    fault.Code  `json:"code"`
	Reason  string      `json:"reason,omitempty"`
	Href    string      `json:"href,omitempty"`
	Allowed []string    `json:"allowed,omitempty"`
	Fields  []keptField `json:"fields,omitempty"`
}

type keptField struct {
	Pointer string     `json:"pointer"`
	Code    string     `json:"code"`
	Right   *keptRight `json:"right,omitempty"`
}

// keptRight is a fault.Right as it is stored.
type keptRight struct {
	Minimum        *float64 `json:"minimum,omitempty"`
	Maximum        *float64 `json:"maximum,omitempty"`
	MultipleOf     *float64 `json:"multiple_of,omitempty"`
	MinLength      *int64   `json:"min_length,omitempty"`
	MaxLength      *int64   `json:"max_length,omitempty"`
	MinItems       *int64   `json:"min_items,omitempty"`
	MaxItems       *int64   `json:"max_items,omitempty"`
	Allowed        []string `json:"allowed,omitempty"`
	Expected       string   `json:"expected,omitempty"`
	CheckCharacter string   `json:"check_character,omitempty"`
	Meant          string   `json:"meant,omitempty"`
	Example        string   `json:"example,omitempty"`
}

// write stores why an item was refused. Whose right has ended is told so: to themselves it is no
// secret that there is the contributor.
func write(err error) (string, error) {
	var f *fault.Fault
	if !errors.As(err, &f) {
		f = fault.New(fault.Internal)
	}
	if f.Code == fault.NotFound || f.Code == fault.SessionEnded {
		errors.As(rightEnded(), &f)
	}
	k := kept{Code: f.Code, Reason: f.Reason, Href: f.Href, Allowed: f.Allowed}
	for _, field := range f.Fields[:min(len(f.Fields), maxFields)] {
		k.Fields = append(k.Fields, keptField{field.Pointer, field.Code, (*keptRight)(field.Right)})
	}
	text, err := json.Marshal(k)
	return string(text), err
}

// Fault returns why an item was refused, or nil.
func (i Item) Fault() (*fault.Fault, error) {
	if i.Problem == nil {
		return nil, nil
	}
	var k kept
	if err := json.Unmarshal([]byte(*i.Problem), &k); err != nil {
		return nil, err
	}
	f := &fault.Fault{Code: k.Code, Reason: k.Reason, Href: k.Href, Allowed: k.Allowed}
	for _, field := range k.Fields {
		f.Fields = append(f.Fields, fault.Field{Pointer: field.Pointer, Code: field.Code, Right: (*fault.Right)(field.Right)})
	}
	return f, nil
}
