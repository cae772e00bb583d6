package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/batch"
)

const (
	// seenEvery is the shortest time between two writes of one session's last activity. Another
	// process, or this one after a restart, may not know of what came in between. A session may
	// therefore end that much early there, never late.
	seenEvery      = 5 * time.Second
	activityEvery  = 500 * time.Millisecond
	activityGroup  = 500
	activityQueue  = 20_000
	activityKept   = 4 * activityQueue
	sweepNotBefore = 1024
)

// sighting is a session's activity at an instant.
type sighting struct {
	ID uuid.UUID
	At time.Time
}

// activity knows when each session was last used in this process and writes that down now and then.
type activity struct {
	mu      sync.Mutex
	seen    map[uuid.UUID]seen
	sweepAt int
	writer  *batch.Writer[sighting]
}

type seen struct{ at, queued time.Time }

func newActivity(write func(context.Context, []sighting) error, log *slog.Logger) *activity {
	return &activity{
		seen: map[uuid.UUID]seen{}, sweepAt: sweepNotBefore,
		writer: batch.New(batch.Options[sighting]{
			Every: activityEvery, Group: activityGroup, Queue: activityQueue, Write: write,
			Failed: func(rows []sighting, err error) []sighting {
				log.Error("activity of sessions not written, kept for the next try", "sessions", len(rows), "error", err)
				return rows[max(0, len(rows)-activityKept):]
			},
		}),
	}
}

// touch notes that the session was used.
func (a *activity) touch(id uuid.UUID, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, known := a.seen[id]
	if now.After(s.at) {
		s.at = now
	}
	if !known || now.Sub(s.queued) >= seenEvery {
		// When the queue is full, the next request tries again.
		if a.writer.TryAdd(sighting{id, now}) {
			s.queued = now
		}
	}
	a.seen[id] = s
	if len(a.seen) >= a.sweepAt {
		a.sweep(now)
	}
}

// sweep forgets sessions that have ended for want of activity.
func (a *activity) sweep(now time.Time) {
	for id, s := range a.seen {
		if now.Sub(s.at) >= IdleAfter {
			delete(a.seen, id)
		}
	}
	a.sweepAt = max(sweepNotBefore, 2*len(a.seen))
}

// last returns when the session was last used, as far as its row or this process knows.
func (a *activity) last(id uuid.UUID, fromRow time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.seen[id]; s.at.After(fromRow) {
		return s.at
	}
	return fromRow
}

// forget drops sessions that ended.
func (a *activity) forget(ids ...uuid.UUID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		delete(a.seen, id)
	}
}
