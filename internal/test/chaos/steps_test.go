//go:build long

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// itemsOfStep is of how many declarations each batch is.
const itemsOfStep = 20

// gateNumber names the lock at which the gate holds whoever comes.
const gateNumber = 4711

// gate holds every transaction that is about to write a row of a table in a certain way. It returns
// whether one waits, and what lets all pass again.
func (h *house) gate(table, event string) (reached func() bool, open func()) {
	t, d := h.t, h.seed.db
	t.Helper()
	h.seed.do(func(ctx context.Context) error {
		for _, statement := range []string{
			`CREATE OR REPLACE FUNCTION chaos_gate() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN COALESCE(NEW, OLD); END $$`,
			"CREATE TRIGGER chaos_gate BEFORE " + event + " ON " + table + " FOR EACH ROW EXECUTE FUNCTION chaos_gate()",
		} {
			if err := d.From(ctx).Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
	closed, leave, left := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		left <- d.InTx(context.WithoutCancel(t.Context()), func(ctx context.Context) error {
			err := d.From(ctx).Exec("SELECT pg_advisory_xact_lock(?)", gateNumber).Error
			closed <- err
			<-leave
			return err
		})
	}()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	reached = func() bool {
		return rows[int](t, d, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = ? AND NOT granted", gateNumber)[0] > 0
	}
	open = func() {
		t.Helper()
		close(leave)
		if err := <-left; err != nil {
			t.Error(err)
		}
		// What the process was about to do when it was killed ends before.
		if err := d.From(context.WithoutCancel(t.Context())).Exec("DROP TRIGGER chaos_gate ON " + table).Error; err != nil {
			t.Error(err)
		}
	}
	return reached, open
}

// step is a place at which whoever does something is killed: a row is about to be written.
type step struct{ table, event, does string }

// killAt starts something and kills the server before the step; see killWhen.
func (h *house) killAt(s *server, at step, begin func()) {
	h.t.Helper()
	reached, open := h.gate(at.table, at.event)
	h.killWhen(s, at.does, reached, open, begin)
}

// killWhen starts something and kills the server once a place is reached. What stops there is then
// opened, and the server is started again. It finds its leases at an end.
func (h *house) killWhen(s *server, does string, reached func() bool, open, begin func()) {
	t := h.t
	t.Helper()
	begin()
	eventually(t, patience, does, reached)
	s.kill()
	open()
	h.seed.do(func(ctx context.Context) error {
		for _, end := range []string{
			"declaration_batches SET lease_until = created_at", "register_imports SET lease_until = created_at",
			"deliveries SET lease_until = created_at, next_at = created_at",
		} {
			if err := h.seed.db.From(ctx).Exec("UPDATE " + end + " WHERE lease_owner IS NOT NULL").Error; err != nil {
				return err
			}
		}
		return nil
	})
	s.start()
	t.Logf("killed while %s", does)
}

// TestSteps_AWorkerKilledInEachOfThem: what takes a batch, files it, tells of it, makes events of it and
// seals the trail is killed with the row of each step about to be written. Whoever comes after goes on,
// and does nothing twice.
func TestSteps_AWorkerKilledInEachOfThem(t *testing.T) {
	_, url := postgres(t)
	h := newHouse(t, url)
	s := h.server()
	s.start()
	l := newLoad(t, h.seed.filers(2), s.site)
	var sent []sentBatch
	for n, at := range []step{
		{"declaration_batches", "INSERT", "a batch is taken"},
		{"declaration_batch_items", "INSERT", "its items are kept"},
		{"declaration_batches", "UPDATE", "a worker takes it up, and counts"},
		{"protocol_counters", "UPDATE", "numbers are given"},
		{"declarations", "INSERT", "a declaration is stored"},
		{"protocol_entries", "INSERT", "it is registered"},
		{"audit_records", "INSERT", "its audit record is written"},
		{"declaration_references", "INSERT", "its reference is kept"},
		{"declaration_batch_items", "UPDATE", "its item is done"},
		{"outbox", "INSERT", "the message is promised"},
		{"events", "INSERT", "events are made"},
		{"event_feed", "UPDATE", "the feed goes on"},
		{"log_entries", "INSERT", "rows are sealed"},
		{"log_tiles", "INSERT OR UPDATE", "the tree grows"},
		{"log_offices", "INSERT OR UPDATE", "the register's place is kept"},
		{"log_state", "UPDATE", "the tree is signed"},
	} {
		f := l.filers[n%len(l.filers)]
		b := sentBatch{by: f, request: batchOf(l, f, n)}
		answered := make(chan bool, 1)
		h.killAt(s, at, func() {
			go func() {
				var taken client.DeclarationBatch
				last, _, ok := l.insist(f, s.site, b.request)
				if ok {
					taken = decode[client.DeclarationBatch](t, last.answer)
					b.id = taken.BatchId
				}
				answered <- ok
			}()
		})
		if !<-answered {
			t.FailNow()
		}
		sent = append(sent, b)
		l.renew(s.site)
		eventually(t, patience, "the batch is filed", func() bool {
			shown := s.site.get(t, b.path(), f.token()).want(t, http.StatusOK, "")
			counts := decode[client.DeclarationBatch](t, shown).Counts
			return counts.Filed == itemsOfStep
		})
	}
	var said string
	eventually(t, patience, "all of the trail is sealed", func() bool {
		said = succeed(t, h.common, "audit", "verify")
		return strings.Contains(said, "not sealed yet: 0 rows")
	})
	eventually(t, patience, "all events are made", func() bool {
		const made = "SELECT count(DISTINCT subject_id) FROM events WHERE subject_kind = 'declaration'"
		return rows[int](t, h.seed.db, made)[0] == len(sent)*itemsOfStep
	})
	s.terminate()
	for what, query := range map[string]string{
		"declarations":          "SELECT count(*) FROM declarations WHERE state = 'submitted'",
		"entries":               "SELECT count(*) FROM protocol_entries WHERE kind = 'declaration'",
		"audit records":         "SELECT count(*) FROM audit_records WHERE subject_kind = 'declaration'",
		"events":                "SELECT count(*) FROM events WHERE subject_kind = 'declaration'",
		"items that are filed":  "SELECT count(*) FROM declaration_batch_items WHERE state = 'filed'",
		"items of declarations": "SELECT count(DISTINCT declaration_id) FROM declaration_batch_items",
	} {
		if n := rows[int](t, h.seed.db, query)[0]; n != len(sent)*itemsOfStep {
			t.Errorf("there are %d %s of %d batches of %d", n, what, len(sent), itemsOfStep)
		}
	}
	if n := rows[int](t, h.seed.db, "SELECT count(*) FROM outbox WHERE kind = 'declaration.batch_done'")[0]; n != len(sent) {
		t.Errorf("%d messages tell of %d batches", n, len(sent))
	}
	checkNumbers(t, h.seed.db, storedDeclarations(t, h.seed.db))
}

// batchOf is the request for a batch.
func batchOf(l *load, f *filer, round int) request {
	items := make([]map[string]any, itemsOfStep)
	for n := range items {
		items[n] = map[string]any{
			"reference": fmt.Sprintf("%d/%d", round, n), "type": "RIOC", "position_id": f.positions[n%len(f.positions)], "content": l.example,
		}
	}
	return request{
		method: http.MethodPost, path: "/v1/contributors/" + f.contributor + "/declaration-batches", key: uuid.NewString(),
		body: map[string]any{"items": items},
	}
}
