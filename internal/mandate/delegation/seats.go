package delegation

import (
	"context"
	"slices"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// usable are the seats of intermediaries on their registers from which delegations are managed, each intermediary once. It returns
// fault.Forbidden where there is none, and fault.ServiceNotDelegated for who is something there and does not manage delegations.
func usable(all []access.Seat) ([]access.Seat, error) {
	if len(all) == 0 {
		return nil, fault.Because(fault.Forbidden, "no-intermediary")
	}
	seats := slices.DeleteFunc(slices.Clone(all), func(seat access.Seat) bool { return !manages(seat) })
	if len(seats) == 0 {
		return nil, fault.New(fault.ServiceNotDelegated)
	}
	seats = slices.DeleteFunc(seats, func(seat access.Seat) bool { return !seat.Listed })
	if len(seats) == 0 {
		return nil, fault.Because(fault.Forbidden, "delegate-not-listed")
	}
	return slices.CompactFunc(seats, func(a, b access.Seat) bool { return a.DelegateID == b.DelegateID }), nil
}

// seat is the intermediary for which the actor manages delegations: the one asked for, or the only one. It returns what usable
// does where there is none, fault.DelegateMustBePerson for a firm, and fault.Invalid at /delegate_id where it is not the actor's or
// the actor must say which.
func (s *Service) seat(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Seat, error) {
	all, err := s.Rights.Seats(ctx, by)
	if err != nil {
		return access.Seat{}, err
	}
	seats, err := usable(all)
	if err != nil {
		return access.Seat{}, err
	}
	if wanted != nil {
		d, err := s.Repository.delegate(ctx, *wanted)
		if err == nil && d.Kind == Firm {
			return access.Seat{}, fault.New(fault.DelegateMustBePerson)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return access.Seat{}, err
		}
		there := slices.DeleteFunc(all, func(seat access.Seat) bool { return seat.DelegateID != *wanted })
		if len(there) == 0 {
			return access.Seat{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: "unknown-delegate"})
		}
		if seats, err = usable(there); err != nil {
			return access.Seat{}, err
		}
		return seats[0], nil
	}
	// A firm is nobody's delegate: who has a seat of their own beside it means that one.
	seats = slices.DeleteFunc(seats, func(seat access.Seat) bool { return seat.Kind == string(Firm) })
	switch len(seats) {
	case 0:
		return access.Seat{}, fault.New(fault.DelegateMustBePerson)
	case 1:
		return seats[0], nil
	}
	return access.Seat{}, fault.InvalidFields(fault.Field{Pointer: "/delegate_id", Code: "required"})
}

// manages reports whether somebody with the seat prepares and ends the intermediary's delegations.
func manages(seat access.Seat) bool {
	return seat.ActingAs != access.UserAdministrator && seat.Covers(access.Delegations)
}

// Represents reports whether the actor manages the delegations that a contributor gives.
func Represents(by access.Actor) bool {
	_, represents := representing(by)
	return represents
}

// representing is the right by which the actor manages the delegations that a contributor gives, if there is one.
func representing(by access.Actor) (access.Right, bool) {
	at := slices.IndexFunc(by.Rights, func(r access.Right) bool {
		return r.Positions == nil && r.ActingAs != access.OfficeOperator && r.Covers(access.Delegations)
	})
	if at < 0 {
		return access.Right{}, false
	}
	return by.Rights[at], true
}

// looker is the intermediary for which the actor looks somebody up.
func (s *Service) looker(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Seat, error) {
	if wanted != nil {
		return s.seat(ctx, by, wanted)
	}
	all, err := s.Rights.Seats(ctx, by)
	if err != nil {
		return access.Seat{}, err
	}
	seats, err := usable(all)
	if err != nil {
		return access.Seat{}, err
	}
	at := slices.IndexFunc(seats, func(seat access.Seat) bool { return seat.Kind != string(Firm) })
	if at < 0 {
		return access.Seat{}, fault.Because(fault.Forbidden, "no-intermediary")
	}
	return seats[at], nil
}

// delegateRight is what the intermediary's people act by who prepare a delegation, while it is on its register. It returns what
// usable does for anybody else, and fault.DispositiveRequired.
func delegateRight(by access.Actor) (access.Right, error) {
	if len(by.Seats) == 0 {
		return access.Right{}, fault.New(fault.Forbidden)
	}
	seats, err := usable(by.Seats)
	if err == nil {
		err = requireDispositive(by)
	}
	if err != nil {
		return access.Right{}, err
	}
	return seats[0].Right(), nil
}
