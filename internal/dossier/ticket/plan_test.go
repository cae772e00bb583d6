package ticket_test

import (
	"fmt"
	"strings"
	"testing"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// fill makes many tickets. Two in three are the company's, the others are of 39 more as well. One in
// four is about the company's second position. SQLite plans without looking at how many there are: a
// tenth will do.
func fill(t *testing.T, w *fixture, c world.Company, by access.Actor) {
	t.Helper()
	const companies = 40
	tickets, row := 2_000, "(?, ?, ?, ?)"
	id, at := "printf('%%08x-0000-7000-8000-%%012x', i, i)", "strftime('%%Y-%%m-%%d %%H:%%M:%%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	if w.DB.Dialect() == db.Postgres {
		tickets, row = 20_000, "(?::integer, ?::uuid, ?::uuid, ?::uuid)"
		id = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"
		at = "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'"
	}
	var args []any
	var values []string
	for k := range companies {
		if k > 0 {
			c = w.Company(t, world.Rome, world.Rome)
		}
		values = append(values, row)
		args = append(args, k, c.ID, c.Positions[0].ID, c.Positions[1].ID)
	}
	statement := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		WHERE i < %d), c (k, contributor_id, one, other) AS (VALUES %s)
		INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id, acting_as,
			attachments, protocol_number, digest, opened_at, state, version, updated_at)
		SELECT `+id+`, 'request', c.contributor_id, CASE WHEN i %% 4 = 0 THEN c.other ELSE c.one END, '7000', 'payments-f24', 'x', 'x', 'x', ?, ?,
			'legal_representative', '[]', 'x', 'x', `+at+`, 'open', 1, `+at+`
		FROM n JOIN c ON c.k = CASE WHEN i %% 3 > 0 THEN 0 ELSE i %% %d END`, tickets, strings.Join(values, ","), companies)
	w.Exec(t, statement, append(args, by.PersonID, by.Rights[0].ID)...)
	if w.DB.Dialect() == db.Postgres {
		w.Exec(t, "ANALYZE")
	}
}

// A page is a range of an index, however many tickets there are.
func TestTicketList_APageIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome, world.Rome)
		fill(t, w, c, by)
		heard := world.Listen(t, d, "FROM tickets d JOIN people")
		for name, x := range map[string]struct {
			filter ticket.Filter
			index  string
		}{
			"a contributor's":          {ticket.Filter{}, "tickets_by_contributor"},
			"a contributor's, open":    {ticket.Filter{State: ticket.Open}, "tickets_by_"},
			"a contributor's, a topic": {ticket.Filter{Topic: "payments"}, "tickets_by_contributor"},
			"a position's":             {ticket.Filter{PositionID: &c.Positions[1].ID}, "tickets_by_"},
		} {
			request := page.Request{Limit: 10}
			for _, which := range []string{"first", "next"} {
				*heard = nil
				got, err := w.Tickets.OfContributor(ctx, by, c.ID, x.filter, request)
				if err != nil || len(got.Items) != 10 || got.Next == "" || len(*heard) != 1 {
					t.Fatalf("%s page of %s: %d items, %d statements, %v", which, name, len(got.Items), len(*heard), err)
				}
				request.Cursor = got.Next
				for _, plan := range world.Plans(t, d, (*heard)[0]) {
					if !strings.Contains(plan, x.index) || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE FOR ORDER") ||
						strings.Contains(plan, "Seq Scan on tickets") || strings.Contains(plan, "SCAN d") {
						t.Errorf("%s page of %s: %s", which, name, plan)
					}
				}
			}
		}
	})
}

// What few of a contributor's tickets are is found without reading the others.
func TestTicketList_WhatIsInChargeIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		w.crowd(c, by, w.atDesk(world.Rome))
		heard := world.Listen(t, d, "FROM tickets d JOIN people")
		got, err := w.Tickets.OfContributor(ctx, by, c.ID, ticket.Filter{State: ticket.InCharge}, page.Request{Limit: 10})
		if err != nil || len(got.Items) != 10 || len(*heard) != 1 {
			t.Fatalf("%d items, %d statements, %v", len(got.Items), len(*heard), err)
		}
		for _, plan := range world.Plans(t, d, (*heard)[0]) {
			if !strings.Contains(plan, "tickets_by_state") || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") {
				t.Error(plan)
			}
		}
	})
}
