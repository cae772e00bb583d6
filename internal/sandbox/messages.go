package sandbox

import (
	"context"
	"fmt"

	"diresco/internal/installation"
	"diresco/internal/notification"
	"diresco/internal/outbox"
	"diresco/internal/page"
	"diresco/internal/person"

	"github.com/google/uuid"
)

// atATime is how many messages are handed over with one query.
const atATime = 200

// Messages lists what was sent, the newest first. It hands over first what is due, so that the messages of an operation
// that was answered are in the list.
func (s *Service) Messages(ctx context.Context, f MessageFilter, request page.Request) (page.Page[Message], error) {
	if err := s.handOver(ctx); err != nil {
		return page.Page[Message]{}, err
	}
	return s.repo.messages(ctx, f, request)
}

// handOver does what a worker with real channels does elsewhere.
func (s *Service) handOver(ctx context.Context) error {
	waiting, err := s.repo.waiting(ctx)
	if err != nil || !waiting {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		// Whoever lists while another hands over waits for it, or messages would be missing from its list.
		if _, err := installation.Lock(ctx, s.db); err != nil {
			return err
		}
		return s.handOverAll(ctx)
	})
}

func (s *Service) handOverAll(ctx context.Context) error {
	contacts := map[uuid.UUID][]person.Contact{}
	for {
		queued, err := s.outbox.Queued(ctx, atATime)
		if err != nil || len(queued) == 0 {
			return err
		}
		ids := make([]uuid.UUID, len(queued))
		for i, m := range queued {
			ids[i] = m.ID
			if _, known := contacts[m.PersonID]; !known {
				if contacts[m.PersonID], err = s.persons.Contacts(ctx, m.PersonID); err != nil {
					return err
				}
			}
			if err := s.deliver(ctx, m, contacts[m.PersonID]); err != nil {
				return err
			}
		}
		if err := s.outbox.MarkSent(ctx, s.clock.Now(), ids...); err != nil {
			return err
		}
	}
}

// deliver keeps a message once for each of its recipients, dated when it was promised: a worker would have sent it at once.
// Somebody without a verified contact cannot be told.
func (s *Service) deliver(ctx context.Context, m outbox.Message, contacts []person.Contact) error {
	text, err := notification.Render(m.Kind, m.Data, notification.Italian)
	if err != nil {
		return fmt.Errorf("hand over message: %w", err)
	}
	for i, to := range notification.Recipients(m.Kind, contacts) {
		kept := Message{ID: m.ID, Channel: string(to.Channel), To: to.To, Subject: text.Subject, Text: text.Body, SentAt: m.CreatedAt}
		if to.Channel == notification.SMS {
			kept.Subject, kept.Text = "", text.Short
		}
		if i > 0 {
			// The same id for a repeat, and another one for each recipient.
			kept.ID = uuid.NewSHA1(m.ID, []byte(string(to.Channel)+" "+to.To))
		}
		if err := s.repo.keepMessage(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}
