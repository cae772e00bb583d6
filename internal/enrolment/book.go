package enrolment

import (
	"context"
	"time"

	"diresco/db"
	"diresco/internal/access"
	"diresco/internal/fault"
	"diresco/internal/outbox"
	"diresco/internal/protocol"

	"github.com/google/uuid"
)

// Book checks and stores enrolments in the protocol register.
type Book struct{ Waiting *Waiting }

// filing is a request on its way into the register.
type filing struct {
	held Held
	// refusal is why it cannot be filed, found out before. It goes to the register all the same, which knows whether it is
	// the repeat of one that was filed.
	refusal error
}

// subject is what one request at a time may be open for.
type subject struct {
	person, contributor uuid.UUID
	form                Form
}

func (e Enrolment) subject() subject { return subject{e.PersonID, e.ContributorID, e.Form} }

// Check implements protocol.Book: no other request for the same is open. What lapsed unnoted is noted first, and who filed
// with ordinary credentials is looked at again: they may have become dispositive meanwhile, and then nothing would ever
// complete what is stored as waiting. The register holds the people's rows locked.
func (b *Book) Check(ctx context.Context, entries []*protocol.Entry) error {
	people := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		people[i] = e.By.PersonID
	}
	rows, err := b.Waiting.Repository.open(ctx, people)
	if err != nil {
		return err
	}
	dispositive, err := b.Waiting.Repository.dispositive(ctx, people)
	if err != nil {
		return err
	}
	open := make(map[subject]bool, len(rows))
	for _, row := range rows {
		// The entries of an office have nearly one time; the first of the group serves.
		if row.at(entries[0].At).State != Lapsed {
			open[row.subject()] = true
		} else if err := b.Waiting.settle(ctx, entries[0].At, row.ID); err != nil {
			return err
		}
	}
	for _, e := range entries {
		f := e.Content.(*filing)
		if f.refusal != nil {
			e.Refuse(f.refusal)
			continue
		}
		if open[f.held.subject()] {
			e.Refuse(fault.Because(fault.Conflict, "enrolment-open"))
			continue
		}
		if dispositive[e.By.PersonID] {
			e.By.CredentialLevel = access.Dispositive
		}
		// Of two in one group, the second finds the first open.
		open[f.held.subject()] = true
	}
	return nil
}

// Store implements protocol.Book: the request with its number, and a message to who sent it.
func (b *Book) Store(ctx context.Context, entries []*protocol.Entry) error {
	for _, e := range entries {
		f := e.Content.(*filing)
		h := f.held
		h.State, h.SubmittedAt, h.ProtocolNumber, h.Version = stateAtSubmission(e.By.CredentialLevel), e.At, e.Number.String(), 1
		h.Awaited = h.State == AwaitingCredentials
		err := b.Waiting.Repository.create(ctx, h.Enrolment)
		if db.IsUnique(err) {
			// Another process filed one for the same meanwhile.
			return fault.Because(fault.Conflict, "enrolment-open")
		}
		if err != nil {
			return err
		}
		f.held = h
		message, err := outbox.NewMessage(Received, h.PersonID, map[string]any{
			"protocol_number": h.ProtocolNumber, "form": h.Form, "legal_name": h.LegalName, "submitted_at": h.SubmittedAt.Format(time.RFC3339Nano), "waits": h.Awaited,
		}, e.At)
		if err != nil {
			return err
		}
		e.Messages = []outbox.Message{message}
	}
	return nil
}
