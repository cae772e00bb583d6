package due

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Endings is what is due some days before things come to the end that they were given, or when they
// do.
type Endings[T any] struct {
	// Kind is what it is remembered by, with the days.
	Kind string
	// Days are how long before the end it is due; zero for the end itself.
	Days int
	// Ending returns those that end after the place and by the instant, the first to end first.
	Ending func(ctx context.Context, after time.Time, id uuid.UUID, until time.Time, limit int) ([]T, error)
	// End is when one ends, and its id.
	End func(T) (time.Time, uuid.UUID)
	// Note does what is due for those that were found, in the context's transaction, until the instant.
	Note func(ctx context.Context, found []T, until time.Time) error
}

// Name implements Source.
func (e Endings[T]) Name() string {
	if e.Days == 0 {
		return e.Kind
	}
	return e.Kind + " " + strconv.Itoa(e.Days)
}

// Ahead is how long before the end it is due.
func (e Endings[T]) Ahead() time.Duration { return time.Duration(e.Days) * 24 * time.Hour }

// Next implements Source.
func (e Endings[T]) Next(ctx context.Context, after Cursor, until time.Time) (time.Time, bool, error) {
	found, err := e.Ending(ctx, after.At.Add(e.Ahead()), after.ID, until.Add(e.Ahead()), 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, false, err
	}
	return e.place(found[0]).At, true, nil
}

// Do implements Source. What was due before the end of something that has ended meanwhile is not done
// any more: of that there is the end alone.
func (e Endings[T]) Do(ctx context.Context, after Cursor, until time.Time) (Cursor, error) {
	at, id := after.At.Add(e.Ahead()), after.ID
	if e.Days > 0 && !at.After(until) {
		at, id = until, uuid.Max
	}
	found, err := e.Ending(ctx, at, id, until.Add(e.Ahead()), AtOnce)
	if err != nil || len(found) == 0 {
		return Through(until), err
	}
	if err := e.Note(ctx, found, until); err != nil || len(found) < AtOnce {
		return Through(until), err
	}
	return e.place(found[len(found)-1]), nil
}

// place is the one at which something is due.
func (e Endings[T]) place(one T) Cursor {
	ends, id := e.End(one)
	return Cursor{ends.Add(-e.Ahead()), id}
}
