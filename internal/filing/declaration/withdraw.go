package declaration

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

// Withdraw takes a submitted declaration back as long as its type allows; what it held of a fund
// serves the next ones. It returns these faults:
//   - fault.Conflict: that is possible no more;
//   - fault.Busy: more has fallen due in the fund than can be done at once.
//
// Lock order: the fund, the declaration with its reservation.
func (s *Service) Withdraw(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.SubjectKind = Kind
		// Type and reservation of what was submitted never change.
		seen, err := s.repo.filed(ctx, id)
		if err == nil && !visible(seen.Declaration, by) {
			err = fault.New(fault.NotFound)
		}
		if err != nil {
			return View{}, err
		}
		right, err := by.RightToFile(seen.ContributorID, seen.PositionID, nil)
		if err != nil {
			return View{}, err
		}
		trace.ContributorID, trace.Right = seen.ContributorID, right
		t, err := s.types.Version(ctx, seen.Type, seen.TypeVersion)
		if err != nil {
			return View{}, err
		}
		d, err := s.withdraw(ctx, seen.Declaration, t)
		if err != nil {
			return View{}, err
		}
		trace.Detail = d.changed()
		message, err := outbox.NewMessage(withdrawnKind, by.PersonID, map[string]string{
			"protocol_number": *d.ProtocolNumber, "type": d.Type,
		}, d.UpdatedAt)
		if err != nil {
			return View{}, err
		}
		if err := s.outbox.Add(ctx, message); err != nil {
			return View{}, err
		}
		return s.repo.filed(ctx, id)
	}, operation.ByID(s.repo.filed))
}

// withdraw takes a declaration back, with the money that it holds or keeps from lapsing.
func (s *Service) withdraw(ctx context.Context, seen Declaration, t *Type) (Declaration, error) {
	if seen.State == Draft {
		// One that is being filed may have claimed money that is not to be seen yet.
		return seen, fault.Because(fault.Conflict, "declaration-not-withdrawable")
	}
	ids := []uuid.UUID{seen.ID}
	if seen.ReservationID != nil {
		ids = append(ids, *seen.ReservationID)
	}
	var subjects []uuid.UUID
	if t.Fund != nil {
		subjects = ids
	}
	now := s.run.Clock.Now()
	g, err := openGroup(ctx, s.repo, s.types, s.funds, now, nil, subjects, ids, ids, nil)
	if err != nil {
		return seen, err
	}
	g.settle(now)
	d := g.all[seen.ID]
	if err := d.requireWithdrawable(t.Withdrawal, now); err != nil {
		return d, err
	}
	if len(g.confirming[d.ID]) > 0 {
		// A confirmation waits for it.
		return d, fault.Because(fault.Conflict, "declaration-not-withdrawable")
	}
	if err := g.giveUp(d.ID, now); err != nil {
		return d, err
	}
	d.EndsAt = nil
	g.to(d, Withdrawn, now)
	if d.ReservationID != nil {
		if err := g.unannounce(d, now); err != nil {
			return d, err
		}
	}
	return g.all[seen.ID], g.save(ctx, s.repo, s.decider())
}

func (s *Service) decider() decider {
	return decider{s.repo, s.types, s.run.Trail, s.outbox, s.run.Clock}
}
