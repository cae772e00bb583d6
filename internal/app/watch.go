package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"diresco/db"
	"diresco/internal/platform/clock"
)

const (
	watchEvery  = 10 * time.Second
	driftWarn   = 2 * time.Second
	driftRefuse = 30 * time.Second
)

// clockWatch compares this machine's clock with the database's. Every deadline is decided by the
// one and ordered by the other.
type clockWatch struct {
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger
	mu    sync.Mutex
	drift time.Duration
}

// inTime reports whether this process may go on giving times.
func (w *clockWatch) inTime() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drift.Abs() <= driftRefuse
}

// look measures once. A database that does not answer says nothing about the clock. SQLite has the
// clock of this machine.
func (w *clockWatch) look(ctx context.Context) {
	if w.db.Dialect() != db.Postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var theirs time.Time
	before := w.clock.Now()
	if err := w.db.From(ctx).Raw("SELECT clock_timestamp()").Scan(&theirs).Error; err != nil {
		return
	}
	after := w.clock.Now()
	drift := before.Add(after.Sub(before) / 2).Sub(theirs)
	w.mu.Lock()
	w.drift = drift
	w.mu.Unlock()
	if drift.Abs() > driftWarn {
		w.log.Warn("this machine's clock and the database's differ", "seconds", drift.Seconds(), "ready", drift.Abs() <= driftRefuse)
	}
}

// every calls work at once and then at each interval until the context ends.
func every(ctx context.Context, interval time.Duration, work func(ctx context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		work(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
