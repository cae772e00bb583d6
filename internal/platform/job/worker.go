package job

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"diresco/db"
)

// Options say what a worker does and what wakes it.
type Options struct {
	Step Step
	// Every is how often the worker looks for what was committed by other processes or falls due by
	// time. Without it, the worker works only when it hears of something.
	Every time.Duration
	// Topic is announced with db.Announce by the transactions of this process that leave something
	// to do; it may be empty.
	Topic string
	// DB is where the topic is announced.
	DB *db.DB
	// Parallel is how many steps are under way at once; 0 stands for 1.
	Parallel int
	Log      *slog.Logger
	// Failure is what the log says when a step fails.
	Failure string
}

// Worker takes the steps of one job. Its waiting goes by the machine's time; what is due and whose
// lease has ended is the steps' to ask of their clock.
type Worker struct {
	options Options
	wake    chan struct{}
}

// NewWorker returns a worker that does nothing yet: call Run.
func NewWorker(o Options) *Worker {
	o.Parallel = max(1, o.Parallel)
	return &Worker{o, make(chan struct{}, o.Parallel)}
}

// Wake has one more of the parallel loops look for work, if one rests. What is announced needs
// none.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run takes steps until the context ends, and returns when what was under way has ended too.
//
// The steps get the same context: a transaction that is open when it ends is rolled back. Each
// failure is logged once, and rested on for as long as Every, whatever is announced meanwhile.
func (w *Worker) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for range w.options.Parallel {
		all.Go(func() { w.loop(ctx) })
	}
}

// loop is one of the parallel loops.
func (w *Worker) loop(ctx context.Context) {
	var announced <-chan struct{}
	if w.options.Topic != "" {
		var stop func()
		announced, stop = w.options.DB.Listen(w.options.Topic)
		defer stop()
	}
	var tick <-chan time.Time
	if w.options.Every > 0 {
		ticker := time.NewTicker(w.options.Every)
		defer ticker.Stop()
		tick = ticker.C
	}
	rest := func() {
		select {
		case <-ctx.Done():
		case <-announced:
		case <-w.wake:
		case <-tick:
		}
	}
	if w.options.Every == 0 {
		rest()
	}
	for ctx.Err() == nil {
		err := w.options.Step.Drain(ctx)
		if err != nil && ctx.Err() == nil {
			w.options.Log.WarnContext(ctx, w.options.Failure, "error", err)
		}
		if err != nil && w.options.Every > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(w.options.Every):
			}
			continue
		}
		rest()
	}
}
