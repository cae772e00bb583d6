package staff

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
)

// ripe are the PINs from the counter that become dispositive by themselves.
type ripe struct{ *Service }

// Ripens is the due event of a PIN from the counter. It comes 24 hours after it was issued, unless
// it was confirmed, revoked or replaced before. One of somebody who is suspended then waits anew
// from the readmission on.
func (s *Service) Ripens() due.Source { return ripe{s} }

// Name implements due.Source.
func (ripe) Name() string { return "counter-pins" }

// Next implements due.Source.
func (r ripe) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	found, err := r.repo.ripe(ctx, after, until, 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, false, err
	}
	return clock.Normal(found[0].DispositiveAt), true, nil
}

// Do implements due.Source.
//
// Lock order: people, PINs, the counter's PINs.
func (r ripe) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	found, err := r.repo.ripe(ctx, after, until, due.AtOnce)
	if err != nil {
		return after, err
	}
	for _, c := range found {
		if err := r.ripen(ctx, c.PersonID, c.ID); err != nil {
			return after, err
		}
	}
	if len(found) < due.AtOnce {
		return due.Through(until), nil
	}
	last := found[len(found)-1]
	return due.Cursor{At: clock.Normal(last.DispositiveAt), ID: last.ID}, nil
}

// ripen makes a PIN dispositive that still waits, and leaves one of somebody who is suspended
// alone.
func (r ripe) ripen(ctx context.Context, personID, id uuid.UUID) error {
	p, err := r.people.Lock(ctx, personID)
	if err != nil || p.SuspendedAt != nil {
		return err
	}
	if _, err := r.pins.Hold(ctx, personID); err != nil {
		return err
	}
	c, found, err := r.repo.waiting(ctx, personID)
	if err != nil || !found || c.ID != id {
		return err
	}
	return r.makeDispositive(ctx, c.confirmed(byTime, nil, clock.Normal(c.DispositiveAt)))
}
