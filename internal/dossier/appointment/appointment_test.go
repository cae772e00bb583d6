package appointment

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

func asFault(err error, into *fault.Fault) {
	var f *fault.Fault
	if errors.As(err, &f) {
		*into = *f
	}
}

// nextWeek is the Monday after the start, at nine in Rome.
var nextWeek = time.Date(2026, 3, 23, 8, 0, 0, 0, time.UTC)

func TestAppointment_IsBookedConfirmedAndCancelled(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		slot := a.slot(world.Rome, nextWeek, nil)
		v := a.book(by, booking(slot))
		if v.Now != Booked || !v.ConfirmBy.Equal(a.Clock.Now().Add(30*time.Minute)) || !v.StartsAt.Equal(nextWeek) || v.OfficeTitle != "Roma" {
			t.Errorf("booked as %+v", v)
		}
		confirmed, err := a.Confirm(once(), by, v.ID)
		if err != nil || confirmed.Now != Confirmed || confirmed.Sequence != v.Sequence+1 {
			t.Fatalf("confirmed: %+v %v", confirmed, err)
		}
		_, err = a.Confirm(once(), by, v.ID)
		a.refused(err, fault.Conflict, "appointment-confirmed")
		a.Clock.Advance(31 * time.Minute)
		if v, err = a.Show(once(), by, v.ID); err != nil || v.Now != Confirmed {
			t.Errorf("half an hour later it is %s %v", v.Now, err)
		}
		if v, err = a.Cancel(once(), by, v.ID); err != nil || v.Now != Cancelled {
			t.Fatalf("cancelled: %+v %v", v, err)
		}
		_, err = a.Cancel(once(), by, v.ID)
		a.refused(err, fault.Conflict, "appointment-cancelled")
		for _, kind := range []string{"booked", "confirmed", "cancelled"} {
			if a.told(kind, by) != 1 {
				t.Errorf("told %d times of %s", a.told(kind, by), kind)
			}
		}
		a.book(a.citizen(), booking(slot)) // it is free again
	})
}

func TestAppointment_IsOneASlot(t *testing.T) {
	each(t, func(_ *testing.T, a agenda) {
		slot := a.slot(world.Rome, nextWeek, nil)
		a.book(a.citizen(), booking(slot))
		_, err := a.Book(once(), a.citizen(), booking(slot))
		a.refused(err, fault.SlotTaken, "")
	})
}

// Two people never hold one slot, and everybody else is told that it is taken.
func TestAppointment_IsHeldByOneOfManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		const people = 200
		slot := a.slot(world.Rome, nextWeek, nil)
		actors := make([]access.Actor, people)
		for i := range actors {
			actors[i] = a.citizen()
		}
		errs := make([]error, people)
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range actors {
			all.Go(func() {
				<-begin
				_, errs[i] = a.Book(once(), actors[i], booking(slot))
			})
		}
		close(begin)
		all.Wait()
		held := 0
		for _, err := range errs {
			if err == nil {
				held++
			} else if !fault.Is(err, fault.SlotTaken) {
				t.Errorf("refused with %v", err)
			}
		}
		if rows := a.Count(t, "appointments"); held != 1 || rows != 1 {
			t.Errorf("%d hold the slot, %d rows", held, rows)
		}
	})
}

// The constraint carries it, whatever the program does.
func TestAppointment_DatabaseRefusesASecondHolder(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		v := a.book(a.citizen(), booking(a.slot(world.Rome, nextWeek, nil)))
		again := v.Appointment
		again.ID = uuid.Must(uuid.NewV7())
		a.Must(t, func(ctx context.Context) error {
			held, err := a.repo.add(ctx, again)
			if held {
				t.Error("a second one holds the slot")
			}
			return err
		})
	})
}

func TestAppointment_ExpiresUnconfirmed(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by, slot := a.citizen(), a.slot(world.Rome, nextWeek, nil)
		v := a.book(by, booking(slot))
		a.Clock.Advance(30*time.Minute - time.Microsecond)
		if v, _ = a.Show(once(), by, v.ID); v.Now != Booked {
			t.Errorf("before its time is over it is %s", v.Now)
		}
		a.Clock.Advance(time.Microsecond)
		// Nobody has noted it yet, and it is so all the same.
		v, err := a.Show(once(), by, v.ID)
		if err != nil || v.Now != Expired || v.State != Booked {
			t.Fatalf("it is %s %v", v.Now, err)
		}
		for state, want := range map[State]int{Booked: 0, Expired: 1, Confirmed: 0, "": 1} {
			if found, err := a.List(once(), by, Filter{State: state}, page.Request{}); err != nil || len(found.Items) != want {
				t.Errorf("%d listed as %q: %v", len(found.Items), state, err)
			}
		}
		if found, err := a.Slots(once(), world.Rome, SlotFilter{Free: true}, page.Request{}); err != nil || len(found.Items) != 1 {
			t.Errorf("the slot is not free: %v %v", found, err)
		}
		_, err = a.Confirm(once(), by, v.ID)
		a.refused(err, fault.Conflict, "appointment-expired")
		// Who takes the slot ends it in the same transaction.
		a.book(a.citizen(), booking(slot))
		if v, _ = a.Show(once(), by, v.ID); v.State != Expired || !v.EndedAt.Equal(v.ConfirmBy) {
			t.Errorf("it was written as %s", v.State)
		}
		a.due.CatchUp(once())
		if a.told("expired", by) != 1 || a.traced("expireAppointment") != 1 {
			t.Errorf("told %d times, traced %d times", a.told("expired", by), a.traced("expireAppointment"))
		}
	})
}

func TestAppointment_ExpiryIsNotedOnce(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		v := a.book(by, booking(a.slot(world.Rome, nextWeek, nil)))
		a.due.CatchUp(once())
		a.Clock.Advance(time.Hour)
		for range 3 {
			a.due.CatchUp(once())
		}
		if v, _ = a.Show(once(), by, v.ID); v.State != Expired || a.told("expired", by) != 1 || a.traced("expireAppointment") != 1 {
			t.Errorf("%s, told %d times, traced %d times", v.State, a.told("expired", by), a.traced("expireAppointment"))
		}
		if n := a.Count(t, "audit_records WHERE operation = 'expireAppointment' AND at = ?", v.ConfirmBy); n != 1 {
			t.Error("the record is not dated at the end")
		}
	})
}

// Two processes that note what is due, and one that is interrupted before its end, tell of it once.
func TestAppointment_ExpiryIsNotedOnceByManyProcesses(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		a.book(by, booking(a.slot(world.Rome, nextWeek, nil)))
		a.due.CatchUp(once())
		a.Clock.Advance(time.Hour)
		source := a.Ends()[0]
		interrupted := errors.New("the process ends here")
		err := a.DB.InTx(once(), func(ctx context.Context) error {
			if _, err := source.Do(ctx, due.Through(world.Start), a.Clock.Now()); err != nil {
				return err
			}
			return interrupted
		})
		if !errors.Is(err, interrupted) || a.told("expired", by) != 0 {
			t.Fatalf("%v, told %d times", err, a.told("expired", by))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { a.due.CatchUp(once()) })
		}
		all.Wait()
		if a.told("expired", by) != 1 || a.traced("expireAppointment") != 1 {
			t.Errorf("told %d times, traced %d times", a.told("expired", by), a.traced("expireAppointment"))
		}
	})
}

// A booking shortly before the slot holds it until it begins, and no longer.
func TestAppointment_IsHeldUntilItBegins(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		starts := a.Clock.Now().Add(10 * time.Minute)
		v := a.book(a.citizen(), booking(a.slot(world.Rome, starts, nil)))
		if !v.ConfirmBy.Equal(starts) {
			t.Errorf("held until %s", v.ConfirmBy)
		}
	})
}

func TestAppointment_IsNotBookedInABegunSlot(t *testing.T) {
	each(t, func(_ *testing.T, a agenda) {
		starts := a.Clock.Now().Add(time.Minute)
		slot, by := a.slot(world.Rome, starts, nil), a.citizen()
		mine := a.confirmed(a.citizen(), a.slot(world.Rome, starts, func(o *Offer) { o.FirstDesk = 2 }))
		a.Clock.Advance(starts.Sub(a.Clock.Now()))
		_, err := a.Book(once(), by, booking(slot))
		a.refused(err, fault.Conflict, "slot-begun")
		_, err = a.Cancel(once(), access.Actor{PersonID: mine.PersonID}, mine.ID)
		a.refused(err, fault.Conflict, "appointment-begun")
	})
}

func TestAppointment_RefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by, slot := a.citizen(), a.slot(world.Rome, nextWeek, nil)
		c, _ := a.Employer(t)
		nobody := uuid.Must(uuid.NewV7())
		for name, test := range map[string]struct {
			change func(*Booking)
			code   fault.Code
			detail string
		}{
			"no slot":                 {func(b *Booking) { b.SlotID = nobody }, fault.Invalid, "/slot_id unknown-slot"},
			"no topic":                {func(b *Booking) { b.Topic = "x" }, fault.Invalid, "/topic unknown-topic"},
			"a heading":               {func(b *Booking) { b.Topic = heading }, fault.Invalid, "/ticket_id ticket-needed"},
			"not for the topic":       {func(b *Booking) { b.Topic = "positions-registration" }, fault.Invalid, "/topic not-at-slot"},
			"takes a ticket":          {func(b *Booking) { b.Topic = byTicket }, fault.Invalid, "/ticket_id ticket-needed"},
			"no ticket":               {func(b *Booking) { b.TicketID = &nobody }, fault.NotFound, ""},
			"no phone":                {func(b *Booking) { b.Phone = " " }, fault.Invalid, "/phone pattern"},
			"no notes":                {func(b *Booking) { b.Notes = "" }, fault.Invalid, "/notes pattern"},
			"another's contributor":   {func(b *Booking) { b.ContributorID = &c.ID }, fault.NotFound, ""},
			"contributor there isn't": {func(b *Booking) { b.ContributorID = &nobody }, fault.NotFound, ""},
		} {
			in := booking(slot)
			test.change(&in)
			_, err := a.Book(once(), by, in)
			t.Run(name, func(t *testing.T) { refused(t, err, test.code, test.detail) })
		}
		if n := a.Count(t, "appointments"); n != 0 {
			t.Errorf("%d were booked", n)
		}
	})
}

func TestAppointment_IsOneForAPersonContributorAndTopic(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c, by := a.Employer(t)
		slot := func(n int) uuid.UUID { return a.slot(world.Rome, nextWeek.Add(time.Duration(n)*time.Hour), nil) }
		first := a.book(by, booking(slot(0)))
		_, err := a.Book(once(), by, booking(slot(1)))
		a.refused(err, fault.Conflict, "appointment-exists")
		in := booking(slot(2))
		in.ContributorID = &c.ID
		a.book(by, in) // for the contributor it is another affair
		a.Clock.Advance(30 * time.Minute)
		if first, _ = a.Show(once(), by, first.ID); first.Now != Expired {
			t.Fatal("not expired")
		}
		a.book(by, booking(slot(3))) // what expired is none any more
	})
}

func TestAppointment_FiveAreToCome(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		topics := []string{direct, "payments-instalments", "payments-overdue"}
		companies := []uuid.UUID{uuid.Nil}
		for range 2 {
			c := a.Company(t, world.Rome)
			a.Role(t, by.PersonID, c.ID, access.LegalRepresentative)
			companies = append(companies, c.ID)
		}
		n := 0
		for _, c := range companies {
			for _, topic := range topics {
				in := booking(a.slot(world.Rome, nextWeek.Add(time.Duration(n)*time.Hour), nil))
				if in.Topic = topic; c != uuid.Nil {
					in.ContributorID = &c
				}
				_, err := a.Book(once(), by, in)
				if n++; n <= 5 {
					if err != nil {
						t.Fatal(err)
					}
					continue
				}
				a.refused(err, fault.Conflict, "too-many-open")
			}
		}
	})
}

func TestAppointment_OfAContributorTakesItsDossier(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c, by := a.Employer(t)
		in := booking(a.slot(world.Rome, nextWeek, nil))
		in.ContributorID = &c.ID
		payments := a.colleague(c.ID, access.EmployeeDelegate, access.Declarations)
		_, err := a.Book(once(), payments, in)
		a.refused(err, fault.ServiceNotDelegated, "")
		users := a.colleague(c.ID, access.UserAdministrator)
		_, err = a.Book(once(), users, in)
		a.refused(err, fault.Forbidden, "right-looks")
		v := a.book(by, in)
		if v.ContributorID == nil || *v.ActingAs != string(access.LegalRepresentative) {
			t.Errorf("booked by %v", v.ActingAs)
		}
		dossier := a.colleague(c.ID, access.EmployeeDelegate, access.Dossier)
		for name, test := range map[string]struct {
			who  access.Actor
			sees bool
		}{
			"who booked it": {by, true}, "a colleague with the dossier": {dossier, true}, "a user administrator": {users, true},
			"a colleague without": {payments, false}, "a stranger": {a.citizen(), false},
		} {
			_, err := a.Show(once(), test.who, v.ID)
			if (err == nil) != test.sees || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
			found, err := a.List(once(), test.who, Filter{ContributorID: &c.ID}, page.Request{})
			if err != nil || len(found.Items) != map[bool]int{true: 1}[test.sees] {
				t.Errorf("%s lists %d: %v", name, len(found.Items), err)
			}
		}
		_, err = a.Cancel(once(), users, v.ID)
		a.refused(err, fault.Forbidden, "right-looks")
		if _, err := a.Confirm(once(), dossier, v.ID); err != nil || a.told("confirmed", by) != 1 {
			t.Errorf("the colleague confirms: %v, who booked was told %d times", err, a.told("confirmed", by))
		}
	})
}

// Who acts for the contributor no more sees what they booked, and may only cancel it.
func TestAppointment_OfWhoLostTheirRightIsCancelledAtMost(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		c := a.Company(t, world.Rome)
		p := a.Person(t, nil)
		role := a.Role(t, p.ID, c.ID, access.EmployeeDelegate)
		by := a.actor(p)
		in := booking(a.slot(world.Rome, nextWeek, nil))
		in.ContributorID = &c.ID
		v := a.book(by, in)
		a.WithdrawRole(t, role)
		if _, err := a.Show(once(), by, v.ID); err != nil {
			t.Error(err)
		}
		_, err := a.Confirm(once(), by, v.ID)
		a.refused(err, fault.ServiceNotDelegated, "")
		_, err = a.Reschedule(once(), by, v.ID, a.slot(world.Rome, nextWeek.Add(time.Hour), nil))
		a.refused(err, fault.ServiceNotDelegated, "")
		if _, err := a.Cancel(once(), by, v.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestAppointment_RemindsTheDayBeforeAtNine(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		// Summer time begins the day before: nine in Rome is seven.
		starts := time.Date(2026, 3, 30, 8, 0, 0, 0, time.UTC)
		by, other, unconfirmed := a.citizen(), a.citizen(), a.citizen()
		a.confirmed(by, a.slot(world.Rome, starts, nil))
		gone := a.confirmed(other, a.slot(world.Rome, starts, func(o *Offer) { o.FirstDesk = 2 }))
		a.book(unconfirmed, booking(a.slot(world.Rome, starts, func(o *Offer) { o.FirstDesk = 3 })))
		if _, err := a.Cancel(once(), other, gone.ID); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 29, 7, 0, 0, 0, time.UTC)
		a.Clock.Advance(at.Add(-time.Second).Sub(a.Clock.Now()))
		a.due.CatchUp(once())
		if a.told("reminder", by) != 0 {
			t.Error("reminded too early")
		}
		a.Clock.Advance(at.Sub(a.Clock.Now()))
		for range 2 {
			a.due.CatchUp(once())
		}
		if a.told("reminder", by) != 1 || a.told("reminder", other) != 0 || a.told("reminder", unconfirmed) != 0 {
			t.Errorf("reminded %d, %d and %d times", a.told("reminder", by), a.told("reminder", other), a.told("reminder", unconfirmed))
		}
		if n := a.Count(t, "outbox WHERE kind = 'appointment.reminder' AND deadline_at = ?", starts); n != 1 {
			t.Error("the reminder may come after the appointment")
		}
	})
}

// What is noted late reminds of nothing that has begun.
func TestAppointment_IsNotRemindedOfLate(t *testing.T) {
	each(t, func(t *testing.T, a agenda) {
		by := a.citizen()
		a.confirmed(by, a.slot(world.Rome, nextWeek, nil))
		a.Clock.Advance(nextWeek.Sub(a.Clock.Now()))
		a.due.CatchUp(once())
		if a.told("reminder", by) != 0 {
			t.Error("reminded of what has begun")
		}
	})
}

func TestAppointment_RemindAtIsToCome(t *testing.T) {
	now := time.Date(2026, 10, 24, 7, 0, 0, 0, time.UTC)
	for starts, want := range map[string]string{
		"2026-10-26T09:00:00Z": "2026-10-25T08:00:00Z", // winter time from that Sunday on
		"2026-10-25T09:00:00Z": "",                     // that would be at this moment
		"2026-10-24T09:00:00Z": "",
	} {
		at, err := time.Parse(time.RFC3339, starts)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if remind := remindAt(at, now); remind != nil {
			got = remind.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", starts, got, want)
		}
	}
	if calendar.DateIn(now).String() != "2026-10-24" {
		t.Error("the test is about another day")
	}
}
