// Package access answers one question: may this session do this to this contributor, position or declaration?
// It has one query that loads session, person and rights together, for one operation of the contract.
package access

import (
	"slices"
	"time"

	"diresco/internal/fault"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// UserClass is the kind of user a person is.
type UserClass string

// The user classes.
const (
	Citizen                   UserClass = "citizen"
	InstitutionalIntermediary UserClass = "institutional_intermediary"
	Operator                  UserClass = "operator"
	ContactCentre             UserClass = "contact_centre"
	Administrator             UserClass = "administrator"
)

// CredentialLevel is what a login is good for: consulting, or also applying.
type CredentialLevel string

// The credential levels.
const (
	Ordinary    CredentialLevel = "ordinary"
	Dispositive CredentialLevel = "dispositive"
)

// ActingAs is the right by which somebody does something for a contributor.
type ActingAs string

// The rights that a role gives.
const (
	LegalRepresentative ActingAs = "legal_representative"
	EmployeeDelegate    ActingAs = "employee_delegate"
	Employer            ActingAs = "employer"
	UserAdministrator   ActingAs = "user_administrator"
	OfficeOperator      ActingAs = "operator"
)

// Service is a code of the services that a right covers.
type Service string

// The services that exist now.
const (
	// AllServices stands in a right for every service, those to come included.
	AllServices  Service = "*"
	Declarations Service = "declarations"
)

// Services lists every service, for showing what a right for all covers.
func Services() []Service { return []Service{Declarations} }

// Right lets its holder act for, or in an office consult, one contributor.
type Right struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	ActingAs      ActingAs
	Services      []Service
}

// Covers reports whether the right includes the service.
func (r Right) Covers(s Service) bool {
	return slices.Contains(r.Services, AllServices) || slices.Contains(r.Services, s)
}

// Files reports whether the right lets its holder make declarations: an operator only consults and a user administrator only manages users.
func (r Right) Files() bool {
	return r.ActingAs != OfficeOperator && r.ActingAs != UserAdministrator && r.Covers(Declarations)
}

// Actor is who asks: a live session, its person, and the rights over the contributor that the operation is about.
type Actor struct {
	SessionID         uuid.UUID
	PersonID          uuid.UUID
	TaxCode           taxcode.Code
	GivenName         string
	FamilyName        string
	UserClass         UserClass
	CredentialLevel   CredentialLevel
	OfficeCode        string
	PINChangeRequired bool
	AuthenticatedAt   time.Time
	// ContributorID is what Rights are about: the contributor in the path, or the one of the declaration in the path.
	ContributorID uuid.UUID
	Rights        []Right
}

// Consults reports whether the actor sees the contributor only as an operator of the competent office.
func (a Actor) Consults() bool {
	return !slices.ContainsFunc(a.Rights, func(r Right) bool { return r.ActingAs != OfficeOperator })
}

// RightIDs lists the ids of the actor's rights.
func (a Actor) RightIDs() []uuid.UUID {
	ids := make([]uuid.UUID, len(a.Rights))
	for i, r := range a.Rights {
		ids[i] = r.ID
	}
	return ids
}

// RightToFile chooses the right by which the actor declares for the contributor: the one asked for, else the first in the
// order own, role. It returns fault.NotFound when the actor has nothing to do with the contributor, fault.ServiceNotDelegated
// when the right does not cover declarations, and fault.Forbidden when it only lets one look.
func (a Actor) RightToFile(contributorID uuid.UUID, wanted *uuid.UUID) (Right, error) {
	if a.ContributorID != contributorID || len(a.Rights) == 0 {
		return Right{}, fault.New(fault.NotFound)
	}
	if wanted != nil {
		for _, r := range a.Rights {
			if r.ID == *wanted {
				return r, r.refuseFiling()
			}
		}
		return Right{}, fault.InvalidFields(fault.Field{Pointer: "/right_id", Code: "unknown-right"})
	}
	best, found := Right{}, false
	for _, r := range a.Rights {
		if r.Files() && (!found || rank(r.ActingAs) < rank(best.ActingAs)) {
			best, found = r, true
		}
	}
	if !found {
		return Right{}, a.Rights[0].refuseFiling()
	}
	return best, nil
}

func (r Right) refuseFiling() error {
	switch {
	case r.Files():
		return nil
	case r.ActingAs == OfficeOperator, r.ActingAs == UserAdministrator:
		return fault.New(fault.Forbidden)
	default:
		return fault.New(fault.ServiceNotDelegated)
	}
}

func rank(a ActingAs) int {
	return slices.Index([]ActingAs{LegalRepresentative, Employer, EmployeeDelegate}, a)
}
