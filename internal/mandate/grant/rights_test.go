package grant_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/mandate/grant"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// allRoles are those that somebody has at a contributor; an intermediary has no employer.
var allRoles = []access.ActingAs{access.LegalRepresentative, access.UserAdministrator, access.Employer, access.EmployeeDelegate}

// givenBy is who gives and withdraws what, of others.
var givenBy = map[access.ActingAs]map[access.ActingAs]bool{
	access.LegalRepresentative: {
		access.LegalRepresentative: true, access.UserAdministrator: true, access.Employer: true, access.EmployeeDelegate: true,
	},
	access.UserAdministrator: {
		access.LegalRepresentative: false, access.UserAdministrator: false, access.Employer: true, access.EmployeeDelegate: true,
	},
	access.Employer: {
		access.LegalRepresentative: false, access.UserAdministrator: false, access.Employer: false, access.EmployeeDelegate: true,
	},
	access.EmployeeDelegate: {
		access.LegalRepresentative: false, access.UserAdministrator: false, access.Employer: false, access.EmployeeDelegate: false,
	},
}

// cell is one try: somebody with the role gives one, or withdraws one, of their own or of another.
type cell struct {
	giver, role access.ActingAs
	self        bool
}

func cells(roles []access.ActingAs) []cell {
	var all []cell
	for _, giver := range roles {
		for _, role := range roles {
			all = append(all, cell{giver, role, true}, cell{giver, role, false})
		}
	}
	return all
}

// check holds what a try ended with against the table. Nobody gives themselves anything; who
// manages users lays down what is theirs.
func (c cell) check(t *testing.T, what string, err error, reason string) {
	t.Helper()
	manages := c.giver != access.EmployeeDelegate
	ok := givenBy[c.giver][c.role] && !c.self
	if what == "withdraws" && c.self {
		ok = manages
	}
	var f *fault.Fault
	switch {
	case ok && err != nil:
		t.Errorf("%+v %s: %v", c, what, err)
	case ok:
	case !errors.As(err, &f) || f.Code != fault.Forbidden:
		t.Errorf("%+v %s: %v, want forbidden", c, what, err)
	case manages && f.Reason != reason:
		t.Errorf("%+v %s: %q", c, what, f.Reason)
	}
}

func (c cell) reasonToGive() string {
	if c.self {
		return "role-for-oneself"
	}
	return "role-not-yours-to-give"
}

func TestGrant_WhoGivesAndWithdrawsWhatAtAContributor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, c := range cells(allRoles) {
			by, p := w.with(c.giver), w.confirmed()
			if c.self {
				p.ID, p.TaxCode = by.PersonID, by.TaxCode
			}
			own := by.Rights[0].ID
			at, err := w.users.AtContributor(by, w.company.ID)
			given := grant.Grant{}
			if err == nil {
				given, err = w.users.Give(giving, by, at, grant.Input{TaxCode: p.TaxCode, Role: c.role})
			}
			c.check(t, "gives", err, c.reasonToGive())

			which := given.ID
			switch {
			case c.self && c.role == c.giver:
				which = own
			case err != nil:
				which = w.Role(t, p.ID, w.company.ID, c.role)
			}
			if at, err = w.users.AtContributor(by, w.company.ID); err == nil {
				err = w.users.Withdraw(ctx, by, at, which)
			}
			c.check(t, "withdraws", err, "role-not-yours-to-withdraw")
		}
	})
}

func TestGrant_WhoGivesAndWithdrawsWhatAtAnIntermediary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		association := w.Association(t)
		w.DelegateRole(t, w.confirmed().ID, association, access.LegalRepresentative, access.AllServices)
		for _, c := range cells(slices.DeleteFunc(slices.Clone(allRoles), func(r access.ActingAs) bool { return r == access.Employer })) {
			boss, p := w.confirmed(), w.confirmed()
			own := w.DelegateRole(t, boss.ID, association, c.giver, access.AllServices)
			by := w.seated(boss.ID, association)
			if c.self {
				p = boss
			}
			at, err := w.users.AtIntermediary(by, association)
			given := grant.Grant{}
			if err == nil {
				given, err = w.users.Give(giving, by, at, grant.Input{TaxCode: p.TaxCode, Role: c.role})
			}
			c.check(t, "gives", err, c.reasonToGive())

			which := given.ID
			switch {
			case c.self && c.role == c.giver:
				which = own
			case err != nil:
				which = w.DelegateRole(t, p.ID, association, c.role, access.AllServices)
			}
			if at, err = w.users.AtIntermediary(by, association); err == nil {
				err = w.users.Withdraw(ctx, by, at, which)
			}
			c.check(t, "withdraws", err, "role-not-yours-to-withdraw")
		}
	})
}

// TestGrant_WhoHasSeveralRolesActsByTheOneThatMay: an administrator who is employer and
// representative too gives by the highest.
func TestGrant_WhoHasSeveralRolesActsByTheOneThatMay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.with(access.Employer)
		w.Role(t, by.PersonID, w.company.ID, access.UserAdministrator)
		highest := w.Role(t, by.PersonID, w.company.ID, access.LegalRepresentative)
		g := w.given(by, w.confirmed(), access.UserAdministrator)
		if n := w.Count(
			t, "audit_records WHERE subject_id = ? AND acting_as = 'legal_representative' AND right_id = ?", g.ID.String(), highest,
		); n != 1 {
			t.Errorf("%d audit records", n)
		}
	})
}

func TestGrant_NobodyGivesMoreThanThereIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		// A company has no services of public bodies, and a public body has.
		_, err := w.give(w.rep, w.confirmed(), access.EmployeeDelegate, access.Declarations, access.ViewPayments)
		refused(t, err, fault.Invalid, "/services/1 not-at-place")
		w.Exec(t, "UPDATE contributors SET kind = 'public_body' WHERE id = ?", w.company.ID)
		w.given(w.rep, w.confirmed(), access.EmployeeDelegate, access.Declarations, access.ViewPayments)

		// An employer or representative for declarations alone enables nobody for more, and says so
		// by naming them.
		for _, role := range []access.ActingAs{access.Employer, access.LegalRepresentative} {
			narrow := w.with(role)
			w.Exec(t, `UPDATE contributor_roles SET services = '["declarations"]' WHERE id = ?`, narrow.Rights[0].ID)
			for _, services := range [][]access.Service{nil, {access.Delegations}, {access.Declarations, access.Delegations}} {
				_, err = w.give(narrow, w.confirmed(), access.EmployeeDelegate, services...)
				refused(t, err, fault.Invalid, "/services wider-than-own")
			}
			w.given(narrow, w.confirmed(), access.EmployeeDelegate, access.Declarations)
		}
		// An administrator has no services to measure by.
		w.given(w.with(access.UserAdministrator), w.confirmed(), access.EmployeeDelegate)

		// What is delegated to an organisation may be any service.
		association, boss := w.Association(t), w.confirmed()
		w.DelegateRole(t, boss.ID, association, access.LegalRepresentative, access.AllServices)
		by := w.seated(boss.ID, association)
		at, err := w.users.AtIntermediary(by, association)
		if err == nil {
			_, err = w.users.Give(giving, by, at, grant.Input{
				TaxCode: w.confirmed().TaxCode, Role: access.EmployeeDelegate, Services: access.Services(),
			})
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// TestGrant_GivingIsCountedLikeSearching: whoever would try tax codes by giving roles gets no more
// answers than by searching.
func TestGrant_GivingIsCountedLikeSearching(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		association := w.Association(t)
		w.DelegateRole(t, w.rep.PersonID, association, access.LegalRepresentative, access.AllServices)
		seated := w.seated(w.rep.PersonID, association)
		there, err := w.users.AtIntermediary(seated, association)
		if err != nil {
			t.Fatal(err)
		}
		stranger := w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary })
		nobody := world.Person{TaxCode: w.company.TaxCode}
		p := w.confirmed()
		count := func() int {
			return w.Count(
				t,
				"audit_records WHERE person_id = ? AND operation IN ('grantContributorRole', 'grantIntermediaryRole', "+
					"'searchPeopleForRole')",
				w.rep.PersonID,
			)
		}

		// What is refused for other reasons than the person says nothing about them, and is not
		// counted.
		_, err = w.give(w.rep, stranger, access.EmployeeDelegate, "gardening")
		refused(t, err, fault.Invalid, "/services/0 unknown-service")
		_, err = w.give(w.rep, world.Person{TaxCode: w.rep.TaxCode}, access.Employer)
		refused(t, err, fault.Forbidden, "role-for-oneself")
		if n := count(); n != 0 {
			t.Errorf("%d counted", n)
		}

		// Given, given once more, unknown, ordinary, at another place: each is one. A repeat under
		// its key is none.
		key := idempotency.WithClaim(giving, &idempotency.Claim{Scope: "s", Operation: "grantContributorRole", Key: "k", RequestMAC: "d"})
		for range 2 {
			if _, err := w.users.Give(key, w.rep, w.at(w.rep), grant.Input{TaxCode: p.TaxCode, Role: access.EmployeeDelegate}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = w.give(w.rep, p, access.EmployeeDelegate)
		refused(t, err, fault.Conflict, "role-exists")
		_, err = w.give(w.rep, stranger, access.EmployeeDelegate)
		refused(t, err, fault.Invalid, "/tax_code unknown-person")
		_, err = w.users.Give(audit.WithOrigin(ctx, audit.Origin{Operation: "grantIntermediaryRole"}), seated, there, grant.Input{
			TaxCode: nobody.TaxCode, Role: access.EmployeeDelegate,
		})
		refused(t, err, fault.Invalid, "/tax_code unknown-person")
		if n := count(); n != 4 {
			t.Errorf("%d counted", n)
		}
		if n := w.Count(
			t, "audit_records WHERE outcome = 'unknown-person' AND subject_id IS NULL AND acting_as = 'legal_representative'",
		); n != 2 {
			t.Errorf("%d say what was refused", n)
		}

		errs := make([]error, 30)
		world.Parallel(len(errs), func(i int) {
			switch i % 3 {
			case 0:
				_, errs[i] = w.find(w.rep, p, "Rossi")
			case 1:
				_, errs[i] = w.give(w.rep, stranger, access.EmployeeDelegate)
			default:
				_, errs[i] = w.give(w.rep, nobody, access.EmployeeDelegate)
			}
		})
		answered := 0
		for _, err := range errs {
			if err == nil || fault.Is(err, fault.Invalid) {
				answered++
			} else if !fault.Is(err, fault.RateLimited) {
				t.Error(err)
			}
		}
		if n := count(); answered != 16 || n != 20 {
			t.Errorf("%d more were answered, %d counted", answered, n)
		}
		for _, who := range []taxcode.Code{p.TaxCode, stranger.TaxCode, nobody.TaxCode} {
			_, err := w.users.Give(giving, w.rep, w.at(w.rep), grant.Input{TaxCode: who, Role: access.Employer})
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour {
				t.Errorf("answered %+v", err)
			}
		}
		w.Clock.Advance(24 * time.Hour)
		fresh := w.enter(w.Session(t, w.rep.PersonID, nil))
		if _, err := w.give(fresh, p, access.Employer); err != nil {
			t.Error(err)
		}
	})
}

// TestGrant_TwoWhoGiveEachOtherRoles come one after the other: what one's turn locks does not hold
// up what points to the person.
func TestGrant_TwoWhoGiveEachOtherRoles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other := w.with(access.LegalRepresentative)
		both := []access.Actor{w.rep, other}
		errs := make([]error, 4)
		world.Parallel(len(errs), func(i int) {
			by, to := both[i%2], both[1-i%2]
			_, errs[i] = w.users.Give(giving, by, w.at(by), grant.Input{
				TaxCode: to.TaxCode, Role: []access.ActingAs{access.Employer, access.EmployeeDelegate}[i/2],
			})
		})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
}
