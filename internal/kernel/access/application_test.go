package access_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// playing is a fixture in the hands of a test.
type playing struct {
	fixture
	t *testing.T
}

// toRead is an operation that is open to applications which read declarations.
var toRead = access.Rule{
	To: access.ToContributor, Service: access.Declarations, Scopes: []string{access.ScopeDeclarationsRead, access.ScopeDeclarations},
}

// An application enters with the token of its own session, and with nothing else.
func TestApplication_EntersWithItsOwnTokenAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		s, other := w.Software(t, w.rep.PersonID, nil), w.Software(t, w.rep.PersonID, nil)
		_, stranger := w.Employer(t)
		change := func(c access.Caller, how func(*access.Caller)) access.Caller { how(&c); return c }
		for name, c := range map[string]struct {
			caller access.Caller
			want   fault.Code
		}{
			"its own":                        {s.Caller, ""},
			"no client":                      {change(s.Caller, func(c *access.Caller) { c.ClientID = "" }), fault.Unauthenticated},
			"the client of another":          {change(s.Caller, func(c *access.Caller) { c.ClientID = other.ClientID }), fault.Unauthenticated},
			"the session of another":         {change(s.Caller, func(c *access.Caller) { c.SessionID = other.Caller.SessionID }), fault.Unauthenticated},
			"another person":                 {change(s.Caller, func(c *access.Caller) { c.PersonID = stranger.PersonID }), fault.Unauthenticated},
			"the session of the person":      {change(s.Caller, func(c *access.Caller) { c.SessionID = w.rep.SessionID }), fault.Unauthenticated},
			"no session":                     {change(s.Caller, func(c *access.Caller) { c.SessionID = uuid.New() }), fault.SessionEnded},
			"the person with their own":      {access.Caller{SessionID: w.rep.SessionID, PersonID: w.rep.PersonID}, ""},
			"the person with the grant":      {access.Caller{SessionID: s.Caller.SessionID, PersonID: w.rep.PersonID}, fault.Unauthenticated},
			"no scope in the token":          {change(s.Caller, func(c *access.Caller) { c.Scopes = nil }), fault.Forbidden},
			"another scope in the token":     {change(s.Caller, func(c *access.Caller) { c.Scopes = []string{access.ScopeDelegationsRead} }), fault.Forbidden},
			"a scope the consent has not":    {change(s.Caller, func(c *access.Caller) { c.Scopes = []string{access.ScopeDossier} }), fault.Forbidden},
			"one of the scopes":              {change(s.Caller, func(c *access.Caller) { c.Scopes = []string{access.ScopeDeclarations} }), ""},
			"the person claiming the client": {change(s.Caller, func(c *access.Caller) { c.SessionID, c.Scopes = w.rep.SessionID, nil }), fault.Unauthenticated},
		} {
			by, err := w.Guard.EnterAs(context.Background(), c.caller, toRead, access.Target{ContributorID: w.company.ID})
			if codeOf(err) != c.want {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
			if err == nil && (by.Grant != nil) != (c.caller.ClientID != "") {
				t.Errorf("%s: entered with the grant %+v", name, by.Grant)
			}
		}
	})
}

// What ends a grant, or was never given, ends it with the next request. That is so whichever way
// the application comes.
func TestApplication_EndsWithTheNextRequest(t *testing.T) {
	elsewhere := func(w playing) uuid.UUID { c, _ := w.Employer(w.t); return c.ID }
	for name, c := range map[string]struct {
		given func(w playing, c *world.Consent)
		then  func(w playing, s world.Software)
		want  fault.Code
	}{
		"another contributor": {given: func(w playing, c *world.Consent) {
			c.EveryContributor, c.Contributors = false, []uuid.UUID{elsewhere(w)}
		}, want: fault.NotFound},
		"no contributor at all":   {given: func(_ playing, c *world.Consent) { c.EveryContributor = false }, want: fault.NotFound},
		"another service":         {given: func(_ playing, c *world.Consent) { c.Services = world.Services(access.Delegations) }, want: fault.ServiceNotDelegated},
		"no service":              {given: func(_ playing, c *world.Consent) { c.Services = access.ServiceSet{} }, want: fault.NotFound},
		"a contributor that went": {given: func(w playing, c *world.Consent) { c.Excluded = []uuid.UUID{w.company.ID} }, want: fault.NotFound},
		"a named contributor that went": {given: func(w playing, c *world.Consent) {
			c.EveryContributor, c.Contributors, c.Excluded = false, []uuid.UUID{w.company.ID}, []uuid.UUID{w.company.ID}
		}, want: fault.NotFound},
		"withdrawn": {then: func(w playing, s world.Software) { w.EndConsent(w.t, s.ConsentID) }, want: fault.SessionEnded},
		"consent alone": {then: func(w playing, s world.Software) {
			w.Exec(w.t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", w.Clock.Now(), s.ConsentID)
		}, want: fault.SessionEnded},
		"session alone": {then: func(w playing, s world.Software) {
			w.Exec(w.t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), s.Caller.SessionID)
		}, want: fault.SessionEnded},
		"expired": {then: func(w playing, _ world.Software) { w.Clock.Advance(31 * 24 * time.Hour) }, want: fault.SessionEnded},
		"application suspended": {then: func(w playing, s world.Software) {
			w.Exec(w.t, "UPDATE applications SET state = 'suspended' WHERE id = ?", s.ID)
		}, want: fault.SessionEnded},
		"application removed": {then: func(w playing, s world.Software) {
			w.Exec(w.t, "UPDATE applications SET removed_at = ? WHERE id = ?", w.Clock.Now(), s.ID)
		}, want: fault.SessionEnded},
		"session beyond the consent": {then: func(w playing, s world.Software) {
			w.Exec(w.t, "UPDATE sessions SET expires_at = ? WHERE id = ?", w.Clock.Now().AddDate(2, 0, 0), s.Caller.SessionID)
		}, want: fault.SessionEnded},
		"consent of another person": {then: func(w playing, s world.Software) {
			_, by := w.Employer(w.t)
			w.Exec(w.t, "UPDATE consents SET person_id = ? WHERE id = ?", by.PersonID, s.ConsentID)
		}, want: fault.SessionEnded},
		"right withdrawn": {then: func(w playing, _ world.Software) { w.WithdrawRole(w.t, w.rep.Rights[0].ID) }, want: fault.NotFound},
		"person suspended": {then: func(w playing, _ world.Software) {
			w.Exec(w.t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), w.rep.PersonID)
		}, want: fault.SessionEnded},
		"person works here": {then: func(w playing, _ world.Software) {
			w.Exec(w.t, "UPDATE people SET user_class = 'operator', office_code = ? WHERE id = ?", world.Rome, w.rep.PersonID)
		}, want: fault.Forbidden},
		"nothing":               {},
		"an hour of inactivity": {then: func(w playing, _ world.Software) { w.Clock.Advance(time.Hour) }},
		"a fortnight":           {then: func(w playing, _ world.Software) { w.Clock.Advance(14 * 24 * time.Hour) }},
		"the contributor, named": {given: func(w playing, c *world.Consent) {
			c.EveryContributor, c.Contributors = false, []uuid.UUID{w.company.ID}
		}},
		"another that went": {given: func(w playing, c *world.Consent) { c.Excluded = []uuid.UUID{elsewhere(w)} }},
		"its service":       {given: func(_ playing, c *world.Consent) { c.Services = world.Services(access.Declarations) }},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := playing{newWorld(t, d), t}
				s := w.Software(t, w.rep.PersonID, func(to *world.Consent) {
					if c.given != nil {
						c.given(w, to)
					}
				})
				if c.then != nil {
					if c.want != "" {
						w.LetIn(t, s, w.company.ID)
					}
					c.then(w, s)
				}
				for what, ask := range map[string]func() (access.Actor, error){
					"contributor": func() (access.Actor, error) {
						return w.Guard.EnterAs(context.Background(), s.Caller, toRead, access.Target{ContributorID: w.company.ID})
					},
					"declaration": func() (access.Actor, error) {
						rule := toRead
						rule.To = access.ToDeclaration
						return w.Guard.EnterAs(context.Background(), s.Caller, rule, access.Target{DeclarationID: w.filed})
					},
				} {
					by, err := ask()
					if codeOf(err) != c.want {
						t.Errorf("%s: %v, want %q", what, err, c.want)
					}
					if c.want == fault.NotFound && len(by.Rights) != 0 {
						t.Errorf("%s: rights %+v", what, by.Rights)
					}
				}
			})
		})
	}
}

// Whatever needs the person is closed to applications, however the contract came to have a scope
// there.
func TestApplication_DoesNothingThatNeedsThePerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		s := w.Software(t, w.rep.PersonID, nil)
		scopes := toRead.Scopes
		for name, rule := range map[string]access.Rule{
			"no scopes":   {To: access.ToSession},
			"fresh":       {To: access.ToSession, Fresh: true, Scopes: scopes},
			"strong":      {To: access.ToSession, Strong: true, Scopes: scopes},
			"forced":      {To: access.ToSession, Forced: true, Scopes: scopes},
			"dispositive": {To: access.ToSession, Dispositive: true, Scopes: scopes},
			"office":      {To: access.ToOffice, Scopes: scopes},
		} {
			if _, err := w.Guard.EnterAs(context.Background(), s.Caller, rule, access.Target{}); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.Guard.EnterAs(context.Background(), s.Caller, access.Rule{To: access.ToSession, Scopes: scopes}, access.Target{}); err != nil {
			t.Errorf("with a scope: %v", err)
		}
	})
}

// Two that come with tokens of different scopes in one session at the same time get what each
// token is good for.
func TestApplication_ScopesOfOneTokenAreNotAnothers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		s := w.Software(t, w.rep.PersonID, nil)
		world.Parallel(32, func(i int) {
			caller, want := s.Caller, fault.Code("")
			if i%2 == 0 {
				caller.Scopes, want = []string{access.ScopeDelegationsRead}, fault.Forbidden
			}
			for range 20 {
				by, err := w.Guard.EnterAs(context.Background(), caller, toRead, access.Target{ContributorID: w.company.ID})
				if codeOf(err) != want || !slices.Equal(by.Grant.Scopes, caller.Scopes) && i%2 == 0 {
					t.Errorf("%v with %v: %v", by.Grant, caller.Scopes, err)
				}
			}
		})
	})
}

// Every reader of rights says the same of an application: what the consent leaves of each right of
// its person.
func TestApplication_EveryReaderOfRightsKeepsToTheConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ctx := context.Background()
		dice := world.Dice(12)
		companies := make([]world.Company, 6)
		for i := range companies {
			companies[i] = w.Company(t, world.Rome, world.Milan)
		}
		for range 12 {
			gone := companies[dice.IntN(6)].ID
			person := w.RandomRights(t, companies, func(most int) int { return dice.IntN(most + 1) })
			s := w.Software(t, person.PersonID, func(c *world.Consent) {
				c.Services = []access.ServiceSet{
					{access.AllServices}, world.Services(access.Declarations), world.Services(access.ViewPayments), world.Services(access.Delegations),
				}[dice.IntN(4)]
				if c.EveryContributor = dice.IntN(2) == 0; !c.EveryContributor {
					for _, at := range companies[:3] {
						c.Contributors = append(c.Contributors, at.ID)
					}
				}
				c.Excluded = []uuid.UUID{gone}
			})
			rule := access.Rule{To: access.ToSession, Scopes: toRead.Scopes}
			by, err := w.Guard.EnterAs(ctx, s.Caller, rule, access.Target{})
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]uuid.UUID, len(companies))
			for i, c := range companies {
				ids[i] = c.ID
			}
			whole, err := w.Rights.Rights(ctx, person, ids)
			if err != nil {
				t.Fatal(err)
			}
			left, err := w.Rights.Rights(ctx, by, ids)
			if err != nil {
				t.Fatal(err)
			}
			var seen, declared []uuid.UUID
			kinds := map[string]bool{}
			for _, id := range ids {
				var want []access.Right
				for _, r := range whole[id] {
					if r.Services = r.Services.Intersect(by.Grant.Services); by.Grant.IsAbout(id) && id != gone && len(r.Services) > 0 {
						want = append(want, r)
						kinds[fmt.Sprint(r.ActingAs)] = true
					}
				}
				if diff := cmp.Diff(want, left[id]); diff != "" {
					t.Fatalf("rights: %s", diff)
				}
				rule := access.Rule{To: access.ToContributor, Scopes: toRead.Scopes}
				entered, err := w.Guard.EnterAs(ctx, s.Caller, rule, access.Target{ContributorID: id})
				if diff := cmp.Diff(want, entered.Rights); diff != "" || (err == nil) != (len(want) > 0) {
					t.Fatalf("guard, %v: %s", err, diff)
				}
				if len(want) > 0 {
					seen = append(seen, id)
				}
				if slices.ContainsFunc(want, func(r access.Right) bool { return r.Covers(access.Declarations) }) {
					declared = append(declared, id)
				}
			}
			check := func(what, query string, reached access.Reached, want []uuid.UUID) {
				t.Helper()
				var got []uuid.UUID
				if err := w.DB.From(ctx).Raw("WITH "+reached.Memberships+" "+query, reached.Args).Scan(&got).Error; err != nil {
					t.Fatal(err)
				}
				got = slices.DeleteFunc(got, func(id uuid.UUID) bool { return !slices.Contains(ids, id) })
				sortIDs(got)
				sortIDs(want)
				if diff := cmp.Diff(want, slices.Compact(got), cmp.Transformer("text", uuid.UUID.String)); diff != "" {
					t.Errorf("%s, consent %+v: %s", what, by.Grant, diff)
				}
			}
			reached := w.Rights.Contributors(by)
			check("contributors asked", "SELECT m.contributor_id FROM ("+reached.Contributors+") m", reached, seen)
			check("contributors probed", "SELECT c.id FROM contributors c WHERE "+reached.Covers, reached, seen)
			reached = w.Rights.Declared(by, access.Declarations)
			check("declared asked", "SELECT m.contributor_id FROM ("+reached.Contributors+") m", reached, declared)
			check("declared probed", "SELECT DISTINCT d.contributor_id FROM (SELECT contributor_id, id AS position_id FROM positions) d WHERE "+
				reached.Covers, reached, declared)
			reach, err := w.Rights.Reach(ctx, by)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range reach {
				if !kinds[string(r.ActingAs)] || len(r.Services) == 0 || !by.Grant.Services.CoversAll(r.Services) {
					t.Errorf("reach %+v, consent %+v", r, by.Grant)
				}
			}
			if (len(reach) > 0) != (len(seen) > 0) {
				t.Errorf("reach %+v, contributors %v", reach, seen)
			}
			represented, err := w.Rights.Represented(ctx, by, access.Declarations)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range represented {
				if !slices.Contains(declared, id) {
					t.Errorf("represents %s", id)
				}
			}
			memberships, err := w.Rights.Memberships(ctx, by)
			if err != nil || slices.ContainsFunc(memberships, func(m access.Membership) bool {
				return !slices.Equal(m.Services, world.Services(access.Delegations)) || !by.Grant.Services.Covers(access.Delegations)
			}) {
				t.Errorf("memberships: %+v, %v", memberships, err)
			}
			by.Grant.Scopes = toRead.Scopes
			if memberships, err := w.Rights.Memberships(ctx, by); err != nil || len(memberships) != 0 {
				t.Errorf("memberships without the scope: %+v, %v", memberships, err)
			}
		}
	})
}

func sortIDs(ids []uuid.UUID) {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
}

// However many contributors took themselves out of a consent, the guard reads of the one at hand
// alone whether it did.
func TestApplication_OfThoseThatWentTheGuardReadsTheOneAtHand(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var gone []uuid.UUID
		for range 3 {
			c := w.Company(t, world.Rome)
			w.Role(t, w.rep.PersonID, c.ID, access.Employer)
			gone = append(gone, c.ID)
		}
		s := w.Software(t, w.rep.PersonID, func(c *world.Consent) { c.Excluded = gone })
		ctx := context.Background()
		for _, at := range []uuid.UUID{w.company.ID, gone[1]} {
			by, err := w.Guard.EnterAs(ctx, s.Caller, toRead, access.Target{ContributorID: at})
			var want []uuid.UUID
			if at != w.company.ID {
				want = []uuid.UUID{at}
			}
			if diff := cmp.Diff(want, by.Grant.Excluded); diff != "" || (err == nil) != (want == nil) {
				t.Errorf("%v: %s", err, diff)
			}
		}
		// Whoever asks about several is told so of each.
		by := w.LetIn(t, s, w.company.ID)
		rights, err := w.Rights.Rights(ctx, by, append(gone, w.company.ID))
		if err != nil || len(rights) != 1 || len(rights[w.company.ID]) == 0 {
			t.Errorf("rights %v, %v", rights, err)
		}
		if represented, err := w.Rights.Represented(ctx, by, access.Declarations); err != nil || !slices.Equal(represented, []uuid.UUID{w.company.ID}) {
			t.Errorf("represents %v, %v", represented, err)
		}
	})
}

// What an application asked for is done later only while its consent lives.
func TestApplication_WhatIsDelayedKeepsToTheConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ctx := context.Background()
		s, other := w.Software(t, w.rep.PersonID, nil), w.Software(t, w.rep.PersonID, nil)
		asked := access.Later{
			PersonID: w.rep.PersonID, ContributorID: w.company.ID, SessionID: s.Caller.SessionID, ApplicationID: &s.ID,
		}
		rights := func(what string, asked access.Later, want int) {
			t.Helper()
			by, err := w.Rights.Delayed(ctx, asked)
			if err != nil || len(by.Rights) != want || want > 0 && (by.Grant == nil) != (asked.ApplicationID == nil) {
				t.Errorf("%s: %+v, %v", what, by, err)
			}
		}
		rights("live", asked, 1)
		change := func(how func(*access.Later)) access.Later { l := asked; how(&l); return l }
		rights("by the person", change(func(l *access.Later) { l.ApplicationID, l.SessionID = nil, w.rep.SessionID }), 1)
		rights("another application", change(func(l *access.Later) { l.ApplicationID = &other.ID }), 0)
		rights("a session of the person", change(func(l *access.Later) { l.SessionID = w.rep.SessionID }), 0)
		rights("a session that is forgotten", change(func(l *access.Later) { l.SessionID = uuid.New() }), 0)
		w.EndConsent(t, s.ConsentID)
		rights("withdrawn", asked, 0)
		asked.SessionID, asked.ApplicationID = other.Caller.SessionID, &other.ID
		w.Exec(t, "INSERT INTO consent_exclusions VALUES ( ?, ?, ?)", other.ConsentID, w.company.ID, w.Clock.Now())
		rights("a contributor that went", asked, 0)
		w.Exec(t, "DELETE FROM consent_exclusions")
		w.Clock.Advance(32 * 24 * time.Hour)
		rights("expired", asked, 0)
	})
}

// An application pays with one query, as the person does.
func TestApplication_EntersWithOneQuery(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		s := w.Software(t, w.rep.PersonID, nil)
		statements := world.Statements(t, d)
		w.LetIn(t, s, w.company.ID)
		if n := statements(); n != 1 {
			t.Errorf("%d statements", n)
		}
	})
}
