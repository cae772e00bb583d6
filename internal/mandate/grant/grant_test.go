package grant_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/recheck"
	"diresco/internal/mandate/grant"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestGrant_ARoleIsGivenUsedAndWithdrawn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.confirmed()
		g := w.given(w.rep, p, access.EmployeeDelegate, access.Declarations)
		if g.Person.ID != p.ID || g.Person.TaxCode != p.TaxCode || g.Role != access.EmployeeDelegate || !slices.Equal(
			g.Services, []access.Service{access.Declarations},
		) ||
			!g.GrantedAt.Equal(w.Clock.Now()) || g.GrantedBy == nil || g.GrantedBy.ID != w.rep.PersonID {
			t.Errorf("given %+v", g)
		}
		if list := w.listed(w.rep); len(list) != 2 || list[0].Role != access.LegalRepresentative || list[0].GrantedBy != nil ||
			list[1].ID != g.ID {
			t.Errorf("listed %+v", list)
		}
		session := w.Session(t, p.ID, nil)
		if _, err := w.enter(session).RightToFile(w.company.ID, w.company.Positions[0].ID, nil); err != nil {
			t.Error(err)
		}
		if w.told("role.granted", p.ID) != 1 {
			t.Error("the person was not told of the role")
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'role' AND subject_id = ? AND contributor_id = ? AND acting_as = "+
			"'legal_representative' AND right_id = ?",
			g.ID.String(), w.company.ID, w.rep.Rights[0].ID); n != 1 {
			t.Errorf("%d audit records", n)
		}

		if err := w.users.Withdraw(ctx, w.rep, w.at(w.rep), g.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.Guard.Enter(ctx, session, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID})
		refused(t, err, fault.NotFound, "")
		if w.told("role.withdrawn", p.ID) != 1 || len(w.listed(w.rep)) != 1 {
			t.Error("the role is there still, or the person was not told")
		}
		refused(t, w.users.Withdraw(ctx, w.rep, w.at(w.rep), g.ID), fault.NotFound, "")
		// What was withdrawn can be given anew.
		w.given(w.rep, p, access.EmployeeDelegate)
	})
}

func TestGrant_WhoManagesUsers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for role, manages := range map[access.ActingAs]bool{
			access.LegalRepresentative: true, access.Employer: true, access.UserAdministrator: true, access.EmployeeDelegate: false,
		} {
			by := w.with(role)
			_, err := w.users.AtContributor(by, w.company.ID)
			if manages != (err == nil) || !manages && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", role, err)
			}
		}
		_, err := w.users.AtContributor(w.Desk(t, world.Rome, w.company.ID), w.company.ID)
		refused(t, err, fault.Forbidden, "")
		_, err = w.users.AtContributor(w.rep, w.Company(t, world.Rome).ID)
		refused(t, err, fault.NotFound, "")
		consultant, studio := w.Professional(t)
		w.Delegation(t, studio, w.company, nil)
		_, err = w.users.AtContributor(w.enter(w.Session(t, consultant.ID, nil)), w.company.ID)
		refused(t, err, fault.Forbidden, "")
	})
}

func TestGrant_WhatGivingNeeds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, unconfirmed := w.confirmed(), w.Person(t, nil)
		ordinary := w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary })
		w.confirm(ordinary.ID)
		suspended := w.confirmed()
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), suspended.ID)
		nobody := p
		nobody.TaxCode = w.company.TaxCode

		weak := w.rep
		weak.CredentialLevel = access.Ordinary
		_, err := w.give(weak, p, access.Employer)
		refused(t, err, fault.DispositiveRequired, "")
		refused(t, w.users.Withdraw(ctx, weak, w.at(weak), uuid.Must(uuid.NewV7())), fault.DispositiveRequired, "")
		newcomer := w.Colleague(t, w.company.ID, access.LegalRepresentative, access.Dispositive)
		_, err = w.give(newcomer, p, access.Employer)
		refused(t, err, fault.IdentityNotConfirmed, "")
		_, err = w.find(newcomer, p, "Rossi")
		refused(t, err, fault.IdentityNotConfirmed, "")
		if _, err := w.people.ConfirmIdentity(ctx, newcomer, false); !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
		for range 2 {
			if me, err := w.people.ConfirmIdentity(ctx, newcomer, true); err != nil || me.IdentityConfirmedAt == nil ||
				!me.IdentityConfirmedAt.Equal(world.Start) {
				t.Errorf("%v %v", me.IdentityConfirmedAt, err)
			}
			w.Clock.Advance(time.Minute)
		}
		w.given(newcomer, p, access.Employer)

		for _, unknown := range []world.Person{ordinary, suspended, nobody} {
			_, err = w.give(w.rep, unknown, access.EmployeeDelegate)
			refused(t, err, fault.Invalid, "/tax_code unknown-person")
		}
		_, err = w.give(w.rep, unconfirmed, access.EmployeeDelegate)
		refused(t, err, fault.Invalid, "/tax_code identity-not-confirmed")
		_, err = w.give(w.rep, p, access.Employer)
		refused(t, err, fault.Conflict, "role-exists")
		_, err = w.give(w.rep, p, access.EmployeeDelegate, access.Declarations, "gardening")
		refused(t, err, fault.Invalid, "/services/1 unknown-service")
		_, err = w.give(w.rep, p, access.EmployeeDelegate, access.Declarations, access.Declarations)
		refused(t, err, fault.Invalid, "/services/1 duplicate")
		_, err = w.users.Give(ctx, w.rep, w.at(w.rep), grant.Input{
			TaxCode: p.TaxCode, Role: access.EmployeeDelegate, Services: []access.Service{},
		})
		refused(t, err, fault.Invalid, "/services too-few")
		_, err = w.give(w.rep, p, access.UserAdministrator, access.Declarations)
		refused(t, err, fault.Invalid, "/services not-applicable")
		if n := w.Count(t, "outbox WHERE kind LIKE 'role.%'"); n != 1 {
			t.Errorf("%d messages", n)
		}

		// A user administrator uses no service; any other role without services is for all.
		if g := w.given(w.rep, p, access.UserAdministrator); len(g.Services) != 0 {
			t.Errorf("services %v", g.Services)
		}
		if g := w.given(w.rep, p, access.EmployeeDelegate); !slices.Equal(g.Services, []access.Service{access.AllServices}) {
			t.Errorf("services %v", g.Services)
		}
	})
}

func TestGrant_OnlyTheRightNameFinds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.Person(t, func(p *world.Person) { p.FamilyName = "D'Amicò" })
		for name, want := range map[string]int{"D'Amicò": 1, "d’amico": 1, "DAMICO'": 1, "Amico": 0, "D'Amic": 0, "Rossi": 0} {
			found, err := w.find(w.rep, p, " "+name+" ")
			if err != nil || len(found) != want {
				t.Errorf("%q found %v %v", name, found, err)
			}
			if want == 1 && (found[0].ID != p.ID || found[0].TaxCode != p.TaxCode || found[0].GivenName != p.GivenName) {
				t.Errorf("%q found %+v", name, found)
			}
		}
		for what, change := range map[string]func(*world.Person){
			"ordinary":  func(p *world.Person) { p.CredentialLevel = access.Ordinary },
			"suspended": func(p *world.Person) { p.SuspendedAt = &p.CreatedAt },
		} {
			if found, err := w.find(w.rep, w.Person(t, change), "Rossi"); err != nil || len(found) != 0 {
				t.Errorf("%s: %v %v", what, found, err)
			}
		}
		national := w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary })
		w.Exec(t, "UPDATE people SET digital_identity_at = ? WHERE id = ?", w.Clock.Now(), national.ID)
		if found, err := w.find(w.rep, national, "Rossi"); err != nil || len(found) != 1 {
			t.Errorf("with a national identity: %v %v", found, err)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'searchPeopleForRole' AND contributor_id = ?", w.company.ID); n != 9 {
			t.Errorf("%d audit records", n)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'searchPeopleForRole' AND subject_id = ?", p.ID.String()); n != 3 {
			t.Errorf("%d say who was found", n)
		}
	})
}

func TestGrant_TwentySearchesADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.confirmed()
		if _, err := w.find(w.rep, p, "Rossi"); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Hour)
		errs := make([]error, 30)
		world.Parallel(len(errs), func(i int) { _, errs[i] = w.find(w.rep, p, "Rossi") })
		served := 0
		for _, err := range errs {
			if err == nil {
				served++
			} else if !fault.Is(err, fault.RateLimited) {
				t.Error(err)
			}
		}
		if served != 19 {
			t.Errorf("%d more were served", served)
		}
		var f *fault.Fault
		if _, err := w.find(w.rep, p, "Rossi"); !errors.As(err, &f) || f.RetryAfter != 23*time.Hour {
			t.Errorf("answered %+v", f)
		}
		// Another person has searches of their own; the first one's come back one by one.
		if _, err := w.find(w.with(access.UserAdministrator), p, "Rossi"); err != nil {
			t.Error(err)
		}
		w.Clock.Advance(23 * time.Hour)
		if _, err := w.find(w.rep, p, "Rossi"); err != nil {
			t.Error(err)
		}
		if _, err := w.find(w.rep, p, "Rossi"); !fault.Is(err, fault.RateLimited) {
			t.Errorf("got %v", err)
		}
	})
}

func TestGrant_TheLastLegalRepresentativeStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		mine := w.rep.Rights[0].ID
		refused(t, w.users.Withdraw(ctx, w.rep, w.at(w.rep), mine), fault.Conflict, "last-legal-representative")
		other := w.with(access.LegalRepresentative)
		// Each withdraws the other's role and lays down their own at the same moment: one legal
		// representative is left.
		errs := make([]error, 4)
		world.Parallel(len(errs), func(i int) {
			by := []access.Actor{w.rep, other}[i%2]
			which := []uuid.UUID{other.Rights[0].ID, mine, mine, other.Rights[0].ID}[i]
			errs[i] = w.users.Withdraw(ctx, by, w.at(by), which)
		})
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		}
		if left := w.Count(
			t, "contributor_roles WHERE role = 'legal_representative' AND withdrawn_at IS NULL AND contributor_id = ?", w.company.ID,
		); done != 1 || left != 1 {
			t.Errorf("%d withdrawn, %d left: %v", done, left, errs)
		}
	})
}

// Where nobody is a legal representative, as in a household, the last employer stays. Somebody must
// be able to sign, and to revoke.
func TestGrant_TheLastEmployerStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.WithdrawRole(t, w.rep.Rights[0].ID)
		w.Exec(t, "UPDATE contributors SET kind = 'household' WHERE id = ?", w.company.ID)
		first := w.with(access.Employer)
		mine := first.Rights[0].ID
		refused(t, w.users.Withdraw(ctx, first, w.at(first), mine), fault.Conflict, "last-employer")
		w.with(access.EmployeeDelegate)
		refused(t, w.users.Withdraw(ctx, first, w.at(first), mine), fault.Conflict, "last-employer")
		w.with(access.Employer)
		if err := w.users.Withdraw(ctx, first, w.at(first), mine); err != nil {
			t.Error(err)
		}
	})
}

func TestGrant_ManagingEndsWithTheRoleAndTheSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, admin := w.confirmed(), w.with(access.UserAdministrator)
		at := w.at(admin)
		// The requests were let in before the role ended.
		w.WithdrawRole(t, admin.Rights[0].ID)
		_, err := w.users.Give(ctx, admin, at, grant.Input{TaxCode: p.TaxCode, Role: access.Employer})
		refused(t, err, fault.NotFound, "")
		refused(t, w.users.Withdraw(ctx, admin, at, w.rep.Rights[0].ID), fault.NotFound, "")
		_, err = w.users.Find(ctx, admin, at, grant.Search{TaxCode: p.TaxCode, FamilyName: p.FamilyName})
		refused(t, err, fault.NotFound, "")
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.rep.SessionID)
		_, err = w.give(w.rep, p, access.Employer)
		refused(t, err, fault.SessionEnded, "")
	})
}

func TestGrant_UsersOfAnIntermediary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		association, boss, p := w.Association(t), w.confirmed(), w.confirmed()
		last := w.DelegateRole(t, boss.ID, association, access.LegalRepresentative, access.AllServices)
		by := w.seated(boss.ID, association)
		at, err := w.users.AtIntermediary(by, association)
		if err != nil {
			t.Fatal(err)
		}
		g, err := w.users.Give(ctx, by, at, grant.Input{
			TaxCode: p.TaxCode, Role: access.EmployeeDelegate, Services: []access.Service{access.Declarations},
		})
		if err != nil {
			t.Fatal(err)
		}
		// Who has the role works with the association's delegations, and manages nobody.
		w.Delegation(t, association, w.company, nil)
		session := w.Session(t, p.ID, nil)
		if right, err := w.enter(session).RightToFile(w.company.ID, w.company.Positions[0].ID, nil); err != nil ||
			right.ActingAs != access.Intermediary {
			t.Errorf("%+v %v", right, err)
		}
		_, err = w.users.AtIntermediary(w.seated(p.ID, association), association)
		refused(t, err, fault.Forbidden, "")
		if found, err := w.users.Users(ctx, at, page.Request{Limit: 1}); err != nil || len(found.Items) != 1 || found.Items[0].ID != last ||
			found.Next == "" {
			t.Errorf("%+v %v", found, err)
		} else if rest, err := w.users.Users(ctx, at, page.Request{Cursor: found.Next}); err != nil || len(rest.Items) != 1 ||
			rest.Items[0].ID != g.ID || rest.Next != "" {
			t.Errorf("%+v %v", rest, err)
		}
		refused(t, w.users.Withdraw(ctx, by, at, last), fault.Conflict, "last-legal-representative")
		if err := w.users.Withdraw(ctx, by, at, g.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.Guard.Enter(ctx, session, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID})
		refused(t, err, fault.NotFound, "")
		if w.told("role.granted", p.ID) != 1 || w.told("role.withdrawn", p.ID) != 1 {
			t.Error("the person was not told")
		}

		consultant, studio := w.Professional(t)
		w.confirm(consultant.ID)
		_, err = w.users.AtIntermediary(w.seated(consultant.ID, studio), studio)
		refused(t, err, fault.Conflict, "no-users")
		_, err = w.users.AtIntermediary(by, studio)
		refused(t, err, fault.NotFound, "")
		// A firm is no intermediary, not even to who represents it.
		w.Exec(t, "UPDATE delegates SET kind = 'firm' WHERE id = ?", association)
		_, err = w.users.AtIntermediary(w.seated(boss.ID, association), association)
		refused(t, err, fault.NotFound, "")
		// A role of one place is not withdrawn at another.
		refused(t, w.users.Withdraw(ctx, by, at, w.rep.Rights[0].ID), fault.NotFound, "")
	})
}

// TestGrant_AWithdrawalComesAfterWhatWasLetIn: a group of filings that has read the right again
// ends before the right does.
func TestGrant_AWithdrawalComesAfterWhatWasLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	p := w.confirmed()
	g := w.given(w.rep, p, access.EmployeeDelegate)
	by := w.enter(w.Session(t, p.ID, nil))
	held := []recheck.Claim{{SessionID: by.SessionID, Right: by.Rights[0]}}
	done := make(chan error, 1)
	w.Must(t, func(ctx context.Context) error {
		outcomes, err := w.Recheck.All(ctx, held)
		if err != nil || outcomes[0] != nil {
			t.Errorf("%v %v", outcomes, err)
		}
		go func() { done <- w.users.Withdraw(context.Background(), w.rep, w.at(w.rep), g.ID) }()
		world.Eventually(t, "the withdrawal waits, or does not", func() bool {
			return len(done) > 0 || w.Count(t, "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
		})
		if len(done) > 0 {
			t.Error("the role ended in the middle of a transaction that was let in")
		}
		return nil
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.Must(t, func(ctx context.Context) error {
		outcomes, err := w.Recheck.All(ctx, held)
		if err == nil {
			err = outcomes[0]
		}
		refused(t, err, fault.NotFound, "")
		return nil
	})
}

// TestGrant_EndsAtAnInstantAfterWhatItLetIn: what is filed under a role comes before its end.
func TestGrant_EndsAtAnInstantAfterWhatItLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	g := w.given(w.rep, w.confirmed(), access.EmployeeDelegate)
	at := w.at(w.rep)
	released := world.EndBeside(t, d, w.Clock, func() error { return w.users.Withdraw(context.Background(), w.rep, at, g.ID) },
		"SELECT 1 FROM contributor_roles WHERE id = ? FOR SHARE", g.ID)
	if n := w.Count(t, "contributor_roles WHERE id = ? AND withdrawn_at >= ?", g.ID, released); n != 1 {
		t.Error("it ended before what it let in")
	}
}
