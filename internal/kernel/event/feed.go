package event

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/job"
)

const (
	// KeptFor is how long an event is kept.
	KeptFor = 90 * 24 * time.Hour
	// lookEvery is how often the appender looks for what other processes committed.
	lookEvery = time.Second
	// appendedAtOnce is how many records one transaction of the appender looks at.
	appendedAtOnce = 500
	// latest is longer than any transaction lasts: of what another cluster counted, nothing is missed
	// that was written so long before the last missedWithin events.
	latest       = 3 * time.Hour
	missedWithin = 1000
	// pace is how long the appender rests after it appended something, so that under load it makes
	// many events at once.
	pace = 15 * time.Millisecond
)

// Appended is announced with db.Announce by the transactions that append events.
const Appended = "events appended"

// Hook is called in the appender's transaction with what it appended, in order.
type Hook func(ctx context.Context, events []Event) error

// Deps are what the feed works with.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	Log   *slog.Logger
}

// Feed appends events and reads them.
type Feed struct {
	repo  repository
	clock clock.Clock
	log   *slog.Logger
	hooks []Hook

	// mu is held by who appends in this process.
	mu sync.Mutex
	// begun says that this process has looked for what was committed since the last look, and caught
	// that it has looked for what was missed before.
	begun, caught bool
	// busy says that the last transaction appended something. Then there is probably more by now, and
	// nobody asks first.
	busy bool
	// part is how far a look has come that is too much for one transaction.
	part *part
	// atOnce is how many records the next transaction looks at: fewer after one that failed.
	atOnce int
}

// part is a look of which some was appended.
type part struct {
	look  look
	after uuid.UUID
}

// NewFeed returns the feed of a database. It appends nothing yet: call Run or Append.
func NewFeed(d Deps) *Feed {
	return &Feed{repo: repository{d.DB}, clock: d.Clock, log: d.Log, atOnce: appendedAtOnce}
}

// OnAppended has the hook called in the appender's transaction with all that it appends. Call it
// before Run. An error undoes what was appended, which is tried again, with half as many at a time:
// what takes too long for many goes on with few. An event that was appended is never given to a hook
// again.
//
// Lock order: the feed, what hooks lock.
func (f *Feed) OnAppended(hook func(ctx context.Context, events []Event) error) {
	f.hooks = append(f.hooks, hook)
}

// Run appends until the context ends. Any number of processes may do so.
func (f *Feed) Run(ctx context.Context) {
	step := func(ctx context.Context) (bool, error) {
		more, some, err := f.next(ctx)
		if err == nil && some && !more {
			rest := time.NewTimer(pace)
			defer rest.Stop()
			select {
			case <-ctx.Done():
			case <-rest.C:
			}
		}
		return more, err
	}
	job.NewWorker(job.Options{
		Step: step, Topic: audit.Written, DB: f.repo.db, Every: lookEvery, Log: f.log, Failure: "events not appended",
	}).Run(ctx)
}

// Append appends what was committed so far.
func (f *Feed) Append(ctx context.Context) error {
	return job.Step(func(ctx context.Context) (bool, error) {
		more, _, err := f.next(ctx)
		return more, err
	}).Drain(ctx)
}

// next appends some of what was committed since the last look. It reports whether there is more,
// and whether it appended anything.
func (f *Feed) next(ctx context.Context) (more, some bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.caught && f.part == nil && !f.busy {
		if due, err := f.repo.due(ctx); err != nil || !due {
			return false, false, err
		}
	}
	var done look
	var left *part
	err = f.repo.db.InTx(ctx, func(ctx context.Context) error {
		state, err := f.repo.lock(ctx)
		if err != nil {
			return err
		}
		now, err := f.goOn(ctx, state)
		if err != nil {
			return err
		}
		done = now.look
		records, err := f.repo.records(ctx, now.look, now.after, f.atOnce)
		if err != nil {
			return err
		}
		if more = len(records) == f.atOnce; more {
			left = &part{now.look, records[len(records)-1].ID}
		}
		events := eventsOf(records)
		for i := range events {
			state.Position++
			events[i].Position = state.Position
		}
		some = len(events) > 0
		if err := f.append(ctx, events); err != nil {
			return err
		}
		if !more {
			state.Snapshot, state.LastRow = &now.look.to.snapshot, now.look.to.row
		}
		return f.repo.save(ctx, state)
	})
	if err != nil {
		f.atOnce = max(1, f.atOnce/2)
		return false, false, err
	}
	f.atOnce = min(appendedAtOnce, 2*f.atOnce)
	f.busy = some
	if f.part = left; left == nil {
		f.begun, f.caught = true, f.caught || done.whole
	}
	return more || !f.caught, some, nil
}

// goOn goes on with the look under way, or begins the next: for what was committed since the last
// one, once for what was missed before, and for all where the last was elsewhere.
func (f *Feed) goOn(ctx context.Context, s state) (part, error) {
	elsewhere := s.elsewhere()
	if f.part != nil && (f.part.look.whole || !elsewhere) {
		return *f.part, nil
	}
	l, err := f.repo.look(ctx, s, elsewhere || f.begun && !f.caught)
	return part{look: l}, err
}

func (f *Feed) append(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := db.InsertAll(ctx, f.repo.db, events); err != nil {
		return err
	}
	for _, hook := range f.hooks {
		if err := hook(ctx, slices.Clone(events)); err != nil {
			return err
		}
	}
	f.repo.db.Announce(ctx, Appended)
	return nil
}

// Newest returns the newest position that was given; 0 before the first.
func (f *Feed) Newest(ctx context.Context) (int64, error) { return f.repo.newest(ctx) }

// Between returns the events behind a position up to another one, in order, limit at most.
func (f *Feed) Between(ctx context.Context, after, through int64, limit int) ([]Event, error) {
	return f.repo.between(ctx, after, through, limit)
}

// During returns the events from one instant on and before another one, in the order in which they
// happened, limit at most. Of those at the first instant it returns what stands behind a position: it
// is for going through a period in parts, each from the last event of the one before.
func (f *Feed) During(ctx context.Context, from, to time.Time, after int64, limit int) ([]Event, error) {
	return f.repo.during(ctx, from, to, after, limit)
}

// ByID returns the event with this id that is kept, and false where there is none.
func (f *Feed) ByID(ctx context.Context, id uuid.UUID) (Event, bool, error) {
	return f.repo.byID(ctx, id)
}

// Forget drops events that have been kept for long enough. The newest stays, whatever its age: by
// it the appender knows what it has appended.
func (f *Feed) Forget(ctx context.Context) error {
	for {
		n, err := f.repo.forget(ctx, f.clock.Now().Add(-KeptFor))
		if err != nil || n == 0 {
			return err
		}
	}
}
