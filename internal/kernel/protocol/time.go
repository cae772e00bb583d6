package protocol

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

const (
	// tolerance is how far a process's clock may be from the register's time.
	tolerance = 2 * time.Second
	// farAhead is how far the last time of an office may lie in the future.
	farAhead = 30 * time.Second
	// comeBack is when to try again where time is out of order.
	comeBack = 10 * time.Second
)

// Time is what the register takes its time from. It is the database's: processes may differ.
type Time struct {
	// Process is the clock of this process. Where it is out of step nothing is filed.
	Process clock.Clock
	// Database is the clock of the database; nil means its own, which for SQLite is the process's.
	Database clock.Clock
	// Offset is how far the installation's clock is ahead of the database's; nil means not at all.
	Offset func() time.Duration
}

// now returns the register's time, given when the database read the counters.
func (t Time) now(read time.Time) time.Time {
	var ahead time.Duration
	if t.Offset != nil {
		ahead = t.Offset()
	}
	switch {
	case t.Database != nil:
		return t.Database.Now().Add(ahead)
	case read.IsZero():
		return t.Process.Now()
	default:
		return clock.Normal(read).Add(ahead)
	}
}

// latest returns the latest time that was read with the counters: when all were locked.
func latest(counters map[string]*counter) (read time.Time) {
	for _, c := range counters {
		if c.ReadAt.After(read) {
			read = c.ReadAt
		}
	}
	return read
}

// date gives the entries their times, or refuses them. It refuses all where this process's clock is
// out of step, and those of an office whose last time lies far ahead. The process's clock stood at
// the given instant before the counters were read.
func (r *Register) date(ctx context.Context, entries []*Line, counters map[string]*counter, before time.Time) {
	if len(entries) == 0 {
		return
	}
	now := r.time.now(latest(counters))
	after := r.time.Process.Now()
	inStep := !now.Before(before.Add(-tolerance)) && !now.After(after.Add(tolerance))
	if !inStep {
		r.log.Error("nothing is filed: this process's clock is not the database's", "seconds_ahead", after.Sub(now).Seconds())
	}
	for office, c := range counters {
		if ahead := c.LastAt.Sub(now); inStep && ahead > farAhead {
			r.log.Error("nothing is filed at an office whose last time lies ahead", "office", office, "seconds_ahead", ahead.Seconds())
		}
	}
	for _, e := range entries {
		c := counters[e.Office]
		switch {
		case !inStep:
			r.refuse(ctx, e, ownClock)
		case c.LastAt.Sub(now) > farAhead:
			r.refuse(ctx, e, lastTime)
		default:
			e.At = c.time(now)
		}
	}
}

// The reasons of refusals, as the metric names them.
const (
	ownClock = "clock"
	lastTime = "last-time"
)

// refuse takes an entry out of its group because of the time.
func (r *Register) refuse(ctx context.Context, e *Line, reason string) {
	e.Refuse(fault.After(fault.Unavailable, comeBack))
	if refusals := r.refusals.Load(); refusals != nil {
		(*refusals).Add(ctx, 1, metric.WithAttributes(attribute.String("reason", reason)))
	}
}

// Observe counts what is refused because of the time.
func (r *Register) Observe(meter metric.Meter) error {
	refusals, err := meter.Int64Counter("protocol.refusals", metric.WithUnit("{filing}"),
		metric.WithDescription("Filings that were refused because a clock is wrong: this process's, or that of an office's last number."))
	if err != nil {
		return err
	}
	for _, reason := range []string{ownClock, lastTime} {
		refusals.Add(context.Background(), 0, metric.WithAttributes(attribute.String("reason", reason)))
	}
	r.refusals.Store(&refusals)
	return nil
}
