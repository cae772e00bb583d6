package enrolment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/review"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App in which people ask for access to contributors.
type fixture struct {
	*world.App
	t       *testing.T
	people  *person.Service
	service *enrolment.Service
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, t: t, people: person.NewService(person.Deps{Runner: a.Runner})}
	w.service = enrolment.NewService(enrolment.Deps{
		Runner: a.Runner, Register: a.NewRegister(t), Outbox: a.Outbox, Contributors: a.Contributors, People: w.people,
		Looks: look.NewService(look.Deps{DB: a.DB, Clock: a.Clock, Trail: a.Runner.Trail, Staff: w.people, Outbox: a.Outbox}),
	})
	return w
}

// contributor adds one of a kind, with a position at each of the offices.
func (w *fixture) contributor(kind contributor.Kind, offices ...string) world.Company {
	w.t.Helper()
	c := w.Company(w.t, offices...)
	w.Exec(w.t, "UPDATE contributors SET kind = ? WHERE id = ?", kind, c.ID)
	c.Kind = kind
	return c
}

func (w *fixture) citizen(level access.CredentialLevel) access.Actor {
	w.t.Helper()
	return w.enter(w.Person(w.t, func(p *world.Person) { p.CredentialLevel = level }).ID)
}

func (w *fixture) operator(office string) access.Actor {
	w.t.Helper()
	return w.enter(w.Operator(w.t, office).ID)
}

func (w *fixture) enter(personID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// sc65 and ra012 are requests for a contributor.
func sc65(c world.Company) enrolment.Input {
	return enrolment.Input{Form: enrolment.SC65, ContributorTaxCode: c.TaxCode}
}

func ra012(c world.Company, services ...access.Service) enrolment.Input {
	return enrolment.Input{Form: enrolment.RA012, ContributorTaxCode: c.TaxCode, Services: services}
}

// at is a request that names the office.
func at(c world.Company, office string) enrolment.Input {
	in := sc65(c)
	in.OfficeCode = office
	return in
}

func (w *fixture) file(by access.Actor, in enrolment.Input) enrolment.Details {
	w.t.Helper()
	h, err := w.service.File(asked("fileEnrolment"), by, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func (w *fixture) decide(by access.Actor, id uuid.UUID, outcome review.Outcome) enrolment.Details {
	w.t.Helper()
	w.Clock.Advance(time.Second)
	h, err := w.service.Decide(asked("decideEnrolment"), by, id, review.Decision{Outcome: outcome, Reason: "Incarico documentato"})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// becomesDispositive makes somebody's credentials dispositive, as an office does.
func (w *fixture) becomesDispositive(by access.Actor) {
	w.t.Helper()
	w.Must(w.t, func(ctx context.Context) error {
		if _, err := w.people.MakeDispositive(ctx, by.PersonID); err != nil {
			return err
		}
		return w.service.CompleteFor(ctx, by.PersonID)
	})
}

func (w *fixture) state(by access.Actor, id uuid.UUID) enrolment.State {
	w.t.Helper()
	h, err := w.service.Show(ctx, by, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.State
}

// rights are what a person's roles give at a contributor.
func (w *fixture) rights(by access.Actor, c world.Company) []access.Right {
	w.t.Helper()
	rights, err := w.Contributors.RightsOf(ctx, by.PersonID, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range rights {
		rights[i].ID = uuid.Nil
	}
	return rights
}

// messages lists what was promised to a person, in order.
func (w *fixture) messages(personID uuid.UUID) []string {
	w.t.Helper()
	var kinds []string
	if err := w.DB.From(ctx).Raw(
		"SELECT kind FROM outbox WHERE person_id = ? ORDER BY created_at, id", personID,
	).Scan(&kinds).Error; err != nil {
		w.t.Fatal(err)
	}
	return kinds
}

// data returns that of the last message that was promised to a person.
func (w *fixture) data(personID uuid.UUID) string {
	w.t.Helper()
	var data string
	if err := w.DB.From(ctx).Raw(
		"SELECT data FROM outbox WHERE person_id = ? ORDER BY created_at DESC, id DESC LIMIT 1", personID,
	).Scan(&data).Error; err != nil {
		w.t.Fatal(err)
	}
	return data
}

// asked returns a context as the edge makes it for an operation of the contract.
func asked(operation string) context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}

// withKey returns a context as the edge makes it for a request with an idempotency key.
func withKey(by access.Actor, key string) context.Context {
	return idempotency.WithClaim(asked("fileEnrolment"), &idempotency.Claim{
		Scope: by.PersonID.String(), Operation: "fileEnrolment", Key: key, RequestMAC: "same",
	})
}

// refused checks that an error is a fault of the kind, with these fields (pointer and code in
// turn).
func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var want []fault.Field
	for i := 0; i < len(fields); i += 2 {
		want = append(want, fault.Field{Pointer: fields[i], Code: fields[i+1]})
	}
	if diff := cmp.Diff(want, f.Fields); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func conflict(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Errorf("%s: %v, want a conflict: %s", what, err, reason)
	}
}
