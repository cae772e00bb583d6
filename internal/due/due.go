// Package due does what falls due at an instant: reminders, deadlines, lapses. Every event is dated at its own instant,
// however late it is done; what merely expires needs no event, since every query asks the clock.
package due

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"diresco/db"
	"diresco/internal/clock"
)

// Source is one kind of due event.
type Source interface {
	// Name is how the source is remembered. It never changes.
	Name() string
	// Next returns the earliest instant, after the first and not after the second, at which something is due; false for none.
	Next(ctx context.Context, after, until time.Time) (time.Time, bool, error)
	// Do does, in the context's transaction, all that is due after the first instant and not after the second. What two
	// processes do must be done once.
	Do(ctx context.Context, after, until time.Time) error
}

// Calendar has the sources of an installation.
type Calendar struct {
	db      *db.DB
	clock   clock.Clock
	log     *slog.Logger
	sources []Source
}

// NewCalendar returns the calendar of a database.
func NewCalendar(d *db.DB, c clock.Clock, log *slog.Logger, sources ...Source) *Calendar {
	return &Calendar{db: d, clock: c, log: log, sources: sources}
}

// Begin notes the present for sources that were never asked: what was due before they existed stays undone.
func (c *Calendar) Begin(ctx context.Context) error {
	return c.db.InTx(ctx, func(ctx context.Context) error {
		for _, s := range c.sources {
			err := c.db.From(ctx).Exec("INSERT INTO due_marks (source, done_until) VALUES (?, ?) ON CONFLICT (source) DO NOTHING", s.Name(), c.clock.Now()).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// CatchUp does all that is due by now, source by source. One that fails is logged and does not hold up the others.
func (c *Calendar) CatchUp(ctx context.Context) {
	for _, s := range c.sources {
		if err := c.settle(ctx, s, c.clock.Now()); err != nil && ctx.Err() == nil {
			c.log.Warn("due events not done", "source", s.Name(), "error", err)
		}
	}
}

// Walk does all that is due until the instant, in the order of time over all sources. Before each step it calls at, with
// the instant to which the clock is to be set.
func (c *Calendar) Walk(ctx context.Context, until time.Time, at func(ctx context.Context, instant time.Time) error) error {
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
func (c *Calendar) next(ctx context.Context, until time.Time) (earliest time.Time, found bool, err error) {
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

// settle does what a source has due until the instant and moves its mark, in one transaction.
func (c *Calendar) settle(ctx context.Context, s Source, until time.Time) error {
	return c.db.InTx(ctx, func(ctx context.Context) error {
		after, err := c.mark(ctx, s, c.db.ForUpdate())
		if err != nil || !after.Before(until) {
			return err
		}
		if err := s.Do(ctx, after, until); err != nil {
			return fmt.Errorf("due events of %s: %w", s.Name(), err)
		}
		return c.db.From(ctx).Exec("UPDATE due_marks SET done_until = ? WHERE source = ?", until, s.Name()).Error
	})
}

// mark returns until when a source was done; a source that was never asked begins now.
func (c *Calendar) mark(ctx context.Context, s Source, lock string) (time.Time, error) {
	var marks []time.Time
	if err := c.db.From(ctx).Raw("SELECT done_until FROM due_marks WHERE source = ?"+lock, s.Name()).Scan(&marks).Error; err != nil {
		return time.Time{}, err
	}
	if len(marks) == 0 {
		return time.Time{}, fmt.Errorf("due events of %s: Begin was not called", s.Name())
	}
	return clock.Normal(marks[0]), nil
}
