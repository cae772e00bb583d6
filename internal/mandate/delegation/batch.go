package delegation

import (
	"cmp"
	"context"
	"slices"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"

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

// PositionOf looks up for an item of a list whose position has the number. As with Candidates the look counts (fault.RateLimited)
// and is shown to the contributor: each contributor once for a list, and each number that is unknown. It returns fault.NotFound, and
// has noted the look all the same, where there is no such position; once no look is left, it says nothing about that.
func (s *Service) PositionOf(ctx context.Context, by access.Actor, seat access.Seat, listID uuid.UUID, number string) (contributor.Position, contributor.Contributor, error) {
	position, owner, err := s.Contributors.ByNumber(ctx, number)
	unknown := fault.Is(err, fault.NotFound)
	if err != nil && !unknown {
		return contributor.Position{}, contributor.Contributor{}, err
	}
	now := s.Runner.Clock.Now()
	look := lookUp{DelegateID: seat.DelegateID, PersonID: by.PersonID, At: now}
	if unknown {
		look.ID = uuid.NewSHA1(listID, []byte(number))
	} else {
		look.ID, look.ContributorID = uuid.NewSHA1(listID, owner.ID[:]), &owner.ID
	}
	if looked, lookErr := s.Repository.lookedUp(ctx, look.ID); lookErr != nil || looked {
		return position, owner, cmp.Or(lookErr, err)
	}
	if err := s.mayLookUp(ctx, by, now); err != nil {
		return contributor.Position{}, contributor.Contributor{}, err
	}
	return position, owner, cmp.Or(s.Repository.addLookUp(ctx, look), err)
}

// DraftFor drafts like Draft what the actor asked for earlier: their session may have ended since, the seat may not.
func (s *Service) DraftFor(ctx context.Context, by access.Actor, seat access.Seat, in Input) (Shown, error) {
	id := uuid.Must(uuid.NewV7())
	session := by.SessionID
	by.SessionID = uuid.Nil
	return operation.Do(idempotency.WithClaim(ctx, nil), s.Runner, by, id.String(), func(ctx context.Context) (Shown, operation.Trace, error) {
		drafted, trace, err := s.draft(ctx, by, seat, id, in)
		if err != nil {
			return Shown{}, trace, err
		}
		trace.SessionID = session
		return drafted, trace, s.Rights.StillMay(ctx, by.PersonID, trace.Right)
	}, nil)
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
