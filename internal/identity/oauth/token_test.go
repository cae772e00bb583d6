package oauth_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// tokens lets the application in and redeems its code.
func (f *fixture) tokens(c *client) oauth.Tokens {
	f.t.Helper()
	got, err := f.exchange(c, f.code(c, nil).Get("code"), nil)
	f.must(err)
	return got
}

func (f *fixture) refresh(c *client, token secret.Text, more url.Values) (oauth.Tokens, error) {
	f.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.Reveal()}}
	for name, value := range more {
		form[name] = value
	}
	return f.server.Exchange(f.context(), oauth.Post{Form: f.says(c, form), Proofs: f.proofs, IdempotencyKey: f.key})
}

func TestCode_GivesTokensOfThePersonAndTheApplication(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		got := f.tokens(c)
		claims, err := f.Sessions.Parse(f.context(), got.AccessToken)
		f.must(err)
		if claims.PersonID != f.personID || claims.ClientID != "web" || strings.Join(claims.Scopes, " ") != "declarations offline_access" {
			t.Errorf("the token says %+v", claims)
		}
		if got.ExpiresIn <= 0 || got.ExpiresIn > 15*time.Minute || got.RefreshToken == "" {
			t.Errorf("tokens for %v", got.ExpiresIn)
		}
		if got.Granted == nil || got.Granted.Contributors != nil || got.Granted.Services.String() != `["*"]` {
			t.Errorf("granted is %+v", got.Granted)
		}
		if n := f.Count(t, "audit_records WHERE operation = 'issueTokens' AND person_id = ? AND application_id = ?", f.personID, c.ID); n != 1 {
			t.Errorf("%d rows in the trail", n)
		}
		// Without offline access there is no refresh token, and the grant ends in a day.
		online, err := f.exchange(c, f.code(c, url.Values{"scope": {"declarations"}}).Get("code"), nil)
		f.must(err)
		if online.RefreshToken != "" {
			t.Error("there is a refresh token")
		}
		if n := f.Count(t, "sessions WHERE consent_id IS NOT NULL AND expires_at = ?", f.Clock.Now().Add(24*time.Hour)); n != 1 {
			t.Errorf("%d sessions end in a day", n)
		}
	})
}

func TestCode_IsBoundToClientRedirectAndVerifier(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other, server := f.register("web", nil), f.register("other", nil), f.register("server", confidential(p256(t)))
		code := f.code(c, nil).Get("code")
		for name, one := range map[string]struct {
			change url.Values
			code   string
		}{
			"no code":           {url.Values{"code": nil}, "invalid_request"},
			"no redirect":       {url.Values{"redirect_uri": nil}, "invalid_request"},
			"no verifier":       {url.Values{"code_verifier": nil}, "invalid_request"},
			"no grant type":     {url.Values{"grant_type": nil}, "invalid_request"},
			"twice":             {url.Values{"code": {code, code}}, "invalid_request"},
			"password":          {url.Values{"grant_type": {"password"}}, "unsupported_grant_type"},
			"client's own":      {url.Values{"grant_type": {"client_credentials"}}, "unsupported_grant_type"},
			"other code":        {url.Values{"code": {"a code"}}, "invalid_grant"},
			"other redirect":    {url.Values{"redirect_uri": {loopRedirect}}, "invalid_grant"},
			"other verifier":    {url.Values{"code_verifier": {strings.Repeat("a", 43)}}, "invalid_grant"},
			"short verifier":    {url.Values{"code_verifier": {"a"}}, "invalid_grant"},
			"challenge instead": {url.Values{"code_verifier": {asking(c, nil).Get("code_challenge")}}, "invalid_grant"},
			"unknown client":    {url.Values{"client_id": {"nobody"}}, "invalid_client"},
			"foreign resource":  {url.Values{"resource": {"https://evil.example"}}, "invalid_target"},
		} {
			_, err := f.exchange(c, code, one.change)
			if refusal, _ := err.(*oauth.Refusal); refusal == nil || refusal.Code != one.code { //nolint:errorlint // as it is made
				t.Errorf("%s: %v, not %s", name, err, one.code)
			}
		}
		for _, stranger := range []*client{other, server} {
			_, err := f.exchange(stranger, code, nil)
			refused(t, err, "invalid_grant")
		}
		// None of them used it up.
		_, err := f.exchange(c, code, url.Values{"resource": {pintest.PublicURL + "/v1"}})
		f.must(err)
	})
}

func TestCode_LivesForAMinute(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		code := f.code(c, nil).Get("code")
		f.Clock.Advance(oauth.CodeLife)
		_, err := f.exchange(c, code, nil)
		refused(t, err, "invalid_grant")
		code = f.code(c, nil).Get("code")
		f.Clock.Advance(oauth.CodeLife - time.Second)
		_, err = f.exchange(c, code, nil)
		f.must(err)
	})
}

// A consent whose code nobody came for in time ends, and the person is told that in words that
// frighten nobody; one that was taken up, or still may be, stays.
func TestCode_ThatNobodyCameForEndsItsConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		f.tokens(c)
		late := f.code(c, nil).Get("code")
		device := f.register("desk", nil)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, f.device(device).UserCode, browser)
		f.must(err)
		f.approve(flow)
		purge := func(want int) {
			t.Helper()
			f.must(f.server.Purge(f.context()))
			if n := f.liveConsents(); n != want {
				t.Fatalf("%d consents live, want %d", n, want)
			}
		}
		purge(3)
		f.Clock.Advance(oauth.CodeLife)
		purge(2)
		_, err = f.exchange(c, late, nil)
		refused(t, err, "invalid_grant")
		if n := f.Count(t, "consents WHERE end_reason = 'not-taken-up'"); n != 1 {
			t.Errorf("%d ended for that", n)
		}
		if n := f.Count(t, "outbox WHERE kind = 'consent.ended' AND person_id = ?", f.personID); n != 1 {
			t.Errorf("told %d times", n)
		}
		f.Clock.Advance(oauth.DeviceLife)
		purge(1)
		f.Clock.Advance(48 * time.Hour)
		purge(1)
	})
}

func TestCode_ASecondUseEndsTheConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other := f.register("web", nil), f.register("other", nil)
		for _, thief := range []*client{c, other} {
			code := f.code(c, nil).Get("code")
			got, err := f.exchange(c, code, nil)
			f.must(err)
			_, err = f.exchange(thief, code, url.Values{"code_verifier": {strings.Repeat("a", 43)}})
			refused(t, err, "invalid_grant")
			if f.liveConsents() != 0 || f.Count(t, "sessions WHERE consent_id IS NOT NULL AND ended_at IS NULL") != 0 {
				t.Error("the grant goes on")
			}
			_, err = f.refresh(c, got.RefreshToken, nil)
			refused(t, err, "invalid_grant")
			_, err = f.exchange(c, code, nil)
			refused(t, err, "invalid_grant")
		}
		if n := f.Count(t, "consents WHERE end_reason = 'code-reuse'"); n != 2 {
			t.Errorf("%d consents ended for that", n)
		}
		// Also a day later it is known for what it is.
		code := f.code(c, nil).Get("code")
		_, err := f.exchange(c, code, nil)
		f.must(err)
		f.Clock.Advance(23 * time.Hour)
		f.must(f.server.Purge(f.context()))
		_, err = f.exchange(c, code, nil)
		refused(t, err, "invalid_grant")
		if f.liveConsents() != 0 {
			t.Error("the grant goes on")
		}
		f.Clock.Advance(2 * time.Hour)
		f.must(f.server.Purge(f.context()))
		if n := f.Count(t, "oauth_flows"); n != 0 {
			t.Errorf("%d flows are kept", n)
		}
	})
}

func TestCode_GivesTokensOnceHoweverManyAskTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		code := f.code(c, nil).Get("code")
		var all sync.WaitGroup
		var mu sync.Mutex
		successes := 0
		for range 8 {
			form := f.says(c, url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {webRedirect}, "code_verifier": {verifier},
			})
			all.Go(func() {
				_, err := f.server.Exchange(f.context(), oauth.Post{Form: form})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					successes++
				} else if refusal, _ := err.(*oauth.Refusal); refusal == nil || refusal.Code != "invalid_grant" { //nolint:errorlint // as it is made
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if successes != 1 || f.liveConsents() != 0 {
			t.Errorf("%d successes, %d consents live", successes, f.liveConsents())
		}
	})
}

func TestGrant_EndsWithWhatItStandsOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		for name, end := range map[string]func(){
			"consent withdrawn": func() {
				f.Exec(t, "UPDATE consents SET ended_at = ?, end_reason = 'withdrawn' WHERE ended_at IS NULL", f.Clock.Now())
			},
			"application suspended": func() { f.Exec(t, "UPDATE applications SET state = 'suspended' WHERE id = ?", c.ID) },
		} {
			code, got := f.code(c, nil).Get("code"), f.tokens(c)
			end()
			if _, err := f.exchange(c, code, nil); err == nil {
				t.Errorf("%s: the code gave tokens", name)
			}
			if _, err := f.refresh(c, got.RefreshToken, nil); err == nil {
				t.Errorf("%s: the refresh token gave tokens", name)
			}
			f.Exec(t, "UPDATE applications SET state = 'approved' WHERE id = ?", c.ID)
		}
		flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
		f.must(err)
		f.Exec(t, "UPDATE applications SET state = 'suspended' WHERE id = ?", c.ID)
		_, err = f.server.Flow(f.context(), flow.ID, browser)
		want(t, err, fault.NotFound)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		want(t, err, fault.NotFound)
	})
}

func TestRefresh_RotatesAndNarrowsAndNeverWidens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("server", confidential(p256(t)))
		first := f.tokens(c)
		second, err := f.refresh(c, first.RefreshToken, url.Values{"scope": {"declarations"}})
		f.must(err)
		if strings.Join(second.Scopes, " ") != "declarations" || second.RefreshToken == "" || second.RefreshToken == first.RefreshToken {
			t.Errorf("narrowed to %v", second.Scopes)
		}
		if second.Granted == nil || second.Granted.Services.String() != `["*"]` {
			t.Errorf("granted is %+v", second.Granted)
		}
		_, err = f.refresh(c, second.RefreshToken, url.Values{"scope": {"declarations declarations.read"}})
		refused(t, err, "invalid_scope")
		_, err = f.refresh(c, second.RefreshToken, url.Values{"resource": {"https://evil.example"}})
		refused(t, err, "invalid_target")
		_, err = f.refresh(c, "", nil)
		refused(t, err, "invalid_request")
		_, err = f.refresh(c, "no token", nil)
		refused(t, err, "invalid_grant")
		third, err := f.refresh(c, second.RefreshToken, nil)
		f.must(err)
		if strings.Join(third.Scopes, " ") != "declarations offline_access" {
			t.Errorf("the third is for %v", third.Scopes)
		}
	})
}

func TestRefresh_ASecondUseEndsTheConsent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other := f.register("web", nil), f.register("other", nil)
		first := f.tokens(c)
		_, err := f.refresh(other, first.RefreshToken, nil)
		refused(t, err, "invalid_grant")
		f.key = "018f3b20-renewal"
		second, err := f.refresh(c, first.RefreshToken, nil)
		f.must(err)
		again, err := f.refresh(c, first.RefreshToken, nil)
		f.must(err)
		if again.RefreshToken != second.RefreshToken {
			t.Error("the lost answer is another one")
		}
		f.key = ""
		_, err = f.refresh(c, first.RefreshToken, nil)
		refused(t, err, "invalid_grant")
		_, err = f.refresh(c, second.RefreshToken, nil)
		refused(t, err, "invalid_grant")
		if f.liveConsents() != 0 {
			t.Error("the consent lives")
		}
	})
}

func TestDevice_RedeemsItsCodeOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("desktop", nil)
		dev := f.device(c)
		flow, err := f.server.FlowByUserCode(f.context(), f.by, dev.UserCode, browser)
		f.must(err)
		_, err = f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
		f.must(err)
		got, err := f.poll(c, dev)
		f.must(err)
		claims, err := f.Sessions.Parse(f.context(), got.AccessToken)
		f.must(err)
		if claims.PersonID != f.personID || claims.ClientID != "desktop" {
			t.Errorf("the token says %+v", claims)
		}
		// The answer may have been lost.
		_, err = f.poll(c, dev)
		refused(t, err, "invalid_grant")
		if f.liveConsents() != 1 {
			t.Error("who asks again soon is taken for another")
		}
		f.Clock.Advance(time.Minute)
		_, err = f.poll(c, dev)
		refused(t, err, "invalid_grant")
		if f.liveConsents() != 0 {
			t.Error("the grant goes on")
		}
	})
}

func TestDevice_IsNoWebPage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		page := f.register("page", func(c *client) { c.RedirectURIs = []string{webRedirect} })
		_, err := f.server.AuthorizeDevice(f.context(), oauth.Post{Form: f.says(page, url.Values{"scope": {"declarations"}})})
		refused(t, err, "unauthorized_client")
	})
}

func TestRevocation_OfARefreshTokenThatWasReplacedEndsTheGrant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		first := f.tokens(c)
		_, err := f.refresh(c, first.RefreshToken, nil)
		f.must(err)
		f.must(f.server.Revoke(f.context(), oauth.Post{Form: f.says(c, url.Values{"token": {first.RefreshToken.Reveal()}})}))
		if f.liveConsents() != 0 {
			t.Error("who has the next one goes on")
		}
	})
}

func TestExchange_TakesTextAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c := f.register("web", nil)
		for name, form := range map[string]url.Values{
			"NUL": {"client_id": {"\x00"}}, "no UTF-8": {"client_id": {"\xff"}}, "NUL in a code": {"code": {"a\x00"}}, "a name": {"a\x00": {"b"}},
		} {
			_, err := f.server.Exchange(f.context(), oauth.Post{Form: f.says(c, form)})
			refused(t, err, "invalid_request")
			_, err = f.server.Push(f.context(), oauth.Post{Form: f.says(c, form)})
			refused(t, err, "invalid_request")
			_, err = f.server.Begin(f.context(), form, browser)
			if err == nil {
				t.Errorf("%s began a flow", name)
			}
			refused(t, err, "invalid_request")
		}
	})
}

func TestInspection_TellsAnApplicationOfItsOwnTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other, public := f.register("server", confidential(p256(t))), f.register("other", confidential(p256(t))), f.register("web", nil)
		got := f.tokens(c)
		inspect := func(c *client, token secret.Text) (oauth.Inspection, error) {
			return f.server.Inspect(f.context(), oauth.Post{Form: f.says(c, url.Values{"token": {token.Reveal()}})})
		}
		for _, token := range []secret.Text{got.AccessToken, got.RefreshToken} {
			seen, err := inspect(c, token)
			f.must(err)
			if !seen.Active || seen.ClientID != "server" || seen.PersonID != f.personID || seen.Access != (token == got.AccessToken) ||
				strings.Join(seen.Scopes, " ") != "declarations offline_access" || !seen.ExpiresAt.After(f.Clock.Now()) {
				t.Errorf("it is told %+v", seen)
			}
			if seen, err = inspect(other, token); err != nil || seen.Active || seen.PersonID != uuid.Nil {
				t.Errorf("another is told %+v, %v", seen, err)
			}
			_, err = inspect(public, token)
			refused(t, err, "invalid_client")
		}
		_, pin := f.Person(t, pintest.Giulia, "citizen", false)
		for _, token := range []secret.Text{"no token", f.Login(t, pintest.Giulia, pin).AccessToken} {
			if seen, err := inspect(c, token); err != nil || seen.Active {
				t.Errorf("of no token of its own it is told %+v, %v", seen, err)
			}
		}
		_, err := inspect(c, "")
		refused(t, err, "invalid_request")
		f.must(f.server.Revoke(f.context(), oauth.Post{Form: f.says(c, url.Values{"token": {got.AccessToken.Reveal()}})}))
		for _, token := range []secret.Text{got.AccessToken, got.RefreshToken} {
			if seen, err := inspect(c, token); err != nil || seen.Active {
				t.Errorf("after the end it is told %+v, %v", seen, err)
			}
		}
	})
}

func TestRevocation_EndsTheGrantByAnyOfItsTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		c, other := f.register("web", nil), f.register("other", nil)
		revoke := func(c *client, token secret.Text) error {
			return f.server.Revoke(f.context(), oauth.Post{Form: f.says(c, url.Values{"token": {token.Reveal()}, "token_type_hint": {"refresh_token"}})})
		}
		for _, pick := range []func(oauth.Tokens) secret.Text{
			func(t oauth.Tokens) secret.Text { return t.AccessToken }, func(t oauth.Tokens) secret.Text { return t.RefreshToken },
		} {
			got := f.tokens(c)
			refused(t, revoke(other, pick(got)), "unauthorized_client")
			f.must(revoke(c, "no token"))
			if f.liveConsents() != 1 {
				t.Fatal("the grant has ended")
			}
			f.must(revoke(c, pick(got)))
			if f.liveConsents() != 0 {
				t.Error("the grant goes on")
			}
			f.must(revoke(c, pick(got)))
			_, err := f.refresh(c, got.RefreshToken, nil)
			refused(t, err, "invalid_grant")
		}
		refused(t, revoke(c, ""), "invalid_request")
		refused(t, revoke(&client{}, "no token"), "invalid_client")
	})
}

// What its owner takes away from an application is gone at once: from what people gave before, and
// from what they are being asked.
func TestAuthorization_WhatWasTakenAwayIsNotGiven(t *testing.T) {
	for name, statement := range map[string]string{
		"a scope":    `UPDATE applications SET scopes = '["declarations.read","offline_access"]' WHERE id = ?`,
		"an address": `UPDATE applications SET redirect_uris = '["https://other.paghe.example/callback"]' WHERE id = ?`,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				f := begin(t, d)
				c := f.register("web", nil)
				before := f.tokens(c)
				flow, err := f.server.Begin(f.context(), asking(c, nil), browser)
				f.must(err)
				f.Exec(t, statement, c.ID)
				if redirect, err := f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything()); !fault.Is(err, fault.NotFound) {
					t.Errorf("approved: %q, %v", redirect, err)
				}
				if name == "a scope" {
					after, err := f.refresh(c, before.RefreshToken, nil)
					f.must(err)
					if got := strings.Join(after.Scopes, " "); strings.Contains(got+" ", "declarations ") {
						t.Errorf("the next token is for %q", got)
					}
					return
				}
				if redirect, err := f.server.Deny(f.context(), flow.ID, browser); !fault.Is(err, fault.NotFound) {
					t.Errorf("denied: %q, %v", redirect, err)
				}
			})
		})
	}
}
