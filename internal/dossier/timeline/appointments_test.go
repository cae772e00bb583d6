package timeline_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/appointment"
	"diresco/internal/dossier/timeline"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/due"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// doing is a context of a request for the operation, with a key of its own.
func doing(operation string) context.Context { return idempotency.WithClaim(asked(operation), nil) }

// Appointments are told as the agenda traces them, to who has the dossier of all positions.
func TestTimeline_TellsWhatBecameOfAppointments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		agenda := appointment.NewService(appointment.Deps{Runner: a.Runner, Rights: a.Rights, Outbox: a.Outbox, PublicURL: world.PublicURL})
		ends := due.NewScheduler(d, a.Clock, nil, agenda.Ends()...)
		if err := ends.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		c, by := a.Employer(t, world.Rome, world.Milan)
		desk := a.Desk(t, world.Rome, c.ID)
		day := a.Clock.Now().AddDate(0, 0, 14).Truncate(24 * time.Hour).Add(9 * time.Hour)
		var slots []uuid.UUID
		for i := range 5 {
			starts := day.Add(time.Duration(i) * time.Hour)
			finish := starts.Add(30 * time.Minute)
			if _, err := agenda.Publish(doing("publishSlots"), desk, world.Rome, appointment.Offer{
				Channel: appointment.Counter, Topics: []string{"payments"}, StartsAt: &starts, EndsAt: &finish,
			}); err != nil {
				t.Fatal(err)
			}
			var ids []uuid.UUID
			if err := d.From(ctx).Raw("SELECT id FROM appointment_slots WHERE starts_at = ?", starts.UTC()).Scan(&ids).Error; err != nil {
				t.Fatal(err)
			}
			slots = append(slots, ids...)
		}
		book := func(i int, contributorID *uuid.UUID) appointment.View {
			t.Helper()
			a.Clock.Advance(time.Second)
			v, err := agenda.Book(doing("bookAppointment"), by, appointment.Booking{
				SlotID: slots[i], Topic: "payments-refunds", Phone: "+393331234567", Notes: "x", ContributorID: contributorID,
			})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		must := func(_ any, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			a.Clock.Advance(time.Second)
		}
		book(4, nil)
		first := book(0, &c.ID)
		must(agenda.Confirm(doing("confirmAppointment"), by, first.ID))
		must(agenda.Reschedule(doing("rescheduleAppointment"), by, first.ID, slots[1]))
		must(agenda.Cancel(doing("cancelAppointment"), by, first.ID))
		book(2, &c.ID)
		must(agenda.Withdraw(doing("withdrawSlot"), desk, slots[2], "Sciopero"))
		book(3, &c.ID)
		a.Clock.Advance(72 * time.Hour)
		ends.CatchUp(ctx)
		me := by.PersonID.String()
		want := []told{
			{timeline.AppointmentBooked, "booked", me},
			{timeline.AppointmentConfirmed, "confirmed", me},
			{timeline.AppointmentMoved, "", me},
			{timeline.AppointmentCancelled, "cancelled", me},
			{timeline.AppointmentBooked, "booked", me},
			{timeline.AppointmentWithdrawn, "cancelled", world.Rome},
			{timeline.AppointmentBooked, "booked", me},
			{timeline.AppointmentExpired, "expired", "nobody"},
		}
		same(t, "appointments", want, short(t, s, by, timeline.Filter{Kind: timeline.Appointment}))
		for _, e := range list(t, s, by, timeline.Filter{}) {
			if e.Kind != timeline.Appointment || e.Code != "payments-refunds" {
				t.Errorf("%+v", e)
			}
		}
		with := func(r access.Right) access.Actor {
			r.ContributorID = c.ID
			return access.Actor{PersonID: by.PersonID, ContributorID: c.ID, Rights: []access.Right{r}}
		}
		for what, of := range map[string]struct {
			by   access.Actor
			want int
		}{
			"the office": {desk, 8}, "another office": {a.Desk(t, world.Milan, c.ID), 0},
			"without the dossier": {with(access.Right{ActingAs: access.EmployeeDelegate, Services: world.Services(access.Declarations)}), 0},
			"one position": {with(access.Right{
				ActingAs: access.Intermediary, Services: world.Services(access.Dossier), Positions: []uuid.UUID{c.Positions[0].ID},
			}), 0},
		} {
			if got := list(t, s, of.by, timeline.Filter{Kind: timeline.Appointment}); len(got) != of.want {
				t.Errorf("%s sees %d entries, want %d", what, len(got), of.want)
			}
		}
	})
}

// An intermediary does not see what others asked the system for, but what all share.
func TestTimeline_HidesSmartTasksOfOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome)
		position := &c.Positions[0].ID
		for _, reserved := range []bool{true, false} {
			id := ticket(t, a, by, c, "smart_task", position)
			a.Exec(t, "UPDATE tickets SET reserved = ? WHERE id = ?", reserved, id)
			record(t, a, by, "requestSmartTask", access.WatchedTicket, "done", c.ID, id)
		}
		limited := func(rightID, personID uuid.UUID) access.Actor {
			return access.Actor{PersonID: personID, ContributorID: c.ID, Rights: []access.Right{{
				ID: rightID, ContributorID: c.ID, ActingAs: access.Intermediary, Services: world.Services(access.Dossier),
				Positions: []uuid.UUID{*position},
			}}}
		}
		for what, of := range map[string]struct {
			by   access.Actor
			want int
		}{
			"who manages it": {by, 2}, "another intermediary": {limited(uuid.New(), uuid.New()), 1},
			"who shares the right": {limited(by.Rights[0].ID, uuid.New()), 2}, "who asked": {limited(uuid.New(), by.PersonID), 2},
			"the office": {a.Desk(t, world.Rome, c.ID), 2},
		} {
			if got := list(t, s, of.by, timeline.Filter{}); len(got) != of.want {
				t.Errorf("%s sees %d entries, want %d", what, len(got), of.want)
			}
		}
	})
}

// What was filed with an ordinary PIN is told as what waits, and once more when it waits no more.
func TestTimeline_TellsWhichEnrolmentsWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		s := newService(a)
		c, by := a.Employer(t, world.Rome)
		now := a.Clock.Now()
		for _, awaited := range []bool{true, false} {
			id := uuid.Must(uuid.NewV7())
			a.Exec(t, `INSERT INTO enrolments (id, form, person_id, contributor_id, office_code, services, protocol_number, digest, awaited,
				state, submitted_at, decided_by, decided_at, version) VALUES ( ?, 'SC65', ?, ?, ?, '[]', 'x', 'x', ?, 'accepted', ?, ?, ?, 1)`,
				id, by.PersonID, c.ID, world.Rome, awaited, now, by.PersonID, now)
			a.Clock.Advance(time.Minute)
			record(t, a, by, "fileEnrolment", "enrolment", "done", c.ID, id)
			if awaited {
				a.Clock.Advance(time.Minute)
				record(t, a, access.Actor{}, "completeEnrolment", "enrolment", "done", c.ID, id)
			}
		}
		me := by.PersonID.String()
		same(t, "enrolments", []told{
			{timeline.EnrolmentAwaitingCredentials, "awaiting_credentials", me},
			{timeline.EnrolmentSubmitted, "submitted", "nobody"},
			{timeline.EnrolmentSubmitted, "submitted", me},
		}, short(t, s, by, timeline.Filter{Kind: timeline.Enrolment}))
	})
}
