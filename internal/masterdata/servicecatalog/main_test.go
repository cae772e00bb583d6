package servicecatalog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App with the services that come with the program.
type fixture struct {
	*world.App
	t         *testing.T
	catalogue *servicecatalog.Catalogue
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, t: t, catalogue: servicecatalog.New(servicecatalog.Deps{
		Runner: a.Runner, Rights: a.Rights, Contributors: a.Contributors,
	})}
	w.Must(t, w.catalogue.Install)
	return w
}

func (w *fixture) body(office string) world.Company {
	w.t.Helper()
	c := w.Company(w.t, office)
	w.Exec(w.t, "UPDATE contributors SET kind = 'public_body' WHERE id = ?", c.ID)
	return c
}

func (w *fixture) enter(personID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// as is somebody with a role at the contributor.
func (w *fixture) as(contributorID uuid.UUID, role access.ActingAs, services ...access.Service) access.Actor {
	w.t.Helper()
	p := w.Person(w.t, nil)
	w.Role(w.t, p.ID, contributorID, role, services...)
	return w.enter(p.ID)
}

// staff is somebody of a class that works for the institute.
func (w *fixture) staff(class access.UserClass) access.Actor {
	w.t.Helper()
	return w.enter(w.Person(w.t, func(p *world.Person) { p.UserClass = class }).ID)
}

// seated is somebody with a role at a new intermediary.
func (w *fixture) seated(kind string, struckOff bool, role access.ActingAs, services ...access.Service) access.Actor {
	w.t.Helper()
	delegate := w.Association(w.t)
	w.Exec(w.t, "UPDATE delegates SET kind = ? WHERE id = ?", kind, delegate)
	if struckOff {
		w.StrikeOff(w.t, delegate)
	}
	p := w.Person(w.t, nil)
	w.DelegateRole(w.t, p.ID, delegate, role, services...)
	return w.enter(p.ID)
}

func (w *fixture) mine(by access.Actor, chosen servicecatalog.Chosen) []servicecatalog.Mine {
	w.t.Helper()
	found, err := w.catalogue.Mine(ctx, by, chosen, false, page.Request{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// codes are those of a menu, in alphabetical order.
func codes(menu []servicecatalog.Mine) []string {
	list := make([]string, len(menu))
	for i, m := range menu {
		list[i] = m.Code
	}
	slices.Sort(list)
	return list
}

func sorted(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return all
}

var (
	own     = []string{"appointments", "contacts", "enrolment", "pin"}
	dossier = []string{"compile_dma", "view_amortisation_plans", "view_debit_notes", "view_dma", "view_payments"}
)

func at(id uuid.UUID) servicecatalog.Chosen       { return servicecatalog.Chosen{ContributorID: &id} }
func position(id uuid.UUID) servicecatalog.Chosen { return servicecatalog.Chosen{PositionID: &id} }
