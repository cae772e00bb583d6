package consent_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestConsent_IsGivenOverWhatOneHas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		stranger := w.Company(t, world.Rome)
		delegate := w.Colleague(t, w.company.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		for name, c := range map[string]struct {
			by     access.Actor
			change func(*consent.New)
			field  string
		}{
			"one contributor":           {w.rep, func(*consent.New) {}, ""},
			"all services":              {w.rep, func(n *consent.New) { n.Services = world.Services(access.AllServices) }, ""},
			"all contributors":          {w.rep, func(n *consent.New) { n.Contributors = nil }, ""},
			"one that one has, twice":   {w.rep, func(n *consent.New) { n.Contributors = append(n.Contributors, w.company.ID) }, ""},
			"with ordinary credentials": {delegate, func(*consent.New) {}, ""},
			"for twelve months":         {w.rep, func(n *consent.New) { n.ExpiresAt = calendar.AddMonths(w.Clock.Now(), 12) }, ""},
			"for longer": {w.rep, func(n *consent.New) {
				n.ExpiresAt = calendar.AddMonths(w.Clock.Now(), 12).Add(time.Second)
			}, "/expires_at"},
			"until now": {w.rep, func(n *consent.New) { n.ExpiresAt = w.Clock.Now() }, "/expires_at"},
			"a stranger's": {w.rep, func(n *consent.New) {
				n.Contributors = append(n.Contributors, stranger.ID)
			}, "/contributors/1"},
			"of none":                    {w.rep, func(n *consent.New) { n.Contributors = []uuid.UUID{} }, "/contributors"},
			"no scope":                   {w.rep, func(n *consent.New) { n.Scopes = nil }, "/scopes"},
			"no service":                 {w.rep, func(n *consent.New) { n.Services = world.Services() }, "/services"},
			"a service that is none":     {w.rep, func(n *consent.New) { n.Services = world.Services("other") }, "/services/0"},
			"a service that one has not": {delegate, func(n *consent.New) { n.Services = world.Services(access.Delegations) }, "/services/0"},
			"a service that one has nowhere": {delegate, func(n *consent.New) {
				n.Services, n.Contributors = world.Services(access.Delegations), nil
			}, "/services/0"},
			"more contributors than it names": {w.rep, func(n *consent.New) {
				n.Contributors = many(consent.MostContributors + 1)
			}, "/contributors"},
		} {
			n := w.new(c.by)
			c.change(&n)
			_, err := w.try(c.by, n)
			var f *fault.Fault
			switch {
			case c.field == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case c.field != "" && (!errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) == 0 || f.Fields[0].Pointer != c.field):
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestConsent_IsNotGivenOverNothing: an application would be let in to nothing at all.
func TestConsent_IsNotGivenOverNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		n := w.new(w.rep)
		n.Contributors, n.Services = nil, access.ServiceSet{access.AllServices}
		w.WithdrawRole(t, w.rep.Rights[0].ID)
		_, err := w.try(w.rep, n)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "consent-reaches-nothing" {
			t.Errorf("got %v", err)
		}
	})
}

// TestConsent_WhoTookItselfOutIsToldOfANewOne, if that is about it again.
func TestConsent_WhoTookItselfOutIsToldOfANewOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, studio := w.Professional(t)
		second, boss := w.Employer(t)
		w.Delegation(t, studio, w.company, nil)
		gone := w.Delegation(t, studio, second, nil)
		giver := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		everybody := func(n *consent.New) { n.Contributors = nil }
		first := w.give(giver, everybody)
		want(t, "the company goes", w.consents.WithdrawFor(ctx, w.rep, w.company.ID, first.ID), "")
		want(t, "the other goes", w.consents.WithdrawFor(ctx, boss, second.ID, first.ID), "")
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), gone)
		if w.told("consent.covered", w.rep.PersonID) != 0 {
			t.Error("told of one that it was only among")
		}
		w.give(giver, everybody)
		if w.told("consent.covered", w.rep.PersonID) != 1 || w.told("consent.covered", boss.PersonID) != 0 {
			t.Errorf("told %d and, of one that it is not about, %d", w.told("consent.covered", w.rep.PersonID), w.told("consent.covered", boss.PersonID))
		}
		w.application = w.approved("Altro")
		w.give(giver, everybody)
		if w.told("consent.covered", w.rep.PersonID) != 1 {
			t.Error("told of another application")
		}
	})
}

func many(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	return ids
}

func TestConsent_IsGivenByWhoJustLoggedIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, err := w.try(w.rep, w.new(w.rep))
		want(t, "at once", err, "")
		old := w.rep
		old.AuthenticatedAt = w.Clock.Now().Add(-access.FreshFor - time.Microsecond)
		_, err = w.try(old, w.new(old))
		want(t, "after five minutes", err, fault.Reauthenticate)
		forced := w.rep
		forced.PINChangeRequired = true
		_, err = w.try(forced, w.new(forced))
		want(t, "who must change the PIN", err, fault.PINChangeRequired)
		for _, class := range []access.UserClass{access.Operator, access.ContactCentre, access.Administrator} {
			staff := w.rep
			staff.UserClass = class
			_, err = w.try(staff, w.new(staff))
			want(t, string(class), err, fault.Forbidden)
		}
		n := w.new(w.rep)
		n.PersonID = w.Person(t, nil).ID
		_, err = w.try(w.rep, n)
		want(t, "for somebody else", err, fault.Forbidden)
		for _, state := range []string{"submitted", "refused", "suspended"} {
			w.Exec(t, "UPDATE applications SET state = ? WHERE id = ?", state, w.application)
			_, err = w.try(w.rep, w.new(w.rep))
			want(t, state, err, fault.NotFound)
		}
		w.Exec(t, "UPDATE applications SET state = 'approved', removed_at = ? WHERE id = ?", w.Clock.Now(), w.application)
		_, err = w.try(w.rep, w.new(w.rep))
		want(t, "removed", err, fault.NotFound)
	})
}

func TestConsent_IsTracedAndTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		delegate := w.Colleague(t, w.company.ID, access.EmployeeDelegate, access.Dispositive, access.Declarations)
		c := w.give(delegate, nil)
		if n := w.traced("giveConsent", c); n != 1 {
			t.Errorf("%d records", n)
		}
		if w.told("consent.given", delegate.PersonID) != 1 || w.told("consent.covered", w.rep.PersonID) != 1 {
			t.Error("not told: the giver, or who answers for the contributor")
		}
		own := w.give(w.rep, nil)
		if w.told("consent.covered", w.rep.PersonID) != 1 || w.traced("giveConsent", own) != 1 {
			t.Error("who gave it oneself is told twice")
		}
		all := w.give(delegate, func(n *consent.New) { n.Contributors = nil })
		if w.told("consent.covered", w.rep.PersonID) != 1 {
			t.Error("a consent that names no contributor is told as one that does")
		}
		shown, err := w.consents.Show(ctx, delegate, c.ID)
		if err != nil || len(shown.Contributors) != 1 || shown.Contributors[0].LegalName != w.company.LegalName ||
			shown.DisplayName != "Paghe Semplici" || shown.LastUsedAt != nil || !slices.Equal(shown.Scopes, []string{"declarations"}) {
			t.Errorf("%+v, %v", shown, err)
		}
		session := w.session(c)
		seen := w.Clock.Now().Add(time.Minute)
		w.Exec(t, "UPDATE sessions SET last_seen_at = ? WHERE id = ?", seen, session)
		if shown, err = w.consents.Show(ctx, delegate, c.ID); err != nil || shown.LastUsedAt == nil || !shown.LastUsedAt.Equal(seen) {
			t.Errorf("used at %v, %v", shown.LastUsedAt, err)
		}
		if got := w.mine(delegate); !slices.Equal(got, []uuid.UUID{all.ID, c.ID}) {
			t.Errorf("mine: %v", got)
		}
		_, err = w.consents.Show(ctx, w.rep, c.ID)
		want(t, "somebody else's", err, fault.NotFound)
	})
}

func TestConsent_TenLiveForOneApplication(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var given []consent.Consent
		for range consent.MostAtOnce {
			given = append(given, w.give(w.rep, nil))
			w.Clock.Advance(time.Second)
		}
		other := w.application
		w.application = w.approved("Altro")
		w.give(w.rep, nil)
		if got := len(w.mine(w.rep)); got != consent.MostAtOnce+1 {
			t.Errorf("%d live consents", got)
		}
		w.application = other
		opened := w.session(given[0])
		w.give(w.rep, nil)
		if w.ended(given[0]) != consent.EndedDisplaced || w.ended(given[1]) != "" || w.traced("endConsent", given[0]) != 1 {
			t.Errorf("the oldest: %q, the next: %q", w.ended(given[0]), w.ended(given[1]))
		}
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at IS NOT NULL", opened); n != 1 {
			t.Error("the application goes on")
		}
	})
}

// What lasts and is in use is not displaced by logins that last a day, or that came to nothing.
func TestConsent_LogInsDisplaceNoServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		server := w.give(w.rep, func(n *consent.New) { n.Scopes = append(n.Scopes, access.ScopeOfflineAccess) })
		w.session(server)
		w.Clock.Advance(time.Second)
		unused := w.give(w.rep, func(n *consent.New) { n.Scopes = append(n.Scopes, access.ScopeOfflineAccess) })
		for range consent.MostAtOnce {
			w.Clock.Advance(time.Second)
			w.session(w.give(w.rep, nil))
		}
		if got := w.ended(server); got != "" {
			t.Errorf("the server's ended: %s", got)
		}
		if got := w.ended(unused); got != consent.EndedDisplaced {
			t.Errorf("the one that nobody uses: %q", got)
		}
	})
}

func TestConsent_IsWithdrawnByItsGiver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c, kept := w.give(w.rep, nil), w.give(w.rep, nil)
		opened := w.session(c)
		other := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		want(t, "by somebody else", w.consents.Withdraw(ctx, other, c.ID), fault.NotFound)
		want(t, "by its giver", w.consents.Withdraw(ctx, w.rep, c.ID), "")
		want(t, "again", w.consents.Withdraw(ctx, w.rep, c.ID), fault.NotFound)
		if got := w.mine(w.rep); !slices.Equal(got, []uuid.UUID{kept.ID}) {
			t.Errorf("mine: %v", got)
		}
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at IS NOT NULL AND end_reason = ?", opened, consent.EndedByHolder); n != 1 {
			t.Error("the application goes on")
		}
		if n := w.Count(t, "audit_records WHERE subject_id = ? AND subject_kind = 'consent'", c.ID.String()); n != 2 {
			t.Errorf("%d records, want that it was given and withdrawn", n)
		}
		if w.told("consent.ended", w.rep.PersonID) != 1 {
			t.Error("the giver was not told")
		}
	})
}

// TestConsent_AContributorTakesItselfOut: the consent goes on for the others, and ends with the
// last.
func TestConsent_AContributorTakesItselfOut(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, studio := w.Professional(t)
		second := w.Company(t, world.Milan)
		w.Delegation(t, studio, w.company, nil)
		w.Delegation(t, studio, second, nil)
		giver := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		one := w.give(giver, nil)
		both := w.give(giver, func(n *consent.New) { n.Contributors = append(n.Contributors, second.ID) })
		all := w.give(giver, func(n *consent.New) { n.Contributors = nil })
		opened := w.session(one)
		if got := w.about(w.rep); len(got) != 3 {
			t.Fatalf("%d consents about the company", len(got))
		}
		want(t, "by the giver, who does not represent it", w.consents.WithdrawFor(ctx, giver, w.company.ID, one.ID), fault.Forbidden)
		_, err := w.consents.OfContributor(ctx, giver, w.company.ID, pageOf(1))
		want(t, "listed by the giver", err, fault.Forbidden)
		want(t, "of another contributor", w.consents.WithdrawFor(ctx, w.rep, second.ID, both.ID), fault.NotFound)
		for _, c := range []consent.Consent{one, both, all} {
			want(t, "by its representative", w.consents.WithdrawFor(ctx, w.rep, w.company.ID, c.ID), "")
			want(t, "again", w.consents.WithdrawFor(ctx, w.rep, w.company.ID, c.ID), fault.NotFound)
		}
		if got := w.about(w.rep); len(got) != 0 {
			t.Errorf("still about the company: %v", got)
		}
		if w.ended(one) != consent.EndedByContributor || w.ended(both) != "" || w.ended(all) != "" {
			t.Errorf("%q, %q, %q", w.ended(one), w.ended(both), w.ended(all))
		}
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at IS NOT NULL", opened); n != 1 {
			t.Error("the application goes on without any contributor")
		}
		if w.told("consent.excluded", p.ID) != 2 || w.told("consent.ended", p.ID) != 1 {
			t.Errorf("told %d and %d", w.told("consent.excluded", p.ID), w.told("consent.ended", p.ID))
		}
		if n := w.Count(t, "audit_records WHERE contributor_id = ? AND acting_as = 'legal_representative' AND subject_kind = 'consent'",
			w.company.ID); n != 3 {
			t.Errorf("%d records", n)
		}
		shown, err := w.consents.Show(ctx, giver, both.ID)
		if err != nil || len(shown.Contributors) != 1 || shown.Contributors[0].ID != second.ID {
			t.Errorf("%+v, %v", shown, err)
		}
		if shown, err = w.consents.Show(ctx, giver, all.ID); err != nil || len(shown.Excluded) != 1 || shown.Excluded[0].ID != w.company.ID {
			t.Errorf("%+v, %v", shown, err)
		}
	})
}

func TestConsent_WhoManagesAContributorSeesWhatSoftwareMayDo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		caf := w.Association(t)
		w.Delegation(t, caf, w.company, nil)
		worker, sub := w.Person(t, nil), w.Person(t, nil)
		w.DelegateRole(t, worker.ID, caf, access.EmployeeDelegate, access.AllServices)
		w.SubDelegation(t, caf, sub.ID, nil)
		var all []uuid.UUID
		for _, p := range []world.Person{worker, sub} {
			by := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
			all = append(all, w.give(by, func(n *consent.New) { n.Contributors = nil }).ID)
		}
		delegate := w.Colleague(t, w.company.ID, access.EmployeeDelegate, access.Dispositive)
		all = append(all, w.give(delegate, nil).ID)
		// A consent of somebody who has nothing to do with the company is about none of its own.
		_, elsewhere := w.Employer(t)
		w.give(elsewhere, func(n *consent.New) { n.Contributors = nil })
		slices.Reverse(all)
		for _, role := range []access.ActingAs{access.LegalRepresentative, access.Employer, access.UserAdministrator} {
			p := w.Person(t, nil)
			w.Role(t, p.ID, w.company.ID, role)
			by, err := w.Guard.Enter(ctx, w.Session(t, p.ID, nil), access.Rule{To: access.ToContributor},
				access.Target{ContributorID: w.company.ID})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.about(by); !slices.Equal(got, all) {
				t.Errorf("%s: %v, want %v", role, got, all)
			}
		}
		for what, by := range map[string]access.Actor{"an employee": delegate, "an operator": w.Desk(t, world.Rome, w.company.ID)} {
			_, err := w.consents.OfContributor(ctx, by, w.company.ID, pageOf(1))
			want(t, what, err, fault.Forbidden)
		}
		_, err := w.consents.OfContributor(ctx, elsewhere, w.company.ID, pageOf(1))
		want(t, "a stranger", err, fault.NotFound)
		w.StrikeOff(t, caf)
		if got := w.about(w.rep); len(got) != 1 {
			t.Errorf("after the intermediary left its register: %v", got)
		}
		first, err := w.consents.OfContributor(ctx, w.rep, w.company.ID, pageOf(1))
		if err != nil || len(first.Items) != 1 || first.Items[0].GivenName == "" || first.Next != "" {
			t.Errorf("%+v, %v", first, err)
		}
	})
}

// TestConsent_ManyEndWithTheirApplicationPeopleByPeople: nothing is left, each is told once, and
// what people gave to an application that may act is left alone.
func TestConsent_ManyEndWithTheirApplicationPeopleByPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.consents.SetPeopleAtOnce(2)
		var all []consent.Consent
		givers := []access.Actor{w.rep}
		for range 4 {
			givers = append(givers, w.Colleague(t, w.company.ID, access.Employer, access.Dispositive))
		}
		for _, by := range append(givers, givers...) {
			c := w.give(by, nil)
			w.session(c)
			all = append(all, c)
		}
		live := func() int { return w.Count(t, "consents WHERE ended_at IS NULL") }
		sweep := func() {
			t.Helper()
			if err := w.consents.EndVoid(ctx); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
		if n := live(); n != 10 {
			t.Errorf("%d live of an application that may act", n)
		}
		w.Exec(t, "UPDATE applications SET state = 'suspended' WHERE id = ?", w.application)
		w.Must(t, func(ctx context.Context) error {
			more, err := w.consents.EndOfApplication(ctx, w.application, application.EndedBySuspension)
			if !more {
				t.Error("nothing is left after the first")
			}
			return err
		})
		if n := live(); n != 6 {
			t.Errorf("%d live after those of two people have ended", n)
		}
		sweep()
		for _, c := range all {
			if w.ended(c) != application.EndedBySuspension || w.traced("endConsent", c) != 1 {
				t.Errorf("%q, %d records", w.ended(c), w.traced("endConsent", c))
			}
		}
		if n := w.Count(t, "sessions WHERE consent_id IS NOT NULL AND ended_at IS NULL"); n != 0 {
			t.Errorf("%d sessions go on", n)
		}
		for _, by := range givers {
			if n := w.told("consent.ended", by.PersonID); n != 1 {
				t.Errorf("told %d times", n)
			}
		}
		w.application = w.approved("Altro")
		last := w.give(w.rep, nil)
		w.Exec(t, "UPDATE applications SET removed_at = ? WHERE id = ?", w.Clock.Now(), w.application)
		sweep()
		if w.ended(last) != application.EndedByRemoval {
			t.Errorf("ended %q", w.ended(last))
		}
	})
}

func TestConsent_EndsOnceAndIsTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		inTx := func(fn func(ctx context.Context) error) {
			t.Helper()
			w.Must(t, fn)
		}
		one, two := w.give(w.rep, nil), w.give(w.rep, nil)
		other := w.Colleague(t, w.company.ID, access.Employer, access.Dispositive)
		others := w.give(other, nil)
		for range 2 {
			inTx(func(ctx context.Context) error { return w.consents.End(ctx, one.ID, consent.EndedRefreshReused) })
		}
		if w.ended(one) != consent.EndedRefreshReused || w.traced("endConsent", one) != 1 || w.told("consent.ended", w.rep.PersonID) != 1 {
			t.Errorf("%q, %d records", w.ended(one), w.traced("endConsent", one))
		}
		inTx(func(ctx context.Context) error {
			return w.consents.EndAllOf(ctx, w.rep.PersonID, session.EndedPINRevoked)
		})
		if w.ended(two) != session.EndedPINRevoked || w.ended(one) != consent.EndedRefreshReused || w.ended(others) != "" {
			t.Errorf("%q, %q, %q", w.ended(two), w.ended(one), w.ended(others))
		}
		inTx(func(ctx context.Context) error {
			_, err := w.consents.EndOfApplication(ctx, w.application, application.EndedBySuspension)
			return err
		})
		if w.ended(others) != application.EndedBySuspension || w.told("consent.ended", other.PersonID) != 1 ||
			w.told("consent.ended", w.rep.PersonID) != 2 {
			t.Errorf("%q", w.ended(others))
		}
		if w.traced("endConsent", others) != 1 || w.traced("endConsent", two) != 1 {
			t.Error("not one record each")
		}
	})
}
