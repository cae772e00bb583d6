package delegation_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// named adds somebody with a family name.
func (w *fixture) named(familyName string) uuid.UUID {
	w.t.Helper()
	return w.Person(w.t, func(p *world.Person) { p.FamilyName = familyName }).ID
}

// given lists the delegations of the company with those who work under them, as its representative
// sees them.
func (w *fixture) given() map[uuid.UUID][]delegation.Worker {
	w.t.Helper()
	found, err := w.service.OfContributor(
		ctx, w.Enter(w.t, w.representative, w.company.ID), w.company.ID, page.Request{},
	)
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[uuid.UUID][]delegation.Worker{}
	for _, d := range found.Items {
		shown, err := w.service.ShowTo(ctx, w.at(w.representative, d.ID), d.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff(d.Workers, shown.Workers); diff != "" || !shown.ForContributor || !d.ForContributor {
			w.t.Errorf("in the list -, alone +:\n%s", diff)
		}
		all[d.ID] = d.Workers
	}
	return all
}

// The contributor sees who works under each delegation, by which right and with which services.
func TestDelegation_WhoWorksUnderADelegation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		caf := w.Association(t)
		declarations := func(in *delegation.Input) {
			in.Scope, in.Services = delegation.Partial, []access.Service{access.Declarations}
		}
		alone, draft := w.active(w.professional, declarations), w.draft(w.professional, nil)
		w.send(w.professional, draft.ID)
		session, role := w.worker(caf, access.LegalRepresentative, access.AllServices)
		w.Exec(t, "UPDATE people SET family_name = 'Bruni' WHERE id = ?", w.in(session).PersonID)
		at := w.active(session, of(caf))

		every, listed, gone, over := w.named("Conti"), w.named("Amato"), w.named("Testa"), w.named("Testa")
		w.SubDelegation(t, w.delegate, every, nil)
		w.SubDelegation(t, w.delegate, listed, func(s *world.SubDelegation) { s.Services = world.Services(access.Delegations) }, alone.ID)
		w.SubDelegation(t, w.delegate, gone, func(s *world.SubDelegation) { s.RevokedAt = &s.GrantedAt })
		w.SubDelegation(t, w.delegate, over, func(s *world.SubDelegation) { s.ValidUntil = &s.GrantedAt })
		twice, sub, withdrawn, administrator := w.named("Amato"), w.named("Conti"), w.named("Testa"), w.named("Testa")
		w.DelegateRole(t, twice, caf, access.EmployeeDelegate, access.Delegations)
		w.DelegateRole(t, twice, caf, access.LegalRepresentative, access.Declarations, access.Delegations)
		w.SubDelegation(t, caf, sub, nil)
		w.DelegateRole(t, administrator, caf, access.UserAdministrator, access.AllServices)
		w.Exec(
			t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(),
			w.DelegateRole(t, withdrawn, caf, access.EmployeeDelegate, access.AllServices),
		)

		type worker struct {
			Person   uuid.UUID
			As       access.ActingAs
			Sub      bool
			Services []access.Service
		}
		every1 := []access.Service{access.Declarations}
		want := map[uuid.UUID][]worker{
			alone.ID: {{listed, access.SubDelegate, true, []access.Service{}}, {every, access.SubDelegate, true, every1}},
			draft.ID: nil,
			at.ID: {
				{twice, access.Intermediary, false, []access.Service{access.Delegations, access.Declarations}},
				{w.in(session).PersonID, access.Intermediary, false, []access.Service{access.AllServices}},
				{sub, access.SubDelegate, true, []access.Service{access.AllServices}},
			},
		}
		seen := func() map[uuid.UUID][]worker {
			all := map[uuid.UUID][]worker{}
			for id, workers := range w.given() {
				all[id] = nil
				for _, one := range workers {
					all[id] = append(all[id], worker{one.PersonID, one.ActingAs, one.SubDelegationID != nil, one.Services})
				}
			}
			return all
		}
		got := seen()
		// Which of several roles comes first is not said.
		for i, one := range got[at.ID] {
			if one.Person == twice && len(one.Services) == 2 {
				got[at.ID][i].Services = want[at.ID][0].Services
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		w.StrikeOff(t, w.delegate)
		if got := seen(); len(got[at.ID]) != 2 || len(got[alone.ID]) != 2 {
			t.Errorf("later %v", got)
		}

		intermediary := w.Session(t, sub, nil)
		if _, err := w.service.OfContributor(
			ctx, w.Enter(t, intermediary, w.company.ID), w.company.ID, page.Request{},
		); !fault.Is(err, fault.Forbidden) {
			t.Errorf("as the intermediary: %v", err)
		}
		if shown, err := w.service.ShowTo(ctx, w.at(w.professional, alone.ID), alone.ID); err != nil || len(shown.Workers) != 0 ||
			shown.ForContributor {
			t.Errorf("the intermediary sees %v, %v", shown.Workers, err)
		}
	})
}

// Of many the first hundred are shown, with no more statements than of few.
func TestDelegation_ManyWorkUnderADelegation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		asked := world.Statements(t, d)
		by := w.Enter(t, w.representative, w.company.ID)
		taken := map[bool]int{}
		var last uuid.UUID
		for _, many := range []bool{false, true} {
			people, delegations := 2, 1
			if many {
				people, delegations = 60, 5
			}
			for range delegations {
				caf := w.Association(t)
				for i := range people {
					w.DelegateRole(t, w.named(fmt.Sprintf("Bruni %03d", 2*i)), caf, access.EmployeeDelegate, access.AllServices)
					w.SubDelegation(t, caf, w.named(fmt.Sprintf("Bruni %03d", 2*i+1)), nil)
				}
				last = w.Delegation(t, caf, w.company, nil)
			}
			before := asked()
			found, err := w.service.OfContributor(ctx, by, w.company.ID, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			taken[many] = asked() - before
			for _, one := range found.Items {
				if one.ID == last && len(one.Workers) != min(100, 2*people) ||
					one.ID == last && one.Workers[len(one.Workers)-1].FamilyName != fmt.Sprintf("Bruni %03d", min(100, 2*people)-1) {
					t.Errorf("%d work there", len(one.Workers))
				}
			}
		}
		if taken[true] != taken[false] {
			t.Errorf("%d statements for many, %d for few", taken[true], taken[false])
		}
	})
}

// Until a delegation is active its intermediary sees no more of the signatory than a look-up told.
func TestDelegation_WhoSeesTheSignatory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		hidden := func(session, id uuid.UUID) bool {
			t.Helper()
			shown, err := w.service.ShowTo(ctx, w.at(session, id), id)
			if err != nil {
				t.Fatal(err)
			}
			listed, err := w.service.List(ctx, w.in(session), delegation.Filter{}, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range listed.Items {
				if one.ID == id && one.HidesSignatory() != shown.HidesSignatory() {
					t.Error("a list shows another")
				}
			}
			return shown.HidesSignatory()
		}
		see := func(what string, id uuid.UUID, want bool) {
			t.Helper()
			if hidden(w.professional, id) != want || hidden(w.representative, id) {
				t.Errorf("%s: the intermediary sees the name: %t", what, !hidden(w.professional, id))
			}
		}
		one := w.draft(w.professional, nil)
		if !one.HidesSignatory() {
			t.Error("who drafts it is told the name")
		}
		if !hidden(w.professional, one.ID) {
			t.Error("a draft shows the intermediary the name")
		}
		otp := w.send(w.professional, one.ID)
		see("a pending one", one.ID, true)
		if _, err := w.activate(w.professional, one.ID, otp); err != nil {
			t.Fatal(err)
		}
		see("an active one", one.ID, false)
		discarded := w.draft(w.professional, nil)
		w.send(w.professional, discarded.ID)
		for _, id := range []uuid.UUID{one.ID, discarded.ID} {
			if _, err := w.service.Revoke(ctx, w.at(w.professional, id), id, ""); err != nil {
				t.Fatal(err)
			}
		}
		see("a revoked one", one.ID, false)
		see("a discarded one", discarded.ID, true)
	})
}
