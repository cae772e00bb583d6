package publicbody

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
)

// handler checks and stores submissions in the protocol register.
type handler struct {
	run      *operation.Runner
	repo     repository
	awaiting *protocol.Awaiting[Submission]
}

// filing is a submission on its way into the register.
type filing struct {
	submission Submission
	// field is the place that names what is superseded.
	field fault.Field
	// replaced are those whose place it takes, as they are to be.
	replaced []Submission
}

// Check implements protocol.Handler. What lapsed unnoted is noted first, since it keeps others
// out.
func (h handler) Check(ctx context.Context, entries []*protocol.Entry[filing]) error {
	if err := protocol.RefreshCredentials(ctx, h.run.DB, entries); err != nil {
		return err
	}
	of := make([]Submission, len(entries))
	for i, e := range entries {
		of[i] = e.Content.submission
	}
	there, err := h.repo.lockBeside(ctx, of)
	if err != nil {
		return err
	}
	for i, row := range there {
		// The entries of an office have nearly one time; the first of the group serves.
		if there[i] = row.at(entries[0].At); there[i].State == row.State {
			continue
		}
		if err := h.awaiting.Settle(ctx, []Submission{row}, entries[0].At); err != nil {
			return err
		}
	}
	for _, e := range entries {
		s := &e.Content.submission
		s.Awaited = e.By.CredentialLevel != access.Dispositive
		s.State = stateAtSubmission(s.Awaited)
		if err := s.admit(there, e.Content.field); err != nil {
			e.Refuse(err)
			continue
		}
		for i, o := range there {
			if s.replaces(o) {
				there[i] = o.to(Superseded, e.At)
				e.Content.replaced = append(e.Content.replaced, there[i])
			}
		}
		// Of two in one group, the second finds the first there.
		there = append(there, *s)
		e.Trace.Detail = s.changed()
	}
	return nil
}

// Store implements protocol.Handler. It writes the submission with its number, those whose place it
// takes with a trace of each, and a message to who sent it.
func (h handler) Store(ctx context.Context, entries []*protocol.Entry[filing]) error {
	for _, e := range entries {
		s := &e.Content.submission
		s.SubmittedAt, s.UpdatedAt, s.Version = e.At, e.At, 1
		s.ProtocolNumber, s.Digest = e.Number.String(), e.Digest
		records := make([]audit.Record, len(e.Content.replaced))
		for i, o := range e.Content.replaced {
			if err := h.repo.save(ctx, o); err != nil {
				return err
			}
			records[i] = o.superseded()
		}
		if err := h.run.Trail.Write(ctx, records...); err != nil {
			return err
		}
		err := h.repo.create(ctx, *s)
		if db.IsUnique(err) {
			// Another process filed one meanwhile, by a counter of another office.
			return fault.Because(fault.Conflict, "dma-filed")
		}
		if err != nil {
			return err
		}
		message, err := s.message(Received, e.At)
		if err != nil {
			return err
		}
		e.Messages = []outbox.Message{message}
	}
	return nil
}

// changed is what an operation made of a submission, for the trail.
func (s Submission) changed() string { return `{"state":"` + string(s.State) + `"}` }

// superseded is the trace of a submission whose place another takes.
func (s Submission) superseded() audit.Record {
	kind, subject, detail := Kind, s.ID.String(), s.changed()
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: s.UpdatedAt, Operation: supersedeOperation, ContributorID: &s.ContributorID,
		SubjectKind: &kind, SubjectID: &subject, Outcome: "done", Detail: &detail,
	}
}

// The trail's words for what comes about by itself.
const (
	supersedeOperation = "supersedeDmaSubmission"
	completeOperation  = "completeDmaSubmission"
	lapseOperation     = "lapseDmaSubmission"
)
