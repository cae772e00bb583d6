package ticket_test

import (
	"io"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/event"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// The feed tells of a reserved ticket whom showTicket shows it to, and nobody else.
func TestTicket_EventsOfAReservedOneReachWhoSeesIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		feed := event.NewFeed(event.Deps{DB: d, Clock: w.Clock, Log: log})
		events := event.NewService(event.ServiceDeps{Feed: feed, Rights: w.Rights, Log: log, BeforeReading: feed.Append})
		c, rep := w.Employer(t, world.Rome, world.Milan)
		intermediary := func(positions ...uuid.UUID) (access.Actor, uuid.UUID) {
			t.Helper()
			p, id := w.Professional(t)
			w.Delegation(t, id, c, nil, positions...)
			return w.enterDossier(w.Session(t, p.ID, nil), c.ID), id
		}
		inRome := c.Positions[0].ID
		asker, askersOffice := intermediary(inRome)
		other, _ := intermediary(inRome)
		both, _ := intermediary()
		worker := w.Person(t, nil)
		w.SubDelegation(t, askersOffice, worker.ID, nil)
		colleague := w.enterDossier(w.Session(t, worker.ID, nil), c.ID)
		in := about(c)
		opened, err := w.Tickets.File(asked("openTicket"), asker, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		in.Reserved = true
		reserved, err := w.Tickets.File(asked("openTicket"), asker, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			who  access.Actor
			sees bool
		}{
			"who asked": {asker, true}, "the representative": {rep, true}, "one of both positions": {both, false},
			"another of the position": {other, false}, "a colleague of who asked": {colleague, w.sees(colleague, reserved.ID)},
		} {
			listed, err := events.List(ctx, test.who, event.Query{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			told := map[string]bool{}
			for _, e := range listed.Items {
				told[e.SubjectID] = true
			}
			if !told[opened.ID.String()] || told[reserved.ID.String()] != test.sees || w.sees(test.who, reserved.ID) != test.sees {
				t.Errorf("%s is told %v, and shown %v", name, told, w.sees(test.who, reserved.ID))
			}
		}
	})
}

// sees reports whether a ticket is shown to somebody.
func (w *fixture) sees(by access.Actor, id uuid.UUID) bool {
	w.t.Helper()
	entered, err := w.enterTicket(by, id)
	if err == nil {
		_, err = w.Tickets.Show(ctx, entered, id)
	}
	return err == nil
}
