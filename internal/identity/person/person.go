// Package person keeps the people who log in, and the contacts by which they are reached.
package person

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/naming"
	"diresco/internal/platform/taxcode"
)

// SubjectKind is how the audit trail names a person.
const SubjectKind = "person"

// Person is somebody with a tax code (codice fiscale) of their own.
type Person struct {
	ID              uuid.UUID
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	// OfficeCode is the office where an operator works; nil for anybody else.
	OfficeCode *string
	// PostGivenBy is who made the person an administrator, until a second one has confirmed it. Nil
	// where there is nothing to confirm. Until then the post opens nothing.
	PostGivenBy         *uuid.UUID
	IdentityConfirmedAt *time.Time
	// DigitalIdentityAt is the first login with a national identity; nil where there was none.
	DigitalIdentityAt *time.Time
	SuspendedAt       *time.Time
	// SuspensionReason is for whoever decides about readmission; it is set while SuspendedAt is.
	SuspensionReason *string
	// Version counts the changes of the person.
	Version   int
	CreatedAt time.Time
}

// Dispositive reports whether the person has dispositive credentials: such a PIN, or a national
// identity.
func (p Person) Dispositive() bool {
	return p.CredentialLevel == access.Dispositive || p.DigitalIdentityAt != nil
}

// TableName tells GORM the table.
func (Person) TableName() string { return "people" }

// Office returns the code of the office where the person works, or "".
func (p Person) Office() string {
	if p.OfficeCode == nil {
		return ""
	}
	return *p.OfficeCode
}

// New is a person to be created.
type New struct {
	// ID is chosen where it is zero.
	ID              uuid.UUID
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	// OfficeCode is needed for an operator and refused for anybody else; the office must exist.
	OfficeCode string
	// Contacts count as verified.
	Contacts []NewContact
	// IdentityConfirmed people have confirmed their digital identity already.
	IdentityConfirmed bool
}

const maxName = 100

// normal returns the person with names and contacts as they are kept, or fault.Invalid naming each
// field that is wrong.
func (n New) normal() (New, error) {
	var wrong []fault.Field
	add := func(ok bool, pointer, code string) {
		if !ok {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	add(!n.TaxCode.IsZero() && n.TaxCode.IsPerson(), "/tax_code", fault.FieldFormat)
	for _, name := range []struct {
		value   *string
		pointer string
	}{{&n.GivenName, "/given_name"}, {&n.FamilyName, "/family_name"}} {
		var code string
		*name.value, code = naming.Person(*name.value, maxName)
		add(code == "", name.pointer, code)
	}
	switch n.UserClass {
	case access.Citizen, access.InstitutionalIntermediary, access.Operator, access.ContactCentre, access.Administrator:
	default:
		add(false, "/user_class", fault.FieldEnum)
	}
	add(n.CredentialLevel == access.Ordinary || n.CredentialLevel == access.Dispositive, "/credential_level", fault.FieldEnum)
	switch n.UserClass {
	case access.Operator:
		add(n.OfficeCode != "", "/office_code", fault.FieldRequired)
	case access.Citizen, access.InstitutionalIntermediary:
		add(n.OfficeCode == "", "/office_code", fault.FieldOnlyOperators)
	case access.ContactCentre, access.Administrator: // may belong to an office
	}
	contacts, unusable := NormaliseContacts(n.Contacts)
	n.Contacts, wrong = contacts, append(wrong, unusable...)
	if len(wrong) > 0 {
		return New{}, fault.InvalidFields(wrong...)
	}
	return n, nil
}
