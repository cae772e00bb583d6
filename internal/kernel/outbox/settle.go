package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"diresco/db"
)

// hookError is the error of a hook: the delivery was sent, and what belongs to that failed.
type hookError struct{ err error }

// Error implements error.
func (e *hookError) Error() string { return "hook: " + e.err.Error() }

// Unwrap returns the cause.
func (e *hookError) Unwrap() error { return e.err }

// settle notes what became of deliveries, all in one transaction. Where that fails for one of them,
// each goes in its own.
func (w *Worker) settle(ctx context.Context, owner string, outcomes []outcome) error {
	// What was sent is noted even when the worker is told to end.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err := w.settleTogether(bounded, owner, outcomes)
	switch {
	case err == nil, db.IsUnavailable(err), bounded.Err() != nil:
		// Without a note the lease ends, and they are sent again: at least once, under the same id.
		return err
	case len(outcomes) > 1:
		var all []error
		for i := range outcomes {
			all = append(all, w.settle(ctx, owner, outcomes[i:i+1]))
		}
		return errors.Join(all...)
	}
	var hook *hookError
	if !errors.As(err, &hook) {
		return err
	}
	o := outcomes[0]
	w.log.ErrorContext(ctx, "what became of a delivery cannot be noted", "kind", o.row.Kind, "delivery_id", o.row.ID, "error", err)
	if o.row.State == Unconfirmed {
		o.row.Repeats = min(o.row.Repeats, len(repeatGaps)-1) // there is one more turn
	} else {
		o.row.State = Queued
	}
	if o.attempt == nil {
		o.row.NextAt = w.clock.Now().Add(lastRetry)
	} else {
		// It is sent again, so not at once.
		o.row.Attempts--
		o = w.postponed(o, w.clock.Now(), "not-noted")
	}
	o.refused = false
	return w.settleTogether(bounded, owner, []outcome{o})
}

func (w *Worker) settleTogether(ctx context.Context, owner string, outcomes []outcome) error {
	rows := make([]Delivery, len(outcomes))
	for i, o := range outcomes {
		rows[i] = o.row
	}
	var written map[uuid.UUID]bool
	err := w.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if written, err = w.repo.put(ctx, owner, rows); err != nil {
			return fmt.Errorf("note deliveries: %w", err)
		}
		var attempts []Attempt
		var erased db.UUIDs
		for _, o := range outcomes {
			if !written[o.row.ID] {
				continue
			}
			if o.attempt != nil {
				attempts = append(attempts, *o.attempt)
			}
			if o.sealed && o.row.settled() {
				erased = append(erased, o.row.Message())
			}
		}
		if err := db.InsertAll(ctx, w.db, attempts); err != nil {
			return fmt.Errorf("note attempts: %w", err)
		}
		if err := w.repo.erase(ctx, erased); err != nil {
			return fmt.Errorf("erase secrets: %w", err)
		}
		for _, o := range outcomes {
			if written[o.row.ID] {
				if err := w.reached(ctx, o.row, o.refused); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		for _, o := range outcomes {
			if written[o.row.ID] {
				w.metrics.count(ctx, o)
			}
		}
	}
	return err
}

// reached does what belongs to a delivery's new state, in the context's transaction.
func (w *Worker) reached(ctx context.Context, d Delivery, refused bool) error {
	if d.State == Queued {
		return nil
	}
	d.LeaseOwner, d.LeaseUntil = nil, nil
	if hook := w.hooks[d.Kind]; hook != nil {
		if err := hook(ctx, d); err != nil {
			return &hookError{err}
		}
	}
	if refused {
		if err := w.router.Bounced(ctx, d); err != nil {
			return &hookError{err}
		}
	}
	return nil
}
