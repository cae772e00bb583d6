package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/internal/app"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/federationtest"
	"diresco/internal/test/dbtest"
)

const (
	loginVerifier = "0123456789-0123456789-0123456789-0123456789"
	loginReturn   = "http://127.0.0.1:8000/callback"
)

// federated is a sandbox with two providers of a test.
type federated struct {
	*fixture
	spid, cie *federationtest.Provider
}

func eachFederated(t *testing.T, test func(t *testing.T, w federated)) {
	t.Helper()
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		if strings.HasPrefix(rawURL, "postgres") {
			rawURL = dbtest.Restricted(t, rawURL)
		}
		w := federated{spid: federationtest.SPID(), cie: federationtest.CIE()}
		w.fixture = startAs(t, rawURL, app.Options{PIN: cheapPINs, IdentitySources: []federation.Source{w.spid, w.cie}})
		test(t, w)
	})
}

// said returns a text of an answer.
func said(a answer, name string) string {
	text, _ := a.field(name).(string)
	return text
}

// begin begins a login with a provider, and returns its state.
func (w federated) begin(p *federationtest.Provider) string {
	w.t.Helper()
	sum := sha256.Sum256([]byte(loginVerifier))
	begun := w.do(http.MethodPost, "/v1/federated-logins", "", map[string]any{
		"provider_id": p.Described.ID, "level": 2, "return_url": loginReturn,
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	}, key()).want(w.t, http.StatusCreated, "")
	if begun.field("login_id") == nil {
		w.t.Fatalf("begun %s", begun.body)
	}
	u, err := url.Parse(said(begun, "url"))
	if err != nil {
		w.t.Fatal(err)
	}
	return u.Query().Get("state")
}

// comeBack is what the browser does after the login at the provider. It returns where it lands.
func (w federated) comeBack(p *federationtest.Provider, state string) (status int, landed *url.URL) {
	w.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.url+"/federation/oidc/callback?"+url.Values{
		"state": {state}, "code": {"x"},
	}.Encode(), nil)
	if p.Described.Protocol == federation.SAML {
		form := strings.NewReader(url.Values{"RelayState": {state}, "SAMLResponse": {"x"}}.Encode())
		request, err = http.NewRequestWithContext(context.Background(), http.MethodPost, w.url+"/federation/spid/acs", form)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Accept-Language", "en")
	answer, err := client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	landed, err = url.Parse(answer.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, landed
}

func (w federated) proof(p *federationtest.Provider) map[string]any {
	w.t.Helper()
	status, landed := w.comeBack(p, w.begin(p))
	if status != http.StatusSeeOther || !strings.HasPrefix(landed.String(), loginReturn+"?code=") {
		w.t.Fatalf("%d %s", status, landed)
	}
	return map[string]any{"code": landed.Query().Get("code"), "code_verifier": loginVerifier}
}

// TestFederation_LogsInRaisesAndRefuses goes the way of an application over HTTP.
func TestFederation_LogsInRaisesAndRefuses(t *testing.T) {
	eachFederated(t, func(t *testing.T, w federated) {
		listed := w.do(http.MethodGet, "/v1/identity-providers", "", nil).want(t, http.StatusOK, "")
		if items, ok := listed.field("items").([]any); !ok || len(items) != 2+len(trialProviders) {
			t.Errorf("listed %s", listed.body)
		}
		seen := map[any]bool{}
		for at := "/v1/identity-providers?limit=1"; at != ""; {
			page := w.do(http.MethodGet, at, "", nil).want(t, http.StatusOK, "")
			for _, item := range page.field("items").([]any) {
				seen[item.(map[string]any)["provider_id"]] = true
			}
			at = ""
			if next, more := page.field("next_cursor").(string); more {
				at = "/v1/identity-providers?limit=1&cursor=" + next
			}
		}
		if len(seen) != 2+len(trialProviders) {
			t.Errorf("on pages of one: %v", seen)
		}
		marco := w.named("Bianchi")
		says := func(c *federation.Claims) {
			c.TaxCode, c.GivenName, c.FamilyName = marco.TaxCode, marco.GivenName, marco.FamilyName
		}
		w.spid.Says(says)
		w.cie.Says(says)
		for _, p := range []*federationtest.Provider{w.spid, w.cie} {
			proof := w.proof(p)
			opened := w.do(http.MethodPost, "/v1/sessions/federated", "", proof, key()).want(t, http.StatusCreated, "")
			if opened.field("login_method") != string(p.Described.Method) || opened.field("login_provider") != p.Described.ID ||
				opened.field("login_level") != 2.0 || opened.field("credential_level") != "dispositive" {
				t.Errorf("opened %s", opened.body)
			}
			token := said(opened, "access_token")
			w.do(http.MethodGet, "/v1/me", token, nil).want(t, http.StatusOK, "")
			if shown := w.do(http.MethodGet, "/v1/sessions/current", token, nil).want(t, http.StatusOK, ""); said(shown, "credential_level") != "dispositive" {
				t.Errorf("shown %s", shown.body)
			}
			w.do(http.MethodPost, "/v1/sessions/federated", "", proof, key()).want(t, http.StatusUnauthorized, "invalid-credentials")
		}
		byPIN := w.loginAs(marco)
		const again = "/v1/sessions/current/authentications"
		raised := w.do(http.MethodPost, again, byPIN.AccessToken, w.proof(w.spid), key()).want(t, http.StatusOK, "")
		if raised.field("login_method") != "spid" || raised.field("session_id") != byPIN.SessionId.String() {
			t.Errorf("raised %s", raised.body)
		}
		token := said(raised, "access_token")
		for _, body := range []map[string]any{{"code": "x"}, {"pin": marco.Pin, "code": "x"}, {"code_verifier": loginVerifier}} {
			w.do(http.MethodPost, again, token, body, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
		}
		refused := w.do(http.MethodPost, again, w.loginAs(w.named("Colombo")).AccessToken, w.proof(w.spid), key()).
			want(t, http.StatusUnauthorized, "invalid-credentials")
		if strings.Contains(string(refused.body), "PIN non corrisp") {
			t.Errorf("the words are those of a PIN: %s", refused.body)
		}
	})
}

// TestFederation_CompletesWhatWaited: what was filed with an ordinary PIN is completed under its number
// once its maker logs in with a national identity, and once the session itself is raised by one.
func TestFederation_CompletesWhatWaited(t *testing.T) {
	eachFederated(t, func(t *testing.T, w federated) {
		f := w.ordinary()
		marco := w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelOrdinary))
		w.spid.Says(func(c *federation.Claims) {
			c.TaxCode, c.GivenName, c.FamilyName = marco.TaxCode, marco.GivenName, marco.FamilyName
		})
		for name, prove := range map[string]func(){
			"a login": func() {
				w.do(http.MethodPost, "/v1/sessions/federated", "", w.proof(w.spid), key()).want(t, http.StatusCreated, "")
			},
			"another proof": func() {
				token := w.loginAs(marco).AccessToken
				w.do(http.MethodPost, "/v1/sessions/current/authentications", token, w.proof(w.spid), key()).want(t, http.StatusOK, "")
			},
		} {
			filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
			if filed.field("state") != "awaiting_credentials" {
				t.Fatalf("filed %s", filed.body)
			}
			prove()
			got := w.do(http.MethodGet, "/v1/declarations/"+said(filed, "declaration_id"), f.token, nil).want(t, http.StatusOK, "")
			if got.field("state") == "awaiting_credentials" || got.field("protocol_number") != filed.field("protocol_number") {
				t.Errorf("after %s: %s", name, got.body)
			}
		}
	})
}

// TestFederation_WhatDoesNotSucceedLeavesATrace: as a wrong PIN does.
func TestFederation_WhatDoesNotSucceedLeavesATrace(t *testing.T) {
	eachFederated(t, func(t *testing.T, w federated) {
		failed := func() int64 {
			w.app.AccessLog.Flush(context.Background())
			return w.rows("access_log", "operation = 'startFederatedSession' AND outcome = 'invalid-credentials' AND person_id IS NULL")
		}
		w.spid.FinishFails = &federation.Refusal{Outcome: federation.Denied, Number: 22, Rule: "no consent"}
		state := w.begin(w.spid)
		status, landed := w.comeBack(w.spid, state)
		query := landed.Query()
		if status != http.StatusSeeOther || query.Get("error") != "access_denied" || query.Get("error_code") != "22" ||
			!strings.HasPrefix(query.Get("error_description"), "You did not agree") || failed() != 1 {
			t.Errorf("%d %s, %d rows", status, landed, failed())
		}
		// The same state once more.
		if status, landed = w.comeBack(w.spid, state); status != http.StatusNotFound || landed.String() != "" || failed() != 2 {
			t.Errorf("%d %s, %d rows", status, landed, failed())
		}
		w.do(http.MethodPost, "/v1/sessions/federated", "", map[string]any{"code": "x", "code_verifier": loginVerifier}, key()).
			want(t, http.StatusUnauthorized, "invalid-credentials")
		if failed() != 3 {
			t.Errorf("%d rows", failed())
		}
		// One that is down keeps nobody from the others.
		w.spid.BeginFails = &federation.Refusal{Outcome: federation.Unavailable, Rule: "no answer"}
		w.do(http.MethodPost, "/v1/federated-logins", "", map[string]any{
			"provider_id": "spid-prova", "level": 2, "return_url": loginReturn, "code_challenge": strings.Repeat("A", 43),
		}, key()).want(t, http.StatusServiceUnavailable, "unavailable")
		w.proof(w.cie)
		w.cie.FinishFails = errors.New("defect")
		if _, landed = w.comeBack(w.cie, w.begin(w.cie)); landed.Query().Get("error") != "temporarily_unavailable" {
			t.Errorf("after a defect: %s", landed)
		}
		for _, at := range []string{"/provider_id", "/level", "/return_url"} {
			body := map[string]any{"provider_id": "cie", "level": 2, "return_url": loginReturn, "code_challenge": strings.Repeat("A", 43)}
			body[at[1:]] = map[string]any{"/provider_id": "other", "/level": 9, "/return_url": "https://evil.example/"}[at]
			refused := w.do(http.MethodPost, "/v1/federated-logins", "", body, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if !strings.Contains(string(refused.body), at) {
				t.Errorf("%s: %s", at, refused.body)
			}
		}
	})
}
