package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// worker does one thing and returns the status it was answered with; things that have no status
// return 0.
type worker func(ctx context.Context) (status int, err error)

// work is what some clients do at once. Each does the next thing as soon as the last is answered (a
// closed loop).
type work struct {
	// rows is how many rows an answer has; 0 where that is not what counts.
	rows    int
	name    string
	clients int
	// wanted is the status of what is counted and timed.
	wanted int
	// allowed are further statuses that are no failure.
	allowed []int
	// process is the server whose memory and CPU time are measured; zero for none.
	process process
	// before prepares, after everybody has logged in; nil for nothing.
	before func(ctx context.Context) error
	// worker makes the i-th client; its release function is called at the end.
	worker func(ctx context.Context, i int) (do worker, release func(), err error)
}

// result is what was measured of a work.
type result struct {
	work
	elapsed time.Duration
	// times are those of the wanted answers, sorted.
	times []time.Duration
	// answers counts all answers of the measured time by status.
	answers map[int]int
	// unexpected counts answers and failures that are neither wanted nor allowed, and example is
	// the first of them.
	unexpected int
	example    string
	// peak is the server's highest resident memory during the work, in bytes; 0 where it was not
	// measured.
	peak int64
	// wal is how many bytes the database wrote ahead meanwhile, for whomever; 0 for SQLite.
	wal int64
	usage
	// compared says how the rate stands to the references.
	compared string
}

// rate is that of the wanted answers, in requests a second.
func (r result) rate() float64 { return float64(len(r.times)) / r.elapsed.Seconds() }

// quantile returns the time within which the share q of the wanted answers came.
func (r result) quantile(q float64) time.Duration { return quantile(r.times, q) }

// quantile is by the nearest rank; of nothing it is 0.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// tally is what one client has seen in the measured time.
type tally struct {
	times      []time.Duration
	answers    map[int]int
	unexpected int
	example    string
}

// phases of a run.
const (
	warming int32 = iota
	measuring
	ending
)

// failuresEnd is after how many failures in a row a client gives up. So a server that is gone ends
// the run.
const failuresEnd = 10

// run does the work for the warm-up and then the measured time.
func (b *bench) run(ctx context.Context, w work) (result, error) {
	if err := b.database.quiet(ctx); err != nil {
		return result{}, err
	}
	fmt.Fprintf(os.Stderr, "%s, %d clients\n", w.name, w.clients)
	workers := make([]worker, w.clients)
	for i := range workers {
		do, release, err := w.worker(ctx, i)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", w.name, err)
		}
		defer release()
		workers[i] = do
	}
	var phase atomic.Int32
	var wait sync.WaitGroup
	tallies := make([]tally, w.clients)
	for i, do := range workers {
		wait.Go(func() { tallies[i] = w.loop(ctx, do, &phase) })
	}
	pause(ctx, b.warmUp)
	defer wait.Wait()
	defer phase.Store(ending)
	stopProfile, err := b.profile(w)
	if err != nil {
		return result{}, err
	}
	w.process.resetPeak()
	before, err := b.meter.read(w.process)
	if err != nil {
		return result{}, errors.Join(err, stopProfile())
	}
	wal, err := b.database.walBytes(ctx)
	if err != nil {
		return result{}, errors.Join(err, stopProfile())
	}
	begun := time.Now()
	phase.Store(measuring)
	pause(ctx, b.duration)
	phase.Store(ending)
	r := result{work: w, elapsed: time.Since(begun), answers: map[int]int{}}
	after, err := b.meter.read(w.process)
	r.usage = after.since(before)
	r.peak = w.process.peak()
	walAfter, walErr := b.database.walBytes(ctx)
	r.wal = walAfter - wal
	err = errors.Join(err, walErr, stopProfile())
	wait.Wait()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return result{}, err
	}
	for _, t := range tallies {
		r.times = append(r.times, t.times...)
		for status, n := range t.answers {
			r.answers[status] += n
		}
		r.unexpected += t.unexpected
		if r.example == "" {
			r.example = t.example
		}
	}
	slices.Sort(r.times)
	if len(r.times) == 0 {
		return r, fmt.Errorf("%s: not one answer was as wanted: %s", w.name, r.example)
	}
	return r, nil
}

// pause waits, less long when the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loop is one client's life. An answer counts when it ends in the measured time: what began before
// it makes up for what ends after it.
func (w work) loop(ctx context.Context, do worker, phase *atomic.Int32) tally {
	t := tally{times: make([]time.Duration, 0, 1<<12), answers: map[int]int{}}
	failures := 0
	for failures < failuresEnd && ctx.Err() == nil {
		begun := time.Now()
		status, err := do(ctx)
		took := time.Since(begun)
		now := phase.Load()
		fits := err == nil && (status == w.wanted || slices.Contains(w.allowed, status))
		if fits {
			failures = 0
		} else {
			failures++
			// Counted in the warm-up too: what goes wrong there goes wrong.
			t.unexpected++
			if t.example == "" {
				t.example = fmt.Sprint(errors.Join(err, unexpectedStatus(status)))
			}
		}
		if now == measuring {
			t.answers[status]++
			if fits && status == w.wanted {
				t.times = append(t.times, took)
			}
		}
		if now == ending {
			return t
		}
	}
	return t
}

type unexpectedStatus int

// Error implements error.
func (s unexpectedStatus) Error() string { return fmt.Sprintf("answer %d", int(s)) }

// profile records where the CPU goes while the work is measured, if that was asked for.
func (b *bench) profile(w work) (stop func() error, err error) {
	if b.options.profiles == "" {
		return func() error { return nil }, nil
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(fmt.Sprintf("%s-%d", w.name, w.clients)))
	file, err := os.Create(filepath.Join( //nolint:gosec // the directory is the one that the caller asked for
		b.options.profiles, name+".pprof",
	))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
