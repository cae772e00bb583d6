package ticket

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
)

// reminded is the ticket with a reminder (sollecito) to its office. It returns fault.Conflict
//   - for one that is closed, or that the system decides,
//   - before the office has had it for five working days,
//   - where the last reminder is less than 24 hours old.
func (t Ticket) reminded(now time.Time) (Ticket, error) {
	if err := t.requireLive(); err != nil {
		return t, err
	}
	switch {
	case t.Kind != Request:
		return t, fault.Because(fault.Conflict, "ticket-of-the-system")
	case now.Before(t.DueAt()):
		return t, fault.Because(fault.Conflict, "ticket-not-due")
	case t.RemindedAt != nil && now.Before(t.RemindedAt.Add(fault.Day)):
		return t, fault.Because(fault.Conflict, "ticket-reminded")
	}
	t.RemindedAt = &now
	return t.changed(now), nil
}

// MayRemind reports whether the ticket's office may be reminded of it.
func (t Ticket) MayRemind(now time.Time) bool {
	_, err := t.reminded(now)
	return err == nil
}

// Remind reminds the office of a ticket. It returns the faults of Ticket.reminded and of
// access.Actor.RightAbout.
func (s *Service) Remind(ctx context.Context, by access.Actor, id uuid.UUID) (View, error) {
	show := func(ctx context.Context, id uuid.UUID) (View, error) { return s.repo.one(ctx, id) }
	return operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		t, err := s.lockFor(ctx, by, id, trace)
		if err != nil {
			return View{}, err
		}
		if t, err = t.reminded(s.run.Clock.Now()); err != nil {
			return View{}, err
		}
		if err := s.repo.save(ctx, t); err != nil {
			return View{}, err
		}
		return show(ctx, id)
	}, operation.ByID(show))
}

// Archive returns the files of a ticket as one archive, to be closed, with the ticket that they
// belong to. It returns the faults of Show, fault.NotFound for one without files,
// and those of scan.Service.Require.
func (s *Service) Archive(ctx context.Context, by access.Actor, id uuid.UUID) (View, io.ReadSeekCloser, error) {
	v, err := s.Show(ctx, by, id)
	if err == nil && v.ArchiveDigest == nil {
		err = fault.New(fault.NotFound)
	}
	if err == nil {
		err = s.scans.Require(ctx, id)
	}
	if err != nil {
		return View{}, nil, err
	}
	content, err := s.files.open(ctx, id)
	return v, content, err
}
