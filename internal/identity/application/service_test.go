package application_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App with a register of applications.
type fixture struct {
	*world.App
	t       *testing.T
	service *application.Service
	owner   access.Actor
	admin   access.Actor
	// ended are the applications that ended what people let them do, with why.
	ended []string
	// left is how often they have more to end.
	left int
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	eachOf(t, false, test)
}

// eachOf is each, with what is registered approved at once or not.
func eachOf(t *testing.T, instant bool, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newFixture(t, d, instant)) })
}

func newFixture(t *testing.T, d *db.DB, instant bool) *fixture {
	t.Helper()
	w := &fixture{App: world.New(t, d), t: t}
	w.service = application.NewService(application.Deps{
		Runner: w.Runner, Rights: w.Rights, Outbox: w.Outbox, Instant: instant,
		Ended: func(ctx context.Context, id uuid.UUID, reason string) (bool, error) {
			// It is part of the same transaction.
			if err := w.DB.From(ctx).Exec("UPDATE applications SET contact_email = contact_email WHERE id = ?", id).Error; err != nil {
				return false, err
			}
			w.ended = append(w.ended, id.String()+" "+reason)
			w.left--
			return w.left > 0, nil
		},
	})
	w.owner = w.enter(w.Person(t, nil))
	w.admin = w.enter(w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }))
	return w
}

// enter is a person with a session.
func (w *fixture) enter(p world.Person) access.Actor {
	w.t.Helper()
	return access.Actor{
		SessionID: w.Session(w.t, p.ID, nil), PersonID: p.ID, TaxCode: p.TaxCode, UserClass: p.UserClass, CredentialLevel: p.CredentialLevel,
	}
}

func input() application.Input {
	return application.Input{
		Profile: application.Profile{
			DisplayName: "Paghe Facili", RedirectURIs: []string{"http://127.0.0.1/callback"}, Scopes: []string{access.ScopeDeclarations},
		},
		Kind: application.Public, AuthMethod: application.NoAuth, ContactEmail: "sviluppo@paghe.example",
	}
}

func (w *fixture) registered(by access.Actor, change func(in *application.Input)) application.Application {
	w.t.Helper()
	in := input()
	if change != nil {
		change(&in)
	}
	a, err := w.service.Register(ctx, by, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *fixture) decided(id uuid.UUID, outcome application.State) application.Details {
	w.t.Helper()
	d, err := w.service.Decide(ctx, w.admin, id, fault.AnyVersion, application.Decision{Outcome: outcome, Reason: "provata"})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *fixture) change(by access.Actor, id uuid.UUID, c application.Change) (application.Application, error) {
	return w.service.Change(ctx, by, id, fault.AnyVersion, c)
}

// told counts the messages of a kind to a person.
func (w *fixture) told(kind string, by access.Actor) int {
	w.t.Helper()
	return w.Count(w.t, "outbox WHERE kind = ? AND person_id = ?", kind, by.PersonID)
}

func refused(t *testing.T, what string, err error, code fault.Code, more ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var got []string
	if f.Reason != "" {
		got = append(got, f.Reason)
	}
	for _, field := range f.Fields {
		got = append(got, field.Pointer, field.Code)
	}
	if !slices.Equal(got, more) && len(more) > 0 {
		t.Errorf("%s: %v, want %v", what, got, more)
	}
}

// TestApplication_WaitsForAnAdministrator: nobody lets it act before, and nobody does after a
// refusal.
func TestApplication_WaitsForAnAdministrator(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		if a.State != application.Submitted || a.ClientID == "" || a.Version != 1 {
			t.Fatalf("registered %+v", a)
		}
		_, err := w.service.Client(ctx, a.ClientID)
		refused(t, "before the decision", err, fault.NotFound)
		w.decided(a.ID, application.Refused)
		_, err = w.service.Client(ctx, a.ClientID)
		refused(t, "refused", err, fault.NotFound)
		_, err = w.service.Decide(ctx, w.admin, a.ID, fault.AnyVersion, application.Decision{Outcome: application.Approved, Reason: "x"})
		refused(t, "decided twice", err, fault.Conflict, "application-decided")
		again, err := w.change(w.owner, a.ID, application.Change{DisplayName: new("Paghe Chiare")})
		if err != nil || again.State != application.Submitted || again.DecidedAt != nil {
			t.Fatalf("changed %+v, %v", again, err)
		}
		w.decided(a.ID, application.Approved)
		got, err := w.service.Client(ctx, a.ClientID)
		if err != nil || got.ID != a.ID || got.DisplayName != "Paghe Chiare" || got.DecisionReason == nil || *got.DecidedBy != w.admin.PersonID {
			t.Errorf("approved %+v, %v", got, err)
		}
		if n := w.told("application.decided", w.owner); n != 2 {
			t.Errorf("told %d times", n)
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'application' AND subject_id = ?", a.ID.String()); n != 4 {
			t.Errorf("%d audit records", n)
		}
		_, err = w.service.Client(ctx, "nobody")
		refused(t, "an unknown one", err, fault.NotFound)
	})
}

func TestApplication_IsApprovedAtOnceInASandbox(t *testing.T) {
	eachOf(t, true, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		changed, err := w.change(w.owner, a.ID, application.Change{RedirectURIs: []string{"https://a.example/"}})
		if err != nil || a.State != application.Approved || changed.State != application.Approved || changed.Pending != nil ||
			!changed.AllowsRedirect("https://a.example/") {
			t.Errorf("changed %+v, %v", changed, err)
		}
	})
}

// TestApplication_WhatWasApprovedStaysInForce until a change of it is approved, too.
func TestApplication_WhatWasApprovedStaysInForce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		w.decided(a.ID, application.Approved)
		const elsewhere = "https://elsewhere.example/"
		w.Clock.Advance(time.Hour)
		change := application.Change{
			RedirectURIs: []string{elsewhere}, Scopes: access.Scopes(), DisplayName: new("Paghe"), LogoURI: new("https://a.example/l.png"),
			ContactEmail: new("altra@paghe.example"),
		}
		for range 2 {
			if _, err := w.change(w.owner, a.ID, change); err != nil {
				t.Fatal(err)
			}
			got, err := w.service.Client(ctx, a.ClientID)
			if err != nil || got.AllowsRedirect(elsewhere) || got.DisplayName != "Paghe Facili" || len(got.Scopes) != 1 || got.LogoURI != "" ||
				got.ContactEmail != "altra@paghe.example" || got.Pending == nil || !got.SubmittedAt.Equal(w.Clock.Now()) {
				t.Fatalf("while the change waits: %+v, %v", got, err)
			}
		}
		list, err := w.service.AtOffice(ctx, application.Filter{Waiting: true}, page.Request{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Pending.RedirectURIs[0] != elsewhere {
			t.Fatalf("%+v, %v", list, err)
		}
		if d := w.decided(a.ID, application.Refused); d.State != application.Approved || d.Pending != nil {
			t.Errorf("a refused change: %+v", d)
		}
		if _, err := w.change(w.owner, a.ID, change); err != nil {
			t.Fatal(err)
		}
		// A further change is made to the one that waits; taking it back ends it.
		got, err := w.change(w.owner, a.ID, application.Change{DisplayName: new("Paghe Nuove"), LogoURI: new("")})
		if err != nil || got.Pending == nil || got.Pending.RedirectURIs[0] != elsewhere || got.Pending.DisplayName != "Paghe Nuove" {
			t.Fatalf("changed twice %+v, %v", got, err)
		}
		got, err = w.change(w.owner, a.ID, application.Change{
			DisplayName: new("Paghe Facili"), RedirectURIs: a.RedirectURIs, Scopes: a.Scopes,
		})
		if err != nil || got.Pending != nil {
			t.Fatalf("taken back %+v, %v", got, err)
		}
		if _, err := w.change(w.owner, a.ID, change); err != nil {
			t.Fatal(err)
		}
		w.decided(a.ID, application.Approved)
		got, err = w.service.Client(ctx, a.ClientID)
		if err != nil || !got.AllowsRedirect(elsewhere) || got.AllowsRedirect("http://127.0.0.1/callback") || got.DisplayName != "Paghe" ||
			got.LogoURI == "" || len(got.Scopes) != len(access.Scopes()) || got.Pending != nil {
			t.Errorf("approved %+v, %v", got, err)
		}
	})
}

// TestApplication_WhatIsTakenAwayIsGoneAtOnce: nobody waits for an administrator while a key that
// got out is still good.
func TestApplication_WhatIsTakenAwayIsGoneAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, func(in *application.Input) {
			in.Kind, in.AuthMethod, in.JWKS = application.Confidential, application.PrivateKeyJWT, keySet("1", "2")
			in.RedirectURIs = append(in.RedirectURIs, "https://a.example/")
			in.Scopes, in.LogoURI = access.Scopes(), "https://a.example/l.png"
		})
		w.decided(a.ID, application.Approved)
		got, err := w.change(w.owner, a.ID, application.Change{
			JWKS: keySet("2"), RedirectURIs: []string{"https://a.example/"}, Scopes: []string{access.ScopeEvents}, LogoURI: new(""),
		})
		if err != nil || got.Pending != nil || got.State != application.Approved {
			t.Fatalf("changed %+v, %v", got, err)
		}
		got, err = w.service.Client(ctx, a.ClientID)
		if err != nil || string(got.JWKS) != string(keySet("2")) || len(got.RedirectURIs) != 1 || len(got.Scopes) != 1 || got.LogoURI != "" {
			t.Fatalf("in force %+v, %v", got, err)
		}
		for _, c := range []application.Change{
			{JWKS: keySet("2", "3")},
			{JWKS: keySet("3")},
			{RedirectURIs: []string{"https://b.example/"}},
			{Scopes: access.Scopes()},
			{DisplayName: new("Altro")},
			{LogoURI: new("https://b.example/l.png")},
			{JWKSURI: new("https://b.example/k")},
		} {
			if got, err = w.change(w.owner, a.ID, c); err != nil || got.Pending == nil {
				t.Errorf("%+v does not wait: %v", c, err)
			}
			w.decided(a.ID, application.Refused)
		}
	})
}

// TestApplication_ALeakedKeyIsTakenAwayWhileAChangeWaits: what waits for an administrator keeps
// nothing in force.
func TestApplication_ALeakedKeyIsTakenAwayWhileAChangeWaits(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, func(in *application.Input) {
			in.Kind, in.AuthMethod, in.JWKS = application.Confidential, application.PrivateKeyJWT, keySet("1", "2")
		})
		w.decided(a.ID, application.Approved)
		if _, err := w.change(w.owner, a.ID, application.Change{DisplayName: new("Altro")}); err != nil {
			t.Fatal(err)
		}
		got, err := w.change(w.owner, a.ID, application.Change{JWKS: keySet("2")})
		if err != nil || got.Pending == nil || got.Pending.DisplayName != "Altro" || string(got.Pending.JWKS) != string(keySet("2")) {
			t.Fatalf("changed %+v, %v", got, err)
		}
		if got, err = w.service.Client(ctx, a.ClientID); err != nil || string(got.JWKS) != string(keySet("2")) || got.DisplayName == "Altro" {
			t.Errorf("in force %+v, %v", got, err)
		}
	})
}

// TestApplication_IsDecidedAsItWasSeen: who changes it just before the decision gains nothing.
func TestApplication_IsDecidedAsItWasSeen(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		_, err := w.change(w.owner, a.ID, application.Change{RedirectURIs: []string{"https://evil.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.service.Decide(ctx, w.admin, a.ID, a.Version, application.Decision{Outcome: application.Approved, Reason: "x"})
		refused(t, "an older version", err, fault.PreconditionFailed)
		_, err = w.service.Change(ctx, w.owner, a.ID, a.Version, application.Change{DisplayName: new("x")})
		refused(t, "a change of an older version", err, fault.PreconditionFailed)
		got, err := w.service.ByID(ctx, a.ID)
		if err != nil || got.State != application.Submitted || got.Version != a.Version+1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestApplication_NobodyDecidesAboutTheirOwn, nor about that of an organisation which they manage.
func TestApplication_NobodyDecidesAboutTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company := w.Company(t, world.Rome)
		rep := w.enter(w.Person(t, nil))
		w.Role(t, rep.PersonID, company.ID, access.LegalRepresentative)
		w.Role(t, w.admin.PersonID, company.ID, access.UserAdministrator)
		own := w.registered(w.admin, nil)
		theirs := w.registered(rep, func(in *application.Input) { in.ContributorID = &company.ID })
		second := w.enter(w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }))
		d := application.Decision{Outcome: application.Approved, Reason: "x"}
		for _, a := range []application.Application{own, theirs} {
			_, err := w.service.Decide(ctx, w.admin, a.ID, fault.AnyVersion, d)
			refused(t, "deciding", err, fault.Forbidden, "second-person")
			if _, err := w.service.Decide(ctx, second, a.ID, fault.AnyVersion, d); err != nil {
				t.Error(err)
			}
			if _, err := w.service.Suspend(ctx, second, a.ID, "x"); err != nil {
				t.Error(err)
			}
			refused(t, "readmitting", w.service.Readmit(ctx, w.admin, a.ID), fault.Forbidden, "second-person")
			if err := w.service.Readmit(ctx, second, a.ID); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestApplication_SuspensionAndRemovalEndWhatPeopleAllowed in the same transaction.
func TestApplication_SuspensionAndRemovalEndWhatPeopleAllowed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		_, err := w.service.Suspend(ctx, w.admin, a.ID, "x")
		refused(t, "before it is approved", err, fault.Conflict, "application-not-approved")
		w.decided(a.ID, application.Approved)
		_, err = w.service.Suspend(ctx, w.admin, a.ID, " ")
		refused(t, "without a reason", err, fault.Invalid, "/reason", "pattern")
		refused(t, "readmitting", w.service.Readmit(ctx, w.admin, a.ID), fault.Conflict, "application-not-suspended")
		d, err := w.service.Suspend(ctx, w.admin, a.ID, "Domanda senza risposta")
		if err != nil || d.State != application.Suspended || *d.DecisionReason != "Domanda senza risposta" {
			t.Fatalf("%+v, %v", d, err)
		}
		_, err = w.service.Client(ctx, a.ClientID)
		refused(t, "suspended", err, fault.NotFound)
		// A change does not bring it back.
		if got, err := w.change(w.owner, a.ID, application.Change{DisplayName: new("Altro")}); err != nil ||
			got.State != application.Suspended || got.Pending == nil {
			t.Fatalf("changed %+v, %v", got, err)
		}
		if d := w.decided(a.ID, application.Approved); d.State != application.Suspended || d.DisplayName != "Altro" {
			t.Fatalf("a change of a suspended one: %+v", d)
		}
		// What the suspension left is ended before it may come back to life.
		w.left = 2
		if err := w.service.Readmit(ctx, w.admin, a.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.service.Remove(ctx, w.owner, a.ID); err != nil {
			t.Fatal(err)
		}
		suspension := a.ID.String() + " " + application.EndedBySuspension
		want := []string{suspension, suspension, suspension, a.ID.String() + " " + application.EndedByRemoval}
		if !slices.Equal(w.ended, want) {
			t.Errorf("ended %v", w.ended)
		}
		_, err = w.service.Client(ctx, a.ClientID)
		refused(t, "removed", err, fault.NotFound)
		_, err = w.service.Show(ctx, w.owner, a.ID)
		refused(t, "shown", err, fault.NotFound)
		_, err = w.service.ShowAtOffice(ctx, a.ID)
		refused(t, "shown at the office", err, fault.NotFound)
		_, err = w.change(w.owner, a.ID, application.Change{DisplayName: new("x")})
		refused(t, "changed", err, fault.NotFound)
		refused(t, "removed twice", w.service.Remove(ctx, w.owner, a.ID), fault.NotFound)
		if kept, err := w.service.ByID(ctx, a.ID); err != nil || kept.RemovedAt == nil {
			t.Errorf("%+v, %v", kept, err)
		}
		for kind, n := range map[string]int{"application.suspended": 1, "application.readmitted": 1, "application.decided": 2} {
			if got := w.told(kind, w.owner); got != n {
				t.Errorf("%s: told %d times", kind, got)
			}
		}
	})
}

// TestApplication_BelongsToWhoManagesUsers: one of an organisation is shown to those, and to nobody
// else, the person who registered it included.
func TestApplication_BelongsToWhoManagesUsers(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company, association := w.Company(t, world.Rome), w.Association(t)
		professional, firmOfOne := w.Professional(t)
		rep, administrator, worker, clerk := w.enter(w.Person(t, nil)), w.enter(w.Person(t, nil)), w.enter(w.Person(t, nil)), w.enter(w.Person(t, nil))
		role := w.Role(t, rep.PersonID, company.ID, access.LegalRepresentative)
		w.Role(t, administrator.PersonID, company.ID, access.UserAdministrator)
		w.Role(t, worker.PersonID, company.ID, access.EmployeeDelegate)
		w.DelegateRole(t, administrator.PersonID, association, access.UserAdministrator)
		w.DelegateRole(t, clerk.PersonID, association, access.EmployeeDelegate)
		ofCompany := func(in *application.Input) { in.ContributorID = &company.ID }
		ofAssociation := func(in *application.Input) { in.DelegateID = &association }

		for what, by := range map[string]access.Actor{"a worker": worker, "a stranger": w.owner} {
			in := input()
			ofCompany(&in)
			_, err := w.service.Register(ctx, by, in)
			refused(t, what, err, fault.Invalid, "/contributor_id", "unknown-contributor")
		}
		for what, by := range map[string]access.Actor{"a clerk": clerk, "a stranger": rep} {
			in := input()
			ofAssociation(&in)
			_, err := w.service.Register(ctx, by, in)
			refused(t, what, err, fault.Invalid, "/delegate_id", "unknown-delegate")
		}
		one, two := w.registered(rep, ofCompany), w.registered(administrator, ofAssociation)
		three := w.registered(w.enter(professional), func(in *application.Input) { in.DelegateID = &firmOfOne })
		own := w.registered(rep, nil)
		sees := func(by access.Actor, want ...application.Application) {
			t.Helper()
			list, err := w.service.Mine(ctx, by, page.Request{})
			if err != nil || len(list.Items) != len(want) {
				t.Fatalf("%d in the list, %v", len(list.Items), err)
			}
			for _, a := range []application.Application{one, two, three, own} {
				listed := slices.ContainsFunc(list.Items, func(b application.Application) bool { return a.ID == b.ID })
				_, err := w.service.Show(ctx, by, a.ID)
				mine := slices.ContainsFunc(want, func(b application.Application) bool { return a.ID == b.ID })
				if listed != mine || (err == nil) != mine || !mine && !fault.Is(err, fault.NotFound) {
					t.Errorf("listed %v, shown %v", listed, err)
				}
				if !mine {
					_, err := w.change(by, a.ID, application.Change{DisplayName: new("x")})
					refused(t, "changed", err, fault.NotFound)
					refused(t, "removed", w.service.Remove(ctx, by, a.ID), fault.NotFound)
				}
			}
		}
		sees(rep, one, own)
		sees(administrator, one, two)
		sees(w.enter(professional), three)
		for _, by := range []access.Actor{worker, clerk, w.owner, w.admin} {
			sees(by)
		}
		if n := w.Count(t, "audit_records WHERE subject_id = ? AND right_id = ? AND contributor_id = ?", one.ID.String(), role, company.ID); n != 1 {
			t.Errorf("%d records of the right", n)
		}
		w.decided(one.ID, application.Approved)
		if w.told("application.decided", rep) != 1 || w.told("application.decided", administrator) != 1 || w.told("application.decided", worker) != 0 {
			t.Error("others are told than who manages it")
		}
		w.decided(two.ID, application.Approved)
		w.decided(three.ID, application.Approved)
		if w.told("application.decided", administrator) != 2 ||
			w.Count(t, "outbox WHERE kind = 'application.decided' AND person_id = ?", professional.ID) != 1 {
			t.Error("who manages an intermediary is not told")
		}
		w.WithdrawRole(t, role)
		sees(rep, own)
	})
}

// TestApplication_TwentyForEachOwner: a person's and those of each organisation count apart, also of
// many registered at once.
func TestApplication_TwentyForEachOwner(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		company := w.Company(t, world.Rome)
		w.Role(t, w.owner.PersonID, company.ID, access.LegalRepresentative)
		for range application.AtMost - 2 {
			w.registered(w.owner, nil)
		}
		var many, ready sync.WaitGroup
		ready.Add(24)
		errs, begin := make([]error, 24), make(chan struct{})
		for i := range errs {
			many.Go(func() {
				// Whoever begins has a connection.
				_, errs[i] = w.service.Mine(ctx, w.owner, page.Request{})
				ready.Done()
				<-begin
				if errs[i] == nil {
					_, errs[i] = w.service.Register(ctx, w.owner, input())
				}
			})
		}
		ready.Wait()
		close(begin)
		many.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			refused(t, "over the limit", err, fault.Conflict, "too-many-open", "", "too-many-open")
		}
		if made != 2 {
			t.Errorf("%d more were registered", made)
		}
		w.registered(w.owner, func(in *application.Input) { in.ContributorID = &company.ID })
		list, err := w.service.Mine(ctx, w.owner, page.Request{Limit: 5})
		if err != nil || len(list.Items) != 5 || list.Next == "" {
			t.Fatalf("%+v, %v", list, err)
		}
		seen := len(list.Items)
		for list.Next != "" {
			if list, err = w.service.Mine(ctx, w.owner, page.Request{Limit: 5, Cursor: page.Bind("", list.Next)}); err != nil {
				t.Fatal(err)
			}
			seen += len(list.Items)
		}
		if seen != application.AtMost+1 {
			t.Errorf("%d in the list", seen)
		}
		if err := w.service.Remove(ctx, w.owner, list.Items[0].ID); err != nil {
			t.Fatal(err)
		}
		w.registered(w.owner, nil)
	})
}

// TestApplication_NeedsDispositiveCredentials for whatever changes one.
func TestApplication_NeedsDispositiveCredentials(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		a := w.registered(w.owner, nil)
		ordinary := w.owner
		ordinary.CredentialLevel = access.Ordinary
		_, err := w.service.Register(ctx, ordinary, input())
		refused(t, "registering", err, fault.DispositiveRequired)
		_, err = w.change(ordinary, a.ID, application.Change{DisplayName: new("x")})
		refused(t, "changing", err, fault.DispositiveRequired)
		refused(t, "removing", w.service.Remove(ctx, ordinary, a.ID), fault.DispositiveRequired)
		if _, err := w.service.Show(ctx, ordinary, a.ID); err != nil {
			t.Error(err)
		}
	})
}
