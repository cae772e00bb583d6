package world

import (
	"sync"
	"testing"
	"time"
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
