package delegation

import (
	"context"
	"slices"

	"diresco/internal/access"

	"github.com/google/uuid"
)

// Seat returns the intermediary for which the actor drafts delegations: the one asked for, or the only one. It returns what Draft
// returns where there is none, or where the actor must say which.
func (s *Service) Seat(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Seat, error) {
	if err := requireDispositive(by); err != nil {
		return access.Seat{}, err
	}
	return s.seat(ctx, by, wanted)
}

// Manages reports whether the actor manages the delegations of the intermediary.
func (s *Service) Manages(ctx context.Context, by access.Actor, delegateID uuid.UUID) (bool, error) {
	seats, err := s.Rights.Seats(ctx, by)
	return slices.ContainsFunc(seats, func(seat access.Seat) bool { return seat.DelegateID == delegateID && manages(seat) }), err
}

// Unsigned returns those of the delegations that are not active yet, in the order in which they are named.
func (s *Service) Unsigned(ctx context.Context, ids []uuid.UUID) ([]Shown, error) {
	bare := make([]Shown, len(ids))
	for i, id := range ids {
		bare[i].ID = id
	}
	found, err := s.Repository.full(ctx, bare, s.Runner.Clock.Now())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(d Shown) bool { return d.State != Draft && d.State != Pending }), nil
}
