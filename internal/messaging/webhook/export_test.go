package webhook

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/event"
)

// Settle writes what became of some deliveries, as a commit whose answer was lost does twice.
func (s *Sender) Settle(ctx context.Context, views ...View) error {
	return s.settle(ctx, resultsOf(views))
}

// Write is Settle as groups are written.
func (s *Sender) Write(ctx context.Context, views ...View) error {
	return s.write(ctx, resultsOf(views))
}

// WriteGone is Write of attempts that were answered 410, where they were refused.
func (s *Sender) WriteGone(ctx context.Context, views ...View) error {
	group := resultsOf(views)
	for i := range group {
		group[i].gone = group[i].attempt.Outcome == Refused
	}
	return s.write(ctx, group)
}

func resultsOf(views []View) []result {
	group := make([]result, len(views))
	for i, v := range views {
		group[i] = result{delivery: v.Delivery, attempt: &v.Attempts[0]}
	}
	return group
}

// LookAt bounds the events of one replay.
func (s *Service) LookAt(most int) { s.replayMost = most }

// Lock locks a webhook as a change does.
func (s *Service) Lock(ctx context.Context, applicationID, id uuid.UUID) error {
	_, err := s.repo.lock(ctx, applicationID, id)
	return err
}

// Owner is the sender's name among all.
func (s *Sender) Owner() string { return s.owner }

// Bound has the sender make few attempts at once, and fewer of them for one application.
func (s *Sender) Bound(most, share int) { s.most, s.share = most, share }

// Concerned counts the webhooks that are looked at for events.
func (s *Sender) Concerned(ctx context.Context, events []event.Event) (int, error) {
	webhooks, _, err := s.repo.concernedBy(ctx, events, s.clock.Now())
	return len(webhooks), err
}
