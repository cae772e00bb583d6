package declaration

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
)

// lapsed reports whether the declaration has waited for too long, noted or not.
func (d Declaration) lapsed(now time.Time) bool {
	return d.State == Lapsed || d.State == AwaitingCredentials && !now.Before(protocol.LapsesAt(*d.SubmittedAt))
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

// settle completes declarations that wait for credentials, in the order given, or lets those lapse
// whose time was over. What is completed replaces what it supersedes only now, where that can still
// be superseded; otherwise it stands beside it, as it would if it had come first: it was
// protocolled, and a number is never given in vain.
func (m moves) settle(waiting []uuid.UUID, now time.Time) {
	for _, id := range waiting {
		d, found := m.all[id]
		switch {
		case !found || d.State != AwaitingCredentials:
		case d.lapsed(now):
			m.to(d, Lapsed, protocol.LapsesAt(*d.SubmittedAt))
		default:
			m.to(d, Submitted, now)
			if d.SupersedesID == nil {
				continue
			}
			if old, found := m.all[*d.SupersedesID]; found && !old.lapsed(now) && supersedes(d, old) == nil {
				old.SupersededByID = &d.ID
				m.to(old, Superseded, now)
			}
		}
	}
}

// CompleteFor completes, in the context's transaction, what a person filed that waits for
// dispositive credentials. Call it with the person's row locked.
func (s *Service) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	return s.awaiting.CompleteFor(ctx, personID)
}

// Lapses lets those lapse that waited for dispositive credentials for too long.
func (s *Service) Lapses() due.Source { return s.awaiting }

// awaited reads and settles declarations that wait for dispositive credentials.
type awaited struct {
	*repository
	types *Types
	clock clock.Clock
}

// Settle implements protocol.AwaitedStore. What is superseded is locked along.
func (a awaited) Settle(ctx context.Context, waiting []waitingRow, now time.Time) ([]protocol.Settled, error) {
	ids := make([]uuid.UUID, 0, len(waiting))
	all := make([]uuid.UUID, 0, 2*len(waiting))
	for _, w := range waiting {
		ids = append(ids, w.ID)
		all = append(all, w.ID)
		if w.SupersedesID != nil {
			all = append(all, *w.SupersedesID)
		}
	}
	locked, err := a.lockAll(ctx, all)
	if err != nil {
		return nil, err
	}
	m := moves{all: locked, changed: map[uuid.UUID]bool{}}
	m.settle(ids, now)
	for id := range m.changed {
		if err := a.saveState(ctx, m.all[id]); err != nil {
			return nil, err
		}
	}
	var settled []protocol.Settled
	for _, id := range ids {
		if !m.changed[id] {
			continue
		}
		d := m.all[id]
		operation := map[State]string{
			Submitted: "completeDeclaration", Lapsed: "lapseDeclaration", Superseded: "supersedeDeclaration",
		}[d.State]
		messages, err := a.moved(ctx, d)
		if err != nil {
			return nil, err
		}
		settled = append(settled, protocol.Settled{
			SubjectID: d.ID, ContributorID: d.ContributorID, Operation: operation, At: d.UpdatedAt, Messages: messages,
		})
	}
	return settled, nil
}

// moved tells who filed a declaration what became of it. One that was replaced in the same moment
// needs no word.
func (a awaited) moved(ctx context.Context, d Declaration) ([]outbox.Message, error) {
	kind, at := completedKind, a.clock.Now()
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
	t, err := a.types.Get(ctx, d.Type)
	if err != nil {
		return nil, err
	}
	message, err := outbox.NewMessage(kind, d.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": t.Title, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, at)
	return []outbox.Message{message}, err
}
