package enrolment

import (
	"context"
	"maps"
	"slices"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// Book checks and stores enrolments in the protocol register.
type Book struct {
	Waiting      *Waiting
	Contributors Contributors
}

// filing is a request on its way into the register.
type filing struct {
	held Details
	// office is the title of the office that is asked.
	office string
	// refusal is why it cannot be filed, found out before. It goes to the register all the same, which knows whether it is
	// the repeat of one that was filed.
	refusal error
}

// subject is what one request at a time may be open for.
type subject struct {
	person, contributor uuid.UUID
	form                Form
	service             access.Service
}

func (e Enrolment) subjects() []subject {
	covered := e.covered()
	all := make([]subject, len(covered))
	for i, s := range covered {
		all[i] = subject{e.PersonID, e.ContributorID, e.Form, s}
	}
	return all
}

// opened are what requests are open for.
type opened map[subject]bool

func (o opened) overlaps(e Enrolment) bool {
	return slices.ContainsFunc(e.subjects(), func(s subject) bool { return o[s] })
}

func (o opened) add(e Enrolment) {
	for _, s := range e.subjects() {
		o[s] = true
	}
}

// Check implements protocol.Book: nobody tries too often, and no other request for the same is open. What lapsed unnoted is noted
// first, and who filed with ordinary credentials is looked at again: they may have become dispositive meanwhile, and then nothing
// would ever complete what is stored as waiting. The register holds the people's rows locked.
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
	tries, err := b.tries(ctx, entries)
	if err != nil {
		return err
	}
	open := opened{}
	for _, row := range rows {
		// The entries of an office have nearly one time; the first of the group serves.
		if row.at(entries[0].At).State != Lapsed {
			open.add(row)
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
		if err := fault.OverDaily(tries[e.By.PersonID], triesADay, e.At); err != nil {
			e.Refuse(err)
			continue
		}
		if open.overlaps(f.held.Enrolment) {
			e.Refuse(fault.Because(fault.Conflict, "enrolment-open"))
			continue
		}
		if dispositive[e.By.PersonID] {
			e.By.CredentialLevel = access.Dispositive
		}
		// Of two in one group, the second finds the first open.
		open.add(f.held.Enrolment)
		tries[e.By.PersonID] = append(tries[e.By.PersonID], e.At)
	}
	return nil
}

// tries are when the people of the entries tried to file something in the last 24 hours.
func (b *Book) tries(ctx context.Context, entries []*protocol.Entry) (map[uuid.UUID][]time.Time, error) {
	found := make(map[uuid.UUID][]time.Time, len(entries))
	for _, e := range entries {
		if _, known := found[e.By.PersonID]; known {
			continue
		}
		times, err := b.Waiting.tries(ctx, e.By.PersonID, e.At)
		if err != nil {
			return nil, err
		}
		found[e.By.PersonID] = times
	}
	return found, nil
}

// Store implements protocol.Book: the request with its number, a message to who sent it, and one to each who answers for the
// contributor.
func (b *Book) Store(ctx context.Context, entries []*protocol.Entry) error {
	contributors := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		contributors[i] = e.Content.(*filing).held.ContributorID
	}
	principals, err := b.Contributors.Principals(ctx, contributors)
	if err != nil {
		return err
	}
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
		others, err := h.notify(principals[h.ContributorID], FiledKind, map[string]any{"office": f.office, "submitted_at": h.SubmittedAt.Format(time.RFC3339Nano)}, e.At)
		if err != nil {
			return err
		}
		e.Messages = append([]outbox.Message{message}, others...)
	}
	return nil
}

// notify makes the messages about a request to who answers for the contributor. Who asked is told otherwise.
func (h Details) notify(principals []uuid.UUID, kind outbox.Kind, more map[string]any, at time.Time) ([]outbox.Message, error) {
	data := map[string]any{"protocol_number": h.ProtocolNumber, "form": h.Form, "legal_name": h.LegalName, "person": h.asker()}
	maps.Copy(data, more)
	var messages []outbox.Message
	for _, id := range principals {
		if id == h.PersonID {
			continue
		}
		message, err := outbox.NewMessage(kind, id, data, at)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	return messages, nil
}
