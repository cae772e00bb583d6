package declaration

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
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
	types   *Types
	funds   *fund.Service
	decider decider
	clock   clock.Clock
}

// Settle implements protocol.AwaitedStore. What is superseded or confirmed is locked along.
//
// What is completed replaces what it supersedes only now, where that can still be superseded;
// otherwise it stands beside it, as it would if it had come first: it was protocolled, and a number
// is never given in vain.
func (a awaited) Settle(ctx context.Context, waiting []waitingRow, now time.Time) ([]protocol.Settled, error) {
	var ids, all, reservations, replaced []uuid.UUID
	for _, w := range waiting {
		ids = append(ids, w.ID)
		all = append(all, w.ID)
		if w.SupersedesID != nil {
			all, reservations = append(all, *w.SupersedesID), append(reservations, *w.SupersedesID)
		}
		if w.SupersedesID != nil && w.ReservationID != nil {
			replaced = append(replaced, *w.SupersedesID)
		}
		if w.ReservationID != nil {
			all, reservations = append(all, *w.ReservationID), append(reservations, *w.ReservationID)
		}
	}
	let, err := a.confirmedBy(ctx, replaced)
	if err != nil {
		return nil, err
	}
	all, reservations = append(all, let...), append(reservations, let...)
	matters, err := a.matters(ctx, ids)
	if err != nil {
		return nil, err
	}
	g, err := openGroup(ctx, a.repository, a.types, a.funds, now, nil, all, all, reservations, matters)
	if err != nil {
		return nil, err
	}
	g.settle(now)
	for _, id := range ids {
		d, found := g.all[id]
		if !found || d.State != AwaitingCredentials {
			continue
		}
		if err := a.settle(ctx, g, d, now); err != nil {
			return nil, err
		}
	}
	if err := g.save(ctx, a.repository, a.decider); err != nil {
		return nil, err
	}
	var settled []protocol.Settled
	for _, id := range ids {
		if !g.changed[id] {
			continue
		}
		d := g.all[id]
		if d.State == Superseded {
			// The group has traced it, and it needs no word.
			continue
		}
		operation := "completeDeclaration"
		if d.State == Lapsed {
			operation = "lapseDeclaration"
		}
		messages, err := a.moved(ctx, d)
		if err != nil {
			return nil, err
		}
		settled = append(settled, protocol.Settled{
			SubjectID: d.ID, ContributorID: d.ContributorID, Operation: operation, At: d.UpdatedAt, Messages: messages, Detail: d.changed(),
		})
	}
	return settled, nil
}

// matters reads what the requirements of waiting declarations look at. What was submitted never
// changes, so it need not be locked.
func (a awaited) matters(ctx context.Context, ids []uuid.UUID) ([]matter, error) {
	rows, err := a.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	var matters []matter
	for _, d := range rows {
		t, err := a.types.Version(ctx, d.Type, d.TypeVersion)
		if err != nil {
			return nil, err
		}
		asked, err := ask(t, d.Step, d.Content)
		if err != nil {
			return nil, err
		}
		if len(asked.step.Requirements) > 0 {
			matters = append(matters, matter{d, asked})
		}
	}
	return matters, nil
}

// settle completes a declaration, or lets it lapse where its time was over.
func (a awaited) settle(ctx context.Context, g *group, d Declaration, now time.Time) error {
	if d.lapsed(now) {
		if err := g.giveUp(d.ID, now); err != nil {
			return err
		}
		g.to(d, Lapsed, protocol.LapsesAt(*d.SubmittedAt))
		return nil
	}
	t, err := a.types.Version(ctx, d.Type, d.TypeVersion)
	if err != nil {
		return err
	}
	asked, err := ask(t, d.Step, d.Content)
	if err != nil {
		return err
	}
	supersedes := false
	if d.SupersedesID != nil {
		old, found := g.all[*d.SupersedesID]
		supersedes = found && !old.lapsed(now) && g.maySupersede(d) == nil
	}
	// What a confirmation supersedes may keep its reservation from lapsing until it is decided.
	last := d.Step == catalogue.Confirmation
	if supersedes && !last {
		if err := g.supersede(d, now); err != nil {
			return err
		}
	}
	decided, err := g.decide(ctx, d, t, asked, now)
	var refused *fault.Fault
	switch {
	case fault.Is(err, fault.Busy):
		return err
	case errors.As(err, &refused):
		// Its reservation was given up, or confirmed by another one.
		decided = d.refused(now, ReasonReservationGone)
	case err != nil:
		return err
	}
	g.to(decided, decided.State, now)
	if !supersedes || !last {
		return nil
	}
	return g.supersede(d, now)
}

// moved tells who filed a declaration what became of it. One that was replaced in the same moment
// needs no word.
func (a awaited) moved(ctx context.Context, d Declaration) ([]outbox.Message, error) {
	kind, at := completedKind, a.clock.Now()
	switch d.State {
	case Submitted:
	case Accepted, ProvisionallyNotAccepted, NotAccepted:
		return a.decider.message(ctx, d, at)
	case Lapsed:
		kind = lapsedKind
		if d.UpdatedAt.After(at) {
			at = d.UpdatedAt
		}
	default:
		return nil, nil
	}
	t, err := a.types.Version(ctx, d.Type, d.TypeVersion)
	if err != nil {
		return nil, err
	}
	message, err := outbox.NewMessage(kind, d.PersonID, map[string]string{
		"protocol_number": *d.ProtocolNumber, "type": d.Type, "title": t.Title.IT, "submitted_at": d.SubmittedAt.Format(time.RFC3339Nano),
	}, at)
	return []outbox.Message{message}, err
}
