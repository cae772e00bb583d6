package subdelegation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/mandate/subdelegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{
	Operation: "grantSubDelegation", RequestID: "request-1", Address: "192.0.2.1",
})

// fixture is an App with a professional who has a delegation of a company.
type fixture struct {
	*world.App
	t          *testing.T
	service    *subdelegation.Service
	company    world.Company
	person     world.Person
	by         access.Actor
	delegate   uuid.UUID
	delegation uuid.UUID
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{
		App: a, t: t,
		service: subdelegation.NewService(subdelegation.Deps{
			Runner: a.Runner, Rights: a.Rights, Outbox: a.Outbox,
		}),
	}
	w.company, _ = a.Employer(t)
	w.person, w.delegate = a.Professional(t)
	w.confirm(w.person)
	w.by = w.enter(w.person)
	w.delegation = a.Delegation(t, w.delegate, w.company, nil)
	return w
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newWorld(t, d)) })
}

// confirm has a person confirm their digital identity.
func (w *fixture) confirm(p world.Person) world.Person {
	w.t.Helper()
	w.Exec(w.t, "UPDATE people SET identity_confirmed_at = ? WHERE id = ?", w.Clock.Now(), p.ID)
	return p
}

func (w *fixture) enter(p world.Person) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, p.ID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// worker is somebody who may get a sub-delegation.
func (w *fixture) worker() world.Person { return w.confirm(w.Person(w.t, nil)) }

func (w *fixture) grant(to world.Person, change func(*subdelegation.Input)) (subdelegation.View, error) {
	in := subdelegation.Input{TaxCode: to.TaxCode, DelegationIDs: []uuid.UUID{w.delegation}}
	if change != nil {
		change(&in)
	}
	return w.service.Grant(ctx, w.by, in)
}

func (w *fixture) given(to world.Person, change func(*subdelegation.Input)) subdelegation.View {
	w.t.Helper()
	s, err := w.grant(to, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// works tries to file a declaration for the company.
func (w *fixture) works(session uuid.UUID) error {
	by, err := w.Guard.Enter(ctx, session, access.Rule{
		To: access.ToContributor, Service: access.Declarations,
	}, access.Target{ContributorID: w.company.ID})
	if err != nil {
		return err
	}
	filed, err := w.Declarations.Draft(context.Background(), by, w.company.ID, w.company.Input(true))
	if err == nil && filed.ActingAs != access.SubDelegate {
		w.t.Errorf("filed as %s", filed.ActingAs)
	}
	return err
}

// told lists what was promised to a person.
func (w *fixture) told(id uuid.UUID) (kinds []string) {
	w.t.Helper()
	if err := w.DB.From(ctx).Raw(
		"SELECT kind FROM outbox WHERE person_id = ? AND kind LIKE 'subdelegation.%' ORDER BY created_at, id", id,
	).Scan(&kinds).Error; err != nil {
		w.t.Fatal(err)
	}
	return kinds
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

func TestSubDelegation_ASubDelegateWorksUntilTheDelegationEnds(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.worker()
		session := w.Session(t, p.ID, nil)
		refused(t, "before", w.works(session), fault.NotFound)
		s := w.given(p, nil)
		if s.PersonID != p.ID || s.DelegateID != w.delegate || s.Every || !slices.Equal(s.DelegationIDs, []uuid.UUID{w.delegation}) ||
			!slices.Equal(s.Services, []access.Service{access.AllServices}) {
			t.Errorf("granted %+v", s)
		}
		if err := w.works(session); err != nil {
			t.Error(err)
		}
		if got := w.told(p.ID); !slices.Equal(got, []string{"subdelegation.granted"}) {
			t.Errorf("told of %v", got)
		}
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), w.delegation)
		refused(t, "after the delegation was revoked", w.works(session), fault.NotFound)
	})
}

func TestSubDelegation_ARevokedSubDelegationIsOverAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.worker()
		session := w.Session(t, p.ID, nil)
		first := w.given(p, nil)
		stranger := w.enter(w.worker())
		_, err := w.service.Revoke(ctx, stranger, first.ID)
		refused(t, "a stranger", err, fault.NotFound)
		_, err = w.service.Show(ctx, stranger, first.ID)
		refused(t, "a stranger looks", err, fault.NotFound)
		ended, err := w.service.Revoke(ctx, w.by, first.ID)
		if err != nil || ended.RevokedAt == nil || !ended.RevokedAt.Equal(w.Clock.Now()) || *ended.RevokedBy != w.by.PersonID {
			t.Errorf("revoked %+v, %v", ended, err)
		}
		refused(t, "afterwards", w.works(session), fault.NotFound)
		_, err = w.service.Revoke(ctx, w.by, first.ID)
		refused(t, "once more", err, fault.Conflict)

		second := w.given(p, func(in *subdelegation.Input) { in.DelegationIDs, in.All = nil, true })
		if err := w.works(session); err != nil {
			t.Error(err)
		}
		if _, err := w.service.Revoke(ctx, w.enter(p), second.ID); err != nil {
			t.Errorf("who holds it: %v", err)
		}
		refused(t, "after giving it back", w.works(session), fault.NotFound)
		if got := w.told(p.ID); !slices.Equal(got, []string{
			"subdelegation.granted", "subdelegation.revoked", "subdelegation.granted", "subdelegation.revoked",
		}) {
			t.Errorf("the worker was told of %v", got)
		}
		if got := w.told(w.person.ID); !slices.Equal(got, []string{"subdelegation.revoked"}) {
			t.Errorf("the intermediary was told of %v", got)
		}

		// Whatever zone it was written in, and however finely.
		soon := w.Clock.Now().Add(time.Hour + 3).In(time.FixedZone("", -7*3600))
		third := w.given(p, func(in *subdelegation.Input) { in.ValidUntil = &soon })
		w.Clock.Advance(time.Hour)
		refused(t, "after its end", w.works(w.Session(t, p.ID, nil)), fault.NotFound)
		_, err = w.service.Revoke(ctx, w.by, third.ID)
		refused(t, "an expired one", err, fault.Conflict)
	})
}

func TestSubDelegation_NothingIsLearntAboutPeople(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		other, err := taxcode.Parse(world.Worker)
		if err != nil {
			t.Fatal(err)
		}
		ordinary := w.confirm(w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary }))
		out := w.worker()
		w.Exec(t, "UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?", w.Clock.Now(), out.ID)
		for what, p := range map[string]world.Person{"nobody": {TaxCode: other}, "with ordinary credentials": ordinary, "suspended": out} {
			_, err := w.grant(p, nil)
			refused(t, what, err, fault.Invalid, "/tax_code", "unknown-person")
		}
		_, err = w.grant(w.Person(t, nil), nil)
		refused(t, "not confirmed", err, fault.Invalid, "/tax_code", "identity-not-confirmed")
		if n := w.Count(t, "audit_records WHERE operation = 'grantSubDelegation' AND outcome = 'unknown-person'"); n != 4 {
			t.Errorf("%d tries left a trace", n)
		}
		if w.Count(t, "sub_delegations") != 0 || w.Count(t, "outbox") != 0 {
			t.Error("a refused try had an effect")
		}
		_, err = w.grant(w.person, nil)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != "sub-delegate-oneself" {
			t.Errorf("oneself: %v", err)
		}
	})
}

func TestSubDelegation_TriesAreCounted(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		nobody := world.Person{TaxCode: func() taxcode.Code { c, _ := taxcode.Parse(world.Worker); return c }()}
		first := w.given(w.worker(), nil)
		w.Clock.Advance(time.Minute)
		// Of many at once no more are looked up than are left.
		var all sync.WaitGroup
		errs := make([]error, 40)
		for i := range errs {
			all.Go(func() { _, errs[i] = w.grant(nobody, nil) })
		}
		all.Wait()
		looked := 0
		for _, err := range errs {
			switch {
			case fault.Is(err, fault.Invalid):
				looked++
			case !fault.Is(err, fault.RateLimited):
				t.Error(err)
			}
		}
		if looked != 19 {
			t.Errorf("%d were looked up", looked)
		}
		known := w.worker()
		_, err := w.grant(known, nil)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour-time.Minute {
			t.Errorf("the next: %v", err)
		}
		w.Clock.Advance(24*time.Hour - time.Minute)
		w.by = w.enter(w.person)
		w.given(known, nil)
		if shown, err := w.service.Show(ctx, w.by, first.ID); err != nil || shown.ID != first.ID {
			t.Errorf("%+v, %v", shown, err)
		}
	})
}

func TestSubDelegation_TermsThatReachFurtherAreRefused(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.worker()
		now := w.Clock.Now()
		end := now.Add(48 * time.Hour)
		partial := w.Delegation(t, w.delegate, w.Company(t, world.Rome), func(d *world.Delegation) {
			d.Scope, d.Services, d.ValidUntil = "partial", world.Services(access.Declarations), &end
		})
		_, another := w.Professional(t)
		foreign := w.Delegation(t, another, w.company, nil)
		draft := w.Delegation(t, w.delegate, w.company, func(d *world.Delegation) { d.State, d.ActivatedAt = "draft", nil })
		expired := w.Delegation(t, w.delegate, w.company, func(d *world.Delegation) { d.ValidUntil = &now })
		for _, c := range []struct {
			what   string
			change func(*subdelegation.Input)
			fields []string
		}{
			{"no delegations", func(in *subdelegation.Input) { in.DelegationIDs = nil }, []string{"/delegation_ids", "required"}},
			{"an empty list of delegations", func(in *subdelegation.Input) {
				in.DelegationIDs = []uuid.UUID{}
			}, []string{"/delegation_ids", "too-few"}},
			{"all and some", func(in *subdelegation.Input) { in.All = true }, []string{"/delegation_ids", "not-applicable"}},
			{
				"another's delegation, a draft, an expired one", func(in *subdelegation.Input) {
					in.DelegationIDs = []uuid.UUID{foreign, w.delegation, draft, expired}
				},
				[]string{
					"/delegation_ids/0", "unknown-delegation", "/delegation_ids/2", "unknown-delegation", "/delegation_ids/3",
					"unknown-delegation",
				},
			},
			{"one twice", func(in *subdelegation.Input) {
				in.DelegationIDs = []uuid.UUID{w.delegation, w.delegation}
			}, []string{"/delegation_ids/1", "duplicate"}},
			{
				"an unknown service", func(in *subdelegation.Input) {
					in.Services = []access.Service{"x", access.Declarations, access.Declarations}
				},
				[]string{"/services/0", "unknown-service", "/services/2", "duplicate"},
			},
			{"a service that was not delegated", func(in *subdelegation.Input) {
				in.DelegationIDs, in.Services = []uuid.UUID{partial}, []access.Service{access.Declarations, access.Delegations}
			}, []string{"/services/1", "not-delegated"}},
			{"longer than the delegation", func(in *subdelegation.Input) {
				until := end.Add(time.Second)
				in.DelegationIDs, in.ValidUntil = []uuid.UUID{w.delegation, partial}, &until
			}, []string{"/valid_until", "after-delegation"}},
			{"until now", func(in *subdelegation.Input) { in.ValidUntil = &now }, []string{"/valid_until", "past"}},
		} {
			_, err := w.grant(p, c.change)
			refused(t, c.what, err, fault.Invalid, c.fields...)
		}
		if w.Count(t, "audit_records") != 0 {
			t.Error("they count as tries")
		}
		w.given(p, func(in *subdelegation.Input) {
			in.DelegationIDs, in.ValidUntil, in.Services = []uuid.UUID{w.delegation, partial}, &end, []access.Service{access.Delegations}
		})
		// One of a suspended intermediary is live, but who is off its register gives nothing.
		w.StrikeOff(t, w.delegate)
		_, err := w.grant(p, nil)
		refused(t, "off the register", err, fault.Forbidden)
	})
}

func TestSubDelegation_WhoDecides(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		association := w.Association(t)
		delegation := w.Delegation(t, association, w.company, nil)
		seated := func(role access.ActingAs) access.Actor {
			p := w.worker()
			w.DelegateRole(t, p.ID, association, role, access.AllServices)
			return w.enter(p)
		}
		head, administrator := seated(access.LegalRepresentative), seated(access.UserAdministrator)
		employee := seated(access.EmployeeDelegate)
		p := w.worker()
		in := subdelegation.Input{TaxCode: p.TaxCode, DelegationIDs: []uuid.UUID{delegation}}
		made, err := w.service.Grant(ctx, head, in)
		if err != nil {
			t.Fatal(err)
		}
		in.TaxCode = w.worker().TaxCode
		if _, err := w.service.Grant(ctx, administrator, in); err != nil {
			t.Error(err)
		}
		for what, by := range map[string]access.Actor{"an employee delegate": employee, "a citizen": w.enter(w.worker())} {
			_, err := w.service.Grant(ctx, by, in)
			refused(t, what, err, fault.Forbidden)
		}
		if _, err := w.service.Show(ctx, employee, made.ID); err != nil {
			t.Errorf("an employee delegate looks: %v", err)
		}
		_, err = w.service.Revoke(ctx, employee, made.ID)
		refused(t, "an employee delegate revokes", err, fault.Forbidden)
		if _, err := w.service.Revoke(ctx, administrator, made.ID); err != nil {
			t.Error(err)
		}

		ordinary := w.by
		ordinary.CredentialLevel = access.Ordinary
		_, err = w.service.Grant(ctx, ordinary, in)
		refused(t, "with ordinary credentials", err, fault.DispositiveRequired)
		unconfirmed, delegate := w.Professional(t)
		in.DelegationIDs = []uuid.UUID{w.Delegation(t, delegate, w.company, nil)}
		_, err = w.service.Grant(ctx, w.enter(unconfirmed), in)
		refused(t, "not confirmed", err, fault.IdentityNotConfirmed)

		// Who decides for two must say for which.
		w.DelegateRole(t, w.person.ID, association, access.LegalRepresentative, access.AllServices)
		_, err = w.grant(p, nil)
		refused(t, "for two", err, fault.Invalid, "/delegate_id", "required")
		_, err = w.grant(p, func(in *subdelegation.Input) { in.DelegateID = &delegate })
		refused(t, "for another", err, fault.Invalid, "/delegate_id", "unknown-delegate")
		if _, err := w.grant(p, func(in *subdelegation.Input) { in.DelegateID = &w.delegate }); err != nil {
			t.Error(err)
		}
	})
}

func TestSubDelegation_TheListShowsBothSides(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.worker()
		var want []uuid.UUID
		for _, s := range []access.Service{access.ViewPayments, access.Declarations, access.Delegations} {
			want = append([]uuid.UUID{w.given(p, func(in *subdelegation.Input) { in.Services = []access.Service{s} }).ID}, want...)
			w.Clock.Advance(time.Second)
		}
		w.given(w.worker(), nil)
		if _, err := w.service.Revoke(ctx, w.by, want[1]); err != nil {
			t.Fatal(err)
		}
		list := func(by access.Actor) (ids []uuid.UUID) {
			request := page.Request{Limit: 2}
			for {
				found, err := w.service.List(ctx, by, request)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range found.Items {
					ids = append(ids, s.ID)
					if len(s.DelegationIDs) != 1 || s.FamilyName == "" || s.DelegateName == "" {
						t.Errorf("%+v", s)
					}
				}
				if request.Cursor = found.Next; request.Cursor == "" {
					return ids
				}
			}
		}
		if got := list(w.enter(p)); !slices.Equal(got, want) {
			t.Errorf("the worker sees %v, want %v", got, want)
		}
		if got := list(w.by); len(got) != 4 || !slices.Equal(got[1:], want) {
			t.Errorf("the intermediary sees %v", got)
		}
		if got := list(w.enter(w.worker())); len(got) != 0 {
			t.Errorf("a stranger sees %v", got)
		}
	})
}

func TestSubDelegation_ARepeatedGrantIsOne(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		in := subdelegation.Input{TaxCode: w.worker().TaxCode, All: true}
		first, err := w.service.Grant(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.service.Grant(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		if err != nil || second.ID != first.ID || w.Count(t, "sub_delegations") != 1 ||
			w.Count(t, "audit_records WHERE operation = 'grantSubDelegation'") != 1 {
			t.Errorf("%v, %v", second, err)
		}
		// A try that is refused leaves its key free.
		in.TaxCode, err = taxcode.Parse(world.Worker)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = w.service.Grant(world.WithKey(ctx, w.by, "key-2"), w.by, in)
			refused(t, "unknown", err, fault.Invalid, "/tax_code", "unknown-person")
		}
	})
}

// Whoever files under a sub-delegation holds it until the end of the group. So what is filed comes
// before the instant at which it ended.
func TestSubDelegation_EndsAtAnInstantAfterWhatItLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	granted, err := w.grant(w.worker(), nil)
	if err != nil {
		t.Fatal(err)
	}
	released := world.EndBeside(t, d, w.Clock, func() error {
		_, err := w.service.Revoke(context.Background(), w.by, granted.ID)
		return err
	}, "SELECT 1 FROM sub_delegations WHERE id = ? FOR SHARE", granted.ID)
	if n := w.Count(t, "sub_delegations WHERE id = ? AND revoked_at >= ?", granted.ID, released); n != 1 {
		t.Error("it ended before what it let in")
	}
}
