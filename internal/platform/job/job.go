// Package job works off, in the background, what operations leave in the database.
//
// A user of it says what to claim and what to do with one, as a Step; a Worker takes the steps, and
// Drain takes those that are due. Any number of workers, in one process or several, may take the
// same steps on one database: what one has claimed, others leave alone. A process that dies loses
// nothing, since what it had claimed is found again.
//
// Three loops of this program look alike and stay where they are, since none of them claims
// anything: package batch writes what memory alone holds, package due moves one mark per source in
// the order of time, and app.repeat has every process do the same.
package job

import (
	"context"
	"errors"

	"diresco/db"
)

// Step does one thing that nobody else is doing, and reports false where there is none.
type Step func(ctx context.Context) (bool, error)

// Claim gets one thing to do that nobody else is doing, and reports false where there is none.
type Claim[T any] func(ctx context.Context) (T, bool, error)

// ErrLost says that somebody else has claimed the thing meanwhile. It ends a step of Leased as if
// there had been nothing to do.
var ErrLost = errors.New("another worker has it")

// Leased is a step that takes long, in as many transactions as it needs.
//
// The claim commits a Lease before the work begins, and others leave the thing alone until that
// ends. Whoever works longer renews it, and returns ErrLost on finding that it is another's. The
// thing is found again after the lease if the process dies.
func Leased[T any](claim Claim[T], do func(ctx context.Context, claimed T) error) Step {
	return func(ctx context.Context) (bool, error) {
		claimed, found, err := claim(ctx)
		if err != nil || !found {
			return false, err
		}
		if err := do(ctx, claimed); err != nil {
			if errors.Is(err, ErrLost) {
				err = nil
			}
			return false, err
		}
		return true, nil
	}
}

// Locked is a step that is done in one short transaction, in which the claim locks a row.
//
// The claim reads with SKIP LOCKED on PostgreSQL; on SQLite one transaction writes at a time. An
// error undoes all of it, and the thing is found again; one that was Noted undoes nothing.
func Locked[T any](d *db.DB, claim Claim[T], do func(ctx context.Context, claimed T) error) Step {
	return func(ctx context.Context) (found bool, err error) {
		var noted *notedError
		err = d.InTx(ctx, func(ctx context.Context) error {
			var claimed T
			var err error
			if claimed, found, err = claim(ctx); err != nil || !found {
				return err
			}
			if err = do(ctx, claimed); errors.As(err, &noted) {
				return nil
			}
			return err
		})
		if err == nil && noted != nil {
			err = noted.err
		}
		return found && err == nil, err
	}
}

// Noted marks an error that the work has written down itself, such as one more failure of an item.
// Locked commits what was written, and returns the error.
func Noted(err error) error { return &notedError{err} }

type notedError struct{ err error }

// Error implements error.
func (e *notedError) Error() string { return e.err.Error() }

// Unwrap returns the error that was noted.
func (e *notedError) Unwrap() error { return e.err }

// When is the step with a question before it: is there something to do? It is a read that spares
// transactions for nothing.
func (s Step) When(due func(ctx context.Context) (bool, error)) Step {
	return func(ctx context.Context) (bool, error) {
		if some, err := due(ctx); err != nil || !some {
			return false, err
		}
		return s(ctx)
	}
}

// Drain takes steps until nothing is left that is due and nobody else's. It ends earlier when a
// step fails or the context ends. Tests call it in place of a worker, and a sandbox whenever its
// testers look.
func (s Step) Drain(ctx context.Context) error {
	for ctx.Err() == nil {
		if more, err := s(ctx); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}
