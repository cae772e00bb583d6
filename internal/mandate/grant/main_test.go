package grant_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/mandate/grant"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var (
	ctx = context.Background()
	// giving and searching are what is counted.
	giving    = audit.WithOrigin(ctx, audit.Origin{Operation: "grantContributorRole"})
	searching = audit.WithOrigin(ctx, audit.Origin{Operation: "searchPeopleForRole"})
)

// fixture is an App with a company whose users are managed.
type fixture struct {
	*world.App
	t       *testing.T
	people  *person.Service
	users   *grant.Service
	company world.Company
	// rep is the company's legal representative.
	rep access.Actor
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, t: t, people: person.NewService(person.Deps{Runner: a.Runner})}
	w.users = grant.NewService(grant.Deps{
		Runner: a.Runner, People: w.people, Outbox: a.Outbox,
	})
	w.company = a.Company(t, world.Rome)
	w.rep = w.with(access.LegalRepresentative)
	return w
}

// confirmed adds a person with dispositive credentials who confirmed their identity.
func (w *fixture) confirmed() world.Person {
	w.t.Helper()
	p := w.Person(w.t, nil)
	w.confirm(p.ID)
	return p
}

func (w *fixture) confirm(personID uuid.UUID) {
	w.t.Helper()
	w.Exec(w.t, "UPDATE people SET identity_confirmed_at = ? WHERE id = ?", w.Clock.Now(), personID)
}

// with adds a confirmed person with a role at the company and lets them in.
func (w *fixture) with(role access.ActingAs) access.Actor {
	w.t.Helper()
	p := w.confirmed()
	w.Role(w.t, p.ID, w.company.ID, role)
	return w.enter(w.Session(w.t, p.ID, nil))
}

// enter lets a session in to the company.
func (w *fixture) enter(session uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, session, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// seated lets a person in to an intermediary.
func (w *fixture) seated(personID, delegateID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{To: access.ToDelegate}, access.Target{DelegateID: delegateID})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// at is the company as a place where the actor manages users.
func (w *fixture) at(by access.Actor) grant.Place {
	w.t.Helper()
	at, err := w.users.AtContributor(by, w.company.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

func (w *fixture) give(by access.Actor, p world.Person, role access.ActingAs, services ...access.Service) (grant.Grant, error) {
	w.t.Helper()
	return w.users.Give(giving, by, w.at(by), grant.Input{TaxCode: p.TaxCode, Role: role, Services: services})
}

func (w *fixture) given(by access.Actor, p world.Person, role access.ActingAs, services ...access.Service) grant.Grant {
	w.t.Helper()
	g, err := w.give(by, p, role, services...)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (w *fixture) find(by access.Actor, p world.Person, familyName string) ([]grant.Identity, error) {
	w.t.Helper()
	return w.users.Find(searching, by, w.at(by), grant.Search{TaxCode: p.TaxCode, FamilyName: familyName})
}

func (w *fixture) listed(by access.Actor) []grant.Grant {
	w.t.Helper()
	found, err := w.users.Users(ctx, w.at(by), page.Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// told counts the messages of a kind to a person.
func (w *fixture) told(kind string, personID uuid.UUID) int {
	w.t.Helper()
	return w.Count(w.t, "outbox WHERE kind = ? AND person_id = ?", kind, personID)
}

// refused fails the test unless err is a fault of the kind. It has the reason or, where one is
// named, the wrong field.
func refused(t *testing.T, err error, code fault.Code, detail string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("got %v, want %s %s", err, code, detail)
		return
	}
	got := f.Reason
	if len(f.Fields) > 0 {
		got = f.Fields[0].Pointer + " " + f.Fields[0].Code
	}
	if got != detail {
		t.Errorf("got %s %q, want %q", code, got, detail)
	}
}
