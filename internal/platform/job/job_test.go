package job_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/job"
	"diresco/internal/test/dbtest"
)

const count, workers = 60, 4

// drainTogether has many workers, each with a database of its own, take the step until nothing is
// left.
func drainTogether(t *testing.T, rawURL string, step func(d *db.DB) job.Step) {
	t.Helper()
	ended := make(chan error, workers)
	for range workers {
		process := dbtest.Open(t, rawURL)
		go func() { ended <- step(process).Drain(ctx) }()
	}
	for range workers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// The workers wait for each other with the first thing that each has claimed, so all work at once.
func TestLeased_IsDoneByOneOfManyWorkers(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		d := dbtest.Open(t, rawURL)
		p := newParcels(t, d, count)
		begun := make(chan int, workers*count)
		var all sync.WaitGroup
		all.Add(workers)
		drainTogether(t, rawURL, func(d *db.DB) job.Step {
			owner := uuid.NewString()
			var once sync.Once
			return job.Leased(p.lease(d, owner), func(ctx context.Context, id int) error {
				begun <- id
				once.Do(func() {
					all.Done()
					all.Wait()
				})
				return p.pack(d, owner)(ctx, id)
			})
		})
		close(begun)
		times := map[int]int{}
		for id := range begun {
			if times[id]++; times[id] > 1 {
				t.Errorf("parcel %d was begun %d times", id, times[id])
			}
		}
		if n := p.count(d, "packed = 1"); n != count || len(times) != count {
			t.Errorf("of %d %d are packed once, %d were begun", count, n, len(times))
		}
	})
}

func TestLocked_IsDoneByOneOfManyWorkers(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		d := dbtest.Open(t, rawURL)
		p := newParcels(t, d, count)
		drainTogether(t, rawURL, p.locked)
		if n := p.count(d, "packed = 1"); n != count {
			t.Errorf("%d of %d are packed once", n, count)
		}
	})
}

// Others leave alone what a worker has claimed until its lease ends. Then the worker, should it
// still live, has lost it.
func TestLease_IsTakenOverFromADeadWorker(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := newParcels(t, d, 1)
		working, dead := context.WithCancel(ctx)
		dying := job.Leased(p.lease(d, "first"), func(ctx context.Context, id int) error {
			dead()
			return p.pack(d, "first")(ctx, id)
		})
		if err := dying.Drain(working); !errors.Is(err, context.Canceled) {
			t.Fatalf("a worker that was stopped says %v", err)
		}
		drain(t, p.leased(d))
		if p.count(d, "packed = 0 AND lease_owner = 'first'") != 1 {
			t.Error("not left alone while the lease lasts")
		}
		p.clock.Advance(leaseTime)
		drain(t, job.Leased(p.lease(d, "second"), func(ctx context.Context, id int) error {
			late := job.Leased(func(context.Context) (int, bool, error) { return id, true, nil }, p.pack(d, "first"))
			if more, err := late(ctx); err != nil || more {
				t.Errorf("who lost it goes on: %t, %v", more, err)
			}
			return p.pack(d, "second")(ctx, id)
		}))
		if p.count(d, "packed = 1 AND lease_owner = 'second'") != 1 {
			t.Error("not taken over when the lease has ended")
		}
	})
}

func TestLease_IsGivenBackToItsOwner(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := newParcels(t, d, 1)
		for owner, want := range map[string]bool{"first": true, "second": false} {
			p.execute(d, "UPDATE parcels SET lease_owner = 'first', lease_until = ?", p.clock.Now().Add(leaseTime))
			err := d.InTx(ctx, func(ctx context.Context) error {
				mine, err := job.NewLease(owner, p.clock.Now(), leaseTime).Take(ctx, d, "parcels", "id = ?", 1)
				if mine != want {
					t.Errorf("%s has it: %t", owner, mine)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestLocked_KeepsOfAFailureWhatWasNoted(t *testing.T) {
	boom := errors.New("boom")
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := newParcels(t, d, 1)
		for noted, fail := range []func(error) error{func(err error) error { return err }, job.Noted} {
			step := job.Locked(d, p.lock(d), func(ctx context.Context, id int) error {
				return errors.Join(d.From(ctx).Exec("UPDATE parcels SET failures = failures + 1 WHERE id = ?", id).Error, fail(boom))
			})
			if err := step.Drain(ctx); !errors.Is(err, boom) {
				t.Errorf("it says %v", err)
			}
			if n := p.count(d, "failures = 1"); n != noted {
				t.Errorf("%d failures are written, want %d", n, noted)
			}
		}
	})
}

// A drain ends where nothing is left, however much is added meanwhile.
func TestDrain_EndsWhenNothingIsLeft(t *testing.T) {
	left, asked := 3, 0
	step := job.Step(func(context.Context) (bool, error) {
		left--
		return true, nil
	}).When(func(context.Context) (bool, error) {
		if asked++; asked == 2 {
			left++
		}
		return left > 0, nil
	})
	drain(t, step)
	if left != 0 || asked != 5 {
		t.Errorf("%d are left after %d questions", left, asked)
	}
}

func TestDrain_EndsWithAnErrorAndItsContext(t *testing.T) {
	boom, steps := errors.New("boom"), 0
	failing := func(context.Context) (bool, error) {
		steps++
		return false, boom
	}
	if err := job.Step(failing).Drain(ctx); !errors.Is(err, boom) || steps != 1 {
		t.Errorf("%v after %d steps", err, steps)
	}
	unasked := func(context.Context) (bool, error) { return true, nil }
	if err := job.Step(unasked).When(failing).Drain(ctx); !errors.Is(err, boom) || steps != 2 {
		t.Errorf("%v after %d steps", err, steps)
	}
	stopped, stop := context.WithCancel(ctx)
	endless := func(context.Context) (bool, error) {
		stop()
		return true, nil
	}
	if err := job.Step(endless).Drain(stopped); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func drain(t *testing.T, s job.Step) {
	t.Helper()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}
