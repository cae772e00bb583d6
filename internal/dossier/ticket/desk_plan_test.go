package ticket_test

import (
	"fmt"
	"strings"
	"testing"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// crowd makes many tickets at two offices, nine in ten of them closed, some in charge of an
// operator.
func (w *fixture) crowd(c world.Company, by, desk access.Actor) {
	w.t.Helper()
	tickets := 2_000
	id := "printf('%08x-0000-7000-8000-%012x', i, i)"
	at := "strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', '+' || i || ' seconds') || '+00:00'"
	operator := "?"
	if w.DB.Dialect() == db.Postgres {
		tickets = 40_000
		id = "(lpad(to_hex(i), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"
		at, operator = "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'", "?::uuid"
	}
	w.Exec(w.t, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d),
		s (i, state) AS (SELECT i, CASE WHEN i %% 10 < 9 THEN 'closed' WHEN i / 10 %% 3 = 0 THEN 'in_charge' ELSE 'open' END FROM n)
		INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, email, person_id, right_id, acting_as,
			attachments, protocol_number, digest, opened_at, state, assigned_to, assigned_at, outcome, closing_text, closed_at, version, updated_at)
		SELECT %[2]s, 'request', ?, ?, CASE WHEN i %% 4 = 0 THEN '4900' ELSE '7000' END, 'payments-f24', 's', 't', 'a@example.com', ?, ?,
			'legal_representative', '[]', 'p' || i, 'd', %[3]s, state, CASE WHEN state = 'in_charge' THEN %[4]s END,
			CASE WHEN state = 'in_charge' THEN %[3]s END, CASE WHEN state = 'closed' THEN 'informed' END, CASE WHEN state = 'closed' THEN 'x' END,
			CASE WHEN state = 'closed' THEN %[3]s END, 1, %[3]s FROM s`, tickets, id, at, operator),
		c.ID, c.Positions[0].ID, by.PersonID, by.Rights[0].ID, desk.PersonID)
	if w.DB.Dialect() == db.Postgres {
		w.Exec(w.t, "ANALYZE")
	}
}

// A page of the queue is a range of an index, however many tickets were closed.
func TestDesk_APageOfTheQueueIsARangeOfAnIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		desk := w.atDesk(world.Rome)
		w.crowd(c, by, desk)
		heard := world.Listen(t, d, "tickets d")
		for _, r := range []struct {
			name   string
			filter ticket.DeskFilter
			index  string
		}{
			{"what waits", ticket.DeskFilter{}, "tickets_waiting"},
			{"what is due", ticket.DeskFilter{Overdue: ticket.Due}, "tickets_waiting"},
			{"what is late", ticket.DeskFilter{Overdue: ticket.Late}, "tickets_waiting"},
			{"what is closed", ticket.DeskFilter{State: ticket.Closed}, "tickets_by_office_state"},
			{"nobody's", ticket.DeskFilter{Assigned: review.AssignedToNobody}, "tickets_"},
			{"mine", ticket.DeskFilter{Assigned: review.AssignedToMe}, "tickets_"},
		} {
			request := page.Request{Limit: 10}
			for _, which := range []string{"first", "next"} {
				*heard = nil
				got, err := w.TicketDesk.OfOffice(ctx, desk, r.filter, request)
				if err != nil || len(got.Items) != 10 || got.Next == "" {
					t.Fatalf("%s page of %s: %d items, next %q, %v", which, r.name, len(got.Items), got.Next, err)
				}
				request.Cursor = got.Next
				for _, plan := range world.Plans(t, d, (*heard)[0]) {
					if !strings.Contains(plan, r.index) || strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE") ||
						strings.Contains(plan, "Seq Scan on tickets") || strings.Contains(plan, "Bitmap") || strings.Contains(plan, "SCAN d") {
						t.Errorf("%s page of %s: %s", which, r.name, plan)
					}
					if which == "next" && !strings.Contains(plan, "<(?,?)") && !strings.Contains(plan, ">(?,?)") &&
						!strings.Contains(plan, "ROW(waits_from, id) > ROW(") && !strings.Contains(plan, "ROW(d.waits_from, d.id) > ROW(") {
						t.Errorf("the cursor is no part of the range of %s: %s", r.name, plan)
					}
				}
			}
		}
		*heard = nil
		if _, err := w.TicketDesk.OfOffice(ctx, desk, ticket.DeskFilter{Any: true, ProtocolNumber: "p1001"}, page.Request{}); err != nil {
			t.Fatal(err)
		}
		for _, plan := range world.Plans(t, d, (*heard)[0]) {
			if !strings.Contains(plan, "tickets_by_protocol_number") {
				t.Errorf("by protocol number: %s", plan)
			}
		}
	})
}
