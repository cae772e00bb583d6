package declaration

import (
	"context"
	"time"

	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/due"

	"github.com/google/uuid"
)

// awaitingDays is for how many days what was filed with ordinary credentials waits for dispositive ones.
const awaitingDays = 30

// lapsesAt is when a declaration that waits for dispositive credentials lapses. It is a term in which its maker has to act,
// so the day of filing is not counted and the last day runs to its 24:00 in Rome.
func (d Declaration) lapsesAt() time.Time {
	return calendar.DeadlineDays(*d.SubmittedAt, awaitingDays)
}

// lapsed reports whether the declaration has waited for too long, noted or not.
func (d Declaration) lapsed(now time.Time) bool {
	return d.State == Lapsed || d.State == AwaitingCredentials && !now.Before(d.lapsesAt())
}

// awaitingBefore is the instant before which everything was filed that has lapsed by the given one.
func awaitingBefore(until time.Time) time.Time {
	return calendar.DateIn(until).AddDays(-awaitingDays).Start()
}

// moves are declarations on their way into another state, locked; those that left it are noted.
type moves struct {
	all     map[uuid.UUID]Declaration
	changed map[uuid.UUID]bool
}

func (m moves) to(d Declaration, state State, at time.Time) {
	if !m.changed[d.ID] {
		d.Version++
	}
	d.State, d.UpdatedAt = state, at
	m.all[d.ID], m.changed[d.ID] = d, true
}

// settle completes declarations that wait for credentials, in the order given, or lets those lapse whose time was over. What
// is completed replaces what it supersedes only now, where that can still be superseded; otherwise it stands beside it, as
// it would if it had come first: it was protocolled, and a number is never given in vain.
func (m moves) settle(waiting []uuid.UUID, now time.Time) {
	for _, id := range waiting {
		d, found := m.all[id]
		switch {
		case !found || d.State != AwaitingCredentials:
		case d.lapsed(now):
			m.to(d, Lapsed, d.lapsesAt())
		default:
			m.to(d, Submitted, now)
			if d.SupersedesID == nil {
				continue
			}
			if old, found := m.all[*d.SupersedesID]; found && !old.lapsed(now) && supersedes(d, old) == nil {
				m.to(old, Superseded, now)
			}
		}
	}
}

// CompleteFor completes, in the context's transaction, what a person filed with ordinary credentials and what waits since:
// each at its original protocol number, in their order. It is for whoever makes credentials dispositive, after the row of the
// person was locked; the audit record of that operation is the caller's.
func (s *Service) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	waiting, err := s.Repository.awaitingOf(ctx, personID)
	if err != nil || len(waiting) == 0 {
		return err
	}
	_, err = s.move(ctx, waiting, s.Runner.Clock.Now())
	return err
}

// LapseAwaiting lets the first of what has waited for dispositive credentials for 30 days by the given instant lapse, due.AtOnce at most,
// each dated at its own. It returns how many did, and whether there may be more. Inside a transaction it becomes part of it.
func (s *Service) LapseAwaiting(ctx context.Context, until time.Time) (n int, more bool, err error) {
	err = s.Runner.DB.InTx(ctx, func(ctx context.Context) error {
		waiting, err := s.Repository.awaitingSince(ctx, awaitingBefore(until), due.AtOnce)
		if err != nil || len(waiting) == 0 {
			return err
		}
		more = len(waiting) == due.AtOnce
		n, err = s.move(ctx, waiting, until)
		return err
	})
	return n, more, err
}

// NextLapse returns the first instant, not after the given one, at which something lapses that waits; false for none.
func (s *Service) NextLapse(ctx context.Context, until time.Time) (time.Time, bool, error) {
	first, err := s.Repository.awaitingSince(ctx, awaitingBefore(until), 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, false, err
	}
	return calendar.DeadlineDays(first[0].SubmittedAt, awaitingDays), true, nil
}

// move settles what waits, tells who filed it, and returns how many of them it moved.
func (s *Service) move(ctx context.Context, waiting []waitingRow, now time.Time) (int, error) {
	ids := make([]uuid.UUID, 0, len(waiting))
	all := make([]uuid.UUID, 0, 2*len(waiting))
	for _, w := range waiting {
		ids = append(ids, w.ID)
		all = append(all, w.ID)
		if w.SupersedesID != nil {
			all = append(all, *w.SupersedesID)
		}
	}
	locked, err := s.Repository.lockAll(ctx, all)
	if err != nil {
		return 0, err
	}
	m := moves{all: locked, changed: map[uuid.UUID]bool{}}
	m.settle(ids, now)
	for id := range m.changed {
		if err := s.Repository.saveState(ctx, m.all[id]); err != nil {
			return 0, err
		}
	}
	var messages []outbox.Message
	var records []audit.Record
	for _, id := range ids {
		if !m.changed[id] {
			continue
		}
		d := m.all[id]
		records = append(records, s.record(d))
		message, err := s.moved(ctx, d)
		if err != nil {
			return 0, err
		}
		messages = append(messages, message...)
	}
	if err := s.Runner.Trail.Write(ctx, records...); err != nil {
		return 0, err
	}
	return len(records), s.Outbox.Add(ctx, messages...)
}

// moved tells who filed a declaration what became of it. One that was replaced in the same moment needs no word.
func (s *Service) moved(ctx context.Context, d Declaration) ([]outbox.Message, error) {
	kind, at := completedKind, s.Runner.Clock.Now()
	switch d.State {
	case Submitted:
	case Lapsed:
		kind = lapsedKind
		if d.UpdatedAt.After(at) {
			at = d.UpdatedAt
		}
	default:
		return nil, nil
	}
	t, err := s.Types.Get(ctx, d.Type)
	if err != nil {
		return nil, err
	}
	message, err := outbox.NewMessage(kind, d.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": t.Title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, at)
	return []outbox.Message{message}, err
}

// record is the trace of what became of a declaration by itself. No request did this, so it names none: what led to it has
// a record of its own.
func (s *Service) record(d Declaration) audit.Record {
	operation := map[State]string{Submitted: "completeDeclaration", Lapsed: "lapseDeclaration", Superseded: "supersedeDeclaration"}[d.State]
	kind, subject := Kind, d.ID.String()
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: d.UpdatedAt, Operation: operation, ContributorID: &d.ContributorID, SubjectKind: &kind, SubjectID: &subject, Outcome: "done",
	}
}
