package declaration

import (
	"context"
	"time"

	"diresco/internal/platform/due"
)

// lapses are due when something has waited for dispositive credentials too long.
type lapses struct{ *Service }

// Lapses is the due event of what waits for dispositive credentials.
func (s *Service) Lapses() due.Source { return lapses{s} }

// Name implements due.Source.
func (lapses) Name() string { return "declaration.lapsed" }

// Next implements due.Source.
func (l lapses) Next(ctx context.Context, after due.Cursor, until time.Time) (time.Time, bool, error) {
	at, found, err := l.NextLapse(ctx, until)
	if found && !at.After(after.At) {
		// One that was overlooked is due now.
		at = until
	}
	return at, found, err
}

// Do implements due.Source. What has lapsed does not wait any more, so the place need not tell.
func (l lapses) Do(ctx context.Context, after due.Cursor, until time.Time) (due.Cursor, error) {
	_, more, err := l.LapseAwaiting(ctx, until)
	if err != nil || more {
		return after, err
	}
	return due.Through(until), nil
}
