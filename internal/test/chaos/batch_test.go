package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// itemsOfBatch is more than a worker files in one transaction.
const itemsOfBatch = 600

// TestBatch_KilledWhileItIsFiled: whatever was filed of a batch when its process is killed stays,
// and the rest is filed afterwards. Nothing is filed twice, and its sender is told once.
func TestBatch_KilledWhileItIsFiled(t *testing.T) {
	kills := killsWanted(t)
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		url := "sqlite:" + dir + "/diresco.db"
		s := newServer(t, "serve", variables{"DATA_DIR": dir, "DATABASE_URL": url, "ADMIN_ADDR": ""})
		s.start()
		r := newBatchRun(newSeeder(t, url), s, s)
		r.kill(kills)
		s.terminate()
		r.check()
	})
	t.Run("postgres", func(t *testing.T) {
		_, url := postgres(t)
		h := newHouse(t, url)
		a, b := h.server(), h.server()
		a.start()
		b.start()
		r := newBatchRun(h.seed, a, b)
		r.kill(kills)
		a.terminate()
		b.terminate()
		r.check()
	})
}

// sentBatch is a batch that was taken.
type sentBatch struct {
	by      *filer
	request request
	id      uuid.UUID
}

// batchRun sends batches to a process that is killed, and asks another about them, or itself when it
// was started again.
type batchRun struct {
	*load
	seed          *seeder
	killed, other *server
	sent          []sentBatch
	filed         map[uuid.UUID]bool
}

func newBatchRun(seed *seeder, killed, other *server) *batchRun {
	seed.t.Helper()
	return &batchRun{load: newLoad(seed.t, seed.filers(clients/4), killed.site, other.site), seed: seed, killed: killed, other: other}
}

// leased reports whether a process had a batch in work when it was killed. Others leave it alone
// for a while, which is over then.
func (r *batchRun) leased() bool {
	r.t.Helper()
	n := rows[int](r.t, r.seed.db, "SELECT count(*) FROM declaration_batches WHERE lease_owner IS NOT NULL")[0]
	r.seed.do(func(ctx context.Context) error {
		return r.seed.db.From(ctx).Exec("UPDATE declaration_batches SET lease_until = created_at WHERE lease_owner IS NOT NULL").Error
	})
	return n > 0
}

func (r *batchRun) kill(kills int) {
	t := r.t
	inside := 0
	for kill := range kills {
		for _, f := range r.filers {
			r.sent = append(r.sent, r.send(f, kill))
		}
		pause(t.Context(), upTo(400*time.Millisecond))
		r.killed.process.kill()
		if r.leased() {
			inside++
		}
		r.killed.start()
		r.renew(r.killed.site)
	}
	eventually(t, patience, "every batch is filed", func() bool { return r.countFiled() == len(r.sent)*itemsOfBatch })
	if inside == 0 {
		t.Error("no batch was being filed when the server was killed")
	}
	t.Logf("%d kills, %d while batches were being filed, %d batches of %d", kills, inside, len(r.sent), itemsOfBatch)
	r.filed = map[uuid.UUID]bool{}
	for _, b := range r.sent {
		for _, id := range r.filedOf(b) {
			if r.filed[id] {
				t.Errorf("%s was filed for two items", id)
			}
			r.filed[id] = true
		}
		again, _, ok := r.insist(b.by, r.other.site, b.request)
		if shown := (client.DeclarationBatch{}); !ok || json.Unmarshal(again.answer.body, &shown) != nil || shown.BatchId != b.id {
			t.Errorf("batch %s sent again with its key is answered %s", b.id, again.answer.body)
		}
	}
}

// send sends a batch to the process that will be killed.
func (r *batchRun) send(f *filer, round int) sentBatch {
	r.t.Helper()
	items := make([]map[string]any, itemsOfBatch)
	for n := range items {
		items[n] = map[string]any{
			"reference": fmt.Sprintf("%d/%d", round, n), "type": "RIOC", "position_id": f.positions[n%len(f.positions)], "content": r.example,
		}
	}
	asked := request{
		method: http.MethodPost, path: "/v1/contributors/" + f.contributor + "/declaration-batches", key: uuid.NewString(), token: f.token(),
		body: map[string]any{"items": items},
	}
	taken := decode[client.DeclarationBatch](r.t, r.killed.site.do(r.t, asked).want(r.t, http.StatusAccepted, ""))
	return sentBatch{f, asked, taken.BatchId}
}

func (b sentBatch) path() string { return "/v1/declaration-batches/" + b.id.String() }

// countFiled is how many items of the batches are filed.
func (r *batchRun) countFiled() int {
	n := 0
	for _, b := range r.sent {
		shown := r.other.site.get(r.t, b.path(), b.by.token()).want(r.t, http.StatusOK, "")
		counts := decode[client.DeclarationBatch](r.t, shown).Counts
		if counts.Refused+counts.Cancelled > 0 {
			r.t.Fatalf("of batch %s %d items are refused, %d cancelled", b.id, counts.Refused, counts.Cancelled)
		}
		n += int(counts.Filed)
	}
	return n
}

// filedOf lists the declarations of a batch.
func (r *batchRun) filedOf(b sentBatch) []uuid.UUID {
	var ids []uuid.UUID
	path := b.path() + "/items?limit=100"
	for next := path; next != ""; {
		page := decode[client.DeclarationBatchItemList](r.t, r.other.site.get(r.t, next, b.by.token()).want(r.t, http.StatusOK, ""))
		for _, i := range page.Items {
			if i.DeclarationId == nil || i.Receipt == nil {
				r.t.Fatalf("item %s of batch %s has no receipt", i.Reference, b.id)
			}
			ids = append(ids, *i.DeclarationId)
		}
		next = ""
		if page.NextCursor != nil {
			next = path + "&cursor=" + *page.NextCursor
		}
	}
	return ids
}

// check: what batches filed is all that there is, each with its number, receipt and audit row, and
// every batch has one message.
func (r *batchRun) check() {
	t, d := r.t, r.seed.db
	stored := storedDeclarations(t, d)
	for id := range stored {
		if !r.filed[id] {
			t.Errorf("%s is of no batch", id)
		}
	}
	if want := len(r.sent) * itemsOfBatch; len(stored) != want || len(r.filed) != want {
		t.Errorf("%d declarations are stored, %d shown, of %d batches of %d", len(stored), len(r.filed), len(r.sent), itemsOfBatch)
	}
	checkNumbers(t, d, stored)
	for _, counted := range []string{"count(*)", "count(DISTINCT subject_id)"} {
		if n := rows[int](t, d, "SELECT "+counted+" FROM audit_records WHERE subject_kind = 'declaration'")[0]; n != len(stored) {
			t.Errorf("%s of the audit rows is %d, and there are %d declarations", counted, n, len(stored))
		}
	}
	if n := rows[int](t, d, "SELECT count(*) FROM outbox WHERE kind = 'declaration.batch_done'")[0]; n != len(r.sent) {
		t.Errorf("%d messages tell of %d batches", n, len(r.sent))
	}
}
