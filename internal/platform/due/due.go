// Package due does what falls due at an instant: reminders, deadlines, lapses. Every event is dated
// at its own instant, however late it is done; what merely expires needs no event, since every
// query asks the clock.
package due

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
)

// AtOnce is how many events are done in one transaction at most: few, since on SQLite everybody
// waits for it.
const AtOnce = 500

// Cursor is how far a source is done. Done is all that was due before the instant and, of what is
// due at it, what comes not after the id.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// Through is the place behind all that is due by an instant.
func Through(instant time.Time) Cursor { return Cursor{instant, uuid.Max} }

// reaches reports whether all that is due by the instant is done.
func (p Cursor) reaches(instant time.Time) bool {
	return p.At.After(instant) || p.At.Equal(instant) && p.ID == uuid.Max
}

// Source is one kind of due event.
type Source interface {
	// Name is how the source is remembered. It never changes.
	Name() string
	// Next returns the earliest instant at which something is due after the place, and false for
	// none. It looks no further than the instant.
	Next(ctx context.Context, after Cursor, until time.Time) (time.Time, bool, error)
	// Do does what is due after the place and not after the instant, in the context's transaction.
	// It does the first AtOnce of it at most. It returns how far it came: Through the instant once
	// nothing is left. What two processes do must be done once.
	Do(ctx context.Context, after Cursor, until time.Time) (Cursor, error)
}

// Scheduler has the sources of an installation.
type Scheduler struct {
	db      *db.DB
	clock   clock.Clock
	log     *slog.Logger
	sources []Source
}

// NewScheduler returns the scheduler of a database.
func NewScheduler(d *db.DB, c clock.Clock, log *slog.Logger, sources ...Source) *Scheduler {
	return &Scheduler{db: d, clock: c, log: log, sources: sources}
}

// Begin notes the present for sources that were never asked: what was due before they existed stays
// undone.
func (c *Scheduler) Begin(ctx context.Context) error {
	return c.db.InTx(ctx, func(ctx context.Context) error {
		for _, s := range c.sources {
			err := c.db.From(ctx).Exec(
				"INSERT INTO due_marks (source, done_until) VALUES ( ?, ?) ON CONFLICT (source) DO NOTHING", s.Name(), c.clock.Now(),
			).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// CatchUp does all that is due by now, source by source, and begins with those that were never asked.
// One that fails is logged and does not hold up the others.
func (c *Scheduler) CatchUp(ctx context.Context) {
	if err := c.Begin(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("due events not begun", "error", err)
	}
	for _, s := range c.sources {
		if err := c.settle(ctx, s, c.clock.Now()); err != nil && ctx.Err() == nil {
			c.log.Warn("due events not done", "source", s.Name(), "error", err)
		}
	}
}

// Walk does all that is due until the instant, in the order of time over all sources. Before each
// step it calls at, with the instant to which the clock is to be set.
func (c *Scheduler) Walk(ctx context.Context, until time.Time, at func(ctx context.Context, instant time.Time) error) error {
	for {
		instant, found, err := c.next(ctx, until)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if err := at(ctx, instant); err != nil {
			return err
		}
		for _, s := range c.sources {
			if err := c.settle(ctx, s, instant); err != nil {
				return err
			}
		}
	}
	if err := at(ctx, until); err != nil {
		return err
	}
	for _, s := range c.sources {
		if err := c.settle(ctx, s, until); err != nil {
			return err
		}
	}
	return nil
}

// next returns the earliest instant at which any source has something due.
func (c *Scheduler) next(ctx context.Context, until time.Time) (earliest time.Time, found bool, err error) {
	for _, s := range c.sources {
		after, err := c.mark(ctx, s, "")
		if err != nil {
			return time.Time{}, false, err
		}
		instant, some, err := s.Next(ctx, after, until)
		if err != nil {
			return time.Time{}, false, fmt.Errorf("due events of %s: %w", s.Name(), err)
		}
		if some && (!found || instant.Before(earliest)) {
			earliest, found = instant, true
		}
	}
	return earliest, found, nil
}

// settle does what a source has due until the instant, some of it at a time.
func (c *Scheduler) settle(ctx context.Context, s Source, until time.Time) error {
	for {
		if done, err := c.settleSome(ctx, s, until); err != nil || done {
			return err
		}
	}
}

// settleSome does what comes next of a source and moves its mark, in one transaction. It reports
// whether that was the last of what is due until the instant.
func (c *Scheduler) settleSome(ctx context.Context, s Source, until time.Time) (done bool, err error) {
	err = c.db.InTx(ctx, func(ctx context.Context) error {
		place, err := c.mark(ctx, s, c.db.ForUpdate())
		if done = err == nil && place.reaches(until); err != nil || done {
			return err
		}
		if place, err = s.Do(ctx, place, until); err != nil {
			return fmt.Errorf("due events of %s: %w", s.Name(), err)
		}
		done = place.reaches(until)
		return c.db.From(ctx).Exec("UPDATE due_marks SET done_until = ?, done_id = ? WHERE source = ?", place.At, place.ID, s.Name()).Error
	})
	return done, err
}

// mark returns how far a source was done.
func (c *Scheduler) mark(ctx context.Context, s Source, lock string) (Cursor, error) {
	var marks []struct {
		DoneUntil time.Time
		DoneID    uuid.UUID
	}
	if err := c.db.From(ctx).Raw(
		"SELECT done_until, done_id FROM due_marks WHERE source = ?"+lock, s.Name(),
	).Scan(&marks).Error; err != nil {
		return Cursor{}, err
	}
	if len(marks) == 0 {
		return Cursor{}, fmt.Errorf("due events of %s: Begin was not called", s.Name())
	}
	return Cursor{clock.Normal(marks[0].DoneUntil), marks[0].DoneID}, nil
}
