package sandbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/page"
)

// Messages lists what was sent, the newest first. It hands over first what is due, so that the
// messages of an operation that was answered are in the list.
func (s *Service) Messages(ctx context.Context, f MessageFilter, request page.Request) (page.Page[Message], error) {
	if err := s.HandOver(ctx); err != nil {
		return page.Page[Message]{}, err
	}
	return s.repo.messages(ctx, f, request)
}

// Letter returns a letter as the print house would get it, a PDF. A message that is no letter is
// fault.NotFound.
func (s *Service) Letter(ctx context.Context, id uuid.UUID) ([]byte, error) {
	return s.repo.letter(ctx, id)
}

// HandOver does what waits to be done in the background, and sends what is due by the clock.
// Nothing else does that here, so that testers see things happen in their order; it may be called
// inside a transaction.
func (s *Service) HandOver(ctx context.Context) error {
	due := false
	for _, b := range s.backlogs() {
		some, err := b.Due(ctx)
		if err != nil {
			return err
		}
		due = due || some
	}
	if !due {
		return nil
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		// Whoever lists while another hands over waits for it, or messages would be missing from
		// its list.
		if _, err := installation.Lock(ctx, s.db); err != nil {
			return err
		}
		for _, b := range s.backlogs() {
			if err := b.Drain(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// backlogs are what HandOver does, messages last: the others promise some.
func (s *Service) backlogs() []Backlog { return append(slices.Clone(s.background), s.messages) }

// postbox is every channel at once: messages go to the list that testers read.
type postbox struct {
	repo   repository
	letter func(channel.Outgoing) ([]byte, error)
}

// Senders are the channels of a sandbox, which keep messages for testers to read. Letters are drawn
// by the given function.
func Senders(d *db.DB, letter func(channel.Outgoing) ([]byte, error)) map[outbox.Channel]channel.Sender {
	p := postbox{repository{d}, letter}
	return map[outbox.Channel]channel.Sender{outbox.SMS: p, outbox.Email: p, outbox.PEC: p, outbox.Letter: p}
}

// Send implements channel.Sender. A message is dated when it was promised: a worker would have sent
// it at once.
func (p postbox) Send(ctx context.Context, m channel.Outgoing) (channel.Sent, error) {
	kept := Message{ID: m.ID, Channel: string(m.Channel), To: m.To, Subject: m.Subject, Text: m.Text, SentAt: m.CreatedAt}
	sent := channel.Sent{State: outbox.Sent}
	var drawn []byte
	switch m.Channel {
	case outbox.SMS:
		kept.Subject, kept.Text = "", m.Short
	case outbox.Letter:
		var err error
		if drawn, err = p.letter(m); err != nil {
			return sent, fmt.Errorf("draw letter: %w", err)
		}
		sent.State = outbox.HandedOver
	case outbox.Email, outbox.PEC:
	}
	return sent, p.repo.db.InTx(ctx, func(ctx context.Context) error { return p.repo.keepMessage(ctx, kept, drawn) })
}
