// Package access answers one question: may this session do this to this contributor, position or
// declaration? It has one query that loads session, person and rights together, for one operation
// of the contract.
package access

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
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

// Login is how somebody logged in.
type Login struct {
	// Method is "pin", or what the session calls a national identity.
	Method string `json:"login_method,omitempty" gorm:"column:login_method"`
	// Level is that of a national identity, 1 to 3; nil for a PIN.
	Level *int `json:"login_level,omitempty" gorm:"column:login_level"`
	// Provider is the id of who vouched for the person; nil for a PIN.
	Provider *string `json:"login_provider,omitempty" gorm:"column:login_provider"`
}

// pinMethod is the method of who logged in with a PIN.
const pinMethod = "pin"

// National reports whether a national identity let the person in. What it opens is as good as
// dispositive credentials, whatever the PIN is.
func (l Login) National() bool { return l.Method != "" && l.Method != pinMethod }

// Raise returns what a login is good for whose person has a PIN of a level.
func (l Login) Raise(level CredentialLevel) CredentialLevel {
	if l.National() {
		return Dispositive
	}
	return level
}

// ActingAs is the right by which somebody does something for a contributor.
type ActingAs string

// The rights that a role, a delegation or a sub-delegation gives, and that of an operator.
const (
	LegalRepresentative ActingAs = "legal_representative"
	EmployeeDelegate    ActingAs = "employee_delegate"
	Employer            ActingAs = "employer"
	UserAdministrator   ActingAs = "user_administrator"
	Intermediary        ActingAs = "intermediary"
	SubDelegate         ActingAs = "sub_delegate"
	OfficeOperator      ActingAs = "operator"
)

// Right lets its holder act for, or in an office consult, one contributor.
type Right struct {
	// ID is that of the role, delegation or sub-delegation which gives the right.
	ID            uuid.UUID
	ContributorID uuid.UUID
	ActingAs      ActingAs
	Services      ServiceSet
	// Positions are those that the right is about; nil stands for all of the contributor's.
	Positions []uuid.UUID
	// Links are the rows that the right hangs on: it ends with the first of them.
	Links []Link
}

// Link is one row that a right hangs on.
type Link struct {
	Kind LinkKind
	ID   uuid.UUID
}

// LinkKind tells where a link's row is.
type LinkKind int

// The kinds of link.
const (
	// RoleLink is a role at the contributor.
	RoleLink LinkKind = iota
	// DelegationLink is the contributor's delegation to an intermediary.
	DelegationLink
	// DelegateRoleLink is a role at the intermediary, where that is an organisation.
	DelegateRoleLink
	// SubDelegationLink is what the intermediary gave one of its workers.
	SubDelegationLink
	// DelegateLink is the intermediary itself.
	DelegateLink
	// ListedLink is the intermediary's place on its professional register.
	ListedLink
)

// About reports whether the right is about a position.
func (r Right) About(positionID uuid.UUID) bool {
	return r.Positions == nil || slices.Contains(r.Positions, positionID)
}

// Covers reports whether the right includes the service.
func (r Right) Covers(s Service) bool { return r.Services.Covers(s) }

// Files reports whether the right lets its holder make declarations. An operator only consults, and
// a user administrator only manages users.
func (r Right) Files() bool {
	return r.ActingAs != OfficeOperator && r.ActingAs != UserAdministrator && r.Covers(Declarations)
}

// Actor is who asks: a live session, its person, and the rights over the contributor that the
// operation is about.
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
	// Unconfirmed says that no second administrator has confirmed the actor's post yet.
	Unconfirmed bool
	// ByPIN says that the session was begun with a PIN, not with SPID, CIE or CNS.
	ByPIN bool
	// Login is how the person logged in, or proved last to be there; an application has that of its
	// consent.
	Login           Login
	AuthenticatedAt time.Time
	// ContributorID is what Rights are about: the contributor in the path, or the one of the
	// declaration in the path.
	ContributorID uuid.UUID
	Rights        []Right
	// Memberships are what the actor is at the intermediary in the path. For a delegation in the
	// path, that is the intermediary of the delegation.
	Memberships []Membership
	// Grant is the consent by which an application acts for the person; nil where they act
	// themselves.
	Grant *Grant
	// Shown is what an Attachment has read of the target for an operation that shows it, whoever
	// the actor is; else it is nil.
	Shown any
}

// Membership is what somebody is at an intermediary: the professional, or a person with a role at
// an organisation.
type Membership struct {
	// ID is that of the role, or of the intermediary whose person the actor is.
	ID         uuid.UUID
	DelegateID uuid.UUID
	Kind       string
	LegalName  string
	// Listed says that the intermediary is on its professional register.
	Listed   bool
	ActingAs ActingAs
	Services ServiceSet
}

// Covers reports whether the membership includes the service.
func (s Membership) Covers(service Service) bool { return s.Services.Covers(service) }

// Right is what somebody acts by who does something by the membership. It ends with the role and,
// as long as the intermediary is on its register, when it leaves that.
func (s Membership) Right() Right {
	right := Right{ID: s.ID, ActingAs: s.ActingAs, Services: s.Services, Links: []Link{{DelegateLink, s.DelegateID}}}
	if s.ID != s.DelegateID {
		right.Links = append(right.Links, Link{DelegateRoleLink, s.ID})
	}
	if s.Listed {
		right.Links = append(right.Links, Link{ListedLink, s.DelegateID})
	}
	return right
}

// Staff reports whether the actor works here, other than for themselves.
func (a Actor) Staff() bool {
	return a.UserClass == Operator || a.UserClass == ContactCentre || a.UserClass == Administrator
}

// Office is what somebody acts by who works here: their post.
func (a Actor) Office() Right { return Right{ID: a.PersonID, ActingAs: OfficeOperator} }

// Consults reports whether the actor sees the contributor only as an operator of the competent
// office.
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

// Positions are those of the contributor that the actor's rights with the service are about; nil
// stands for all.
func (a Actor) Positions(s Service) []uuid.UUID {
	return positions(a.Rights, func(r Right) bool { return r.Covers(s) })
}

// VisiblePositions are the contributor's positions that any of the actor's rights is about; nil
// stands for all.
func (a Actor) VisiblePositions() []uuid.UUID {
	return positions(a.Rights, func(Right) bool { return true })
}

func positions(rights []Right, which func(Right) bool) []uuid.UUID {
	some := []uuid.UUID{}
	for _, r := range rights {
		switch {
		case !which(r):
		case r.Positions == nil:
			return nil
		default:
			some = append(some, r.Positions...)
		}
	}
	return some
}

// RightToFile chooses the right by which the actor declares for a position of the contributor. It
// is the one asked for, else the first in the order own, role, delegation, sub-delegation. It
// returns these faults:
//   - fault.NotFound: the actor has nothing to do with the contributor;
//   - fault.Invalid: the right is not the actor's, or none of the rights is about the position;
//   - fault.ServiceNotDelegated: the right does not cover declarations;
//   - fault.Forbidden: the right only lets one look.
func (a Actor) RightToFile(contributorID, positionID uuid.UUID, wanted *uuid.UUID) (Right, error) {
	if a.ContributorID != contributorID || len(a.Rights) == 0 {
		return Right{}, fault.New(fault.NotFound)
	}
	asked := slices.Clone(a.Rights)
	inOrder(asked)
	if wanted != nil {
		asked = slices.DeleteFunc(asked, func(r Right) bool { return r.ID != *wanted })
		if len(asked) == 0 {
			return Right{}, fault.InvalidFields(fault.Field{Pointer: "/right_id", Code: fault.FieldUnknownRight})
		}
	}
	asked = slices.DeleteFunc(asked, func(r Right) bool { return !r.About(positionID) })
	if len(asked) == 0 {
		return Right{}, fault.InvalidFields(fault.Field{Pointer: "/position_id", Code: fault.FieldUnknownPosition})
	}
	if i := slices.IndexFunc(asked, Right.Files); i >= 0 {
		return asked[i], nil
	}
	return Right{}, asked[0].refuseFiling()
}

// RightToFileAny chooses the right by which the actor declares for some position of the contributor,
// the first in the same order. It returns the faults of RightToFile that are about no position.
func (a Actor) RightToFileAny(contributorID uuid.UUID) (Right, error) {
	if a.ContributorID != contributorID || len(a.Rights) == 0 {
		return Right{}, fault.New(fault.NotFound)
	}
	asked := slices.Clone(a.Rights)
	inOrder(asked)
	if i := slices.IndexFunc(asked, Right.Files); i >= 0 {
		return asked[i], nil
	}
	return Right{}, asked[0].refuseFiling()
}

// inOrder sorts rights: own, role, delegation, sub-delegation, then what lets one only look; equal
// ones by their ids.
func inOrder(rights []Right) {
	slices.SortStableFunc(rights, func(a, b Right) int {
		return cmp.Or(cmp.Compare(rank(a.ActingAs), rank(b.ActingAs)), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

func (r Right) refuseFiling() error {
	switch {
	case r.Files():
		return nil
	case r.ActingAs == OfficeOperator, r.ActingAs == UserAdministrator:
		return &fault.Fault{Code: fault.Forbidden, Reason: "right-consults", Allowed: []string{
			string(LegalRepresentative), string(Employer), string(EmployeeDelegate), string(Intermediary), string(SubDelegate),
		}}
	default:
		return &fault.Fault{Code: fault.ServiceNotDelegated, Allowed: []string{string(Declarations)}}
	}
}

func rank(a ActingAs) int {
	return slices.Index([]ActingAs{
		LegalRepresentative, Employer, EmployeeDelegate, Intermediary, SubDelegate, UserAdministrator, OfficeOperator,
	}, a)
}
