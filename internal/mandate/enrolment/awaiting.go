package enrolment

import (
	"context"
	"time"

	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// Waiting settles what waits for dispositive credentials.
type Waiting struct {
	Runner     *operation.Runner
	Repository *Repository
	Outbox     *outbox.Outbox
}

// fileOperation is what tries are counted by.
const fileOperation = "fileEnrolment"

// tries are when a person tried to file something in the 24 hours before an instant, the earliest first.
func (w *Waiting) tries(ctx context.Context, personID uuid.UUID, now time.Time) ([]time.Time, error) {
	return w.Runner.Trail.Times(ctx, personID, []string{fileOperation}, now.Add(-fault.Day))
}

// CompleteFor completes, in the context's transaction, what a person filed with ordinary credentials and what waits since:
// each at its original protocol number. It is for whoever makes credentials dispositive, after the row of the person was
// locked; the audit record of that operation is the caller's.
func (w *Waiting) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	rows, err := w.Repository.awaitingOf(ctx, personID)
	if err != nil || len(rows) == 0 {
		return err
	}
	return w.settle(ctx, w.Runner.Clock.Now(), idsOf(rows)...)
}

func idsOf(rows []Enrolment) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

// settle completes what still waits of the requests, or lets it lapse where its time was over, and tells who filed it.
func (w *Waiting) settle(ctx context.Context, now time.Time, ids ...uuid.UUID) error {
	locked, err := w.Repository.lock(ctx, ids...)
	if err != nil {
		return err
	}
	var messages []outbox.Message
	var records []audit.Record
	for _, e := range locked {
		if e.State != AwaitingCredentials {
			continue
		}
		e = e.settle(now)
		if err := w.Repository.save(ctx, e); err != nil {
			return err
		}
		message, record, err := e.settled(now)
		if err != nil {
			return err
		}
		messages, records = append(messages, message), append(records, record)
	}
	if err := w.Runner.Trail.Write(ctx, records...); err != nil {
		return err
	}
	return w.Outbox.Add(ctx, messages...)
}

// settled is what is told and traced of a request that waits no more. No request did this, so the record names none.
func (e Enrolment) settled(now time.Time) (outbox.Message, audit.Record, error) {
	at, kind, operation := now, Completed, "completeEnrolment"
	if e.State == Lapsed {
		at, kind, operation = e.lapsesAt(), LapsedKind, "lapseEnrolment"
	}
	subjectKind, subjectID := Kind, e.ID.String()
	record := audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: at, Operation: operation, ContributorID: &e.ContributorID, SubjectKind: &subjectKind, SubjectID: &subjectID, Outcome: "done",
	}
	// Sent from now on, however late the lapse is noted.
	message, err := outbox.NewMessage(kind, e.PersonID, map[string]any{
		"protocol_number": e.ProtocolNumber, "form": e.Form, "submitted_at": e.SubmittedAt.Format(time.RFC3339Nano),
	}, now)
	return message, record, err
}

// lapses are due when something has waited for dispositive credentials too long.
type lapses struct{ *Waiting }

// Lapses is the due event of what waits for dispositive credentials.
func (w *Waiting) Lapses() due.Source { return lapses{w} }

// Name implements due.Source.
func (lapses) Name() string { return "enrolment.lapsed" }

// Next implements due.Source.
func (l lapses) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	first, err := l.Repository.awaitingSince(ctx, awaitingBefore(until), 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, false, err
	}
	at := first[0].lapsesAt()
	if !at.After(after.At) {
		// One that was overlooked is due now.
		at = until
	}
	return at, true, nil
}

// Do implements due.Source. What has lapsed does not wait any more, so the place need not tell.
func (l lapses) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	rows, err := l.Repository.awaitingSince(ctx, awaitingBefore(until), due.AtOnce)
	if err != nil || len(rows) == 0 {
		return due.Through(until), err
	}
	if err := l.settle(ctx, until, idsOf(rows)...); err != nil || len(rows) == due.AtOnce {
		return after, err
	}
	return due.Through(until), nil
}
