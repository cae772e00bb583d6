// Package subdelegation lets the people who work for an intermediary use its delegations (INPS,
// sub-abilitazione).
//
// Each has credentials of their own. What it gives never reaches further than the delegation and
// ends with it: that is decided where rights are read, at each request, and not here.
package subdelegation

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// SubDelegation is what lets a person work with the delegations of an intermediary, as it is kept.
type SubDelegation struct {
	ID         uuid.UUID
	DelegateID uuid.UUID
	PersonID   uuid.UUID
	// Every says that it is about all delegations of the intermediary, those to come included.
	Every      bool
	Services   access.ServiceSet
	ValidUntil *time.Time
	GrantedBy  uuid.UUID
	GrantedAt  time.Time
	RevokedBy  *uuid.UUID
	RevokedAt  *time.Time
	Version    int
}

// TableName tells GORM the table.
func (SubDelegation) TableName() string { return "sub_delegations" }

// State is where a sub-delegation stands.
type State string

// The states of a sub-delegation. None is stored: they follow from its row, its delegations, the
// register and the clock.
const (
	Active State = "active"
	// Suspended ones wait for the intermediary to be on its register again.
	Suspended State = "suspended"
	Revoked   State = "revoked"
	// Expired ones have reached their own end, or the last of the delegations that they name has
	// ended.
	Expired State = "expired"
)

// View is a sub-delegation with all that is told of it.
type View struct {
	SubDelegation
	DelegateKind intermediary.Kind
	DelegateName string
	StruckOffAt  *time.Time
	GivenName    string
	FamilyName   string
	// DelegationIDs are those that it is about; none where it is about all.
	DelegationIDs []uuid.UUID `gorm:"-"`
	State         State       `gorm:"-"`
	// contributorIDs are whose delegations it names, each once; parentLives says that one of those
	// has not ended.
	contributorIDs []uuid.UUID
	parentLives    bool
}

// stateAt is where it stands at the instant.
func (s View) stateAt(now time.Time) State {
	switch {
	case s.RevokedAt != nil:
		return Revoked
	case s.ValidUntil != nil && !s.ValidUntil.After(now), !s.Every && !s.parentLives:
		return Expired
	case s.StruckOffAt != nil:
		return Suspended
	default:
		return Active
	}
}

// ended reports whether it gives nothing any more, whatever happens.
func (s View) ended() bool { return s.State == Revoked || s.State == Expired }

// contributorID is whose delegations it is about, if these are all of one contributor.
func (s View) contributorID() uuid.UUID {
	if len(s.contributorIDs) != 1 {
		return uuid.Nil
	}
	return s.contributorIDs[0]
}

// gives reports whether it gives all that was asked for. It has at least the same delegations and
// services, and no shorter time.
func (s View) gives(in Input) bool {
	reaches := s.Every || !in.All && !slices.ContainsFunc(in.DelegationIDs, func(id uuid.UUID) bool {
		return !slices.Contains(s.DelegationIDs, id)
	})
	lasts := s.ValidUntil == nil || in.ValidUntil != nil && !s.ValidUntil.Before(*in.ValidUntil)
	return reaches && s.Services.CoversAll(in.Services.OrAll()) && lasts
}

// Input is who may work with which delegations.
type Input struct {
	// DelegateID is needed from who may give sub-delegations for more than one intermediary.
	DelegateID *uuid.UUID
	TaxCode    taxcode.Code
	// All stands for all delegations; else DelegationIDs names them.
	All           bool
	DelegationIDs []uuid.UUID
	// Services are nil for what each delegation covers.
	Services   access.ServiceSet
	ValidUntil *time.Time
}

// triesADay is how many people one person tries to give a sub-delegation in 24 hours.
const triesADay = 20

// revoke ends a sub-delegation that has not ended.
func (s View) revoke(by uuid.UUID, now time.Time) (SubDelegation, error) {
	if s.ended() {
		return s.SubDelegation, fault.Because(fault.Conflict, "sub-delegation-ended")
	}
	s.RevokedBy, s.RevokedAt = &by, &now
	s.Version++
	return s.SubDelegation, nil
}

// gives reports whether who has the membership decides who works with the intermediary's
// delegations. That is the professional and, at an organisation, those who manage its people.
func gives(membership access.Membership) bool {
	return membership.ActingAs == access.Intermediary || membership.ActingAs == access.LegalRepresentative ||
		membership.ActingAs == access.UserAdministrator
}

// sees reports whether who has the membership sees who works with the intermediary's delegations.
func sees(membership access.Membership) bool {
	return gives(membership) || membership.Covers(access.Delegations)
}

// parent is what is known of a delegation that a sub-delegation is to hang on.
type parent struct {
	services   access.ServiceSet
	validUntil *time.Time
}

// check says what is wrong with the terms; parents are the live delegations among those that are
// named.
func (in Input) check(parents map[uuid.UUID]parent, now time.Time) []fault.Field {
	var wrong []fault.Field
	add := func(pointer, code string) { wrong = append(wrong, fault.Field{Pointer: pointer, Code: code}) }
	switch {
	case in.All && len(in.DelegationIDs) > 0:
		add("/delegation_ids", fault.FieldNotApplicable)
	case !in.All && len(in.DelegationIDs) == 0:
		add("/delegation_ids", fault.EmptyList(in.DelegationIDs))
	}
	for i, id := range in.DelegationIDs {
		pointer := "/delegation_ids/" + strconv.Itoa(i)
		if slices.Contains(in.DelegationIDs[:i], id) {
			add(pointer, fault.FieldDuplicate)
		} else if _, live := parents[id]; !live && !in.All {
			add(pointer, fault.FieldUnknownDelegation)
		}
	}
	wrong = append(wrong, in.checkServices(parents)...)
	switch {
	case in.ValidUntil == nil:
	case !in.ValidUntil.After(now):
		add("/valid_until", fault.FieldPast)
	case !in.All && outlives(*in.ValidUntil, parents):
		add("/valid_until", fault.FieldAfterDelegation)
	}
	return wrong
}

// checkServices says what is wrong with the services; where delegations are named, some of them
// must cover each.
func (in Input) checkServices(parents map[uuid.UUID]parent) []fault.Field {
	wrong := in.Services.Check("/services")
	if in.All || len(parents) == 0 {
		return wrong
	}
	for i, s := range in.Services {
		f := fault.Field{Pointer: "/services/" + strconv.Itoa(i), Code: fault.FieldNotDelegated}
		if !anyCovers(parents, s) && !slices.ContainsFunc(wrong, func(w fault.Field) bool { return w.Pointer == f.Pointer }) {
			wrong = append(wrong, f)
		}
	}
	return wrong
}

func anyCovers(parents map[uuid.UUID]parent, s access.Service) bool {
	for _, p := range parents {
		if p.services.Covers(s) {
			return true
		}
	}
	return false
}

// outlives reports whether any of the delegations ends before the instant.
func outlives(until time.Time, parents map[uuid.UUID]parent) bool {
	for _, p := range parents {
		if p.validUntil != nil && p.validUntil.Before(until) {
			return true
		}
	}
	return false
}

// The kinds of messages; the data of each names the delegate and the person.
var (
	grantedKind = outbox.Declare(outbox.Kind{Name: "subdelegation.granted"})
	revokedKind = outbox.Declare(outbox.Kind{Name: "subdelegation.revoked"})
)
