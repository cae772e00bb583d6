package declarationbatch_test

import (
	"context"
	"fmt"
	"testing"

	"diresco/db"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Wherever a process dies, another one finds what it left once the lease has ended, and files each
// item once.
func TestDeclarationBatch_SurvivesADeathAtAnyPoint(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		filed, batches := 0, 0
		for _, whole := range []bool{false, true} {
			for _, at := range [][2]string{
				{"INSERT", "declarations"},
				{"INSERT", "protocol_entries"},
				{"INSERT", "audit_records"},
				{"UPDATE", "protocol_counters"},
				{"UPDATE", "declaration_batch_items"},
				{"INSERT", "declaration_references"},
				{"INSERT", "outbox"},
			} {
				var in declarationbatch.Input
				for i := range 3 {
					in.Entries = append(in.Entries, w.entry(fmt.Sprint(at, whole, i)))
				}
				in.AllOrNothing = whole
				id := w.taken(in)
				mend := w.Break(w.t, at[0], at[1])
				if _, err := process(w.App).Step()(context.Background()); err == nil {
					t.Fatalf("%s %s is not broken", at[0], at[1])
				}
				mend()
				if n := w.shown(id).ItemsFiled; n != 0 && at[1] != "outbox" || whole && n != 0 {
					t.Errorf("%s %s: %d were filed", at[0], at[1], n)
				}
				if more, err := process(w.App).Step()(context.Background()); err != nil || more {
					t.Errorf("another process does not wait for the lease: %v", err)
				}
				w.Clock.Advance(declarationbatch.LeaseTime)
				if err := process(w.App).Drain(context.Background()); err != nil {
					t.Fatal(err)
				}
				filed, batches = filed+3, batches+1
				w.want(id, declarationbatch.Done, in.Entries[0].Reference+" filed", in.Entries[1].Reference+" filed", in.Entries[2].Reference+" filed")
				w.whole(filed, batches)
			}
		}
	})
}

// A process that is told to end leaves what it has not begun.
func TestDeclarationBatch_AProcessThatEndsLeavesTheRest(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(2))
		stopped, stop := context.WithCancel(context.Background())
		stop()
		if err := w.service.Drain(stopped); err == nil {
			t.Error("it goes on")
		}
		w.want(id, declarationbatch.Queued, all(2, "pending")...)
		w.drain()
		w.want(id, declarationbatch.Done, all(2, "filed")...)
		w.whole(2, 1)
	})
}

// Processes share the work: each batch is one's at a time, and no item is filed twice.
func TestDeclarationBatch_ProcessesShareTheWork(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &fixture{App: world.New(t, d), t: t}
		w.service = process(w.App)
		w.company, w.by = w.Employer(t, world.Rome)
		const batches, size = 6, 40
		for n := range batches {
			var in declarationbatch.Input
			for i := range size {
				// Every reference is in two batches.
				in.Entries = append(in.Entries, w.entry(fmt.Sprint(n/2, " ", i)))
			}
			w.taken(in)
		}
		processes := make([]*declarationbatch.Service, 3)
		for i := range processes {
			processes[i] = process(w.Twin(t, d))
		}
		world.Parallel(len(processes), func(i int) {
			if err := processes[i].Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
		w.whole(batches*size/2, batches)
		if n := w.Count(t, "declaration_batch_items WHERE state = 'refused' AND problem LIKE '%duplicate%'"); n != batches*size/2 {
			t.Errorf("%d duplicates", n)
		}
	})
}

// An item that fails by a defect is given up after some tries; the others go on.
func TestDeclarationBatch_ADefectStopsOneItemOnly(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		id := w.taken(w.list(3))
		w.breakOne("INSERT", "declarations", "NEW.position_id = '"+w.company.Positions[1].ID.String()+"'")
		w.Exec(t, "UPDATE declaration_batch_items SET position_id = ? WHERE line = 2", w.company.Positions[1].ID)
		for n := 1; n < 5; n++ {
			if err := w.service.Drain(context.Background()); err == nil {
				t.Fatalf("try %d says nothing", n)
			}
			w.Clock.Advance(declarationbatch.LeaseTime)
		}
		if err := w.service.Drain(context.Background()); err == nil {
			t.Error("the last try says nothing")
		}
		w.want(id, declarationbatch.Done, "1 filed", "2 refused internal-error", "3 filed")
		w.whole(2, 1)
	})
}

// breakOne makes a write fail where the condition holds.
func (w *fixture) breakOne(verb, table, when string) {
	w.t.Helper()
	if w.DB.Dialect() == db.Postgres {
		w.Exec(w.t, "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$")
		w.Exec(w.t, "CREATE TRIGGER broken BEFORE "+verb+" ON "+table+" FOR EACH ROW WHEN ("+when+") EXECUTE FUNCTION broken()")
		return
	}
	w.Exec(w.t, "CREATE TRIGGER broken BEFORE "+verb+" ON "+table+" WHEN "+when+" BEGIN SELECT RAISE(ABORT, 'broken'); END")
}

func TestDeclarationBatch_TheWorkerHearsOfABatch(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		running, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); w.service.Run(running) }()
		id := w.taken(w.list(1))
		world.Eventually(t, "the batch is done", func() bool { return w.shown(id).State == declarationbatch.Done })
		stop()
		<-ended
	})
}
