package appointment

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

func TestAppointment_MovesOrStays(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		old, next := a.slot(world.Rome, nextWeek, nil), a.slot(world.Rome, nextWeek.Add(24*time.Hour), nil)
		taken := a.slot(world.Rome, nextWeek.Add(2*time.Hour), nil)
		a.confirmed(a.citizen(), taken)
		other := a.slot(world.Rome, nextWeek.Add(3*time.Hour), func(o *Offer) { o.Topics = []string{"positions"} })
		v := a.confirmed(by, old)
		for name, test := range map[string]struct {
			to     uuid.UUID
			code   fault.Code
			detail string
		}{
			"taken": {taken, fault.SlotTaken, ""}, "the same": {old, fault.Invalid, "/slot_id same-slot"},
			"for another topic": {other, fault.Invalid, "/slot_id not-at-slot"},
			"none":              {uuid.Must(uuid.NewV7()), fault.Invalid, "/slot_id unknown-slot"},
		} {
			_, err := a.Reschedule(once(), by, v.ID, test.to)
			t.Run(name, func(t *testing.T) { refused(t, err, test.code, test.detail) })
			if now, _ := a.Show(once(), by, v.ID); now.SlotID != old || now.Version != v.Version {
				t.Errorf("%s: it was changed all the same", name)
			}
		}
		moved, err := a.Reschedule(once(), by, v.ID, next)
		if err != nil || moved.SlotID != next || moved.Now != Confirmed || moved.Sequence != v.Sequence+1 ||
			!moved.RemindAt.Equal(time.Date(2026, 3, 23, 8, 0, 0, 0, time.UTC)) {
			t.Fatalf("moved: %+v %v", moved, err)
		}
		if a.told("moved", by) != 1 {
			t.Error("not told")
		}
		a.book(a.citizen(), booking(old)) // it is free
		_, err = a.Book(once(), a.citizen(), booking(next))
		a.refused(err, fault.SlotTaken, "")
	})
}

// A booking that moves has no more time to be confirmed than before.
func TestAppointment_MovedUnconfirmedExpiresAsBefore(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		v := a.book(by, booking(a.slot(world.Rome, nextWeek, nil)))
		a.Clock.Advance(20 * time.Minute)
		moved, err := a.Reschedule(once(), by, v.ID, a.slot(world.Rome, nextWeek.Add(time.Hour), nil))
		if err != nil || moved.Now != Booked || !moved.ConfirmBy.Equal(v.ConfirmBy) {
			t.Fatalf("moved: %+v %v", moved, err)
		}
		soon := a.Clock.Now().Add(5 * time.Minute)
		if moved, err = a.Reschedule(once(), by, v.ID, a.slot(world.Rome, soon, nil)); err != nil || !moved.ConfirmBy.Equal(soon) {
			t.Errorf("moved to what begins soon: %+v %v", moved, err)
		}
		a.Clock.Advance(10 * time.Minute)
		_, err = a.Reschedule(once(), by, v.ID, a.slot(world.Rome, nextWeek.Add(2*time.Hour), nil))
		a.refused(err, fault.Conflict, "appointment-expired")
	})
}

// Who took a slot that expired unconfirmed keeps it, whoever moves to it at the same time; and two
// who want each other's place neither get it nor wait for each other for ever.
func TestAppointment_MovesAtOnceHoldOneSlotEach(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		const people = 8
		free := a.slot(world.Rome, nextWeek.Add(48*time.Hour), nil)
		a.book(a.citizen(), booking(free))
		slots, views, actors := make([]uuid.UUID, people), make([]View, people), make([]access.Actor, people)
		for i := range people {
			slots[i] = a.slot(world.Rome, nextWeek.Add(time.Duration(i)*time.Hour), nil)
			actors[i] = a.citizen()
			views[i] = a.confirmed(actors[i], slots[i])
		}
		a.Clock.Advance(30 * time.Minute) // the first booking is over
		errs := make([]error, people)
		var all sync.WaitGroup
		for i := range people {
			all.Go(func() {
				to := free
				if i%2 == 1 {
					to = slots[(i+2)%people]
				}
				_, errs[i] = a.Reschedule(once(), actors[i], views[i].ID, to)
			})
		}
		all.Wait()
		for i, err := range errs {
			if err != nil && !fault.Is(err, fault.SlotTaken) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if n := a.Count(t, "appointments WHERE slot_id = ? AND state = 'confirmed'", free); n != 1 {
			t.Errorf("%d moved to the slot that was free", n)
		}
		if n := a.Count(t, "appointments WHERE state = 'confirmed'"); n != people {
			t.Errorf("%d appointments are left", n)
		}
	})
}

func (a agenda) ticket(by access.Actor, change func(*ticket.New)) ticket.Ticket {
	a.t.Helper()
	in := ticket.New{ContributorID: by.ContributorID, Topic: byTicket, Subject: "F24 non abbinato", Text: "Il versamento non risulta.", Email: new("mario@posta.example")}
	if change != nil {
		change(&in)
	}
	opened, err := a.Tickets.File(once(), by, in, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return opened
}

func TestAppointment_IsAboutATicketThatWasNotAnswered(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c, by := a.Employer(t)
		opened := a.ticket(by, nil)
		in := Booking{SlotID: a.slot(world.Rome, nextWeek.Add(7*24*time.Hour), nil), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x"}
		_, err := a.Book(once(), by, in)
		a.refused(err, fault.Conflict, "ticket-without-appointment")
		a.Clock.Advance(calendar.DeadlineWorkingDays(opened.OpenedAt, 5).Sub(a.Clock.Now()))
		by = a.actorAgain(by)
		for name, test := range map[string]struct {
			change func(*Booking)
			detail string
		}{
			"another topic":       {func(b *Booking) { b.Topic = direct }, "/topic not-of-ticket"},
			"another contributor": {func(b *Booking) { b.ContributorID = new(uuid.Must(uuid.NewV7())) }, "/contributor_id not-of-ticket"},
			"another office":      {func(b *Booking) { b.SlotID = a.slot(world.Milan, nextWeek.Add(7*24*time.Hour), nil) }, "/slot_id not-of-ticket"},
		} {
			wrong := in
			test.change(&wrong)
			_, err := a.Book(once(), by, wrong)
			t.Run(name, func(t *testing.T) { refused(t, err, fault.Invalid, test.detail) })
		}
		_, err = a.Book(once(), a.citizen(), in)
		a.refused(err, fault.NotFound, "")
		v := a.book(by, in)
		if v.ContributorID == nil || *v.ContributorID != c.ID || *v.TicketID != opened.ID {
			t.Errorf("booked as %+v", v)
		}
		elsewhere := a.slot(world.Milan, nextWeek.Add(8*24*time.Hour), nil)
		_, err = a.Reschedule(once(), by, v.ID, elsewhere)
		a.refused(err, fault.Invalid, "/slot_id not-of-ticket")
	})
}

// A topic that is retired takes no new appointments. What was booked on it can still be moved, and a
// ticket on it still calls for one.
func TestAppointment_IsNotBookedOnARetiredTopic(t *testing.T) {
	for _, retired := range []string{direct, byTicket, heading} {
		each(t, func(_ *testing.T, a agenda) {
			_, by := a.Employer(t)
			opened := a.ticket(by, nil)
			mine := a.confirmed(by, a.slot(world.Rome, nextWeek.AddDate(0, 0, 7), nil))
			onTicket := Booking{
				SlotID: a.slot(world.Rome, nextWeek.AddDate(0, 0, 8), nil), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x",
			}
			a.Exec(t, "UPDATE ticket_topics SET retired = ? WHERE code = ?", true, retired)
			a.Clock.Advance(calendar.DeadlineWorkingDays(opened.OpenedAt, 5).Sub(a.Clock.Now()))
			next := a.slot(world.Rome, nextWeek.AddDate(0, 0, 9), nil)
			if retired != byTicket {
				_, err := a.Book(once(), a.citizen(), booking(next))
				a.refused(err, fault.Invalid, "/topic unknown-topic")
			}
			by = a.actorAgain(by)
			if _, err := a.Reschedule(once(), by, mine.ID, next); err != nil {
				a.t.Errorf("%s: %v", retired, err)
			}
			a.book(by, onTicket)
		})
	}
}

// A repeat is answered as it was, whatever became of the ticket and the slot since.
func TestAppointment_IsBookedOnceThoughItsTicketIsClosed(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		_, by := a.Employer(t)
		opened := a.ticket(by, nil)
		a.Clock.Advance(calendar.DeadlineWorkingDays(opened.OpenedAt, 5).Sub(a.Clock.Now()))
		by = a.actorAgain(by)
		in := Booking{SlotID: a.slot(world.Rome, nextWeek.Add(7*24*time.Hour), nil), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x"}
		key := func() context.Context {
			return idempotency.WithClaim(context.Background(), &idempotency.Claim{Scope: "s", Key: "k", Operation: "op", RequestMAC: "m"})
		}
		first, err := a.Book(key(), by, in)
		if err != nil {
			t.Fatal(err)
		}
		a.Must(t, func(ctx context.Context) error {
			_, err := a.Tickets.CloseInTx(ctx, opened.ID, ticket.Closure{Outcome: ticket.Accepted, Text: "x"}, a.Clock.Now())
			return err
		})
		a.Exec(t, "UPDATE tickets SET office_code = ?, topic = ? WHERE id = ?", world.Milan, direct, opened.ID)
		a.Exec(t, "UPDATE ticket_topics SET appointments = FALSE")
		if again, err := a.Book(key(), by, in); err != nil || again.ID != first.ID {
			t.Errorf("%v %v, want %v", again.ID, err, first.ID)
		}
	})
}

func TestAppointment_IsAboutATicketThatWasNotAccepted(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		_, by := a.Employer(t)
		for outcome, want := range map[ticket.Outcome]bool{ticket.NotAccepted: true, ticket.Accepted: false} {
			opened := a.ticket(by, nil)
			a.Must(t, func(ctx context.Context) error {
				_, err := a.Tickets.CloseInTx(ctx, opened.ID, ticket.Closure{Outcome: outcome, Text: "x"}, a.Clock.Now())
				return err
			})
			in := Booking{SlotID: a.slot(world.Rome, nextWeek, func(o *Offer) {
				if want {
					o.FirstDesk = 2
				}
			}), Topic: byTicket, TicketID: &opened.ID, Phone: "061234567", Notes: "x"}
			_, err := a.Book(once(), by, in)
			if want && err != nil {
				t.Errorf("%s: %v", outcome, err)
			} else if !want {
				a.refused(err, fault.Conflict, "ticket-without-appointment")
			}
		}
	})
}

// actorAgain lets somebody in anew, whose session may have ended.
func (a agenda) actorAgain(by access.Actor) access.Actor {
	a.t.Helper()
	again, err := a.Guard.Enter(context.Background(), a.Session(a.t, by.PersonID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		a.t.Fatal(err)
	}
	return again
}

func TestAppointment_AttendanceIsNotedOnceItBegan(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		v := a.confirmed(a.citizen(), a.slot(world.Rome, nextWeek, nil))
		unconfirmed := a.book(a.citizen(), booking(a.slot(world.Rome, nextWeek.Add(time.Hour), nil)))
		_, err := a.Attend(once(), a.desk(world.Rome), v.ID, true)
		a.refused(err, fault.Conflict, "appointment-not-begun")
		a.Clock.Advance(nextWeek.Add(2 * time.Hour).Sub(a.Clock.Now()))
		operator := a.desk(world.Rome)
		_, err = a.Attend(once(), a.desk(world.Milan), v.ID, true)
		a.refused(err, fault.NotFound, "")
		_, err = a.Attend(once(), operator, unconfirmed.ID, true)
		a.refused(err, fault.Conflict, "appointment-not-confirmed")
		for _, attended := range []bool{true, false} {
			marked, err := a.Attend(once(), operator, v.ID, attended)
			if err != nil || *marked.Attended != attended {
				t.Errorf("marked: %+v %v", marked, err)
			}
		}
		own := operator
		own.PersonID = v.PersonID
		_, err = a.Attend(once(), own, v.ID, true)
		a.refused(err, fault.Forbidden, "second-person")
	})
}

func TestAppointment_OfficeListsItsDay(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		later := a.confirmed(a.citizen(), a.slot(world.Rome, nextWeek.Add(time.Hour), nil))
		first := a.book(a.citizen(), booking(a.slot(world.Rome, nextWeek, nil)))
		a.book(a.citizen(), booking(a.slot(world.Rome, nextWeek.Add(24*time.Hour), nil)))
		a.book(a.citizen(), booking(a.slot(world.Milan, nextWeek, nil)))
		operator := a.desk(world.Rome)
		for state, want := range map[State][]uuid.UUID{"": {first.ID, later.ID}, Booked: {first.ID}, Confirmed: {later.ID}, Expired: nil} {
			found, err := a.OfOffice(once(), operator, OfficeFilter{Day: *date("2026-03-23"), State: state}, page.Request{})
			if err != nil || len(found.Items) != len(want) || len(want) > 0 && found.Items[0].ID != want[0] {
				t.Errorf("%q: %d listed: %v", state, len(found.Items), err)
			}
		}
	})
}

// Opening an appointment at the office is a look at who booked it; listing a day is none.
func TestAppointment_OpenedAtTheOfficeIsALook(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by, who := a.desk(world.Rome), a.citizen()
		held := a.book(who, booking(a.slot(world.Rome, nextWeek, nil)))
		looks := func() int {
			return a.Count(t, "staff_looks WHERE person_id = ? AND staff_id = ?", who.PersonID, by.PersonID)
		}
		if _, err := a.OfOffice(once(), by, OfficeFilter{Day: *date("2026-03-23")}, page.Request{Limit: 10}); err != nil || looks() != 0 {
			t.Errorf("%d looks by a list, %v", looks(), err)
		}
		if _, err := a.OpenAtOffice(once(), by, held.ID); err != nil || looks() != 1 {
			t.Errorf("%d looks, %v", looks(), err)
		}
		_, err := a.OpenAtOffice(once(), a.desk(world.Milan), held.ID)
		a.refused(err, fault.NotFound, "")
		if n := a.Count(t, "staff_looks"); n != 1 {
			t.Errorf("%d looks", n)
		}
	})
}
