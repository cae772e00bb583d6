package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"diresco/internal/platform/batch"
	"diresco/internal/test/world"
)

// never is longer than any test runs: nothing is written because time passed.
const never = time.Hour

var errDown = errors.New("down")

// shelf keeps what is written. While it is down, every write fails.
type shelf struct {
	gate *world.Gate

	mu     sync.Mutex
	down   bool
	tries  int
	groups [][]int
}

func (s *shelf) write(_ context.Context, group []int) error {
	s.gate.Pass()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.down {
		return errDown
	}
	s.groups = append(s.groups, slices.Clone(group))
	return nil
}

func (s *shelf) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *shelf) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *shelf) items() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.groups...)
}

func keep(group []int, _ error) []int { return group }

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func start(t *testing.T, s *shelf, change func(*batch.Options[int])) *batch.Writer[int] {
	t.Helper()
	before := goleak.IgnoreCurrent()
	o := batch.Options[int]{Every: never, Group: 10, Queue: 1000, Write: s.write, Failed: keep}
	if change != nil {
		change(&o)
	}
	w := batch.New(o)
	t.Cleanup(func() {
		w.Close()
		goleak.VerifyNone(t, before)
	})
	return w
}

func TestBatch_WhatIsAddedIsWritten(t *testing.T) {
	for _, c := range []struct {
		name    string
		every   time.Duration
		items   int
		written func(*batch.Writer[int])
		groups  []int
	}{
		{"when a group is full", never, 20, nil, []int{10, 10}},
		{"when its time has come", time.Millisecond, 3, nil, nil},
		{"at a flush", never, 25, func(w *batch.Writer[int]) { w.Flush(context.Background()) }, []int{10, 10, 5}},
		{"at the end", never, 25, func(w *batch.Writer[int]) { w.Close() }, []int{10, 10, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s shelf
			w := start(t, &s, func(o *batch.Options[int]) { o.Every = c.every })
			for i := range c.items {
				if !w.Add(i) {
					t.Fatal("refused")
				}
			}
			if c.written == nil {
				world.Eventually(t, "everything is written", func() bool { return len(s.items()) == c.items })
			} else {
				c.written(w)
			}
			if diff := cmp.Diff(upTo(c.items), s.items()); diff != "" {
				t.Error(diff)
			}
			for i, size := range c.groups {
				if len(s.groups[i]) != size {
					t.Errorf("group %d has %d items, want %d", i, len(s.groups[i]), size)
				}
			}
		})
	}
}

func TestBatch_WhatFailedIsKeptInOrder(t *testing.T) {
	var s shelf
	w := start(t, &s, nil)
	s.set(true)
	for i := range 25 {
		w.Add(i)
	}
	w.Flush(context.Background())
	if got := s.items(); len(got) != 0 {
		t.Fatalf("written while down: %v", got)
	}
	s.set(false)
	w.Add(25)
	w.Flush(context.Background())
	if diff := cmp.Diff(upTo(26), s.items()); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_WhatWasWrittenBeforeAFailureIsNotWrittenAgain(t *testing.T) {
	var s shelf
	calls := 0
	w := start(t, &s, func(o *batch.Options[int]) {
		o.Write = func(ctx context.Context, group []int) error {
			if calls++; calls == 2 {
				return errDown
			}
			return s.write(ctx, group)
		}
		o.Group = 5
		o.Queue = 100
	})
	// Held back until all are there, so that one round has several groups.
	for i := range 12 {
		w.Add(i)
	}
	w.Flush(context.Background())
	w.Flush(context.Background())
	if diff := cmp.Diff(upTo(12), s.items()); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_FailedMayGiveUp(t *testing.T) {
	var s shelf
	w := start(t, &s, func(o *batch.Options[int]) { o.Failed = func([]int, error) []int { return nil } })
	s.set(true)
	w.Add(1)
	w.Flush(context.Background())
	s.set(false)
	w.Add(2)
	w.Flush(context.Background())
	if diff := cmp.Diff([]int{2}, s.items()); diff != "" {
		t.Error(diff)
	}
}

// While nothing can be written, every further item must not mean a further try. The tries would
// take all there is.
func TestBatch_AFailureIsNotTriedAgainForEveryItem(t *testing.T) {
	var s shelf
	w := start(t, &s, func(o *batch.Options[int]) { o.Queue = 1 })
	s.set(true)
	for i := range 100 {
		w.Add(i)
	}
	if n := s.attempts(); n > 1 {
		t.Errorf("%d tries for ten groups while nothing can be written", n)
	}
	s.set(false)
	w.Flush(context.Background())
	if diff := cmp.Diff(upTo(100), s.items()); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_WhatCannotBeWrittenAtTheEndIsReported(t *testing.T) {
	var s shelf
	var lost []int
	w := start(t, &s, func(o *batch.Options[int]) { o.Lost = func(items []int) { lost = slices.Clone(items) } })
	s.set(true)
	for i := range 3 {
		w.Add(i)
	}
	w.Close()
	if diff := cmp.Diff(upTo(3), lost); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_AFullQueue(t *testing.T) {
	s := shelf{gate: world.NewGate()}
	w := start(t, &s, func(o *batch.Options[int]) { o.Group, o.Queue = 1, 2 })
	w.Add(0)
	s.gate.Reached()
	w.Add(1)
	w.Add(2)
	if w.TryAdd(99) {
		t.Error("TryAdd put an item into a full queue")
	}
	waited := make(chan bool)
	go func() { waited <- w.Add(3) }()
	s.gate.Open()
	if !<-waited {
		t.Error("Add refused instead of waiting")
	}
	w.Flush(context.Background())
	if diff := cmp.Diff(upTo(4), s.items()); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_NothingIsTakenAfterTheEnd(t *testing.T) {
	s := shelf{gate: world.NewGate()}
	w := start(t, &s, nil)
	w.Add(0)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.Close()
	}()
	// The last write is under way: what comes now would be written by nobody.
	s.gate.Reached()
	if w.Add(1) || w.TryAdd(2) {
		t.Error("an item was taken during the last write")
	}
	s.gate.Open()
	<-closed
	if w.Add(3) || w.TryAdd(4) {
		t.Error("an item was taken after the end")
	}
	w.Flush(context.Background())
	w.Close()
	if diff := cmp.Diff([]int{0}, s.items()); diff != "" {
		t.Error(diff)
	}
}

func TestBatch_AFlushThatNobodyWaitsFor(t *testing.T) {
	s := shelf{gate: world.NewGate()}
	w := start(t, &s, nil)
	w.Add(0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	go w.Flush(context.Background())
	s.gate.Reached()
	w.Flush(ctx)
	s.gate.Open()
}

func TestBatch_NothingIsLostUnderLoad(t *testing.T) {
	for range 20 {
		var s shelf
		w := start(t, &s, func(o *batch.Options[int]) { o.Every, o.Queue = time.Millisecond, 50 })
		var taken atomic.Int64
		world.Parallel(9, func(i int) {
			if i == 8 {
				world.Eventually(t, "some items are written", func() bool { return len(s.items()) > 500 })
				w.Close()
				return
			}
			for n := 0; w.Add(i*1_000_000 + n); n++ {
				taken.Add(1)
			}
		})
		got := s.items()
		slices.Sort(got)
		if int64(len(got)) != taken.Load() || len(slices.Compact(got)) != len(got) {
			t.Fatalf("%d items were taken, %d written", taken.Load(), len(got))
		}
	}
}
