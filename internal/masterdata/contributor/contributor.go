// Package contributor knows contributors (contribuenti: companies, public bodies, self-employed,
// household employers).
//
// It has their contribution positions (posizioni contributive), the offices (sedi) that look after
// these, and the roles that people have there.
package contributor

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/taxcode"
)

// Kind is what a contributor is.
type Kind string

// The kinds of contributor.
const (
	Company      Kind = "company"
	PublicBody   Kind = "public_body"
	SelfEmployed Kind = "self_employed"
	Household    Kind = "household"
)

// Office is a local office, known by its code of four characters.
type Office struct {
	Code  string `gorm:"primaryKey"`
	Title string
	OfficeDetails
	// Version counts the changes of the details.
	Version int
}

// Contributor is who owes contributions.
type Contributor struct {
	ID        uuid.UUID
	TaxCode   taxcode.Code
	LegalName string
	Kind      Kind
	// Irregular is the register's mark of who has not paid what was due.
	Irregular bool
	CreatedAt time.Time
}

// Position is one registration of a contributor with a scheme (gestione). Number has ten digits and
// leading zeros matter.
type Position struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	Number        string
	Scheme        string
	OfficeCode    string
	State         PositionState
	CreatedAt     time.Time
}

// PositionState tells whether a position is in use.
type PositionState string

// The states of a position.
const (
	PositionActive PositionState = "active"
	PositionCeased PositionState = "ceased"
)

// Role is what a person is at a contributor.
type Role struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	PersonID      uuid.UUID
	Role          access.ActingAs
	Services      access.ServiceSet
	GrantedAt     time.Time
	WithdrawnAt   *time.Time
}

// TableName tells GORM the table.
func (Role) TableName() string { return "contributor_roles" }

// WithRights is a contributor together with the rights that a person has over it.
type WithRights struct {
	Contributor
	Rights []access.Right
}

// Search narrows a list of contributors down.
type Search struct {
	// TaxCode is exact; the zero code stands for any.
	TaxCode taxcode.Code
	// LegalName matches any part, whatever the case.
	LegalName string
	// PositionNumber is exact.
	PositionNumber string
}
