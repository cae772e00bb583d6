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

// whenInTime is work that is left to other processes while this one's clock is wrong: what is not due
// yet would be done, and what lives dropped.
func (w *clockWatch) whenInTime(work func(ctx context.Context)) func(ctx context.Context) {
	return func(ctx context.Context) {
		if w.inTime() {
			work(ctx)
		}
	}
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

// replicaEvery is how often the replica is looked at. One that is left out serves again after that.
const replicaEvery = 2 * time.Second

// replicaWatch says when the replica of the database is left out, and when it serves again.
type replicaWatch struct {
	db  *db.DB
	log *slog.Logger
	// told is what was said last.
	told string
}

// look looks at the replica once.
func (w *replicaWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	before, _ := w.db.Replica()
	err := w.db.LookAtReplica(ctx)
	switch {
	case err == nil && before.Fit:
		return
	case err == nil && before.Reason != nil:
		w.log.Warn("a read by the database's replica was done by the leader", "reason", before.Reason)
	case err == nil:
		w.log.Info("the database's replica answers reads")
	case err.Error() != w.told:
		w.log.Warn("the database's replica is left out", "reason", err)
	}
	w.told = ""
	if err != nil {
		w.told = err.Error()
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
