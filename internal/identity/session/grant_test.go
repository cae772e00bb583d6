package session_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// granting is a World with a person, an application and the consents that ended for reuse.
type granting struct {
	// key is the idempotency key that renewals are sent with.
	key string
	// proves is what they are sent with a proof of.
	proves access.Binding
	*pintest.World
	t      *testing.T
	person uuid.UUID
	pin    secret.Text
	app    world.Application
	rows   *world.App

	mu     sync.Mutex
	reused []uuid.UUID
}

func newGranting(t *testing.T, d *db.DB) *granting {
	t.Helper()
	w := &granting{World: pintest.New(t, d, pintest.Cheap), t: t}
	p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	w.person, w.pin, w.rows = p.ID, pin, &world.App{DB: d, Clock: w.Clock}
	w.app = w.rows.Application(t, p.ID)
	w.Sessions.OnReuse(func(ctx context.Context, consentID uuid.UUID) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.reused = append(w.reused, consentID)
		return d.From(ctx).Exec("UPDATE consents SET ended_at = ?, end_reason = 'refresh-reuse' WHERE id = ?", w.Clock.Now(), consentID).Error
	})
	return w
}

var grantScopes = []string{access.ScopeDeclarations, access.ScopeDeclarationsRead, access.ScopeDelegationsRead, access.ScopeOfflineAccess}

// open gives a consent and opens its session.
func (w *granting) open(change func(*session.Grant)) session.GrantTokens {
	w.t.Helper()
	g := session.Grant{
		ApplicationID: w.app.ID, PersonID: w.person, ClientID: w.app.ClientID, Scopes: grantScopes,
		ExpiresAt: w.Clock.Now().AddDate(0, 1, 0), Refreshable: true,
	}
	g.ConsentID = w.rows.Consent(w.t, w.person, w.app, nil)
	if change != nil {
		change(&g)
	}
	var tokens session.GrantTokens
	err := w.DB.InTx(ctx, func(ctx context.Context) (err error) {
		tokens, err = w.Sessions.OpenGrant(ctx, g)
		return err
	})
	want(w.t, err, "")
	return tokens
}

// reads reports how the guard answers an operation that is open to applications.
func (w *granting) reads(token secret.Text) error {
	w.t.Helper()
	claims, err := w.Sessions.Parse(ctx, token)
	if err != nil {
		return err
	}
	guard := access.NewGuard(access.NewRepository(w.DB, w.Clock), w.Sessions, w.Clock, false)
	rule := access.Rule{To: access.ToSession, Scopes: []string{access.ScopeDeclarationsRead}}
	_, err = guard.EnterAs(ctx, claims.Caller(), rule, access.Target{})
	return err
}

// anyone is let go on.
func anyone(context.Context, uuid.UUID) error { return nil }

func (w *granting) renew(token secret.Text, scopes ...string) (session.GrantTokens, error) {
	return w.Sessions.RenewGrant(ctx, session.Renewal{
		Refresh: token, ClientID: w.app.ClientID, Scopes: scopes, IdempotencyKey: w.key, Binding: w.proves, Admit: anyone,
	})
}

func TestGrant_TokensAreForTheApplicationAndItsScopes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		g := w.open(nil)
		claims, err := w.Sessions.Parse(ctx, g.AccessToken)
		want(t, err, "")
		if claims.ClientID != w.app.ClientID || claims.PersonID != w.person || claims.SessionID != g.SessionID ||
			!slices.Equal(claims.Scopes, grantScopes) || g.ExpiresIn != 15*time.Minute || !claims.IssuedAt.Equal(pintest.Start) {
			t.Errorf("claims %+v of %+v", claims, g)
		}
		want(t, w.reads(g.AccessToken), "")
		// A day without a request is no inactivity.
		w.Clock.Advance(24 * time.Hour)
		next, err := w.renew(g.RefreshToken, access.ScopeDelegationsRead)
		want(t, err, "")
		want(t, w.reads(next.AccessToken), fault.Forbidden)
		if next.RefreshToken == g.RefreshToken || !slices.Equal(next.Scopes, []string{access.ScopeDelegationsRead}) {
			t.Errorf("renewed to %v", next.Scopes)
		}
		// What was narrowed once is whole again the next time; more than the consent it never is.
		_, err = w.renew(next.RefreshToken, access.ScopeDelegationsRead, access.ScopeDossier)
		want(t, err, fault.Forbidden)
		whole, err := w.renew(next.RefreshToken)
		want(t, err, "")
		want(t, w.reads(whole.AccessToken), "")
		if n := w.Count(t, "audit_records WHERE session_id = ? AND application_id = ?", g.SessionID, w.app.ID); n != 2 {
			t.Errorf("%d records of two renewals", n)
		}
		if n := w.Count(t, "sessions WHERE refresh_hash LIKE ?", "%"+whole.RefreshToken.Reveal()+"%"); n != 0 {
			t.Error("the token stands in the table")
		}
	})
}

// A token that is bound says so to who must ask for a proof. The refresh token of who has nothing else to prove who they are is bound, too: without the key
// it gives nothing, and ends nothing.
func TestGrant_IsBoundToAKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		key, other := access.Binding{Key: strings.Repeat("k", 43)}, access.Binding{Key: strings.Repeat("o", 43)}
		g := w.open(func(g *session.Grant) { g.Binding, g.BindRefresh = key, true })
		claims, err := w.Sessions.Parse(ctx, g.AccessToken)
		want(t, err, "")
		if claims.Caller().Binding != key || g.Binding != key {
			t.Errorf("bound to %+v, handed with %+v", claims.Binding, g.Binding)
		}
		for _, w.proves = range []access.Binding{{}, other} {
			_, err = w.renew(g.RefreshToken)
			want(t, err, fault.Unauthenticated)
		}
		certificate := access.Binding{Certificate: strings.Repeat("c", 43)}
		certified := w.open(func(g *session.Grant) { g.Binding, g.BindRefresh = certificate, true })
		_, err = w.renew(certified.RefreshToken)
		want(t, err, fault.Unauthenticated)
		w.proves = certificate
		if certified, err = w.renew(certified.RefreshToken); err != nil || certified.Binding != certificate {
			t.Errorf("%+v, %v", certified.Binding, err)
		}
		w.proves = key
		next, err := w.renew(g.RefreshToken)
		want(t, err, "")
		// Nor does an old one end anything in the hands of who has no key.
		w.proves = other
		_, err = w.renew(g.RefreshToken)
		want(t, err, fault.Unauthenticated)
		w.proves = key
		if _, err = w.renew(next.RefreshToken); err != nil || len(w.reused) > 0 {
			t.Errorf("%v, and %d consents ended", err, len(w.reused))
		}
		// Who proves otherwise who they are may come with another key, or with none.
		free := w.open(func(g *session.Grant) { g.Binding = key })
		for _, w.proves = range []access.Binding{other, {}} {
			if free, err = w.renew(free.RefreshToken); err != nil || free.Binding != w.proves {
				t.Errorf("%+v, %v", free.Binding, err)
			}
		}
		own, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
		want(t, err, "")
		if claims, err = w.Sessions.Parse(ctx, own.AccessToken); err != nil || claims.Binding != (access.Binding{}) {
			t.Errorf("a person's own token: %+v, %v", claims.Binding, err)
		}
	})
}

func TestGrant_NothingIsOpenedForNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		for name, g := range map[string]session.Grant{
			"no scope": {ClientID: w.app.ClientID}, "no client": {Scopes: grantScopes}, "the portal": {ClientID: session.Portal, Scopes: grantScopes},
		} {
			if _, err := w.Sessions.OpenGrant(ctx, g); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		online := w.open(func(g *session.Grant) { g.Refreshable = false })
		if online.RefreshToken != "" {
			t.Error("a refresh token that nobody asked for")
		}
		want(t, w.reads(online.AccessToken), "")
	})
}

func TestGrant_ASecondUseOfARefreshTokenEndsTheConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		g := w.open(nil)
		w.key = "k"
		next, err := w.renew(g.RefreshToken)
		want(t, err, "")
		// The answer may have been lost: soon after, with its key, it is the same.
		w.Clock.Advance(59 * time.Second)
		same, err := w.renew(g.RefreshToken)
		want(t, err, "")
		if same.RefreshToken != next.RefreshToken {
			t.Error("the repeat got another successor")
		}
		third, err := w.renew(next.RefreshToken)
		want(t, err, "")
		// The one before the last is none of the two.
		_, err = w.renew(g.RefreshToken)
		want(t, err, fault.SessionEnded)
		want(t, w.reads(third.AccessToken), fault.SessionEnded)
		_, err = w.renew(third.RefreshToken)
		want(t, err, fault.SessionEnded)
		if !slices.Equal(w.reused, []uuid.UUID{g.ConsentID}) {
			t.Errorf("ended for reuse: %v", w.reused)
		}
		if n := w.Count(t, "audit_records WHERE session_id = ? AND outcome = ?", g.SessionID, session.EndedRefreshUsed); n != 1 {
			t.Errorf("%d records of the end", n)
		}
		for name, again := range map[string]func(){
			"a minute later": func() { w.Clock.Advance(60 * time.Second) },
			"another key":    func() { w.key = "other" },
			"no key":         func() { w.key = "" },
		} {
			w.key = "k"
			late := w.open(nil)
			if _, err = w.renew(late.RefreshToken); err != nil {
				t.Fatal(err)
			}
			again()
			if _, err = w.renew(late.RefreshToken); !fault.Is(err, fault.SessionEnded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.key = ""
		late := w.open(nil)
		if _, err = w.renew(late.RefreshToken); err != nil {
			t.Fatal(err)
		}
		_, err = w.renew(late.RefreshToken)
		want(t, err, fault.SessionEnded)
	})
}

func TestGrant_ParallelRenewalsAreOneRenewal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		g := w.open(nil)
		w.key = "k"
		var mu sync.Mutex
		got := map[secret.Text]int{}
		world.Parallel(20, func(int) {
			next, err := w.renew(g.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			got[next.RefreshToken]++
		})
		if len(got) != 1 {
			t.Errorf("%d successors", len(got))
		}
		if n := w.Count(t, "audit_records WHERE session_id = ?", g.SessionID); n != 1 {
			t.Errorf("%d renewals", n)
		}
	})
}

func TestGrant_NeitherTokenIsGoodElsewhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		g := w.open(nil)
		own, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
		want(t, err, "")
		// A person's refresh token is no application's, nor the other way round.
		_, err = w.renew(own.RefreshToken)
		want(t, err, fault.Unauthenticated)
		_, err = w.Sessions.Renew(ctx, g.RefreshToken, "k")
		want(t, err, fault.Unauthenticated)
		// Another application learns nothing from a token, and ends nothing by it.
		_, err = w.Sessions.RenewGrant(ctx, session.Renewal{Refresh: g.RefreshToken, ClientID: "app-other", Admit: anyone})
		want(t, err, fault.Unauthenticated)
		_, err = w.renew(secret.Text(strings.ToUpper(g.RefreshToken.Reveal())))
		want(t, err, fault.Unauthenticated)
		_, err = w.renew(g.AccessToken)
		want(t, err, fault.Unauthenticated)
		want(t, w.reads(g.AccessToken), "")
		// To the person the grant is no session of theirs.
		by := w.MustActor(t, own)
		list, err := w.Sessions.List(ctx, by)
		want(t, err, "")
		if len(list) != 1 {
			t.Errorf("%d sessions are listed", len(list))
		}
		_, err = w.Sessions.Show(ctx, by, g.SessionID)
		want(t, err, fault.NotFound)
		want(t, w.Sessions.End(ctx, by, g.SessionID), fault.NotFound)
		for range session.MostAtOnce {
			_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
			want(t, err, "")
		}
		want(t, w.reads(g.AccessToken), "")
	})
}

func TestGrant_EndsAsItsConsentDoes(t *testing.T) {
	inTx := func(w *granting, fn func(ctx context.Context) error) { want(w.t, w.DB.InTx(ctx, fn), "") }
	for name, c := range map[string]struct {
		then  func(w *granting, g session.GrantTokens, by access.Actor)
		lives bool
	}{
		"a new PIN": {func(w *granting, _ session.GrantTokens, by access.Actor) {
			inTx(w, func(ctx context.Context) error {
				_, err := w.Sessions.Replace(ctx, by, session.EndedPINChanged)
				return err
			})
		}, true},
		"the end of everything": {func(w *granting, _ session.GrantTokens, _ access.Actor) {
			inTx(w, func(ctx context.Context) error { return w.Sessions.EndAllOf(ctx, w.person, session.EndedPINRevoked) })
		}, false},
		"the end of the consent": {func(w *granting, g session.GrantTokens, _ access.Actor) {
			inTx(w, func(ctx context.Context) error { return w.Sessions.EndGrantsOf(ctx, "withdrawn", g.ConsentID) })
		}, false},
		"that of another consent": {func(w *granting, _ session.GrantTokens, by access.Actor) {
			inTx(w, func(ctx context.Context) error { return w.Sessions.EndGrantsOf(ctx, "withdrawn", uuid.New()) })
			if n := w.Count(w.t, "sessions WHERE id = ? AND ended_at IS NULL", by.SessionID); n != 1 {
				w.t.Error("a person's session ended as a grant")
			}
		}, true},
		"suspension of the application": {func(w *granting, _ session.GrantTokens, _ access.Actor) {
			w.Exec(w.t, "UPDATE applications SET state = 'suspended' WHERE id = ?", w.app.ID)
		}, false},
		"suspension of the person": {func(w *granting, _ session.GrantTokens, _ access.Actor) {
			w.Exec(w.t, "UPDATE people SET suspended_at = ? WHERE id = ?", w.Clock.Now(), w.person)
		}, false},
		"a consent that ended alone": {func(w *granting, g session.GrantTokens, _ access.Actor) {
			w.Exec(w.t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE id = ?", w.Clock.Now(), g.ConsentID)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := newGranting(t, d)
				g := w.open(nil)
				own, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
				want(t, err, "")
				c.then(w, g, w.MustActor(t, own))
				code := fault.SessionEnded
				if c.lives {
					code = ""
				}
				want(t, w.reads(g.AccessToken), code)
				_, err = w.Sessions.InspectAccess(ctx, g.AccessToken)
				want(t, err, code)
				_, err = w.Sessions.InspectRefresh(ctx, g.RefreshToken)
				want(t, err, code)
				_, err = w.renew(g.RefreshToken)
				want(t, err, code)
			})
		})
	}
}

func TestGrant_InspectionTellsWhatATokenIsGoodFor(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newGranting(t, d)
		g := w.open(nil)
		claims, err := w.Sessions.InspectRefresh(ctx, g.RefreshToken)
		want(t, err, "")
		if claims.ClientID != w.app.ClientID || claims.SessionID != g.SessionID || !slices.Equal(claims.Scopes, grantScopes) ||
			!claims.ExpiresAt.Equal(pintest.Start.AddDate(0, 1, 0)) {
			t.Errorf("refresh token: %+v", claims)
		}
		next, err := w.renew(g.RefreshToken)
		want(t, err, "")
		_, err = w.Sessions.InspectRefresh(ctx, g.RefreshToken)
		want(t, err, fault.SessionEnded)
		claims, err = w.Sessions.InspectAccess(ctx, next.AccessToken)
		want(t, err, "")
		if claims.ClientID != w.app.ClientID || claims.SessionID != g.SessionID {
			t.Errorf("access token: %+v", claims)
		}
		own, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
		want(t, err, "")
		_, err = w.Sessions.InspectAccess(ctx, own.AccessToken)
		want(t, err, fault.SessionEnded)
	})
}
