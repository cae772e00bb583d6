package protocol

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/due"
)

// awaitingDays is for how many days what was filed with ordinary credentials waits for dispositive
// ones.
const awaitingDays = 30

// LapsesAt returns when what was filed with ordinary credentials lapses. It is a term in which
// somebody has to act: the day of filing is not counted, and the last day runs to its 24:00 in
// Rome.
func LapsesAt(submittedAt time.Time) time.Time {
	return calendar.DeadlineDays(submittedAt, awaitingDays)
}

// LapsedBefore returns the instant before which everything was filed that has lapsed by the given
// one.
func LapsedBefore(now time.Time) time.Time {
	return calendar.DateIn(now).AddDays(-awaitingDays).Start()
}

// Awaited is a filing that waits for dispositive credentials: it has its number, and has no effect
// yet.
type Awaited interface {
	// FiledAt returns when it was filed.
	FiledAt() time.Time
}

// AwaitedStore reads and settles what waits of one kind.
type AwaitedStore[W Awaited] interface {
	// AwaitingOf returns what a person filed that waits, in the order of filing.
	AwaitingOf(ctx context.Context, personID uuid.UUID) ([]W, error)
	// AwaitingSince returns what waits and was filed before the instant, in the order of filing.
	AwaitingSince(ctx context.Context, before time.Time, limit int) ([]W, error)
	// Settle locks the rows and completes what still waits, or lets it lapse where its time was
	// over. It returns what it moved.
	Settle(ctx context.Context, waiting []W, now time.Time) ([]Settled, error)
}

// Settled is a filing that waits no more.
type Settled struct {
	SubjectID     uuid.UUID
	ContributorID uuid.UUID
	// Operation is the trail's word for what became of it, At when: a lapse is dated at its own
	// instant.
	Operation string
	At        time.Time
	// Detail is what became of it, as a JSON object without personal data; it may be empty.
	Detail string
	// Messages tell who filed it.
	Messages []outbox.Message
}

// Awaiting settles what waits of one kind. What waits is completed once credentials are
// dispositive, and lapses after 30 days; Awaiting is the due.Source of the lapses.
type Awaiting[W Awaited] struct {
	source, kind string
	store        AwaitedStore[W]
	runner       *operation.Runner
	outbox       *outbox.Outbox
}

// NewAwaiting returns what settles a kind of filing. The source is the word by which its lapses are
// remembered; it never changes.
func NewAwaiting[W Awaited](r *operation.Runner, o *outbox.Outbox, source, kind string, s AwaitedStore[W]) *Awaiting[W] {
	return &Awaiting[W]{source: source, kind: kind, store: s, runner: r, outbox: o}
}

// CompleteFor completes what a person filed with ordinary credentials and what waits since. Each
// filing keeps its original protocol number. It runs in the context's transaction. It is for
// whoever makes credentials dispositive, after the row of the person was locked; the audit record
// of that operation is the caller's.
func (a *Awaiting[W]) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	waiting, err := a.store.AwaitingOf(ctx, personID)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return a.Settle(ctx, waiting, a.runner.Clock.Now())
}

// Settle completes what still waits, or lets it lapse where its time was over. Trace and message
// come with it, in the context's transaction.
func (a *Awaiting[W]) Settle(ctx context.Context, waiting []W, now time.Time) error {
	settled, err := a.store.Settle(ctx, waiting, now)
	if err != nil {
		return err
	}
	records := make([]audit.Record, len(settled))
	var messages []outbox.Message
	for i, s := range settled {
		records[i] = s.record(a.kind)
		messages = append(messages, s.Messages...)
	}
	if err := a.runner.Trail.Write(ctx, records...); err != nil {
		return err
	}
	return a.outbox.Add(ctx, messages...)
}

// record is the trace of what became of a filing by itself. No request did this, so it names none:
// what led to it has a record of its own.
func (s Settled) record(kind string) audit.Record {
	subject := s.SubjectID.String()
	var detail *string
	if s.Detail != "" {
		detail = &s.Detail
	}
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: s.At, Operation: s.Operation, ContributorID: &s.ContributorID,
		SubjectKind: &kind, SubjectID: &subject, Outcome: "done", Detail: detail,
	}
}

// Name implements due.Source.
func (a *Awaiting[W]) Name() string { return a.source }

// Next implements due.Source.
func (a *Awaiting[W]) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	first, err := a.store.AwaitingSince(ctx, LapsedBefore(until), 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, false, err
	}
	at := LapsesAt(first[0].FiledAt())
	if !at.After(after.At) {
		// One that was overlooked is due now.
		at = until
	}
	return at, true, nil
}

// Do implements due.Source. What has lapsed does not wait any more, so the cursor need not tell.
func (a *Awaiting[W]) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	waiting, err := a.store.AwaitingSince(ctx, LapsedBefore(until), due.AtOnce)
	if err != nil || len(waiting) == 0 {
		return due.Through(until), err
	}
	if err := a.Settle(ctx, waiting, until); err != nil || len(waiting) == due.AtOnce {
		return after, err
	}
	return due.Through(until), nil
}

// RefreshCredentials reads again the credentials of those who file with ordinary ones. They may
// have become dispositive since the request came in, and then nothing would ever complete what is
// stored as waiting. The register holds the people's rows locked.
func RefreshCredentials[T any](ctx context.Context, d *db.DB, entries []*Entry[T]) error {
	var ordinary []uuid.UUID
	for _, e := range entries {
		if e.By.CredentialLevel != access.Dispositive {
			ordinary = append(ordinary, e.By.PersonID)
		}
	}
	if len(ordinary) == 0 {
		return nil
	}
	var raised []uuid.UUID
	err := d.From(ctx).Raw("SELECT id FROM people WHERE id IN ? AND credential_level = 'dispositive'", ordinary).Scan(&raised).Error
	if err != nil {
		return err
	}
	dispositive := make(map[uuid.UUID]bool, len(raised))
	for _, id := range raised {
		dispositive[id] = true
	}
	for _, e := range entries {
		if dispositive[e.By.PersonID] {
			e.By.CredentialLevel = access.Dispositive
		}
	}
	return nil
}
