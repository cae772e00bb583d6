package ticket_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// What the office says among itself is nothing that the other side learns of.
func TestTicket_AnInternalCommentIsNoChangeToItsOpener(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t)
		desk := w.atDesk(world.Rome)
		opened := w.open(by, about(c))
		before := must[ticket.View](t)(w.Tickets.Show(ctx, by, opened.ID))
		w.Clock.Advance(time.Hour)
		said := must[ticket.Details](t)(w.TicketDesk.Comment(asked("commentTicket"), desk, opened.ID, "Da verificare.", ticket.Internal))
		if len(said.Said) != 1 {
			t.Errorf("the office reads %+v", said.Said)
		}
		if diff := cmp.Diff(before, must[ticket.View](t)(w.Tickets.Show(ctx, by, opened.ID))); diff != "" {
			t.Errorf("its opener sees a change:\n%s", diff)
		}
	})
}

// A topic without an office of its own gives back what a topic with one had taken away.
func TestDesk_ATopicWithoutAnOfficeIsThePositions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		w.Exec(t, "UPDATE ticket_topics SET office_code = ? WHERE code = 'uniemens-corrections'", world.Milan)
		milan := w.atDesk(world.Milan)
		in := about(c)
		in.Topic = "uniemens-corrections"
		for name, position := range map[string]bool{"about a position": true, "about the contributor": false} {
			if in.PositionID = nil; position {
				in.PositionID = &c.Positions[0].ID
			}
			opened := w.open(by, in)
			w.Clock.Advance(time.Minute)
			routed := must[ticket.Details](t)(w.TicketDesk.Route(ctx, milan, opened.ID, ticket.Routing{Topic: "payments-refunds"}))
			if opened.OfficeCode != world.Milan || routed.OfficeCode != world.Rome || !routed.RoutedAt.Equal(w.Clock.Now()) {
				t.Errorf("%s: from %s to %s", name, opened.OfficeCode, routed.OfficeCode)
			}
		}
		// What an operator has sent to an office stays there.
		rome := w.atDesk(world.Rome)
		in.Topic, in.PositionID = "payments-refunds", &c.Positions[0].ID
		sent := w.open(by, in)
		must[ticket.Details](t)(w.TicketDesk.Route(ctx, rome, sent.ID, ticket.Routing{OfficeCode: world.Milan}))
		kept := must[ticket.Details](t)(w.TicketDesk.Route(ctx, milan, sent.ID, ticket.Routing{Topic: "payments-allocation"}))
		if kept.OfficeCode != world.Milan || kept.Topic != "payments-allocation" {
			t.Errorf("kept at %s on %s", kept.OfficeCode, kept.Topic)
		}
	})
}

// A repeat tells what the first request did, wherever the ticket is by now.
func TestTicket_RepeatsAreAnsweredAfterItWasRouted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, by := w.Employer(t, world.Rome)
		open := func() ticket.View {
			t.Helper()
			return must[ticket.View](t)(w.Tickets.Open(world.WithKey(asked("openTicket"), by, "open"), by, about(c), nil))
		}
		first := open()
		rome, milan := w.atDesk(world.Rome), w.atDesk(world.Milan)
		w.Clock.Advance(time.Hour)
		must[ticket.Details](t)(w.TicketDesk.Comment(ctx, rome, first.ID, "Si passa a Milano.", ticket.Internal))
		w.Clock.Advance(time.Hour)
		route := func(operator access.Actor) (ticket.Details, error) {
			return w.TicketDesk.Route(world.WithKey(asked("routeTicket"), operator, "route"), operator, first.ID, ticket.Routing{
				Topic: "uniemens-corrections", OfficeCode: world.Milan, Reason: "È di Milano.",
			})
		}
		routed := must[ticket.Details](t)(route(rome))

		w.Clock.Advance(time.Hour)
		must[ticket.Details](t)(w.TicketDesk.TakeInCharge(ctx, milan, first.ID))
		must[ticket.Details](t)(w.TicketDesk.Comment(ctx, milan, first.ID, "Detto a Milano.", ticket.Internal))
		must[ticket.Details](t)(w.TicketDesk.Close(ctx, milan, first.ID, informed))
		if diff := cmp.Diff(first, open()); diff != "" {
			t.Errorf("opened, again:\n%s", diff)
		}
		again := must[ticket.Details](t)(route(rome))
		// The version is that of the ticket as it is now.
		again.Version = routed.Version
		again.TopicIT, again.TopicEN, again.ParentTopic, again.OfficeTitle = routed.TopicIT, routed.TopicEN, routed.ParentTopic, routed.OfficeTitle
		if diff := cmp.Diff(routed, again); diff != "" {
			t.Errorf("routed, again:\n%s", diff)
		}
		_, err := w.TicketDesk.ShowAtOffice(ctx, rome, first.ID)
		refused(t, "Rome otherwise", err, fault.NotFound)
	})
}

// A text on a topic that is asked no more is still the office's to change and to remove.
func TestReplyTemplate_OutlivesItsTopic(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		desk := w.atDesk(world.Rome)
		must[ticket.Template](t)(w.TicketDesk.CreateTemplate(ctx, desk, "matched", matched))
		w.Exec(t, "UPDATE ticket_topics SET retired = ? WHERE code IN ('payments-f24', 'payments-refunds')", true)
		changed := matched
		changed.Title = "Abbinato"
		if got := must[ticket.Template](t)(w.TicketDesk.ReplaceTemplate(ctx, desk, "matched", 1, changed)); got.Title != "Abbinato" ||
			*got.Topic != matched.Topic {
			t.Errorf("written as %+v", got)
		}
		changed.Topic = "payments-refunds"
		_, err := w.TicketDesk.ReplaceTemplate(ctx, desk, "matched", 2, changed)
		refused(t, "another retired topic", err, fault.Invalid, "/topic", "unknown-topic")
		_, err = w.TicketDesk.CreateTemplate(ctx, desk, "another", matched)
		refused(t, "a new one on a retired topic", err, fault.Invalid, "/topic", "unknown-topic")
		if err := w.TicketDesk.RemoveTemplate(ctx, desk, "matched", 2); err != nil {
			t.Error(err)
		}
	})
}
