package ticket_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// subjects are those of a page of tickets.
func subjects(t *testing.T, found page.Page[ticket.View], err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, v := range found.Items {
		list = append(list, v.Subject)
	}
	return list
}

// named opens a ticket with a subject, a minute after the one before.
func (w *fixture) named(by access.Actor, c world.Company, subject string, change func(in *ticket.New)) ticket.Ticket {
	w.t.Helper()
	w.Clock.Advance(time.Minute)
	in := about(c)
	in.Subject = subject
	if change != nil {
		change(&in)
	}
	return w.open(by, in)
}

func TestTicketList_HasWhatOnesRightsAreAbout(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome, world.Milan)
		rome := w.named(by, c, "rome", nil)
		w.named(by, c, "milan", func(in *ticket.New) { in.PositionID, in.Topic = &c.Positions[1].ID, "regularity-review" })
		w.named(by, c, "all", func(in *ticket.New) { in.PositionID = nil })
		w.named(by, c, "task", func(in *ticket.New) { in.Kind, in.PositionID, in.Topic = ticket.SmartTask, nil, "delegations-contacts" })
		other, stranger := w.Employer(t, world.Rome)
		w.named(stranger, other, "another's", nil)
		operator := w.Operator(t, world.Rome)
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Tickets.TakeInTx(ctx, rome.ID, &operator.ID, w.Clock.Now())
			return err
		})
		professional, delegate := w.Professional(t)
		w.Delegation(t, delegate, c, nil, c.Positions[1].ID)
		session := w.Session(t, professional.ID, nil)
		some := w.enterDossier(session, c.ID)
		list := func(by access.Actor, f ticket.Filter) []string {
			t.Helper()
			found, err := w.Tickets.OfContributor(ctx, by, c.ID, f, page.Request{})
			return subjects(t, found, err)
		}
		mine := func(by access.Actor, f ticket.Filter) []string {
			t.Helper()
			found, err := w.Tickets.Mine(ctx, by, f, page.Request{})
			return subjects(t, found, err)
		}
		from := world.Start.Add(3 * time.Minute)
		for name, x := range map[string]struct {
			filter ticket.Filter
			want   []string
		}{
			"all":           {ticket.Filter{}, []string{"task", "all", "milan", "rome"}},
			"of a position": {ticket.Filter{PositionID: &c.Positions[0].ID}, []string{"rome"}},
			"on a topic":    {ticket.Filter{Topic: "regularity-review"}, []string{"milan"}},
			"on a heading":  {ticket.Filter{Topic: "payments"}, []string{"all", "rome"}},
			"in a state":    {ticket.Filter{State: ticket.InCharge}, []string{"rome"}},
			"of a kind":     {ticket.Filter{Kind: ticket.SmartTask}, []string{"task"}},
			"opened from":   {ticket.Filter{OpenedFrom: &from}, []string{"task", "all"}},
			"changed from":  {ticket.Filter{UpdatedFrom: &from}, []string{"task", "all", "rome"}},
			"nothing":       {ticket.Filter{Topic: "weather"}, []string{}},
		} {
			if diff := cmp.Diff(x.want, list(by, x.filter)); diff != "" {
				t.Errorf("%s of a contributor:\n%s", name, diff)
			}
			if diff := cmp.Diff(x.want, mine(by, x.filter)); diff != "" {
				t.Errorf("%s of mine:\n%s", name, diff)
			}
		}
		for name, got := range map[string][]string{
			"a contributor's": list(some, ticket.Filter{}), "mine": mine(some, ticket.Filter{}),
		} {
			if diff := cmp.Diff([]string{"milan"}, got); diff != "" {
				t.Errorf("%s for an intermediary with one position:\n%s", name, diff)
			}
		}
		if diff := cmp.Diff([]string{"task", "all", "rome"}, list(w.Desk(t, world.Rome, c.ID), ticket.Filter{})); diff != "" {
			t.Errorf("at the office:\n%s", diff)
		}
		if _, err := w.enterTicket(some, rome.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another position's ticket: %v", err)
		}
		if _, err := w.enterTicket(stranger, rome.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another contributor's ticket: %v", err)
		}
	})
}

func TestTicketList_GoesOnWhereItEnded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		professional, delegate := w.Professional(t)
		var companies []world.Company
		for range 3 {
			c, _ := w.Employer(t, world.Rome)
			w.Delegation(t, delegate, c, nil, c.Positions[0].ID)
			companies = append(companies, c)
		}
		session := w.Session(t, professional.ID, nil)
		for i := range 9 {
			c := companies[i%3]
			w.named(w.enterDossier(session, c.ID), c, string(rune('a'+i)), nil)
		}
		by := w.enterDossier(session, companies[0].ID)
		// As it goes with few rights, with many, and with many where the walk ends before.
		for _, stride := range []access.Stride{{Many: 1000, Rows: 4000}, {Many: 1, Rows: 4000}, {Many: 1, Rows: 3}} {
			w.Tickets.SetStride(stride)
			var got []string
			request := page.Request{Limit: 4}
			for {
				found, err := w.Tickets.Mine(ctx, by, ticket.Filter{}, request)
				got = append(got, subjects(t, found, err)...)
				if request.Cursor = found.Next; request.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff([]string{"i", "h", "g", "f", "e", "d", "c", "b", "a"}, got); diff != "" {
				t.Errorf("%+v:\n%s", stride, diff)
			}
		}
	})
}

func TestTicketComment_IsForWhomItIsMeant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		opened := w.open(by, about(c))
		by, err := w.enterTicket(by, opened.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Minute)
		said, err := w.Tickets.Comment(asked("addTicketComment"), by, opened.ID, "Si allega la quietanza.\n")
		if err != nil || said.ByOffice || said.AuthorID != by.PersonID || said.GivenName == "" {
			t.Fatalf("said as %+v, %v", said, err)
		}
		if shown, err := w.Tickets.Show(ctx, by, opened.ID); err != nil || shown.Version != 2 || !shown.UpdatedAt.Equal(w.Clock.Now()) {
			t.Errorf("the ticket is %+v, %v", shown.Ticket, err)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'addTicketComment' AND subject_kind = 'ticket' AND subject_id = ? AND "+
			"contributor_id = ? AND right_id = ?", opened.ID.String(), c.ID, by.Rights[0].ID); n != 1 {
			t.Errorf("%d records", n)
		}
		w.Exec(t, `INSERT INTO ticket_comments (id, ticket_id, author_id, by_office, visibility, text, at) VALUES (?, ?, ?, ?, 'internal', 'x', ?)`,
			uuid.Must(uuid.NewV7()), opened.ID, w.Operator(t, world.Rome).ID, true, w.Clock.Now().Add(time.Second))
		count := func(by access.Actor) int {
			t.Helper()
			found, err := w.Tickets.Comments(ctx, by, opened.ID, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return len(found.Items)
		}
		operator, err := w.enterTicket(w.Desk(t, world.Rome, c.ID), opened.ID)
		if err != nil {
			t.Fatal(err)
		}
		if n, all := count(by), count(operator); n != 1 || all != 2 {
			t.Errorf("the contributor sees %d comments, the office %d", n, all)
		}
		for _, text := range []string{"", " \n", "a\x07"} {
			_, err := w.Tickets.Comment(ctx, by, opened.ID, text)
			refused(t, "no text", err, fault.Invalid, "/text", fault.FieldPattern)
		}
		_, err = w.Tickets.Comment(ctx, operator, opened.ID, "Dalla sede")
		if !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.ServiceNotDelegated) {
			t.Errorf("by the office: %v", err)
		}
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Tickets.CloseInTx(ctx, opened.ID, ticket.Closure{Outcome: ticket.Informed, Text: "Risposta"}, w.Clock.Now())
			return err
		})
		_, err = w.Tickets.Comment(ctx, by, opened.ID, "Grazie")
		conflict(t, "on a closed ticket", err, "ticket-closed")
	})
}

func TestTicketReminder_HasItsTime(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		opened := w.open(by, about(c))
		task := w.named(by, c, "task", func(in *ticket.New) { in.Kind = ticket.SmartTask })
		remind := func(id uuid.UUID) error {
			// A session ends meanwhile; a new one has the same right.
			by, err := w.enterTicket(w.enterDossier(w.Session(t, by.PersonID, nil), c.ID), id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Tickets.Remind(asked("remindTicket"), by, id)
			return err
		}
		// Five working days after Monday 16 March end with Monday 23.
		due := time.Date(2026, 3, 23, 23, 0, 0, 0, time.UTC)
		w.Clock.Advance(due.Add(-time.Second).Sub(w.Clock.Now()))
		conflict(t, "a second before", remind(opened.ID), "ticket-not-due")
		w.Clock.Advance(time.Second)
		if err := remind(opened.ID); err != nil {
			t.Fatal(err)
		}
		conflict(t, "of what the system decides", remind(task.ID), "ticket-of-the-system")
		w.Clock.Advance(24*time.Hour - time.Second)
		conflict(t, "twice within a day", remind(opened.ID), "ticket-reminded")
		w.Clock.Advance(time.Second)
		if err := remind(opened.ID); err != nil {
			t.Error(err)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'remindTicket' AND subject_id = ?", opened.ID.String()); n != 2 {
			t.Errorf("%d records", n)
		}
		w.Clock.Advance(24 * time.Hour)
		w.Exec(t, "UPDATE tickets SET routed_at = ? WHERE id = ?", w.Clock.Now(), opened.ID)
		conflict(t, "after it was passed on", remind(opened.ID), "ticket-not-due")
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Tickets.CloseInTx(ctx, opened.ID, ticket.Closure{Outcome: ticket.Informed, Text: "Risposta"}, w.Clock.Now())
			return err
		})
		conflict(t, "of a closed one", remind(opened.ID), "ticket-closed")
	})
}

func TestTicket_IsOpenedByARightThatCoversTheDossier(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		some := w.Colleague(t, c.ID, access.EmployeeDelegate, access.Dispositive, access.Declarations)
		_, err := w.Tickets.File(ctx, some, about(c), nil)
		refused(t, "by a right for something else", err, fault.ServiceNotDelegated)
		manager := w.enterManager(c)
		_, err = w.Tickets.File(ctx, manager, about(c), nil)
		refused(t, "by who manages users", err, fault.Forbidden)
		// The right that ends while the files are stored is a right no more.
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("a.pdf", pdf)}
		w.WithdrawRole(t, by.Rights[0].ID)
		_, err = w.Tickets.File(ctx, by, in, nil)
		refused(t, "by a right that ended", err, fault.NotFound)
		if left := w.blobs(); len(left) != 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// enterManager lets in who manages the users of a company.
func (w *fixture) enterManager(c world.Company) access.Actor {
	w.t.Helper()
	p := w.Person(w.t, nil)
	w.Role(w.t, p.ID, c.ID, access.UserAdministrator)
	return w.enterDossier(w.Session(w.t, p.ID, nil), c.ID)
}
