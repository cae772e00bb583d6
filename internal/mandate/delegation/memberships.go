package delegation

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
)

// usable are the memberships of intermediaries on their registers from which delegations are
// managed, each intermediary once. It returns fault.Forbidden where there is none, and
// fault.ServiceNotDelegated for who is something there and does not manage delegations.
func usable(all []access.Membership) ([]access.Membership, error) {
	if len(all) == 0 {
		return nil, fault.Because(fault.Forbidden, "no-intermediary")
	}
	memberships := slices.DeleteFunc(slices.Clone(all), func(membership access.Membership) bool { return !manages(membership) })
	if len(memberships) == 0 {
		return nil, fault.New(fault.ServiceNotDelegated)
	}
	memberships = slices.DeleteFunc(memberships, func(membership access.Membership) bool { return !membership.Listed })
	if len(memberships) == 0 {
		return nil, fault.Because(fault.Forbidden, "delegate-not-listed")
	}
	return slices.CompactFunc(memberships, func(a, b access.Membership) bool { return a.DelegateID == b.DelegateID }), nil
}

// membership is the intermediary for which the actor manages delegations: the one asked for, or the
// only one. It returns what usable does where there is none, fault.DelegateMustBePerson for a firm,
// and fault.Invalid at /delegate_id where it is not the actor's or the actor must say which.
func (s *Service) membership(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Membership, error) {
	all, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return access.Membership{}, err
	}
	memberships, err := usable(all)
	if err != nil {
		return access.Membership{}, err
	}
	if wanted != nil {
		d, err := s.intermediaries.ByID(ctx, *wanted)
		if err == nil && d.Kind == intermediary.Firm {
			return access.Membership{}, fault.New(fault.DelegateMustBePerson)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return access.Membership{}, err
		}
		there := slices.DeleteFunc(all, func(membership access.Membership) bool { return membership.DelegateID != *wanted })
		if len(there) == 0 {
			return access.Membership{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: fault.FieldUnknownDelegate})
		}
		if memberships, err = usable(there); err != nil {
			return access.Membership{}, err
		}
		return memberships[0], nil
	}
	// A firm is nobody's delegate: who has a membership of their own beside it means that one.
	memberships = slices.DeleteFunc(memberships, func(membership access.Membership) bool {
		return membership.Kind == string(intermediary.Firm)
	})
	switch len(memberships) {
	case 0:
		return access.Membership{}, fault.New(fault.DelegateMustBePerson)
	case 1:
		return memberships[0], nil
	}
	return access.Membership{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: fault.FieldRequired})
}

// manages reports whether somebody with the membership prepares and ends the intermediary's
// delegations.
func manages(membership access.Membership) bool {
	return membership.ActingAs != access.UserAdministrator && membership.Covers(access.Delegations)
}

// represents reports whether the actor manages the delegations that a contributor gives.
func represents(by access.Actor) bool {
	_, does := representing(by)
	return does
}

// representing is the right by which the actor manages the delegations that a contributor gives, if
// there is one.
func representing(by access.Actor) (access.Right, bool) {
	at := slices.IndexFunc(by.Rights, func(r access.Right) bool {
		return r.Positions == nil && r.ActingAs != access.OfficeOperator && r.Covers(access.Delegations)
	})
	if at < 0 {
		return access.Right{}, false
	}
	return by.Rights[at], true
}

// searchingFor is the intermediary for which the actor looks somebody up.
func (s *Service) searchingFor(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Membership, error) {
	if wanted != nil {
		return s.membership(ctx, by, wanted)
	}
	all, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return access.Membership{}, err
	}
	memberships, err := usable(all)
	if err != nil {
		return access.Membership{}, err
	}
	at := slices.IndexFunc(memberships, func(membership access.Membership) bool { return membership.Kind != string(intermediary.Firm) })
	if at < 0 {
		return access.Membership{}, fault.Because(fault.Forbidden, "no-intermediary")
	}
	return memberships[at], nil
}

// delegateRight is what the intermediary's people act by who prepare a delegation, while it is on
// its register. It returns what usable does for anybody else, and fault.DispositiveRequired.
func delegateRight(by access.Actor) (access.Right, error) {
	if len(by.Memberships) == 0 {
		return access.Right{}, fault.New(fault.Forbidden)
	}
	memberships, err := usable(by.Memberships)
	if err == nil {
		err = requireDispositive(by)
	}
	if err != nil {
		return access.Right{}, err
	}
	return memberships[0].Right(), nil
}
