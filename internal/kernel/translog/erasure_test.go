package translog_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/translog"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// erase erases all that an erasure is about.
func (h *house) erase(e translog.Erasure) int64 {
	h.t.Helper()
	n, err := e.Erase(context.Background(), h.db, h.clock.Now(), func(int64) {})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) count(from string, args ...any) (n int64) {
	h.t.Helper()
	if err := h.db.From(context.Background()).Raw("SELECT COUNT(*) FROM "+from, args...).Scan(&n).Error; err != nil {
		h.t.Fatal(err)
	}
	return n
}

func TestErasure_ByAgeLeavesATreeThatStillVerifies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(40)
		before := h.clock.Now().Add(time.Microsecond)
		kept := h.seal().Text
		h.write(10)
		e := translog.Erasure{Before: before, Reason: "termine di conservazione"}
		if n, err := e.Unsealed(context.Background(), d); err != nil || n != 0 {
			t.Errorf("%d records are not sealed, %v", n, err)
		}
		if n := h.erase(e); n != 40 {
			t.Errorf("%d records erased", n)
		}
		if n := h.count("audit_records WHERE at < ? AND (person_id IS NOT NULL OR address LIKE '192%' OR request_id LIKE 'request%' "+
			"OR right_id IS NOT NULL OR login_level IS NOT NULL)", before.UTC()); n > 0 {
			t.Errorf("%d records still say who", n)
		}
		if n := h.count("audit_records WHERE at < ? AND subject_kind = 'declaration' AND subject_id IS NOT NULL", before.UTC()); n != 40 {
			t.Errorf("%d records say of which declaration, of 40", n)
		}
		if n := h.count("log_entries WHERE length(salt) = 0"); n != 40 {
			t.Errorf("%d salts erased", n)
		}
		if n := h.count("audit_records WHERE operation = ? AND detail LIKE '%termine di conservazione%'", translog.OpErase); n != 1 {
			t.Errorf("%d records of the erasure", n)
		}
		for _, checkpoint := range []string{kept, h.seal().Text} {
			report := h.verify(checkpoint)
			since := int64(0)
			if checkpoint == kept {
				since = 40
			}
			if report.Found > 0 || report.Erased != 40 || report.Erasures != 1 || report.ErasedSince != since || report.Unsealed > 0 {
				t.Errorf("the report is %+v", report)
			}
		}
		if n := h.erase(e); n != 0 {
			t.Errorf("%d records erased again", n)
		}
	})
}

func TestErasure_OfAPersonLeavesOthersAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(4)
		me, kind, declaration, text := uuid.Must(uuid.NewV7()), "person", "declaration", ""
		text = me.String()
		mine, about := h.record(2), h.record(3)
		mine.PersonID, mine.SubjectKind = &me, &declaration
		about.SubjectKind, about.SubjectID = &kind, &text
		err := d.InTx(context.Background(), func(ctx context.Context) error { return audit.NewTrail(d).Write(ctx, mine, about) })
		if err != nil {
			t.Fatal(err)
		}
		e := translog.Erasure{Before: h.clock.Now().Add(time.Hour), PersonID: &me, Reason: "richiesta dell'interessato"}
		if n, err := e.Unsealed(context.Background(), d); err != nil || n != 2 {
			t.Errorf("%d records are not sealed, %v", n, err)
		}
		if n := h.erase(e); n != 0 {
			t.Errorf("%d records erased that are not sealed", n)
		}
		h.seal()
		if n := h.erase(e); n != 2 {
			t.Errorf("%d records erased", n)
		}
		if n := h.count("audit_records WHERE person_id = ? OR subject_id = ? OR detail LIKE ?", me, text, "%"+text+"%"); n > 0 {
			t.Errorf("%d records still name the person", n)
		}
		if n := h.count("audit_records WHERE id = ? AND subject_id = ?", mine.ID, *mine.SubjectID); n != 1 {
			t.Error("what it was about is gone")
		}
		if n := h.count("audit_records WHERE person_id IS NOT NULL"); n != 4 {
			t.Errorf("%d records of others", n)
		}
		h.seal()
		if report := h.verify(""); report.Found > 0 || report.Erased != 2 {
			t.Errorf("the report is %+v", report)
		}
	})
}

// Rows are final but for what an erasure names, and then for no more than it may do.
func TestErasure_DoesNoMoreThanItSays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(8)
		h.seal()
		h.erase(translog.Erasure{Before: world.Start.Add(10 * time.Minute), Reason: "prova"})
		h.seal()
		for _, statement := range []string{
			"UPDATE audit_records SET person_id = NULL, session_id = NULL, address = 'erased' WHERE address = '192.0.2.1'",
			"UPDATE audit_records SET operation = 'x' WHERE address = 'erased'", "UPDATE audit_records SET outcome = 'x' WHERE address = 'erased'",
			"UPDATE audit_records SET person_id = id WHERE address = 'erased'", "DELETE FROM audit_records WHERE address = 'erased'",
			"UPDATE log_entries SET salt = substr(salt, 1, 0) WHERE length(salt) > 0", "UPDATE log_entries SET salt = digest WHERE length(salt) = 0",
			"UPDATE log_entries SET digest = row_id WHERE length(salt) = 0", "DELETE FROM log_entries",
			"UPDATE log_erasures SET position = position + 1", "DELETE FROM log_erasures",
		} {
			err := d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Exec(statement).Error })
			if err == nil || !strings.Contains(err.Error(), "final") && !strings.Contains(err.Error(), "bytea") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if report := h.verify(""); report.Found > 0 {
			t.Errorf("the report is %+v", report)
		}
	})
}
