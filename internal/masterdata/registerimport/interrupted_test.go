package registerimport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// tired is a clock that ends a context at its nth question: between any two steps of a worker.
type tired struct {
	left   atomic.Int64
	cancel context.CancelFunc
	at     time.Time
}

func (c *tired) Now() time.Time {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return c.at
}

// TestRegisterImport_Interrupted stops a worker wherever it can be stopped, lets another go on
// after the lease, and compares.
func TestRegisterImport_Interrupted(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		consulente, delegate := w.Professional(t)
		for n := range 3 {
			c, _ := w.Employer(t, world.Rome)
			w.Delegation(t, delegate, c, nil)
			_ = n
		}
		var all []string
		for n := range 2500 {
			all = append(all, fmt.Sprintf("%s;Ugo;Verdi;register;%d", code(t, n), n))
		}
		i := w.send(registerimport.Albi, registerimport.CSV, albiHeader+"\n"+strings.Join(all, "\n"))
		stops := 0
		for n := int64(1); ; n++ {
			ctx, cancel := context.WithCancel(context.Background())
			clock := &tired{cancel: cancel, at: w.Clock.Now()}
			clock.left.Store(1 + n)
			worker := w.newWorkerWith(clock)
			err := worker.Drain(ctx)
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			stops++
			if stops == 1 {
				// Another worker leaves it alone while the lease lasts.
				w.drain()
				if w.show(i.ID).State == registerimport.Done {
					t.Error("not left alone")
				}
			}
			w.Clock.Advance(2 * time.Minute)
		}
		if i = w.show(i.ID); i.State != registerimport.Done || i.LinesDone != 2500 || stops < 5 {
			t.Errorf("%+v after %d stops", i, stops)
		}
		if n := w.Count(t, "delegates WHERE struck_off_at IS NULL"); n != 2500 {
			t.Errorf("%d are listed", n)
		}
		if n := w.Count(t, "outbox WHERE kind = 'delegation.suspended'"); n != 4 ||
			w.Count(t, "outbox WHERE person_id = ?", consulente.ID) != 1 {
			t.Errorf("%d are told", n)
		}
		w.nothingLeft()
	})
}

// TestRegisterImport_BesideOthers: others see nothing of an import until its end, and do not wait
// for it. Who files for an intermediary that it strikes off comes before it or after it.
func TestRegisterImport_BesideOthers(t *testing.T) {
	// On SQLite one comes after the other anyway.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	stays, staying := w.Professional(t)
	leaves, leaving := w.Professional(t)
	c, _ := w.Employer(t, world.Rome)
	w.Delegation(t, staying, c, nil)
	w.Delegation(t, leaving, c, nil)
	holds := func(by access.Actor) recheck.Claim {
		return recheck.Claim{SessionID: by.SessionID, Right: by.Rights[0]}
	}
	mine, other := w.Enter(t, w.Session(t, stays.ID, nil), c.ID), w.Enter(t, w.Session(t, leaves.ID, nil), c.ID)
	files := func(ctx context.Context, by access.Actor) error {
		outcomes, err := w.Recheck.All(ctx, []recheck.Claim{holds(by)})
		return errors.Join(append(outcomes, err)...)
	}
	lines := lawyers(t, "register", stays.TaxCode.Clear())
	for n := range 3000 {
		lines = append(lines, code(t, n)+";Ugo;Verdi;register;1")
	}
	i := w.send(registerimport.Albi, registerimport.CSV, albiHeader+"\n"+strings.Join(lines, "\n"))
	before := w.one("SELECT legal_name FROM delegates ORDER BY id")
	ended := make(chan error, 1)
	w.Must(t, func(ctx context.Context) error {
		if err := files(ctx, other); err != nil {
			t.Errorf("who is not struck off yet: %v", err)
		}
		go func() { ended <- w.worker.Drain(context.Background()) }()
		world.Eventually(t, "the import waits for who files", func() bool {
			return w.one("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") != "0"
		})
		if got := w.one("SELECT legal_name FROM delegates ORDER BY id"); got != before {
			t.Errorf("a part of the file is seen: %s", got)
		}
		if i := w.show(i.ID); i.State != registerimport.Running || i.LinesDone != 0 || i.RowsRead != len(lines) {
			t.Errorf("%+v", i)
		}
		// The row that the import changes: nobody waits for it.
		return d.InTx(context.Background(), func(ctx context.Context) error {
			if err := d.From(ctx).Exec("SET LOCAL lock_timeout = '100ms'").Error; err != nil {
				return err
			}
			return errors.Join(files(ctx, mine),
				d.From(ctx).Exec(
					"INSERT INTO delegation_lookups (id, delegate_id, person_id, at) VALUES (?, ?, ?, ?)", uuid.Must(uuid.NewV7()), staying,
					stays.ID, w.Clock.Now(),
				).Error)
		})
	})
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if i := w.show(i.ID); i.State != registerimport.Done || i.LinesDone != len(lines) {
		t.Errorf("%+v", i)
	}
	if n := w.Count(t, "delegates WHERE legal_name = 'Ugo Verdi' AND struck_off_at IS NULL"); n != len(lines) {
		t.Errorf("%d of %d", n, len(lines))
	}
	w.Must(t, func(ctx context.Context) error {
		if err := files(ctx, other); !fault.Is(err, fault.NotFound) {
			t.Errorf("who was struck off: %v", err)
		}
		return nil
	})
}
