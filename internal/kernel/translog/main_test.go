package translog_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is a trail, a register and their log.
type house struct {
	t     testing.TB
	db    *db.DB
	clock *clock.Manual
	keys  *keyring.Log
	log   *translog.Log
	// entries are the subjects of what was registered.
	entries []uuid.UUID
	number  int
}

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	keys, err := keyring.GenerateLog("diresco.example/audit/log")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: d, clock: clock.NewManual(world.Start), keys: keys}
	h.log = h.another(keys)
	h.exec("INSERT INTO offices (code, title) VALUES ( '1400', 'Milano')")
	return h
}

// another is the log of another process.
func (h *house) another(keys *keyring.Log) *translog.Log {
	return translog.New(translog.Deps{
		DB: h.db, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Keys: keys,
	})
}

func (h *house) exec(statement string, args ...any) int64 {
	h.t.Helper()
	var changed int64
	err := h.db.InTx(context.Background(), func(ctx context.Context) error {
		done := h.db.From(ctx).Exec(statement, args...)
		changed = done.RowsAffected
		return done.Error
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return changed
}

func (h *house) record(i int) audit.Record {
	person, kind, subject, level := uuid.Must(uuid.NewV7()), "declaration", uuid.NewString(), 2
	r := audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: h.clock.Now(), Operation: "submitDeclaration", PersonID: &person, SubjectKind: &kind,
		SubjectID: &subject, Outcome: "done", RequestID: fmt.Sprintf("request-%06d", i), Address: "192.0.2.1",
	}
	if i%2 == 0 {
		detail := `{"reason":"<à> & \"quoted\""}`
		r.LoginLevel, r.Detail, r.RightID = &level, &detail, &person
	}
	return r
}

// write writes records and, of every second one, an entry of the register with its receipt.
func (h *house) write(n int) {
	h.t.Helper()
	trail := audit.NewTrail(h.db)
	err := h.db.InTx(context.Background(), func(ctx context.Context) error {
		for i := range n {
			h.clock.Advance(3*time.Minute + 218_301*time.Microsecond)
			if err := trail.Write(ctx, h.record(i)); err != nil {
				return err
			}
			if i%2 == 1 {
				continue
			}
			h.number++
			id := uuid.Must(uuid.NewV7())
			h.entries = append(h.entries, id)
			for _, s := range []struct {
				statement string
				args      []any
			}{
				{
					"INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES ( '1400', 2026, ?, ?) " +
						"ON CONFLICT (office_code) DO UPDATE SET last_number = excluded.last_number", []any{h.number, h.clock.Now()},
				},
				{
					"INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest, jws, filed_state, filed_version) " +
						"VALUES ( '1400', 2026, ?, ?, 'declaration', ?, 'sha-256:00', ?, 'submitted', 2)",
					[]any{h.number, h.clock.Now(), id, jwsOf(id)},
				},
			} {
				if err := h.db.From(ctx).Exec(s.statement, s.args...).Error; err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func jwsOf(id uuid.UUID) string { return "genuine." + id.String() }

func (h *house) seal() translog.Checkpoint {
	h.t.Helper()
	if err := h.log.Seal(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	c, err := h.log.Checkpoint(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) verify(checkpoint string) translog.Report {
	h.t.Helper()
	return h.verifyWith(checkpoint, nil)
}

// verifyWith also verifies a mirror, where there is one.
func (h *house) verifyWith(checkpoint string, mirror *blob.Bucket) translog.Report {
	h.t.Helper()
	var kept []string
	if checkpoint != "" {
		kept = append(kept, checkpoint)
	}
	report, err := translog.Verify(context.Background(), translog.Verification{
		DB: h.db, Name: h.keys.Name(), Verifiers: h.keys.Verifiers(), Checkpoints: kept, Mirror: mirror, Clock: h.clock.Now,
		Receipt: func(_ context.Context, jws string) error {
			if len(jws) < 8 || jws[:8] != "genuine." {
				return keyring.ErrNotAReceipt
			}
			return nil
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return report
}
