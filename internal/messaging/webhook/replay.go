package webhook

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/event"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Ping has an event sent to a webhook that is about nothing. It returns fault.Conflict where nothing
// is sent to it; its other faults are those of Change.
func (s *Service) Ping(ctx context.Context, by access.Actor, applicationID, id uuid.UUID) (View, error) {
	made := uuid.Must(uuid.NewV7())
	replay := operation.ByID(func(ctx context.Context, made uuid.UUID) (View, error) {
		if _, err := s.Show(ctx, by, applicationID, id); err != nil {
			return View{}, err
		}
		return s.repo.view(ctx, id, made)
	})
	v, err := manageAs(ctx, s, by, applicationID, id, made.String(), s.repo.one, func(
		ctx context.Context, a application.Application, w Webhook, now time.Time,
	) (View, error) {
		if err := requireSending(a, w); err != nil {
			return View{}, err
		}
		d := Delivery{
			ID: made, WebhookID: id, EventID: uuid.Must(uuid.NewV7()), Type: Ping, At: now, SubjectKind: SubjectKind,
			SubjectID: id.String(), State: Waiting, NextAt: now, CreatedAt: now, UpdatedAt: now,
		}
		s.run.DB.Announce(ctx, topic)
		return View{Delivery: d}, s.repo.add(ctx, []Delivery{d})
	}, replay)
	return v, operation.ReplayIfVisible(ctx, err, replay)
}

// Filter narrows the log of a webhook down.
type Filter struct {
	// State is "" for all.
	State DeliveryState
}

// Deliveries lists what was for a webhook, the newest first, each with its last attempts. It returns
// fault.NotFound where it is not the actor's to manage.
func (s *Service) Deliveries(
	ctx context.Context, by access.Actor, applicationID, id uuid.UUID, f Filter, request page.Request,
) (page.Page[View], error) {
	if _, err := s.Show(ctx, by, applicationID, id); err != nil {
		return page.Page[View]{}, err
	}
	return s.repo.log(ctx, id, f, request, s.run.Clock.Now().Add(-LogKept))
}

// Replay is what is sent again: one delivery, or a period.
type Replay struct {
	DeliveryID *uuid.UUID
	From       *time.Time
	// To is the present where it is nil.
	To *time.Time
}

// Replayed is how much is sent again.
type Replayed struct {
	Count int
	// Until is how far it came, where there was more than is sent at a time.
	Until *time.Time
}

const (
	// replayMost is how many events one replay looks at, replayStep how many in one statement.
	replayMost = 10_000
	replayStep = 1_000
)

func (r Replay) check(now time.Time) error {
	at := func(pointer, code string) error {
		return fault.InvalidFields(fault.Field{Pointer: pointer, Code: code})
	}
	switch {
	case r.DeliveryID != nil && r.From != nil:
		return at("/from", fault.FieldNotApplicable)
	case r.DeliveryID != nil && r.To != nil:
		return at("/to", fault.FieldNotApplicable)
	case r.DeliveryID == nil && r.From == nil:
		return at("/from", fault.FieldRequired)
	case r.DeliveryID == nil && r.From.Before(now.Add(-LogKept)):
		return at("/from", fault.FieldBeforeLog)
	case r.To != nil && !r.To.After(*r.From):
		return at("/to", fault.FieldNotAfter)
	}
	return nil
}

// Replay sends events to a webhook again, under the same ids, as far as the application may see them
// now. It returns these faults beside those of Change:
//   - fault.Invalid: it names neither a delivery of the webhook nor a period of its log;
//   - fault.Conflict: nothing is sent to the webhook.
func (s *Service) Replay(ctx context.Context, by access.Actor, applicationID, id uuid.UUID, r Replay) (Replayed, error) {
	if _, err := s.Show(ctx, by, applicationID, id); err != nil {
		return Replayed{}, err
	}
	if err := r.check(s.run.Clock.Now()); err != nil {
		return Replayed{}, err
	}
	replayID := uuid.Must(uuid.NewV7())
	again := operation.ByID(func(ctx context.Context, replayID uuid.UUID) (Replayed, error) {
		if _, err := s.Show(ctx, by, applicationID, id); err != nil {
			return Replayed{}, err
		}
		return s.repo.replayed(ctx, id, replayID)
	})
	done, err := manageAs(ctx, s, by, applicationID, id, replayID.String(), s.repo.one, func(
		ctx context.Context, a application.Application, w Webhook, now time.Time,
	) (Replayed, error) {
		if err := requireSending(a, w); err != nil {
			return Replayed{}, err
		}
		s.run.DB.Announce(ctx, topic)
		if r.DeliveryID == nil {
			done, err := s.replayPeriod(ctx, w, r, replayID, now)
			if err != nil {
				return done, err
			}
			return done, s.repo.replays(ctx, replayID, id, done, now)
		}
		d, err := s.repo.view(ctx, id, *r.DeliveryID)
		if fault.Is(err, fault.NotFound) {
			err = fault.InvalidFields(fault.Field{Pointer: "/delivery_id", Code: fault.FieldUnknownDelivery})
		}
		if err != nil {
			return Replayed{}, err
		}
		done := Replayed{Count: 1}
		if err := s.repo.again(ctx, []Delivery{d.anew(replayID, now)}); err != nil {
			return done, err
		}
		return done, s.repo.replays(ctx, replayID, id, done, now)
	}, again)
	return done, operation.ReplayIfVisible(ctx, err, again)
}

// replayPeriod has the events of a period sent again, those included that never were.
func (s *Service) replayPeriod(ctx context.Context, w Webhook, r Replay, replayID uuid.UUID, now time.Time) (Replayed, error) {
	to := now.Add(time.Second) // what happens at this very moment is among it
	if r.To != nil {
		to = *r.To
	}
	var done Replayed
	from, after := *r.From, int64(0)
	step := min(replayStep, s.replayMost)
	for looked := 0; ; {
		found, err := s.events.During(ctx, from, to, after, step)
		if err != nil || len(found) == 0 {
			return done, err
		}
		sessions, err := s.repo.watchers(ctx, []uuid.UUID{w.ApplicationID}, aboutsOf(found), now)
		if err != nil {
			return done, err
		}
		deliveries, err := s.repo.seen(ctx, []Webhook{w}, sessions, found, now)
		if err != nil {
			return done, err
		}
		for i := range deliveries {
			deliveries[i] = deliveries[i].anew(replayID, now)
		}
		if err := s.repo.again(ctx, deliveries); err != nil {
			return done, err
		}
		last := found[len(found)-1]
		done.Count, looked = done.Count+len(deliveries), looked+len(found)
		from, after = last.At, last.Position
		if len(found) < step {
			return done, nil
		}
		if looked >= s.replayMost {
			done.Until = &last.At
			return done, nil
		}
	}
}

// Events is the feed of what happened.
type Events interface {
	// During returns events of a period in the order in which they happened; of those at its begin, what
	// stands behind a position.
	During(ctx context.Context, from, to time.Time, after int64, limit int) ([]event.Event, error)
}
