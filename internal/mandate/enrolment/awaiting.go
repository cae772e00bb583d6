package enrolment

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/due"
)

// FiledAt implements protocol.Awaited.
func (e Enrolment) FiledAt() time.Time { return e.SubmittedAt }

// CompleteFor completes, in the context's transaction, what a person filed that waits for
// dispositive credentials. Call it with the person's row locked.
func (s *Service) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	return s.awaiting.CompleteFor(ctx, personID)
}

// Lapses lets those lapse that waited for dispositive credentials for too long.
func (s *Service) Lapses() due.Source { return s.awaiting }

// awaited reads and settles requests that wait for dispositive credentials.
type awaited struct{ repository }

// Settle implements protocol.AwaitedStore.
func (a awaited) Settle(ctx context.Context, waiting []Enrolment, now time.Time) ([]protocol.Settled, error) {
	locked, err := a.lock(ctx, idsOf(waiting)...)
	if err != nil {
		return nil, err
	}
	var settled []protocol.Settled
	for _, e := range locked {
		if e.State != AwaitingCredentials {
			continue
		}
		e = e.settle(now)
		if err := a.save(ctx, e); err != nil {
			return nil, err
		}
		s, err := e.settled(now)
		if err != nil {
			return nil, err
		}
		settled = append(settled, s)
	}
	return settled, nil
}

func idsOf(rows []Enrolment) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

// settled is what is told and traced of a request that waits no more.
func (e Enrolment) settled(now time.Time) (protocol.Settled, error) {
	at, kind, operation := now, Completed, "completeEnrolment"
	if e.State == Lapsed {
		at, kind, operation = protocol.LapsesAt(e.SubmittedAt), LapsedKind, "lapseEnrolment"
	}
	// Sent from now on, however late the lapse is noted.
	message, err := outbox.NewMessage(kind, e.PersonID, map[string]any{
		"protocol_number": e.ProtocolNumber, "form": e.Form, "submitted_at": e.SubmittedAt.Format(time.RFC3339Nano),
	}, now)
	return protocol.Settled{
		SubjectID: e.ID, ContributorID: e.ContributorID, Operation: operation, At: at, Messages: []outbox.Message{message},
	}, err
}
