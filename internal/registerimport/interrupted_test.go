package registerimport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/coretest"
	"diresco/internal/registerimport"
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

// TestInterrupted stops a worker wherever it can be stopped, lets another go on after the lease, and compares.
func TestInterrupted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		consulente, delegate := w.Professional(t)
		for n := range 3 {
			c, _ := w.Employer(t, coretest.Rome)
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
			clock.left.Store(2 + n%5)
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
		if n := w.Count(t, "outbox WHERE kind = 'delegation.suspended'"); n != 4 || w.Count(t, "outbox WHERE person_id = ?", consulente.ID) != 1 {
			t.Errorf("%d are told", n)
		}
		w.nothingLeft()
	})
}

// TestBesideWriters: who holds a row that an import changes does not stop it, and is not stopped by it.
func TestBesideWriters(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.DB.Dialect() != db.Postgres {
			return // one writer after the other
		}
		w.bring(registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", ""), person(t, 2, "Via Roma 2", ""))
		i := w.send(registerimport.People, registerimport.CSV, peopleHeader+"\n"+person(t, 1, "Via 1", "")+"\n"+person(t, 2, "Via 2", ""))
		last := max(code(t, 1), code(t, 2))
		w.Must(t, func(ctx context.Context) error {
			if err := w.DB.From(ctx).Exec("SELECT 1 FROM register_people WHERE tax_code = ? FOR UPDATE", last).Error; err != nil {
				return err
			}
			// The import gives up again and again, and so holds nothing for long.
			if err := w.worker.Drain(context.Background()); !db.IsLockTimeout(err) {
				t.Errorf("ended with %v", err)
			}
			return w.DB.From(ctx).Exec("UPDATE register_people SET town = 'Milano'").Error
		})
		w.drain()
		if w.show(i.ID).State != registerimport.Done || w.one("SELECT street FROM register_people WHERE town = 'Roma' ORDER BY 1") != "Via 1,Via 2" {
			t.Error("not done")
		}
	})
}
