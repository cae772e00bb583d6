package publicbody_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// What a summary counts is a range of an index each, however much there is of others.
func TestPosition_ASummaryCountsByIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.fillCounted()
		by := w.colleague(access.Dispositive, access.Declarations, access.Delegations, access.Dossier)
		heard := world.Listen(t, d, "AS part")
		sum, err := w.service.Summarise(ctx, by, w.position())
		if err != nil || len(*heard) != 1 {
			t.Fatalf("%d questions, %v", len(*heard), err)
		}
		if len(sum.Declarations) != 1 || sum.Declarations[0].Number != 50 || *sum.OpenTickets != 50 || *sum.Delegations != 0 {
			t.Errorf("counted %+v, %d tickets", sum.Declarations, *sum.OpenTickets)
		}
		for _, plan := range world.Plans(t, d, (*heard)[0]) {
			for _, index := range []string{"declarations_by_contributor_state", "tickets_by_position"} {
				if !strings.Contains(plan, index) {
					t.Errorf("without %s:\n%s", index, plan)
				}
			}
			if d.Dialect() == db.SQLite && !strings.Contains(plan, "delegation_positions_by_position") || strings.Contains(plan, "Seq Scan on declarations") ||
				strings.Contains(plan, "Seq Scan on tickets") || strings.Contains(plan, "SCAN d\n") || strings.Contains(plan, "SCAN t\n") {
				t.Errorf("%s", plan)
			}
		}
	})
}

// fillCounted makes many declarations and tickets, one in a hundred about the first position.
func (w *fixture) fillCounted() {
	w.t.Helper()
	id, at := "printf('%08x-0000-7000-8000-%012x', i, i)", "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	cast := "?"
	if w.DB.Dialect() == db.Postgres {
		id, at = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
		cast = "?::uuid"
	}
	// A company with many positions beside the body: the planner thinks of an average one.
	others := w.Company(w.t, slices.Repeat([]string{world.Rome}, 60)...)
	for owner, of := range map[uuid.UUID]string{w.body.ID: "i % 100 = 0 AND k = 0", others.ID: "i % 100 > 0 AND k = i % 60"} {
		rows := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000), q AS (SELECT ROW_NUMBER() OVER (ORDER BY p.number) - 1 AS k,
			p.contributor_id, p.id AS position_id FROM positions p WHERE p.contributor_id = ` + cast + `) `
		from := " FROM n JOIN q ON " + of
		w.Exec(w.t, rows+`INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, person_id,
			acting_as, right_id, version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
			SELECT `+id+`, q.contributor_id, q.position_id, '`+world.Rome+`', 'RIOC', 1, 'single', 'withdrawn', '{}', `+cast+`, 'legal_representative', `+
			cast+`, 1, `+at+`, `+at+`, `+at+`, `+at+`, 'p', 'd'`+from, owner, w.by.PersonID, w.by.PersonID)
		w.Exec(w.t, rows+`INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id,
			acting_as, attachments, protocol_number, digest, opened_at, state, version, updated_at)
			SELECT `+id+`, 'request', q.contributor_id, q.position_id, '`+world.Rome+`', 'payments-f24', 'x', 'x', 'x', `+cast+`, `+cast+`,
			'legal_representative', '[]', 'x', 'x', `+at+`, 'open', 1, `+at+from, owner, w.by.PersonID, w.by.PersonID)
	}
	if w.DB.Dialect() == db.Postgres {
		w.Exec(w.t, "ANALYZE")
	}
}
