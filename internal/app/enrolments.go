package app

import (
	"context"

	"github.com/google/uuid"
)

// completer completes what waits for dispositive credentials.
type completer interface {
	CompleteFor(ctx context.Context, personID uuid.UUID) error
}

// completers are all kinds of what may wait.
type completers []completer

// CompleteFor completes what a person filed with ordinary credentials, in the context's transaction.
func (all completers) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	for _, one := range all {
		if err := one.CompleteFor(ctx, personID); err != nil {
			return err
		}
	}
	return nil
}
