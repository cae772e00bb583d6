// Package delegation lets a contributor be represented by an intermediary (INPS, gestione deleghe).
//
// The intermediary drafts it, the contributor signs it on paper, and a code that went to the
// contributor activates it.
package delegation

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// State is where a delegation stands.
type State string

// The states. Suspended and Expired are never stored: the register and the clock say them.
const (
	// Draft (bozza) delegations are being prepared.
	Draft State = "draft"
	// Pending ones (in attesa di attivazione) wait for the code that was sent to the contributor.
	Pending State = "pending"
	// Active ones (attiva) give the intermediary its rights.
	Active State = "active"
	// Suspended ones (sospesa) are those of an intermediary that left its professional register.
	Suspended State = "suspended"
	// Revoked ones (revocata) were ended by either side, or discarded before they began.
	Revoked State = "revoked"
	// Expired ones (scaduta) came to the end that they were given.
	Expired State = "expired"
)

// Transitions are all the ways from state to state.
var Transitions = map[State][]State{
	Draft:     {Pending, Revoked},
	Pending:   {Draft, Active, Revoked},
	Active:    {Suspended, Revoked, Expired},
	Suspended: {Active, Revoked, Expired},
	Revoked:   {},
	Expired:   {},
}

// Scope is how much is delegated.
type Scope string

// The scopes: all services of the positions, those to come included, or chosen ones.
const (
	Total   Scope = "total"
	Partial Scope = "partial"
)

// EndCause is what ended a delegation.
type EndCause string

// What ends delegations.
const (
	ByContributor  EndCause = "contributor"
	ByIntermediary EndCause = "intermediary"
	// ByReplacement is the next delegation of a household employer.
	ByReplacement EndCause = "replacement"
	// ByExpiry is the clock; it is never stored.
	ByExpiry EndCause = "expiry"
)

// Delegation is what a contributor lets an intermediary do, as it is kept.
type Delegation struct {
	ID            uuid.UUID
	DelegateID    uuid.UUID
	ContributorID uuid.UUID
	// ReferenceCode is what the form is known by; each change makes another.
	ReferenceCode string
	Scope         Scope
	Services      access.ServiceSet
	Exclusive     bool
	ValidUntil    *time.Time
	SignatoryID   uuid.UUID
	State         State
	DraftedBy     uuid.UUID
	DraftedAt     time.Time
	// OfferedAt is when a code was first sent for it; until then the contributor sees nothing of
	// it.
	OfferedAt   *time.Time
	ActivatedBy *uuid.UUID
	ActivatedAt *time.Time
	EndedBy     *uuid.UUID
	EndedAt     *time.Time
	// EndCause is nil for one that was not revoked.
	EndCause *EndCause
	// EndReason is in the words of who ended it; nil where nobody gave any.
	EndReason *string
	// ContactEmail and ContactPhone are where the intermediary is reached about this delegation;
	// nil where none is known. They are not contacts of a person.
	ContactEmail *string
	ContactPhone *string
	Version      int
	// GORM would write the time of the machine.
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// TableName tells GORM the table.
func (Delegation) TableName() string { return "delegations" }

// View is a delegation with all that is told of it. The service decides State, EndedAt and EndCause
// at one instant before it shows one; while it works with one they are as kept.
type View struct {
	Delegation
	DelegateKind        intermediary.Kind
	DelegateName        string
	DelegateTaxCode     taxcode.Code
	StruckOffAt         *time.Time
	ContributorTaxCode  taxcode.Code
	ContributorName     string
	ContributorKind     contributor.Kind
	SignatoryGivenName  string
	SignatoryFamilyName string
	SignatoryTaxCode    taxcode.Code
	DrafterGivenName    string
	DrafterFamilyName   string
	// Of who activated it, empty until then.
	ActivatorGivenName  string
	ActivatorFamilyName string
	Positions           []contributor.Position `gorm:"-"`
	OTP                 *OTP                   `gorm:"-"`
	// ForContributor says that it is shown to the contributor's side, which sees all of it.
	ForContributor bool `gorm:"-"`
	// Workers are who of the intermediary's people may use it, by name, a hundred at most. They are
	// nil where it is shown without them: the contributor's side alone sees them.
	Workers []Worker `gorm:"-"`
}

// HidesSignatory reports whether it shows no more of the signatory than a look-up does. Until it is
// active nobody agreed to more.
func (s View) HidesSignatory() bool { return !s.ForContributor && s.ActivatedAt == nil }

// Worker is one of an intermediary's people who may use a delegation.
type Worker struct {
	// ActingAs is Intermediary for a role at an organisation, or SubDelegate.
	ActingAs access.ActingAs
	// SubDelegationID is nil for a role.
	SubDelegationID *uuid.UUID
	PersonID        uuid.UUID
	GivenName       string
	FamilyName      string
	// Services are those that the delegation and the role or sub-delegation both cover.
	Services  access.ServiceSet
	GrantedAt time.Time
}

// stateAt returns the state at an instant: what is stored, what the professional register says and
// what the clock says.
func (s View) stateAt(now time.Time) State {
	switch {
	case s.State != Active:
		return s.State
	case s.ValidUntil != nil && !s.ValidUntil.After(now):
		return Expired
	case s.StruckOffAt != nil:
		return Suspended
	}
	return Active
}

// at is the delegation as it stands at an instant.
func (s View) at(now time.Time) View {
	if s.State = s.stateAt(now); s.State == Expired {
		s.EndedAt, s.EndCause = s.ValidUntil, new(ByExpiry)
	}
	return s
}

// seenBy is the delegation as it stands at an instant, as the actor's side sees it.
func (s View) seenBy(by access.Actor, now time.Time) View {
	s = s.at(now)
	s.ForContributor = represents(by)
	return s
}

const (
	// maxWorkers is how many of an intermediary's people are shown with a delegation.
	maxWorkers = 100
	// mostOpen is how many delegations an intermediary prepares for one contributor at a time.
	mostOpen = 20
	// lookUpsADay is how many contributors one person looks up in 24 hours.
	lookUpsADay = 200
)

// send is a draft, or a pending delegation, for which a code goes out.
func (d Delegation) send(now time.Time) (Delegation, error) {
	if d.State != Draft && d.State != Pending {
		return d, fault.Because(fault.Conflict, "delegation-state")
	}
	if d.ValidUntil != nil && !d.ValidUntil.After(now) {
		return d, fault.Because(fault.Conflict, "delegation-over")
	}
	if d.OfferedAt == nil {
		d.OfferedAt = &now
	}
	return d.moved(Pending, now), nil
}

// offered reports whether the contributor knows of it; see access.OfferedDelegation.
func (d Delegation) offered() bool {
	return d.OfferedAt != nil || d.ActivatedAt != nil || d.State == Pending || d.State == Active
}

// activate is a pending delegation whose code was right.
func (d Delegation) activate(by uuid.UUID, now time.Time) (Delegation, error) {
	if d.State != Pending {
		return d, fault.Because(fault.Conflict, "delegation-state")
	}
	if d.ValidUntil != nil && !d.ValidUntil.After(now) {
		return d, fault.Because(fault.Conflict, "delegation-over")
	}
	d = d.moved(Active, now)
	d.ActivatedBy, d.ActivatedAt = &by, &now
	return d, nil
}

// revoke ends a delegation, whoever asks and in whatever state it is, unless it has ended. words
// say why, and may be empty.
func (s View) revoke(by uuid.UUID, cause EndCause, words string, now time.Time) (Delegation, error) {
	if state := s.stateAt(now); !slices.Contains(Transitions[state], Revoked) {
		return s.Delegation, fault.Because(fault.Conflict, "delegation-state")
	}
	d := s.Delegation.moved(Revoked, now)
	d.EndedBy, d.EndedAt, d.EndCause = &by, &now, &cause
	if words != "" {
		d.EndReason = &words
	}
	return d, nil
}

// withContacts is a delegation that lives, or may yet, with other contacts of its intermediary.
func (s View) withContacts(c Contacts, now time.Time) (Delegation, error) {
	if state := s.stateAt(now); !slices.Contains(Transitions[state], Revoked) {
		return s.Delegation, fault.Because(fault.Conflict, "delegation-state")
	}
	d := s.Delegation.moved(s.Delegation.State, now)
	d.ContactEmail, d.ContactPhone = replaced(d.ContactEmail, c.Email), replaced(d.ContactPhone, c.Phone)
	return d, nil
}

// Contacts are where an intermediary is reached about a delegation. A nil one stays as it is, an
// empty one is taken away.
type Contacts struct{ Email, Phone *string }

func replaced(old, wanted *string) *string {
	switch {
	case wanted == nil:
		return old
	case *wanted == "":
		return nil
	}
	return wanted
}

// changed is a draft again: what was signed, and the code that was sent, were about something else.
func (d Delegation) changed(now time.Time) (Delegation, error) {
	if d.State != Draft && d.State != Pending {
		return d, fault.Because(fault.Conflict, "delegation-state")
	}
	return d.moved(Draft, now), nil
}

func (d Delegation) moved(to State, now time.Time) Delegation {
	d.State, d.UpdatedAt = to, now
	d.Version++
	return d
}

// overlaps reports whether two delegations are about a position in common.
func overlaps(a, b []uuid.UUID) bool {
	return slices.ContainsFunc(a, func(id uuid.UUID) bool { return slices.Contains(b, id) })
}
