package world

import (
	"context"
	"sync"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/clock"
)

// patience is how long something that must happen may take on a busy machine before the test gives
// up.
const patience = 30 * time.Second

// Eventually returns once the condition holds and ends the test when it never does.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// Parallel runs fn n times at once, each with its number, and returns when all have.
func Parallel(n int, fn func(i int)) {
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wait.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wait.Wait()
}

// Gate holds up the first who comes to it until it is opened.
type Gate struct {
	once    sync.Once
	reached chan struct{}
	open    chan struct{}
}

// NewGate returns a closed gate.
func NewGate() *Gate { return &Gate{reached: make(chan struct{}), open: make(chan struct{})} }

// Pass waits at the gate: the first time until it is opened, and never again.
func (g *Gate) Pass() {
	if g == nil {
		return
	}
	g.once.Do(func() {
		close(g.reached)
		<-g.open
	})
}

// Reached returns once somebody waits at the gate.
func (g *Gate) Reached() { <-g.reached }

// Open lets through who waits.
func (g *Gate) Open() { close(g.open) }

// EndBeside runs what ends something while another transaction holds the rows that a statement
// selects. The clock moves on before that one lets go: EndBeside returns to when, and fails the
// test unless the end waited. SQLite has one writer at a time, so this needs PostgreSQL.
func EndBeside(t testing.TB, d *db.DB, c *clock.Manual, end func() error, lock string, args ...any) time.Time {
	t.Helper()
	var ended error
	Beside(t, d, func(ctx context.Context) error { return d.From(ctx).Exec(lock, args...).Error }, func() { ended = end() },
		func() { c.Advance(200 * time.Millisecond) })
	if ended != nil {
		t.Fatal(ended)
	}
	return c.Now()
}

// Beside runs other while a transaction in which first was done is open, and returns when both are
// done. It fails the test unless other waited for the end of the transaction; before that end it
// runs what is in between. SQLite has one writer at a time, so this needs PostgreSQL.
func Beside(t testing.TB, d *db.DB, first func(ctx context.Context) error, other func(), between ...func()) {
	t.Helper()
	done := make(chan struct{})
	finished := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	waits := func() bool {
		var n int
		err := d.From(context.Background()).Raw(
			"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
		).Scan(&n).Error
		return err == nil && n > 0
	}
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		if err := first(ctx); err != nil {
			return err
		}
		go func() { defer close(done); other() }()
		Eventually(t, "the other waits, or does not", func() bool { return finished() || waits() })
		if finished() {
			t.Error("it was done beside what it should wait for")
		}
		for _, fn := range between {
			fn()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-done
}
