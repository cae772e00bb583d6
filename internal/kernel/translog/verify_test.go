package translog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// vandal changes rows as only the owner of a database can, and puts them back.
type vandal struct {
	*house
	random *world.Dice
}

// sealedTables are those that a log covers, and its own, each with what tells its rows apart.
var sealedTables = map[string]string{
	"audit_records": "id", "protocol_entries": "subject_id", "log_entries": "position", "log_tiles": "level", "log_erasures": "position",
}

// unlock takes away what keeps rows final, and keeps a copy of them.
func (v *vandal) unlock() {
	v.t.Helper()
	for table := range sealedTables {
		v.exec("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table)
		if v.db.Dialect() == db.Postgres {
			v.exec("ALTER TABLE " + table + " DISABLE TRIGGER USER")
			continue
		}
		var triggers []string
		err := v.db.From(context.Background()).Raw("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table).
			Scan(&triggers).Error
		if err != nil {
			v.t.Fatal(err)
		}
		for _, name := range triggers {
			v.exec("DROP TRIGGER " + name)
		}
	}
}

func (v *vandal) restore(table string) {
	v.t.Helper()
	v.exec("DELETE FROM " + table)
	v.exec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
}

// some is a condition for one random row.
func (v *vandal) some(table string) string {
	v.t.Helper()
	key := sealedTables[table]
	var keys []string
	err := v.db.From(context.Background()).Raw("SELECT CAST(" + key + " AS text) FROM " + table + " ORDER BY " + key).Scan(&keys).Error
	if err != nil {
		v.t.Fatal(err)
	}
	return "CAST(" + key + " AS text) = '" + keys[v.random.IntN(len(keys))] + "'"
}

// pick returns one of the texts.
func (v *vandal) pick(texts ...string) string { return texts[v.random.IntN(len(texts))] }

// flip changes one value of one row.
func (v *vandal) flip() (what, table string) {
	table = v.pick("audit_records", "protocol_entries", "log_entries", "log_tiles", "log_erasures")
	set := map[string][]string{
		"audit_records": {
			"operation = operation || 'x'", "outcome = 'refused'", "address = '192.0.2.9'", "person_id = right_id", "login_level = 3",
			"detail = '{}'", "acting_as = 'employee_delegate'", "contributor_id = session_id, session_id = id", "subject_id = NULL",
			"at = '2020-01-01 00:00:00+00:00'",
		},
		"protocol_entries": {
			"number = number + 500000", "digest = 'sha-256:01'", "kind = 'ticket'", "at = '2026-01-01 00:00:00+00:00'",
			"jws = jws || 'x'", "filed_state = 'accepted'", "filed_version = filed_version + 1",
		},
		"log_entries": {"salt = digest", "digest = salt", "kind = CASE kind WHEN 'audit' THEN 'register' ELSE 'audit' END"},
		"log_erasures": {
			"digest = (SELECT l.digest FROM log_entries l WHERE l.position = 7)", "position = position + 100000",
			"record_id = (SELECT l.row_id FROM log_entries l WHERE l.position = 7)",
		},
		"log_tiles": {"hashes = (SELECT digest FROM log_entries WHERE position = 7)"},
	}[table]
	change := v.pick(set...)
	return "UPDATE " + table + " SET " + change + " WHERE " + v.some(table), table
}

// remove deletes one row.
func (v *vandal) remove() (what, table string) {
	table = v.pick("audit_records", "protocol_entries", "log_entries", "log_tiles", "log_erasures")
	return "DELETE FROM " + table + " WHERE " + v.some(table), table
}

// cut deletes the last rows.
func (v *vandal) cut() (what, table string) {
	table = v.pick("audit_records", "protocol_entries", "log_entries")
	key := map[string]string{"audit_records": "id", "protocol_entries": "number", "log_entries": "position"}[table]
	return fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s ORDER BY %s DESC LIMIT %d)",
		table, key, key, table, key, 1+v.random.IntN(9)), table
}

// swap has two rows change places.
func (v *vandal) swap() (what, table string) {
	table = v.pick("audit_records", "log_entries")
	column := map[string]string{"audit_records": "request_id", "log_entries": "digest"}[table]
	key := sealedTables[table]
	one, other := v.some(table), v.some(table)
	for one == other {
		other = v.some(table)
	}
	return fmt.Sprintf("UPDATE %[1]s SET %[2]s = (SELECT k.%[2]s FROM kept_%[1]s k WHERE k.%[3]s <> %[1]s.%[3]s AND (%[4]s OR %[5]s)) WHERE %[4]s OR %[5]s",
		table, column, key, one, other), table
}

// insert puts a row in, dated in the midst of the others.
func (v *vandal) insert() (what, table string) {
	at := world.Start.Add(time.Minute + time.Duration(v.random.IntN(int(v.clock.Now().Add(-4*time.Hour).Sub(world.Start).Seconds())))*time.Second).UTC()
	written := at.Format("2006-01-02 15:04:05.999999-07:00")
	if v.random.IntN(2) == 0 {
		return fmt.Sprintf("INSERT INTO audit_records (id, at, operation, outcome, request_id, address) "+
			"VALUES ( '%s', '%s', 'submitDeclaration', 'done', 'request-999999', '192.0.2.1')", uuid.Must(uuid.NewV7()), written), "audit_records"
	}
	return fmt.Sprintf("INSERT INTO protocol_entries (office_code, year, number, at, kind, subject_id, digest) "+
		"VALUES ( '1400', 2026, %d, '%s', 'ticket', '%s', 'sha-256:02')", 600_000+v.random.IntN(1000), written, uuid.Must(uuid.NewV7())), "protocol_entries"
}

// alterations is how many are tried on each database.
const alterations = 1000

// TestVerify_FindsEveryAlteration alters rows under a checkpoint that was kept elsewhere.
func TestVerify_FindsEveryAlteration(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v := &vandal{newHouse(t, d), new(world.Dice)}
		v.write(180)
		v.seal()
		v.erase(translog.Erasure{Before: world.Start.Add(time.Hour), Reason: "prova"})
		kept := v.seal().Text
		v.unlock()
		ways := []func() (string, string){v.flip, v.remove, v.cut, v.swap, v.insert}
		tried := 0
		for tried < alterations {
			what, table := ways[tried%len(ways)]()
			if v.exec(what) == 0 {
				t.Fatalf("nothing was changed: %s", what)
			}
			report := v.verify(kept)
			var gone, missing int
			err := d.From(context.Background()).Raw("SELECT COUNT(*) FROM (SELECT * FROM kept_" + table + " EXCEPT SELECT * FROM " + table + ") x").
				Scan(&gone).Error
			if err != nil {
				t.Fatal(err)
			}
			if err := d.From(context.Background()).Raw("SELECT (SELECT COUNT(*) FROM kept_" + table + ") - (SELECT COUNT(*) FROM " + table + ")").
				Scan(&missing).Error; err != nil {
				t.Fatal(err)
			}
			if gone == 0 && missing == 0 {
				// A value took the place of its equal.
				continue
			}
			if report.Found == 0 {
				t.Errorf("not found: %s", what)
			}
			tried++
			v.restore(table)
		}
		if report := v.verify(kept); report.Found > 0 {
			t.Errorf("the rows were put back, and the report is %+v", report)
		}
	})
}

// A checkpoint that was kept elsewhere tells of a database that was put back to an older state, and
// of a tree that was made anew.
func TestVerify_HoldsTheDatabaseAgainstWhatWasKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(20)
		old := h.seal()
		h.write(20)
		kept := h.seal()
		v := &vandal{house: h}
		v.unlock()
		for _, statement := range []string{
			fmt.Sprintf("DELETE FROM log_entries WHERE position >= %d", old.Size),
			"DELETE FROM audit_records WHERE NOT EXISTS (SELECT 1 FROM log_entries l WHERE l.row_id = audit_records.id)",
			"DELETE FROM protocol_entries WHERE NOT EXISTS (SELECT 1 FROM log_entries l WHERE l.row_id = protocol_entries.subject_id)",
			fmt.Sprintf("UPDATE log_state SET size = %d, checkpoint = '%s'", old.Size, old.Text),
		} {
			h.exec(statement)
		}
		if report := h.verify(""); report.Found > 0 {
			// The tiles have more than the older tree, which harms nobody.
			t.Errorf("the older state alone is whole: %+v", report)
		}
		if report := h.verify(kept.Text); report.Found == 0 {
			t.Error("nobody noticed that the end was cut off")
		}
	})
}

// What is signed by another is refused before anything is read.
func TestVerify_RefusesACheckpointOfOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mine, other := newHouse(t, d), newHouse(t, dbtest.Open(t, dbtest.SQLite(t)))
		mine.write(2)
		mine.seal()
		other.write(2)
		_, err := translog.Verify(context.Background(), translog.Verification{
			DB: d, Name: mine.keys.Name(), Verifiers: mine.keys.Verifiers(), Checkpoints: []string{other.seal().Text}, Clock: mine.clock.Now,
		})
		if err == nil {
			t.Error("a checkpoint of others is taken")
		}
	})
}

// Every receipt is looked at once, and what is wrong is told in the order of the log. Whether it is
// one must be known: else nothing is said.
func TestVerify_LooksAtEveryReceipt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.write(400)
		h.seal()
		var mu sync.Mutex
		seen := map[string]int{}
		v := translog.Verification{
			DB: d, Name: h.keys.Name(), Verifiers: h.keys.Verifiers(), Clock: h.clock.Now,
			Receipt: func(_ context.Context, jws string) error {
				mu.Lock()
				defer mu.Unlock()
				if seen[jws]++; jws == jwsOf(h.entries[7]) || jws == jwsOf(h.entries[190]) {
					return keyring.ErrNotAReceipt
				}
				return nil
			},
		}
		report, err := translog.Verify(context.Background(), v)
		if err != nil || report.Receipts.Count != 200 || report.Found != 2 {
			t.Fatalf("%v, %+v", err, report)
		}
		for i, id := range []uuid.UUID{h.entries[7], h.entries[190]} {
			if f := report.Findings[i]; f.Row != "register "+id.String() || f.Position < 0 {
				t.Errorf("finding %d is %+v", i, f)
			}
		}
		for _, id := range h.entries {
			if n := seen[jwsOf(id)]; n != 1 {
				t.Errorf("%d looks at %s", n, id)
			}
		}
		away := errors.New("the keys cannot be read")
		v.Receipt = func(context.Context, string) error { return away }
		if _, err := translog.Verify(context.Background(), v); !errors.Is(err, away) {
			t.Errorf("it returns %v", err)
		}
	})
}
