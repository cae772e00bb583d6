package enrolment

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
)

// handler checks and stores enrolments in the protocol register.
type handler struct {
	run          *operation.Runner
	repo         repository
	contributors Contributors
	awaiting     *protocol.Awaiting[Enrolment]
}

// filing is a request on its way into the register.
type filing struct {
	held Details
	// office is the title of the office that is asked.
	office string
	// refusal is why it cannot be filed, found out before. It goes to the register all the same,
	// which knows whether it is the repeat of one that was filed.
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

// Check implements protocol.Handler: nobody tries too often, and no other request for the same is
// open. What lapsed unnoted is noted first, and who filed with ordinary credentials is looked at
// again: they may have become dispositive meanwhile, and then nothing would ever complete what is
// stored as waiting. The register holds the people's rows locked.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[filing]) error {
	people := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		people[i] = e.By.PersonID
	}
	rows, err := h.repo.open(ctx, people)
	if err != nil {
		return err
	}
	if err := protocol.RefreshCredentials(ctx, h.run.DB, entries); err != nil {
		return err
	}
	earlier, err := h.triesOf(ctx, entries)
	if err != nil {
		return err
	}
	open := opened{}
	for _, row := range rows {
		// The entries of an office have nearly one time; the first of the group serves.
		if row.at(entries[0].At).State != Lapsed {
			open.add(row)
		} else if err := h.awaiting.Settle(ctx, []Enrolment{row}, entries[0].At); err != nil {
			return err
		}
	}
	for _, e := range entries {
		f := e.Content
		if f.refusal != nil {
			e.Refuse(f.refusal)
			continue
		}
		if err := fault.OverDaily(earlier[e.By.PersonID], triesADay, e.At); err != nil {
			e.Refuse(err)
			continue
		}
		if open.overlaps(f.held.Enrolment) {
			e.Refuse(fault.Because(fault.Conflict, "enrolment-open"))
			continue
		}
		// Of two in one group, the second finds the first open.
		open.add(f.held.Enrolment)
		earlier[e.By.PersonID] = append(earlier[e.By.PersonID], e.At)
	}
	return nil
}

// triesOf are when the people of the entries tried to file something in the last 24 hours.
func (h handler) triesOf(ctx context.Context, entries []*protocol.Entry[filing]) (map[uuid.UUID][]time.Time, error) {
	found := make(map[uuid.UUID][]time.Time, len(entries))
	for _, e := range entries {
		if _, known := found[e.By.PersonID]; known {
			continue
		}
		times, err := tries(ctx, h.run.Trail, e.By.PersonID, e.At)
		if err != nil {
			return nil, err
		}
		found[e.By.PersonID] = times
	}
	return found, nil
}

// Store implements protocol.Handler. It writes the request with its number, a message to who sent
// it, and one to each who answers for the contributor.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[filing]) error {
	contributors := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		contributors[i] = e.Content.held.ContributorID
	}
	principals, err := h.contributors.Principals(ctx, contributors)
	if err != nil {
		return err
	}
	for _, e := range entries {
		d := e.Content.held
		d.State, d.SubmittedAt, d.Version = stateAtSubmission(e.By.CredentialLevel), e.At, 1
		d.ProtocolNumber, d.Digest = e.Number.String(), e.Digest
		d.Awaited = d.State == AwaitingCredentials
		err := h.repo.create(ctx, d.Enrolment)
		if db.IsUnique(err) {
			// Another process filed one for the same meanwhile.
			return fault.Because(fault.Conflict, "enrolment-open")
		}
		if err != nil {
			return err
		}
		e.Content.held = d
		message, err := outbox.NewMessage(Received, d.PersonID, map[string]any{
			"protocol_number": d.ProtocolNumber, "form": d.Form, "legal_name": d.LegalName,
			"submitted_at": d.SubmittedAt.Format(time.RFC3339Nano), "waits": d.Awaited,
		}, e.At)
		if err != nil {
			return err
		}
		others, err := d.notify(principals[d.ContributorID], FiledKind, map[string]any{
			"office": e.Content.office, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
		}, e.At)
		if err != nil {
			return err
		}
		e.Messages = append([]outbox.Message{message}, others...)
	}
	return nil
}

// notify makes the messages about a request to who answers for the contributor. Who asked is told
// otherwise.
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
