package appointment

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/test/world"
)

// The feed tells of an appointment who may see it, and nobody else.
func TestAppointment_EventsReachWhoSeesIt(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		feed := event.NewFeed(event.Deps{DB: a.DB, Clock: a.Clock, Log: log})
		events := event.NewService(event.ServiceDeps{Feed: feed, Rights: a.Rights, Log: log, BeforeReading: feed.Append})
		c, rep := a.Employer(t, world.Rome, world.Milan)
		inRome, inMilan := c.Positions[0].ID, c.Positions[1].ID
		intermediary := func(positions ...uuid.UUID) access.Actor {
			t.Helper()
			p, id := a.Professional(t)
			a.Delegation(t, id, c, nil, positions...)
			return a.actor(p)
		}
		booker, neighbour, elsewhere, both := intermediary(inRome), intermediary(inRome), intermediary(inMilan), intermediary()
		gone := intermediary(inRome)
		opened := a.ticket(rep, func(in *ticket.New) { in.PositionID = &inRome })
		a.Clock.Advance(calendar.DeadlineWorkingDays(opened.OpenedAt, 5).Sub(a.Clock.Now()))
		again := func(by *access.Actor) { *by = a.actorAgain(*by) }
		for _, by := range []*access.Actor{&rep, &booker, &neighbour, &elsewhere, &both, &gone} {
			again(by)
		}
		in := Booking{SlotID: a.slot(world.Rome, nextWeek.AddDate(0, 0, 7), nil), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x"}
		ctx := requested("bookAppointment")
		v, err := a.Book(ctx, booker, in)
		if err != nil {
			t.Fatal(err)
		}
		in.SlotID = a.slot(world.Rome, nextWeek.AddDate(0, 0, 8), nil)
		lost, err := a.Book(ctx, gone, in)
		if err != nil {
			t.Fatal(err)
		}
		a.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", a.Clock.Now(), *lost.RightID)
		for name, test := range map[string]struct {
			who  access.Actor
			sees []uuid.UUID
		}{
			"the representative": {rep, []uuid.UUID{v.ID, lost.ID}}, "who booked it": {booker, []uuid.UUID{v.ID}},
			"an intermediary of the position": {neighbour, nil}, "one of another position": {elsewhere, nil},
			"one of both positions": {both, nil}, "who acts no more": {gone, []uuid.UUID{lost.ID}},
			"a stranger": {a.citizen(), nil},
		} {
			told := map[string]bool{}
			listed, err := events.List(context.Background(), test.who, event.Query{Limit: 100, Types: []event.Type{event.AppointmentBooked}})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range listed.Items {
				told[e.SubjectID] = true
			}
			if len(told) != len(test.sees) {
				t.Errorf("%s is told of %d", name, len(told))
			}
			for _, id := range []uuid.UUID{v.ID, lost.ID} {
				if _, err := a.Show(once(), test.who, id); (err == nil) != told[id.String()] {
					t.Errorf("%s is told %v, and shown %v", name, told[id.String()], err)
				}
			}
			for _, id := range test.sees {
				if !told[id.String()] {
					t.Errorf("%s is not told", name)
				}
			}
		}
	})
}

// Nobody books about a ticket that they do not see.
func TestAppointment_IsNotAboutAReservedTicketOfAnother(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c, rep := a.Employer(t, world.Rome)
		asker, askerID := a.Professional(t)
		a.Delegation(t, askerID, c, nil, c.Positions[0].ID)
		other, otherID := a.Professional(t)
		a.Delegation(t, otherID, c, nil, c.Positions[0].ID)
		opened := a.ticket(rep, func(in *ticket.New) { in.PositionID = &c.Positions[0].ID })
		a.Exec(t, "UPDATE tickets SET reserved = ?, person_id = ? WHERE id = ?", true, asker.ID, opened.ID)
		a.Clock.Advance(calendar.DeadlineWorkingDays(opened.OpenedAt, 5).Sub(a.Clock.Now()))
		in := Booking{SlotID: a.slot(world.Rome, nextWeek.AddDate(0, 0, 7), nil), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x"}
		_, err := a.Book(once(), a.actor(other), in)
		a.refused(err, fault.NotFound, "")
		a.book(a.actor(asker), in)
	})
}

// requested is the context of a request for the operation.
func requested(operation string) context.Context {
	return audit.WithOrigin(once(), audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}
