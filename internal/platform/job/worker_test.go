package job_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"diresco/db"
	"diresco/internal/platform/job"
	"diresco/internal/test/dbtest"
)

// start runs a worker, and returns what stops it and waits for its end.
func start(w *job.Worker) (stop func()) {
	running, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(running)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// between brings the time of a bubble to the middle between two of a worker's intervals of a
// minute. What a test does then does not meet what the worker does.
func between() { <-time.After(30 * time.Second) }

func TestWorker_IsWokenByAnAnnouncement(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := newParcels(t, d, 0)
		looked := make(chan bool)
		step := p.locked(d)
		stop := start(job.NewWorker(job.Options{
			Step: func(ctx context.Context) (bool, error) {
				more, err := step(ctx)
				looked <- more
				return more, err
			},
			Topic: topic, DB: d, Every: time.Hour, Log: slog.New(slog.DiscardHandler), Failure: "parcels not packed",
		}))
		if <-looked {
			t.Error("packed what is not there")
		}
		for id := range 3 {
			p.add(d, id)
			if !<-looked || <-looked {
				t.Error("not packed, or more than that")
			}
		}
		stop()
		if n := p.count(d, "packed = 1"); n != 3 {
			t.Errorf("%d of 3 are packed", n)
		}
	})
}

func TestWorker_LooksAtOnceAndAtEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		stop := start(job.NewWorker(job.Options{
			Step:  func(context.Context) (bool, error) { looks.Add(1); return false, nil },
			Every: time.Minute,
		}))
		between()
		for want := range int64(3) {
			synctest.Wait()
			if got := looks.Load(); got != want+1 {
				t.Errorf("%d looks, want %d", got, want+1)
			}
			<-time.After(time.Minute)
		}
		stop()
	})
}

func TestWorker_WithoutIntervalWorksWhenWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under, release := make(chan struct{}, 3), make(chan struct{})
		w := job.NewWorker(job.Options{
			Step: func(context.Context) (bool, error) {
				under <- struct{}{}
				<-release
				return false, nil
			},
			Parallel: 2,
		})
		stop := start(w)
		for want := range 3 {
			synctest.Wait()
			if len(under) != want {
				t.Errorf("%d steps under way, want %d", len(under), want)
			}
			w.Wake()
		}
		synctest.Wait()
		if len(under) != 2 {
			t.Errorf("%d steps under way, want no more than are allowed", len(under))
		}
		close(release)
		synctest.Wait()
		if len(under) != 3 {
			t.Error("woken while all worked, and nobody looked afterwards")
		}
		stop()
	})
}

func TestWorker_LogsAFailureOnceAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var tries atomic.Int64
		w := job.NewWorker(job.Options{
			Step:  func(context.Context) (bool, error) { tries.Add(1); return false, errors.New("boom") },
			Every: time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil)), Failure: "parcels not packed",
		})
		stop := start(w)
		between()
		for want := range int64(3) {
			w.Wake()
			synctest.Wait()
			if got := tries.Load(); got != want+1 {
				t.Errorf("%d tries, want %d", got, want+1)
			}
			<-time.After(time.Minute)
		}
		stop()
		// Read after the end, since the worker writes it.
		lines := strings.Count(log.String(), `level=WARN msg="parcels not packed" error=boom`)
		if got := tries.Load(); int64(lines) != got || got != 4 {
			t.Errorf("%d tries and %d lines", got, lines)
		}
	})
}

func TestWorker_WaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		release, ended, steps := make(chan struct{}), make(chan struct{}), 0
		running, cancel := context.WithCancel(ctx)
		w := job.NewWorker(job.Options{
			Step: func(ctx context.Context) (bool, error) {
				steps++
				<-release
				return true, ctx.Err()
			},
			Every: time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		go func() {
			defer close(ended)
			w.Run(running)
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("ended while something is under way")
		default:
		}
		close(release)
		<-ended
		if steps != 1 || log.Len() != 0 {
			t.Errorf("%d steps, and the log says %q", steps, log.String())
		}
	})
}
