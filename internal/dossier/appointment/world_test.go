package appointment

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// direct is a topic on which an appointment is booked without a ticket, byTicket one on which not.
const (
	direct   = "payments-refunds"
	heading  = "payments"
	byTicket = "payments-f24"
)

type agenda struct {
	t *testing.T
	*world.App
	*Service
	due *due.Scheduler
}

func each(t *testing.T, test func(t *testing.T, a agenda)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newAgenda(t, d)) })
}

func newAgenda(t *testing.T, d *db.DB) agenda {
	t.Helper()
	w := world.New(t, d)
	people := person.NewService(person.Deps{Runner: w.Runner})
	looks := look.NewService(look.Deps{DB: d, Clock: w.Clock, Trail: w.Runner.Trail, Staff: people, Outbox: w.Outbox})
	a := agenda{t: t, App: w, Service: NewService(Deps{
		Runner: w.Runner, Rights: w.Rights, Outbox: w.Outbox, Looks: looks, PublicURL: world.PublicURL,
	})}
	a.due = due.NewScheduler(d, w.Clock, nil, a.Ends()...)
	if err := a.due.Begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	return a
}

// desk is an operator of the office.
func (a agenda) desk(office string) access.Actor {
	a.t.Helper()
	return a.actor(a.Operator(a.t, office))
}

func (a agenda) actor(p world.Person) access.Actor {
	a.t.Helper()
	actor, err := a.Guard.Enter(context.Background(), a.Session(a.t, p.ID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		a.t.Fatal(err)
	}
	return actor
}

// citizen is somebody with nothing but themselves.
func (a agenda) citizen() access.Actor {
	a.t.Helper()
	return a.actor(a.Person(a.t, nil))
}

// colleague is somebody with a role at the contributor.
func (a agenda) colleague(contributorID uuid.UUID, role access.ActingAs, services ...access.Service) access.Actor {
	a.t.Helper()
	by := a.citizen()
	a.Role(a.t, by.PersonID, contributorID, role, services...)
	return by
}

// once is a context with an idempotency key of its own.
func once() context.Context {
	return idempotency.WithClaim(context.Background(), nil)
}

// slot publishes an hour at the office and returns its id.
func (a agenda) slot(office string, startsAt time.Time, change func(*Offer)) uuid.UUID {
	a.t.Helper()
	ends := startsAt.Add(30 * time.Minute)
	o := Offer{Channel: Counter, Topics: []string{heading}, StartsAt: &startsAt, EndsAt: &ends}
	if change != nil {
		change(&o)
	}
	by := a.desk(office)
	if _, err := a.Publish(once(), by, office, o); err != nil {
		a.t.Fatal(err)
	}
	found, err := a.repo.between(once(), office, startsAt, ends)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, s := range found {
		if s.StartsAt.Equal(startsAt) && s.Desk == max(o.FirstDesk, 1) {
			return s.ID
		}
	}
	a.t.Fatal("the slot was not published")
	return uuid.Nil
}

// booking asks for a slot for oneself.
func booking(slotID uuid.UUID) Booking {
	return Booking{SlotID: slotID, Topic: direct, Phone: "+393331234567", Notes: "Porto le ricevute"}
}

func (a agenda) book(by access.Actor, in Booking) View {
	a.t.Helper()
	v, err := a.Book(once(), by, in)
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

func (a agenda) confirmed(by access.Actor, slotID uuid.UUID) View {
	a.t.Helper()
	v, err := a.Confirm(once(), by, a.book(by, booking(slotID)).ID)
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

// told counts the messages of a kind to somebody.
func (a agenda) told(kind string, to access.Actor) int {
	a.t.Helper()
	return a.Count(a.t, "outbox WHERE kind = ? AND person_id = ?", "appointment."+kind, to.PersonID)
}

// traced counts the records of an operation.
func (a agenda) traced(operation string) int {
	a.t.Helper()
	return a.Count(a.t, "audit_records WHERE operation = ?", operation)
}

// refused fails the test unless the error is a fault of the code, with the reason or the field.
func (a agenda) refused(err error, code fault.Code, detail string) {
	a.t.Helper()
	refused(a.t, err, code, detail)
}

func refused(t *testing.T, err error, code fault.Code, detail string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("%v, want %s %s", err, code, detail)
	}
	f := fault.Fault{}
	if asFault(err, &f); detail == "" || f.Reason == detail {
		return
	}
	for _, field := range f.Fields {
		if field.Pointer+" "+field.Code == detail {
			return
		}
	}
	t.Errorf("%v %+v, want %s", err, f.Fields, detail)
}
