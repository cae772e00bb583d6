package publicbody_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/publicbody"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// record adds one to what the register says.
func (w *fixture) record(position uuid.UUID, kind publicbody.RecordKind, reference, date string) {
	w.t.Helper()
	w.Exec(w.t,
		"INSERT INTO public_body_data (id, position_id, kind, reference, date, amount, currency, description, updated_at) "+
			"VALUES (?, ?, ?, ?, ?, '12500.00', 'EUR', 'Contributi', ?)",
		uuid.Must(uuid.NewV7()), position, kind, reference, date, w.Clock.Now(),
	)
}

func (w *fixture) records(kind publicbody.RecordKind, from, to string, request page.Request) (string, string) {
	w.t.Helper()
	found, err := w.service.Records(ctx, w.position(), kind, from, to, request)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, r := range found.Items {
		all = append(all, r.Reference)
	}
	return strings.Join(all, " "), found.Next
}

func TestPublicBody_RecordsAreListedTheNewestFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, r := range []struct{ reference, date string }{{"a", "2026-01-16"}, {"b", "2026-03-16"}, {"c", "2026-02-16"}, {"d", "2026-02-16"}} {
			w.record(w.position(), publicbody.Payment, r.reference, r.date)
		}
		w.record(w.position(), publicbody.DebitNote, "note", "2026-02-01")
		w.record(w.body.Positions[1].ID, publicbody.Payment, "other", "2026-02-01")
		if got, _ := w.records(publicbody.Payment, "", "", page.Request{}); got != "b d c a" {
			t.Errorf("all: %s", got)
		}
		if got, _ := w.records(publicbody.Payment, "2026-02-16", "2026-03-15", page.Request{}); got != "d c" {
			t.Errorf("some: %s", got)
		}
		first, next := w.records(publicbody.Payment, "", "", page.Request{Limit: 2})
		rest, end := w.records(publicbody.Payment, "", "", page.Request{Limit: 2, Cursor: next})
		if first != "b d" || rest != "c a" || end != "" {
			t.Errorf("pages: %s, %s", first, rest)
		}
		if got, _ := w.records(publicbody.DebitNote, "", "", page.Request{}); got != "note" {
			t.Errorf("notes: %s", got)
		}
		if got, _ := w.records(publicbody.AmortisationPlan, "", "", page.Request{}); got != "" {
			t.Errorf("plans: %s", got)
		}
	})
}

// A summary has what a right covers, and of what it does not cover nothing.
func TestPublicBody_ASummaryHasWhatARightCovers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.record(w.position(), publicbody.Payment, "a", "2026-01-16")
		w.record(w.position(), publicbody.Payment, "b", "2026-03-16")
		filed := w.filed(w.by, list("2026-02"), nil)
		_, delegate := w.Professional(t)
		w.Delegation(t, delegate, w.body, nil, w.position())
		filer := w.Colleague(t, w.body.ID, access.LegalRepresentative, access.Dispositive)
		w.Submit(t, filer, w.body)
		w.Submit(t, filer, w.body)
		w.Draft(t, filer, w.body, w.body.Input(false))

		w.ticket("open")
		w.ticket("closed")
		all, err := w.service.Summarise(ctx, w.colleague(access.Dispositive), w.position())
		if err != nil {
			t.Fatal(err)
		}
		if all.Number != w.body.Positions[0].Number || all.LegalName != "Comune di Castel Mugello" || all.OfficeTitle != "Roma" {
			t.Errorf("%+v", all)
		}
		if diff := cmp.Diff([]publicbody.StateCount{{State: "submitted", Number: 2}}, all.Declarations); diff != "" {
			t.Error(diff)
		}
		if all.OpenTickets == nil || *all.OpenTickets != 1 {
			t.Errorf("open tickets: %v", all.OpenTickets)
		}
		if all.Delegations == nil || *all.Delegations != 1 || all.LastPayment == nil || all.LastPayment.Date != "2026-03-16" ||
			all.LastSubmission == nil || all.LastSubmission.ID != filed.ID || all.LastSubmission.State != publicbody.Submitted {
			t.Errorf("%+v", all)
		}
		none, err := w.service.Summarise(ctx, w.colleague(access.Dispositive, access.ViewDebitNotes), w.position())
		if err != nil {
			t.Fatal(err)
		}
		if none.Declarations != nil || none.Delegations != nil || none.LastPayment != nil || none.OpenTickets != nil || none.LastSubmission != nil || none.Number == "" {
			t.Errorf("who may see debit notes alone: %+v", none)
		}
		_, err = w.service.Summarise(ctx, access.Actor{ContributorID: w.body.ID}, w.position())
		refused(t, "a stranger", err, fault.NotFound, "")
		_, err = w.service.Summarise(ctx, w.by, uuid.Must(uuid.NewV7()))
		refused(t, "no position", err, fault.NotFound, "")
	})
}

// What fell due in a fund is counted as it is by then, whether or not the worker ran.
func TestPosition_ASummaryCountsWhatFellDue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company, by := w.Employer(t)
		w.Budget(t, by, world.CappedFund, 1_000_000)
		reserved := w.Draft(t, by, company, company.Reservation(nil))
		w.Clock.Advance(reserved.ConfirmBy.Sub(w.Clock.Now()))
		sum, err := w.service.Summarise(ctx, by, company.Positions[0].ID)
		if diff := cmp.Diff([]publicbody.StateCount{{State: "lapsed", Number: 1}}, sum.Declarations); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// A summary is made by two statements, whatever there is. What fell due in funds is looked for once
// a second.
func TestPublicBody_ASummaryIsTwoStatements(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.colleague(access.Dispositive)
		if err := w.Funds.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
		statements := world.Statements(t, d)
		if _, err := w.service.Summarise(ctx, by, w.position()); err != nil {
			t.Fatal(err)
		}
		if n := statements(); n != 2 {
			t.Errorf("%d statements", n)
		}
	})
}

// A page of a list that grows is a range of an index.
func TestPublicBody_APageIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.fill()
		for what, ask := range map[string]func(){
			"dma_submissions":  func() { w.all(publicbody.Filter{}) },
			"public_body_data": func() { _, _ = w.records(publicbody.Payment, "", "", page.Request{}) },
		} {
			heard := world.Listen(t, d, what)
			ask()
			if len(*heard) != 1 {
				t.Fatalf("%s: %d questions", what, len(*heard))
			}
			for _, plan := range world.Plans(t, d, (*heard)[0]) {
				lower := strings.ToLower(plan)
				if strings.Contains(lower, "seq scan on "+what) || strings.Contains(lower, "scan "+what+"\n") || strings.Contains(lower, "sort") ||
					strings.Contains(lower, "temp b-tree") {
					t.Errorf("%s:\n%s", what, plan)
				}
			}
		}
	})
}

// fill makes many lists and payments, most of them other positions'.
func (w *fixture) fill() {
	w.t.Helper()
	id, at := "printf('%08x-0000-7000-8000-%012x', i, i)", "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	first, second := "?", "?"
	if w.DB.Dialect() == db.Postgres {
		id, at = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
		first, second = "?::uuid", "?::uuid"
	}
	rows := "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
	position := "CASE WHEN i % 10 = 0 THEN " + first + " ELSE " + second + " END"
	w.Exec(w.t, rows+`INSERT INTO dma_submissions (id, contributor_id, position_id, office_code, period, variations_only, form, size, totals, person_id,
		acting_as, right_id, protocol_number, digest, awaited, state, submitted_at, updated_at, version)
		SELECT `+id+", "+first+", "+position+`, '`+world.Rome+`', '2026-02', true, 'xml', 1, '{}', `+first+`, 'employee_delegate', `+first+`, 'p', 'd', false,
		'submitted', `+at+", "+at+", 1 FROM n",
		w.body.ID, w.position(), w.body.Positions[1].ID, w.by.PersonID, w.by.PersonID)
	w.Exec(w.t, rows+`INSERT INTO public_body_data (id, position_id, kind, reference, date, amount, currency, description, updated_at)
		SELECT `+id+", "+position+", 'payment', 'r' || i, '2026-01-01', '1.00', 'EUR', 'x', "+at+" FROM n", w.position(), w.body.Positions[1].ID)
	if w.DB.Dialect() == db.Postgres {
		w.Exec(w.t, "ANALYZE")
	}
}

// ticket adds one about the first position in a state.
func (w *fixture) ticket(state string) {
	w.t.Helper()
	now := w.Clock.Now()
	w.Exec(w.t, "INSERT INTO ticket_topics (code, version, place, title_it, title_en, appointments) VALUES ('x', 1, 1, 'x', 'x', false) "+
		"ON CONFLICT (code) DO NOTHING")
	w.Exec(w.t, `INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id, acting_as,
		attachments, protocol_number, digest, opened_at, state, outcome, closing_text, closed_at, version, updated_at)
		SELECT ?, 'request', p.contributor_id, p.id, p.office_code, 'x', 'x', 'x', 'x', ?, ?, 'x', '[]', 'x', 'x', ?, ?,
		CASE WHEN ? = 'closed' THEN 'informed' END, CASE WHEN ? = 'closed' THEN 'x' END, CASE WHEN ? = 'closed' THEN p.created_at END, 1, ?
		FROM positions p WHERE p.id = ?`,
		uuid.Must(uuid.NewV7()), w.by.PersonID, w.by.PersonID, now, state, state, state, state, now, w.position())
}
