// Package person keeps the people who log in, and the contacts by which they are reached.
package person

import (
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"diresco/internal/access"
	"diresco/internal/fault"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// Person is somebody with a tax code (codice fiscale) of their own.
type Person struct {
	ID              uuid.UUID
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	// OfficeCode is the office where an operator works; nil for anybody else.
	OfficeCode          *string
	IdentityConfirmedAt *time.Time
	SuspendedAt         *time.Time
	CreatedAt           time.Time
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

// ContactKind is the kind of a contact.
type ContactKind string

// The kinds of contact. PEC is certified e-mail (posta elettronica certificata).
const (
	Mobile ContactKind = "mobile"
	Email  ContactKind = "email"
	PEC    ContactKind = "pec"
	Postal ContactKind = "postal"
)

// Contact is a way to reach a person. It counts once it is verified.
type Contact struct {
	ID         uuid.UUID
	PersonID   uuid.UUID
	Kind       ContactKind
	Value      string
	VerifiedAt *time.Time
	CreatedAt  time.Time
}

// TableName tells GORM the table.
func (Contact) TableName() string { return "contacts" }

// NewContact is a contact to be added.
type NewContact struct {
	Kind  ContactKind
	Value string
}

// New is a person to be created.
type New struct {
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	UserClass       access.UserClass
	CredentialLevel access.CredentialLevel
	// OfficeCode is needed for an operator and refused for anybody else; the office must exist.
	OfficeCode string
	// Contacts count as verified.
	Contacts []NewContact
}

const (
	maxName    = 100
	maxContact = 254
)

// check returns fault.Invalid naming each field that is wrong.
func (n New) check() error {
	var wrong []fault.Field
	add := func(ok bool, pointer, code string) {
		if !ok {
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: code})
		}
	}
	add(!n.TaxCode.IsZero() && n.TaxCode.IsPerson(), "/tax_code", "format")
	add(plainText(n.GivenName, maxName), "/given_name", "pattern")
	add(plainText(n.FamilyName, maxName), "/family_name", "pattern")
	switch n.UserClass {
	case access.Citizen, access.InstitutionalIntermediary, access.Operator, access.ContactCentre, access.Administrator:
	default:
		add(false, "/user_class", "enum")
	}
	add(n.CredentialLevel == access.Ordinary || n.CredentialLevel == access.Dispositive, "/credential_level", "enum")
	switch n.UserClass {
	case access.Operator:
		add(n.OfficeCode != "", "/office_code", "required")
	case access.Citizen, access.InstitutionalIntermediary:
		add(n.OfficeCode == "", "/office_code", "only-operators")
	case access.ContactCentre, access.Administrator: // may belong to an office
	}
	wrong = append(wrong, checkContacts(n.Contacts)...)
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// checkContacts names what is wrong in a list of contacts.
func checkContacts(contacts []NewContact) (wrong []fault.Field) {
	seen := map[NewContact]bool{}
	for i, c := range contacts {
		pointer := "/contacts/" + strconv.Itoa(i)
		switch {
		case !slices.Contains([]ContactKind{Mobile, Email, PEC, Postal}, c.Kind):
			wrong = append(wrong, fault.Field{Pointer: pointer + "/kind", Code: "enum"})
		case !c.valid():
			wrong = append(wrong, fault.Field{Pointer: pointer + "/value", Code: "format"})
		case seen[c]:
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: "repeated"})
		}
		seen[c] = true
	}
	return wrong
}

// A mobile number in the form of ITU-T E.164.
var mobilePattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (c NewContact) valid() bool {
	switch c.Kind {
	case Mobile:
		return mobilePattern.MatchString(c.Value)
	case Email, PEC:
		// The bare address alone: a display name, a comment or a line break has no place in a header.
		parsed, err := mail.ParseAddress(c.Value)
		return err == nil && parsed.Address == c.Value && plainText(c.Value, maxContact)
	default:
		return plainText(c.Value, maxContact)
	}
}

// plainText reports whether s has between 1 and limit characters, no control characters and no spaces around it.
func plainText(s string, limit int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, unicode.IsControl)
}
