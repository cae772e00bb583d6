package smarttask

import (
	"encoding/json"

	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"

	"diresco/internal/identity/person"
	"diresco/internal/platform/fault"
)

// content is what a task asks; each type has some of it.
type content struct {
	DelegationID uuid.UUID   `json:"delegation_id"`
	GrantID      uuid.UUID   `json:"grant_id"`
	PositionID   uuid.UUID   `json:"position_id"`
	ContactIDs   []uuid.UUID `json:"contact_ids"`
	Reason       string      `json:"reason"`
	ContactEmail replacement `json:"contact_email"`
	ContactPhone replacement `json:"contact_phone"`
}

// replacement is a value that may be left as it is, replaced or taken away.
type replacement struct {
	// value is nil for what stays, and empty for what is taken away.
	value *string
}

// UnmarshalJSON implements json.Unmarshaler: null takes a value away.
func (r *replacement) UnmarshalJSON(raw []byte) error {
	var given *string
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	if r.value = given; given == nil {
		r.value = new("")
	}
	return nil
}

// normal brings the value into the form in which it is kept, if it has one.
func (r *replacement) normal(form func(string) (string, bool)) bool {
	if r.value == nil || *r.value == "" {
		return true
	}
	n, ok := form(*r.value)
	r.value = &n
	return ok
}

// parse checks a content by the schema of the type and reads it. It returns fault.Invalid with the
// fields that are wrong.
func (t Type) parse(raw json.RawMessage) (content, error) {
	var c content
	if _, wrong := t.compiled.Validate(raw); len(wrong) > 0 {
		return c, fault.InvalidFields(findingsIn(wrong)...)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fault.InvalidFields(fault.Field{Pointer: "/content", Code: fault.FieldOther})
	}
	var wrong []fault.Field
	if !c.ContactEmail.normal(normalEmail) {
		wrong = append(wrong, fault.Field{Pointer: "/content/contact_email", Code: fault.FieldFormat})
	}
	if !c.ContactPhone.normal(normalPhone) {
		wrong = append(wrong, fault.Field{Pointer: "/content/contact_phone", Code: fault.FieldFormat})
	}
	if t.rule.contacts && c.ContactEmail.value == nil && c.ContactPhone.value == nil {
		wrong = append(wrong, fault.Field{Pointer: "/content/contact_email", Code: fault.FieldRequired})
	}
	if len(wrong) > 0 {
		return c, fault.InvalidFields(wrong...)
	}
	return c, nil
}

func normalEmail(typed string) (string, bool) {
	n, ok := person.NewContact{Kind: person.Email, Value: typed}.Normalise()
	return n.Value, ok
}

// normalPhone takes any telephone, a landline too: it is shown, and nothing is sent there.
func normalPhone(typed string) (string, bool) {
	number, err := phonenumbers.Parse(typed, "IT")
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return typed, false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}
