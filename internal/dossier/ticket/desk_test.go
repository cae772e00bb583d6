package ticket_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

var informed = ticket.Closure{Outcome: ticket.Informed, Text: "Il versamento è stato abbinato.\nCordiali saluti"}

// atDesk is an operator of an office, as an operation of the back office lets them in.
func (w *fixture) atDesk(office string) access.Actor {
	w.t.Helper()
	p := w.Operator(w.t, office)
	return w.back(p.ID)
}

// back lets an operator in, whose session may have ended meanwhile.
func (w *fixture) back(personID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{
		To: access.ToOffice, Classes: []access.UserClass{access.Operator}, Dispositive: true,
	}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

func (w *fixture) shown(by access.Actor, id uuid.UUID) ticket.Details {
	w.t.Helper()
	d, err := w.TicketDesk.ShowAtOffice(ctx, by, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// must fails the test on an error of what it is given.
func must[T any](t *testing.T) func(T, error) T {
	return func(got T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

func (w *fixture) queue(by access.Actor, f ticket.DeskFilter) []string {
	w.t.Helper()
	listed := must[page.Page[ticket.Details]](w.t)(w.TicketDesk.OfOffice(ctx, by, f, page.Request{}))
	numbers := make([]string, len(listed.Items))
	for i, d := range listed.Items {
		numbers[i] = strings.TrimLeft(d.ProtocolNumber[len("INPS.7000.16/03/2026."):], "0")
	}
	return numbers
}

func TestDesk_TakesInChargeAndReleases(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		one, other := w.atDesk(world.Rome), w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		w.Clock.Advance(time.Minute)
		taken := must[ticket.Details](t)(w.TicketDesk.TakeInCharge(asked("takeTicketInCharge"), one, opened.ID))
		if taken.State != ticket.InCharge || taken.Version != 2 || taken.Assignee == nil || taken.Assignee.ID != one.PersonID ||
			!taken.AssignedAt.Equal(w.Clock.Now()) || taken.LegalName == "" || taken.PositionNumber == nil ||
			*taken.PositionNumber != c.Positions[0].Number {
			t.Errorf("taken as %+v", taken)
		}
		again := must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, one, opened.ID))
		if diff := cmp.Diff(taken, again); diff != "" {
			t.Errorf("what one has stays:\n%s", diff)
		}
		_, err := w.TicketDesk.TakeInCharge(ctx, other, opened.ID)
		conflict(t, "a colleague's", err, "ticket-in-charge-of-another")
		_, err = w.TicketDesk.Close(ctx, other, opened.ID, informed)
		conflict(t, "closing a colleague's", err, "ticket-in-charge-of-another")
		_, err = w.TicketDesk.Route(ctx, other, opened.ID, ticket.Routing{OfficeCode: world.Milan})
		conflict(t, "routing a colleague's", err, "ticket-in-charge-of-another")
		conflict(t, "releasing a colleague's", w.TicketDesk.Release(ctx, other, opened.ID), "ticket-in-charge-of-another")
		if err := w.TicketDesk.Release(asked("releaseTicket"), one, opened.ID); err != nil {
			t.Fatal(err)
		}
		if left := w.shown(other, opened.ID); left.State != ticket.Open || left.AssignedTo != nil || left.AssignedAt != nil {
			t.Errorf("released as %+v", left)
		}
		conflict(t, "releasing nobody's", w.TicketDesk.Release(ctx, one, opened.ID), "ticket-not-in-charge")
		_, err = w.TicketDesk.Close(ctx, one, opened.ID, informed)
		conflict(t, "closing nobody's", err, "ticket-not-in-charge")
		for operation, detail := range map[string]string{"takeTicketInCharge": `{"state":"in_charge"}`, "releaseTicket": `{"state":"open"}`} {
			if n := w.Count(t, "audit_records WHERE operation = ? AND subject_kind = 'ticket' AND subject_id = ? AND person_id = ? AND "+
				"contributor_id = ? AND acting_as = 'operator' AND detail = ?", operation, opened.ID.String(), one.PersonID, c.ID, detail); n != 1 {
				t.Errorf("%s: %d audit records", operation, n)
			}
		}
	})
}

// What somebody has in charge who is gone does not stay there: a colleague gives it back.
func TestDesk_ReleasesWhatSomebodyHasWhoIsGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, gone := range map[string]func(w *fixture, operator uuid.UUID){
			"at another office": func(w *fixture, id uuid.UUID) {
				w.Exec(t, "UPDATE people SET office_code = ? WHERE id = ?", world.Milan, id)
			},
			"suspended": func(w *fixture, id uuid.UUID) {
				w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), id)
			},
			"away for five working days": func(w *fixture, _ uuid.UUID) { w.Clock.Advance(8 * 24 * time.Hour) },
		} {
			w := newWorld(t, d)
			c, by := w.Employer(t)
			one := w.atDesk(world.Rome)
			opened := w.open(by, about(c))
			must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, one, opened.ID))
			gone(w, one.PersonID)
			other := w.atDesk(world.Rome)
			if err := w.TicketDesk.Release(ctx, other, opened.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := w.TicketDesk.TakeInCharge(ctx, other, opened.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDesk_OfTwoOperatorsOneTakesIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		opened := w.open(by, about(c))
		desks := make([]access.Actor, 8)
		for i := range desks {
			desks[i] = w.atDesk(world.Rome)
		}
		var taken atomic.Int32
		world.Parallel(len(desks), func(i int) {
			if _, err := w.TicketDesk.TakeInCharge(ctx, desks[i], opened.ID); err == nil {
				taken.Add(1)
			} else {
				conflict(t, "the second", err, "ticket-in-charge-of-another")
			}
		})
		if taken.Load() != 1 {
			t.Errorf("%d took it", taken.Load())
		}
	})
}

// Another office's operator sees nothing of it, whatever they try, and nothing is changed.
func TestDesk_NothingOfAnotherOfficesTickets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		in := about(c)
		in.Files = []*attachment.Upload{w.upload("f24.pdf", pdf)}
		opened := w.open(by, in)
		rome, milan := w.atDesk(world.Rome), w.atDesk(world.Milan)
		before := w.shown(rome, opened.ID)
		for name, try := range map[string]func() error{
			"show":    func() error { _, err := w.TicketDesk.OpenAtOffice(ctx, milan, opened.ID); return err },
			"files":   func() error { _, _, err := w.TicketDesk.Archive(ctx, milan, opened.ID); return err },
			"take":    func() error { _, err := w.TicketDesk.TakeInCharge(ctx, milan, opened.ID); return err },
			"release": func() error { return w.TicketDesk.Release(ctx, milan, opened.ID) },
			"comment": func() error {
				_, err := w.TicketDesk.Comment(ctx, milan, opened.ID, "Testo", ticket.Visible)
				return err
			},
			"route": func() error {
				_, err := w.TicketDesk.Route(ctx, milan, opened.ID, ticket.Routing{OfficeCode: world.Milan})
				return err
			},
			"close":  func() error { _, err := w.TicketDesk.Close(ctx, milan, opened.ID, informed); return err },
			"reopen": func() error { _, err := w.TicketDesk.Reopen(ctx, milan, opened.ID, "Errore"); return err },
		} {
			refused(t, name, try(), fault.NotFound)
		}
		if got := w.queue(milan, ticket.DeskFilter{Any: true}); len(got) != 0 {
			t.Errorf("Milan lists %v", got)
		}
		if diff := cmp.Diff(before, w.shown(rome, opened.ID)); diff != "" {
			t.Errorf("something changed:\n%s", diff)
		}
		if n := w.Count(t, "staff_looks WHERE staff_id = ?", milan.PersonID); n != 0 {
			t.Errorf("%d looks", n)
		}
	})
}

// Who sees the ticket sees who opened it: that is a look, which the opener can read of.
func TestDesk_ShowingATicketIsALook(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		opened := w.open(by, about(c))
		desk := w.atDesk(world.Rome)
		shown := must[ticket.Details](t)(w.TicketDesk.OpenAtOffice(asked("showOfficeTicket"), desk, opened.ID))
		if shown.OpenerTaxCode == "" || shown.GivenName != by.GivenName || shown.FamilyName != by.FamilyName {
			t.Errorf("opened by %+v", shown)
		}
		if n := w.Count(t, "staff_looks WHERE staff_id = ? AND person_id = ? AND operation = 'showOfficeTicket'", desk.PersonID, by.PersonID); n != 1 {
			t.Errorf("%d looks", n)
		}
		_, _, err := w.TicketDesk.Archive(ctx, desk, opened.ID)
		refused(t, "files where there are none", err, fault.NotFound)
	})
}

// An operator who opened a ticket for a company of theirs does not answer it.
func TestDesk_WhoOpenedItDoesNotAnswerIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.Company(t, world.Rome)
		desk := w.atDesk(world.Rome)
		w.Role(t, desk.PersonID, c.ID, access.LegalRepresentative)
		opened := w.open(w.enterDossier(desk.SessionID, c.ID), about(c))
		w.answersNot(desk, opened.ID)
	})
}

// Who acts for a contributor beside their work does not answer what a colleague there asks.
func TestDesk_WhoActsForTheContributorDoesNotAnswerIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		desk := w.atDesk(world.Rome)
		w.Role(t, desk.PersonID, c.ID, access.LegalRepresentative)
		w.answersNot(desk, w.open(by, about(c)).ID)
	})
}

// answersNot checks that an operator is refused whatever the office does with a ticket.
func (w *fixture) answersNot(desk access.Actor, id uuid.UUID) {
	w.t.Helper()
	for name, try := range map[string]func() error{
		"open":    func() error { _, err := w.TicketDesk.OpenAtOffice(ctx, desk, id); return err },
		"files":   func() error { _, _, err := w.TicketDesk.Archive(ctx, desk, id); return err },
		"release": func() error { return w.TicketDesk.Release(ctx, desk, id) },
		"take":    func() error { _, err := w.TicketDesk.TakeInCharge(ctx, desk, id); return err },
		"comment": func() error { _, err := w.TicketDesk.Comment(ctx, desk, id, "Sì", ticket.Visible); return err },
		"route": func() error {
			_, err := w.TicketDesk.Route(ctx, desk, id, ticket.Routing{OfficeCode: world.Milan})
			return err
		},
		"close":  func() error { _, err := w.TicketDesk.Close(ctx, desk, id, informed); return err },
		"reopen": func() error { _, err := w.TicketDesk.Reopen(ctx, desk, id, "Errore"); return err },
	} {
		if err := try(); !fault.Is(err, fault.Forbidden) {
			w.t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDesk_ClosesWithAnAnswer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		desk := w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
		w.Clock.Advance(time.Hour)
		closed := must[ticket.Details](t)(w.TicketDesk.Close(asked("closeTicket"), desk, opened.ID, informed))
		if closed.State != ticket.Closed || *closed.Outcome != ticket.Informed || *closed.ClosingText != informed.Text ||
			closed.Closer == nil || closed.Closer.ID != desk.PersonID || !closed.ClosedAt.Equal(w.Clock.Now()) || closed.AssignedTo != nil {
			t.Errorf("closed as %+v", closed)
		}
		for what, try := range map[string]func() error{
			"closing": func() error { _, err := w.TicketDesk.Close(ctx, desk, opened.ID, informed); return err },
			"taking":  func() error { _, err := w.TicketDesk.TakeInCharge(ctx, desk, opened.ID); return err },
			"commenting": func() error {
				_, err := w.TicketDesk.Comment(ctx, desk, opened.ID, "Ancora", ticket.Internal)
				return err
			},
			"routing": func() error {
				_, err := w.TicketDesk.Route(ctx, desk, opened.ID, ticket.Routing{OfficeCode: world.Milan})
				return err
			},
		} {
			conflict(t, what, try(), "ticket-closed")
		}
		if diff := cmp.Diff([]string{
			"ticket.received email studio@example.com", "ticket.received sms +393331234567",
			"ticket.closed email studio@example.com", "ticket.closed sms +393331234567",
		}, w.told()); diff != "" {
			t.Error(diff)
		}
		if n := w.Count(t, "outbox WHERE kind = 'ticket.closed' AND (data LIKE '%abbinato%' OR data LIKE ?)", "%"+by.FamilyName+"%"); n != 0 {
			t.Errorf("%d messages tell the text or a name", n)
		}
		refused(t, "no outcome", func() error {
			_, err := w.TicketDesk.Close(ctx, desk, opened.ID, ticket.Closure{Outcome: "lost", Text: " \n"})
			return err
		}(), fault.Invalid, "/outcome", "enum", "/text", "pattern")
	})
}

func TestDesk_CommentsAreVisibleOrInternal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		desk, colleague := w.atDesk(world.Rome), w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
		w.Clock.Advance(time.Minute)
		must[ticket.Details](t)(w.TicketDesk.Comment(asked("commentTicket"), desk, opened.ID, "Serve la quietanza.", ticket.Visible))
		w.Clock.Advance(time.Minute)
		said := must[ticket.Details](t)(w.TicketDesk.Comment(asked("commentTicket"), colleague, opened.ID, "Ho scritto in tesoreria.", ticket.Internal))
		if len(said.Said) != 2 || said.Said[0].Visibility != ticket.Visible || said.Said[1].Visibility != ticket.Internal ||
			said.Said[1].Author.FamilyName != colleague.FamilyName || !said.Said[0].ByOffice || said.Version != 3 {
			t.Errorf("said %+v", said.Said)
		}
		for detail, want := range map[string]int{
			`{"state":"in_charge","visibility":"visible"}`: 1, `{"state":"in_charge","visibility":"internal"}`: 1,
		} {
			if n := w.Count(t, "audit_records WHERE operation = 'commentTicket' AND detail = ?", detail); n != want {
				t.Errorf("%d records say %s", n, detail)
			}
		}
		_, err := w.TicketDesk.Comment(ctx, desk, opened.ID, "\x00", "secret")
		refused(t, "no comment", err, fault.Invalid, "/text", "pattern", "/visibility", "enum")
	})
}

func TestDesk_RoutesToAnotherOfficeAndTopic(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		rome, milan := w.atDesk(world.Rome), w.atDesk(world.Milan)
		opened := w.open(by, about(c))
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, rome, opened.ID))
		w.Clock.Advance(time.Hour)
		routed := must[ticket.Details](t)(w.TicketDesk.Route(asked("routeTicket"), rome, opened.ID, ticket.Routing{
			OfficeCode: world.Milan, Topic: "uniemens-corrections", Reason: "È di Milano.",
		}))
		if routed.OfficeCode != world.Milan || routed.Topic != "uniemens-corrections" || routed.State != ticket.Open || routed.AssignedTo != nil ||
			!routed.RoutedAt.Equal(w.Clock.Now()) || routed.ProtocolNumber != opened.ProtocolNumber ||
			!routed.AnswerDue().Equal(opened.AnswerDue()) {
			t.Errorf("routed as %+v", routed)
		}
		if got := w.queue(milan, ticket.DeskFilter{Assigned: review.AssignedToNobody}); len(got) != 1 {
			t.Errorf("in Milan's queue %v", got)
		}
		if got := w.queue(rome, ticket.DeskFilter{Any: true}); len(got) != 0 {
			t.Errorf("in Rome's queue %v", got)
		}
		_, err := w.TicketDesk.OpenAtOffice(ctx, rome, opened.ID)
		refused(t, "Rome afterwards", err, fault.NotFound)
		seen := w.shown(milan, opened.ID)
		if len(seen.Said) != 1 || seen.Said[0].Text != "È di Milano." || seen.Said[0].Visibility != ticket.Internal {
			t.Errorf("the colleagues read %+v", seen.Said)
		}
		if n := w.Count(t, "outbox WHERE kind = 'ticket.routed' AND data LIKE '%Milano%' AND data NOT LIKE '%di Milano.%'"); n != 2 {
			t.Errorf("%d are told", n)
		}
		for name, c := range map[string]struct {
			to            ticket.Routing
			pointer, code string
		}{
			"nowhere":               {ticket.Routing{}, "/office_code", "required"},
			"an unknown office":     {ticket.Routing{OfficeCode: "9999"}, "/office_code", "unknown-office"},
			"an unknown topic":      {ticket.Routing{Topic: "weather"}, "/topic", "unknown-topic"},
			"a heading":             {ticket.Routing{Topic: "payments"}, "/topic", "topic-heading"},
			"where it is":           {ticket.Routing{OfficeCode: world.Milan}, "/office_code", "not-applicable"},
			"the topic that it has": {ticket.Routing{Topic: "uniemens-corrections"}, "/topic", "not-applicable"},
			"a reason of nothing":   {ticket.Routing{OfficeCode: world.Rome, Reason: "\t"}, "/reason", "pattern"},
		} {
			_, err := w.TicketDesk.Route(ctx, milan, opened.ID, c.to)
			refused(t, name, err, fault.Invalid, c.pointer, c.code)
		}
	})
}

// A topic that belongs to one office takes the ticket there, unless the operator says otherwise.
func TestDesk_ATopicTakesATicketToItsOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		w.Exec(t, "UPDATE ticket_topics SET office_code = ? WHERE code = 'uniemens-corrections'", world.Milan)
		rome := w.atDesk(world.Rome)
		for _, r := range []struct {
			to   ticket.Routing
			want string
		}{
			{ticket.Routing{Topic: "uniemens-corrections"}, world.Milan},
			{ticket.Routing{Topic: "uniemens-corrections", OfficeCode: world.Rome}, world.Rome},
		} {
			opened := w.open(by, about(c))
			if routed := must[ticket.Details](t)(w.TicketDesk.Route(ctx, rome, opened.ID, r.to)); routed.OfficeCode != r.want {
				t.Errorf("%+v went to %s", r.to, routed.OfficeCode)
			}
		}
		w.Exec(t, "UPDATE ticket_topics SET office_code = '9999' WHERE code = 'uniemens-corrections'")
		opened := w.open(by, about(c))
		routed := must[ticket.Details](t)(w.TicketDesk.Route(ctx, rome, opened.ID, ticket.Routing{Topic: "uniemens-corrections"}))
		if routed.OfficeCode != world.Rome {
			t.Errorf("to an office that there is not: %s", routed.OfficeCode)
		}
	})
}

// Whoever comes second finds the ticket closed, or gone to another office.
func TestDesk_OneRoutesWhileAnotherCloses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		for range 5 {
			desk := w.atDesk(world.Rome)
			opened := w.open(by, about(c))
			must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
			errs := make([]error, 2)
			world.Parallel(2, func(i int) {
				if i == 0 {
					_, errs[i] = w.TicketDesk.Route(ctx, desk, opened.ID, ticket.Routing{OfficeCode: world.Milan})
				} else {
					_, errs[i] = w.TicketDesk.Close(ctx, desk, opened.ID, informed)
				}
			})
			switch {
			case errs[0] == nil:
				refused(t, "closing what is gone", errs[1], fault.NotFound)
			case errs[1] == nil:
				conflict(t, "routing what is closed", errs[0], "ticket-closed")
			default:
				t.Fatalf("both failed: %v", errs)
			}
		}
	})
}

func TestDesk_ReopensWithinThirtyDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		desk := w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		_, err := w.TicketDesk.Reopen(ctx, desk, opened.ID, "Errore")
		conflict(t, "an open one", err, "ticket-not-closed")
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
		closed := must[ticket.Details](t)(w.TicketDesk.Close(ctx, desk, opened.ID, informed))
		w.Clock.Advance(29 * 24 * time.Hour)
		desk = w.atDesk(world.Rome)
		_, err = w.TicketDesk.Reopen(ctx, desk, opened.ID, "")
		refused(t, "without a reason", err, fault.Invalid, "/reason", "pattern")
		again := must[ticket.Details](t)(w.TicketDesk.Reopen(asked("reopenTicket"), desk, opened.ID, "C'è un secondo versamento."))
		if again.State != ticket.Open || again.ProtocolNumber != opened.ProtocolNumber || again.Outcome != nil || again.ClosedAt != nil ||
			again.Late != ticket.NotOverdue || !again.ReopenedAt.Equal(w.Clock.Now()) {
			t.Errorf("reopened as %+v", again)
		}
		if len(again.Said) != 2 || again.Said[0].Text != informed.Text || again.Said[0].AuthorID != *closed.ClosedBy ||
			!again.Said[0].At.Equal(*closed.ClosedAt) || again.Said[1].Text != "C'è un secondo versamento." ||
			again.Said[0].Visibility != ticket.Visible || again.Said[1].Visibility != ticket.Visible {
			t.Errorf("said %+v", again.Said)
		}
		if n := w.Count(t, "outbox WHERE kind = 'ticket.reopened'"); n != 2 {
			t.Errorf("%d are told", n)
		}
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, opened.ID))
		must[ticket.Details](t)(w.TicketDesk.Close(ctx, desk, opened.ID, informed))
		w.Clock.Advance(31 * 24 * time.Hour)
		_, err = w.TicketDesk.Reopen(ctx, w.atDesk(world.Rome), opened.ID, "Troppo tardi")
		conflict(t, "after 31 days", err, "ticket-closed-too-long-ago")
	})
}

// What the system decides is not for an operator to take, route, close or open again.
func TestDesk_SmartTasksDecideThemselves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		in := about(c)
		in.Kind = ticket.SmartTask
		opened := w.open(by, in)
		desk := w.atDesk(world.Rome)
		for name, try := range map[string]func() error{
			"take":    func() error { _, err := w.TicketDesk.TakeInCharge(ctx, desk, opened.ID); return err },
			"release": func() error { return w.TicketDesk.Release(ctx, desk, opened.ID) },
			"route": func() error {
				_, err := w.TicketDesk.Route(ctx, desk, opened.ID, ticket.Routing{OfficeCode: world.Milan})
				return err
			},
			"close":  func() error { _, err := w.TicketDesk.Close(ctx, desk, opened.ID, informed); return err },
			"reopen": func() error { _, err := w.TicketDesk.Reopen(ctx, desk, opened.ID, "Errore"); return err },
		} {
			conflict(t, name, try(), "ticket-decides-itself")
		}
		if got := w.queue(desk, ticket.DeskFilter{Kind: ticket.SmartTask}); len(got) != 1 {
			t.Errorf("listed %v", got)
		}
	})
}

func TestDesk_ListsWhatWaitsLongestFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome, world.Rome)
		one := w.open(by, about(c))
		w.Clock.Advance(3 * 24 * time.Hour)
		by = w.enterDossier(w.Session(t, by.PersonID, nil), c.ID)
		second := about(c)
		second.Topic, second.PositionID = "uniemens-sending", &c.Positions[1].ID
		two := w.open(by, second)
		w.open(by, about(c))
		desk := w.atDesk(world.Rome)
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, desk, two.ID))
		// The first one's five working days end with 23 March.
		w.Clock.Advance(one.AnswerDue().Sub(w.Clock.Now()))
		desk = w.back(desk.PersonID)
		for name, r := range map[string]struct {
			filter ticket.DeskFilter
			want   []string
		}{
			"all":              {ticket.DeskFilter{}, []string{"1", "2", "3"}},
			"open":             {ticket.DeskFilter{State: ticket.Open}, []string{"1", "3"}},
			"a topic":          {ticket.DeskFilter{Topic: "uniemens-sending"}, []string{"2"}},
			"a heading":        {ticket.DeskFilter{Topic: "payments"}, []string{"1", "3"}},
			"mine":             {ticket.DeskFilter{Assigned: review.AssignedToMe}, []string{"2"}},
			"nobody's":         {ticket.DeskFilter{Assigned: review.AssignedToNobody}, []string{"1", "3"}},
			"due":              {ticket.DeskFilter{Overdue: ticket.Due}, []string{"1"}},
			"late":             {ticket.DeskFilter{Overdue: ticket.Late}, nil},
			"a tax code":       {ticket.DeskFilter{ContributorTaxCode: c.TaxCode.Clear()}, []string{"1", "2", "3"}},
			"nobody's code":    {ticket.DeskFilter{ContributorTaxCode: "00743110157"}, nil},
			"a position":       {ticket.DeskFilter{PositionNumber: c.Positions[1].Number}, []string{"2"}},
			"a protocolnumber": {ticket.DeskFilter{ProtocolNumber: two.ProtocolNumber, Any: true}, []string{"2"}},
		} {
			if diff := cmp.Diff(r.want, w.queue(desk, r.filter), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		listed := must[page.Page[ticket.Details]](t)(w.TicketDesk.OfOffice(ctx, desk, ticket.DeskFilter{}, page.Request{Limit: 2}))
		if listed.Items[0].Late != ticket.Due || listed.Items[1].Late != ticket.NotOverdue || listed.Items[1].Assignee == nil || listed.Next == "" {
			t.Errorf("listed %+v", listed)
		}
		rest := must[page.Page[ticket.Details]](t)(w.TicketDesk.OfOffice(ctx, desk, ticket.DeskFilter{}, page.Request{Limit: 2, Cursor: listed.Next}))
		if len(rest.Items) != 1 || rest.Next != "" {
			t.Errorf("the rest is %+v", rest)
		}
	})
}
