package translog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestLog_SealsWhatWasCommitted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		if _, err := h.log.Checkpoint(context.Background()); !fault.Is(err, fault.NotFound) {
			t.Errorf("a log without leaves has the checkpoint %v", err)
		}
		h.write(20)
		first := h.seal()
		if first.Size != 30 || first.Name != h.keys.Name() {
			t.Errorf("the checkpoint is %+v", first)
		}
		if again := h.seal(); again.Text != first.Text {
			t.Error("nothing was written, and another checkpoint signed")
		}
		h.write(700)
		second := h.seal()
		report := h.verify(first.Text)
		if report.Found > 0 || report.Unsealed != 0 || report.Size != 1080 || report.Kept != 30 || report.Receipts.Count != 360 {
			t.Errorf("the report is %+v", report)
		}
		h.write(2)
		if report := h.verify(second.Text); report.Found > 0 || report.Unsealed != 3 || report.Since.IsZero() {
			t.Errorf("with rows that are not sealed yet, the report is %+v", report)
		}
	})
}

// What is sealed while the rest is verified was not verified, and counts as what is not sealed.
func TestVerify_CountsWhatIsSealedMeanwhile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(20)
		h.seal()
		meanwhile := sync.OnceFunc(func() {
			h.write(2)
			h.seal()
		})
		report, err := translog.Verify(context.Background(), translog.Verification{
			DB: d, Name: h.keys.Name(), Verifiers: h.keys.Verifiers(), Clock: h.clock.Now,
			Receipt:  func(context.Context, string) error { return nil },
			Progress: func(string, int64, int64) { meanwhile() },
		})
		if err != nil || report.Found > 0 || report.Size != 30 || report.Unsealed != 3 || report.Since.IsZero() {
			t.Errorf("the report is %+v, %v", report, err)
		}
	})
}

func TestLog_SealsWhatWasThereBeforeInItsOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(5000)
		if c := h.seal(); c.Size != 7500 {
			t.Fatalf("%d leaves", c.Size)
		}
		var wrong int
		err := d.From(context.Background()).Raw("SELECT COUNT(*) FROM log_entries l JOIN audit_records a ON a.id = l.row_id " +
			"JOIN log_entries m ON m.position < l.position AND m.kind = 'audit' JOIN audit_records b ON b.id = m.row_id " +
			"WHERE l.kind = 'audit' AND b.at > a.at AND l.position < 300").Scan(&wrong).Error
		if err != nil || wrong > 0 {
			t.Errorf("%d pairs out of order, %v", wrong, err)
		}
		if report := h.verify(""); report.Found > 0 || report.Unsealed > 0 {
			t.Errorf("the report is %+v", report)
		}
	})
}

// A transaction that began before others and ends after them is sealed too.
func TestLog_SealsWhatWasCommittedLate(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	h := newHouse(t, d)
	h.write(2)
	h.seal()
	late := h.record(1)
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		if err := audit.NewTrail(d).Write(ctx, late); err != nil {
			return err
		}
		h.write(4)
		h.seal()
		h.write(4)
		h.seal()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.seal()
	if report := h.verify(""); report.Found > 0 || report.Unsealed > 0 || report.Size != 3+6+6+1 {
		t.Errorf("the report is %+v", report)
	}
}

func TestLog_SealsOnceFromManyProcesses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		logs := make([]*translog.Log, 4)
		for i := range logs {
			logs[i] = h.another(h.keys)
		}
		for range 5 {
			h.write(50)
			failed := make([]error, len(logs))
			world.Parallel(len(logs), func(i int) { failed[i] = logs[i].Seal(context.Background()) })
			if err := errors.Join(failed...); err != nil {
				t.Fatal(err)
			}
		}
		if report := h.verify(""); report.Found > 0 || report.Unsealed > 0 || report.Size != 375 {
			t.Errorf("the report is %+v", report)
		}
	})
}

func TestLog_RecordsWithoutATimeAreSealedOnceADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(2)
		before := h.seal()
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			return audit.NewTrail(d).WriteTimeless(ctx, audit.Record{At: world.Start, Operation: "answerSurvey", Outcome: "done"})
		})
		if err != nil {
			t.Fatal(err)
		}
		if after := h.seal(); after.Size != before.Size {
			t.Error("the log says when a record without a time was written")
		}
		if report := h.verify(""); report.Daily != 1 || report.Unsealed != 1 || report.Found > 0 {
			t.Errorf("the report is %+v", report)
		}
		h.clock.Advance(24 * 3600 * 1e9)
		if after := h.seal(); after.Size != before.Size+1 {
			t.Errorf("%d leaves on the day after, %d before", after.Size, before.Size)
		}
	})
}

func TestLog_KeysAreExchanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		path := t.TempDir() + "/audit-keys"
		first, err := keyring.LoadOrCreateLog(path, h.keys.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := keyring.AddLog(path); err != nil {
			t.Fatal(err)
		}
		both, err := keyring.LoadOrCreateLog(path, "another.example")
		if err != nil {
			t.Fatal(err)
		}
		if err := keyring.RemoveLog(path, first.Public()[0]); err != nil {
			t.Fatal(err)
		}
		second, err := keyring.LoadLog(path)
		if err != nil || len(both.Public()) != 2 || len(second.Public()) != 1 || both.Public()[1] != second.Public()[0] {
			t.Fatalf("keys %v, then %v, %v", both.Public(), second.Public(), err)
		}
		if err := keyring.RemoveLog(path, second.Public()[0]); err == nil {
			t.Error("the last key goes")
		}
		for i, keys := range []*keyring.Log{first, both, second} {
			h.write(2)
			h.log = h.another(keys)
			c := h.seal()
			for n, known := range []*keyring.Log{first, second} {
				_, err := note.Open([]byte(c.Text), note.VerifierList(known.Verifiers()...))
				if want := n == 0 && i < 2 || n == 1 && i > 0; (err == nil) != want {
					t.Errorf("step %d: key %d says %v", i, n, err)
				}
			}
		}
		h.write(2)
		if err := h.another(first).Seal(context.Background()); !errors.Is(err, translog.ErrNotSigned) {
			t.Errorf("a key that was given up seals on: %v", err)
		}
	})
}

// A process goes on with the keys of a file that was read again, if they are those of this log.
func TestLog_UsesOtherKeysFromNowOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h := newHouse(t, d)
		path := t.TempDir() + "/audit-keys"
		first, err := keyring.LoadOrCreateLog(path, h.keys.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := keyring.AddLog(path); err != nil {
			t.Fatal(err)
		}
		both, err := keyring.LoadLog(path)
		if err != nil {
			t.Fatal(err)
		}
		stranger := h.keys
		h.log = h.another(nil)
		h.write(2)
		if err := h.log.Seal(ctx); err != nil || h.log.Seals() || h.count("log_entries") > 0 {
			t.Errorf("a process without keys seals: %v", err)
		}
		for i, keys := range []*keyring.Log{first, both} {
			if err := h.log.UseKeys(ctx, keys); err != nil {
				t.Fatal(err)
			}
			h.write(2)
			if c := h.seal(); len(c.Keys) != i+1 || strings.Count(c.Text, "\n— ") != i+1 {
				t.Errorf("with %d keys the checkpoint is %q", i+1, c.Text)
			}
			if err := translog.CheckKeys(ctx, d, keys); err != nil {
				t.Error(err)
			}
		}
		if err := translog.CheckKeys(ctx, d, stranger); !errors.Is(err, translog.ErrNotSigned) {
			t.Errorf("those of others are right: %v", err)
		}
		if err := h.log.UseKeys(ctx, stranger); !errors.Is(err, translog.ErrNotSigned) {
			t.Errorf("those of others are taken: %v", err)
		}
		h.write(2)
		if c := h.seal(); len(c.Keys) != 2 || c.Size != 12 {
			t.Errorf("after that the checkpoint is %+v", c)
		}
	})
}

// Keys that were lost are replaced by others only once the owner has accepted these. Whoever kept the
// ones of before believes nothing that is signed since.
func TestLog_LostKeysAreReplaced(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(4)
		before := h.seal()
		keys, err := keyring.GenerateLog(h.keys.Name())
		if err != nil {
			t.Fatal(err)
		}
		lost := h.keys
		h.keys, h.log = keys, h.another(keys)
		h.write(2)
		if err := h.log.Seal(context.Background()); !errors.Is(err, translog.ErrNotSigned) {
			t.Fatalf("keys that nobody accepted: %v", err)
		}
		if err := d.InTx(context.Background(), func(ctx context.Context) error { return translog.Accept(ctx, d, keys) }); err != nil {
			t.Fatal(err)
		}
		after := h.seal()
		if after.Size != before.Size+3 {
			t.Errorf("%d leaves after %d", after.Size, before.Size)
		}
		if report := h.verify(""); report.Found > 0 || report.Size != after.Size {
			t.Errorf("the report is %+v", report)
		}
		if _, err := note.Open([]byte(after.Text), note.VerifierList(lost.Verifiers()...)); err == nil {
			t.Error("it is signed by the key that was lost")
		}
	})
}

// A tree whose stored hashes were changed is not signed anew.
func TestLog_DoesNotSignWhatWasChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(9)
		h.seal()
		h.exec("UPDATE log_tiles SET hashes = (SELECT digest FROM log_entries WHERE position = 0) WHERE level = 0")
		h.write(2)
		if err := h.log.Seal(context.Background()); err == nil {
			t.Error("a tree that was changed is signed")
		}
	})
}

func TestLog_ProvesEntries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h := newHouse(t, d)
		h.write(2)
		if _, err := h.log.ProveEntry(ctx, h.entries[0]); !fault.Is(err, fault.Conflict) {
			t.Errorf("an entry that is not sealed is proved: %v", err)
		}
		old := h.seal()
		h.write(600)
		h.seal()
		if _, err := h.log.ProveEntry(ctx, uuid.New()); !fault.Is(err, fault.NotFound) {
			t.Errorf("an entry that is not there is proved: %v", err)
		}
		for _, subject := range []uuid.UUID{h.entries[0], h.entries[100], h.entries[len(h.entries)-1]} {
			p, err := h.log.ProveEntry(ctx, subject)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkProof(p, jwsOf(subject)); err != nil {
				t.Error(err)
			}
			p.Row = strings.Replace(p.Row, "2026", "2025", 1)
			if err := checkProof(p, jwsOf(subject)); err == nil {
				t.Error("another row is proved")
			}
		}
		c, err := h.log.ProveConsistency(ctx, old.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(c.Hashes, c.To, c.Checkpoint.Root, old.Size, old.Root); err != nil {
			t.Error(err)
		}
		for _, from := range []int64{-1, 0, c.To + 1} {
			if _, err := h.log.ProveConsistency(ctx, from); !fault.Is(err, fault.NotFound) {
				t.Errorf("from %d on: %v", from, err)
			}
		}
	})
}

// checkProof is what a stranger does with a proof.
func checkProof(p translog.Proof, jws string) error {
	if !strings.Contains(p.Row, `"receipt":"`+translog.DigestOf([]byte(jws))+`"`) {
		return fmt.Errorf("the row %s is not the receipt's", p.Row)
	}
	leaf := fmt.Sprintf(`{"digest":"%s","kind":"register"}`+"\n", translog.DigestOf(append(slices.Clone(p.Salt), p.Row...)))
	return tlog.CheckRecord(p.Hashes, p.Checkpoint.Size, p.Checkpoint.Root, p.Index, tlog.RecordHash([]byte(leaf)))
}

func TestLog_ServesTiles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		h := newHouse(t, d)
		h.write(400)
		c := h.seal() // 600 leaves
		var hashes []tlog.Hash
		for _, path := range []string{"tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"} {
			bundle, err := h.log.Tile(ctx, path)
			if err != nil || bundle.Whole == strings.Contains(path, ".p/") {
				t.Fatalf("%s: %v", path, err)
			}
			for content := bundle.Content; len(content) > 0; {
				n := 2 + int(content[0])<<8 + int(content[1])
				hashes = append(hashes, tlog.RecordHash(content[2:n]))
				content = content[n:]
			}
		}
		if int64(len(hashes)) != c.Size {
			t.Fatalf("%d leaves of %d", len(hashes), c.Size)
		}
		stored := map[int64]tlog.Hash{}
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			found := make([]tlog.Hash, len(indexes))
			for i, n := range indexes {
				found[i] = stored[n]
			}
			return found, nil
		})
		for n, hash := range hashes {
			made, err := tlog.StoredHashesForRecordHash(int64(n), hash, reader)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range made {
				stored[tlog.StoredHashIndex(0, int64(n))+int64(i)] = m
			}
		}
		if root, err := tlog.TreeHash(c.Size, reader); err != nil || root != c.Root {
			t.Errorf("the leaves have the root %v, the checkpoint %v: %v", root, c.Root, err)
		}
		for path, size := range map[string]int{"tile/0/000": 256, "tile/0/002.p/88": 88, "tile/0/002.p/3": 3, "tile/1/000.p/2": 2} {
			if tile, err := h.log.Tile(ctx, path); err != nil || len(tile.Content) != size*tlog.HashSize {
				t.Errorf("%s: %d bytes, %v", path, len(tile.Content), err)
			}
		}
		for _, path := range []string{
			"", "tile/", "tile/0/002", "tile/0/003", "tile/2/000", "tile/0/002.p/89", "tile/data/000", "tile/8/0/000", "tile/0/2", "tile/0/-01",
			"tile/entries/003", "tile/entries/002", "checkpoint", "tile/64/000", "tile/entries/x999/x999/x999/x999/x999/x999/999",
		} {
			if _, err := h.log.Tile(ctx, path); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", path, err)
			}
		}
	})
}
