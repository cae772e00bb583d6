package publicbody

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/due"
)

// FiledAt implements protocol.Awaited.
func (s Submission) FiledAt() time.Time { return s.SubmittedAt }

// CompleteFor completes, in the context's transaction, what a person filed that waits for
// dispositive credentials. Call it with the person's row locked.
func (s *Service) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	return s.awaiting.CompleteFor(ctx, personID)
}

// Lapses lets those lapse that waited for dispositive credentials for too long.
func (s *Service) Lapses() due.Source { return s.awaiting }

// awaited reads and settles submissions that wait for dispositive credentials.
type awaited struct{ repository }

// Settle implements protocol.AwaitedStore. What is completed takes the place of what counts, if it
// is no list of variations alone; of those each takes the place of the one that it names.
func (a awaited) Settle(ctx context.Context, waiting []Submission, now time.Time) ([]protocol.Settled, error) {
	rows, err := a.lockBeside(ctx, waiting)
	if err != nil {
		return nil, err
	}
	mine := make(map[uuid.UUID]bool, len(waiting))
	for _, w := range waiting {
		mine[w.ID] = true
	}
	var settled []protocol.Settled
	move := func(i int, to Submission, kind *outbox.Kind, operation string) error {
		rows[i] = to
		s := protocol.Settled{
			SubjectID: to.ID, ContributorID: to.ContributorID, Operation: operation, At: to.UpdatedAt, Detail: to.changed(),
		}
		if kind != nil {
			// Sent from now on, however late the lapse is noted.
			message, err := to.message(*kind, now)
			if err != nil {
				return err
			}
			s.Messages = []outbox.Message{message}
		}
		settled = append(settled, s)
		return a.save(ctx, to)
	}
	for i, w := range rows {
		if !mine[w.ID] || w.State != AwaitingCredentials {
			continue
		}
		if lapse := protocol.LapsesAt(w.SubmittedAt); !now.Before(lapse) {
			if err := move(i, w.to(Lapsed, lapse), &LapsedKind, lapseOperation); err != nil {
				return nil, err
			}
			continue
		}
		done := w.to(Submitted, now)
		for j, o := range rows {
			if done.replaces(o) {
				// First, since no two count at a time.
				if err := move(j, o.to(Superseded, now), nil, supersedeOperation); err != nil {
					return nil, err
				}
			}
		}
		if err := move(i, done, &Completed, completeOperation); err != nil {
			return nil, err
		}
	}
	return settled, nil
}
