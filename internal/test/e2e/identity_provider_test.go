package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"diresco/internal/sandbox/idp"
)

const (
	trialVerifier = "a-verifier-of-at-least-forty-three-characters-0123"
	trialReturn   = "http://127.0.0.1:4711/callback"
)

// trialProviders are those of every sandbox, with how somebody logs in there.
var trialProviders = map[string]string{"sandbox-spid": "spid", "sandbox-cie": "cie", "sandbox-oidc": "spid"}

// apart is a browser that shows each redirect.
var apart = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ask gets an address, or posts a form to it, and returns where that leads.
func (w *fixture) ask(address string, form map[string]string) (status int, to string, body []byte) {
	w.t.Helper()
	method, sent := http.MethodGet, url.Values{}
	for name, value := range form {
		method = http.MethodPost
		sent.Set(name, value)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(sent.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://idp.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	answered, err := apart.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answered.Body.Close() }()
	var text strings.Builder
	if _, err := io.Copy(&text, answered.Body); err != nil {
		w.t.Fatal(err)
	}
	return answered.StatusCode, answered.Header.Get("Location"), []byte(text.String())
}

// atProvider goes to a provider, chooses there, and comes back to the application.
func (w *fixture) atProvider(provider, choice string) url.Values {
	w.t.Helper()
	sum := sha256.Sum256([]byte(trialVerifier))
	begun := w.do(http.MethodPost, "/v1/federated-logins", "", map[string]any{
		"provider_id": provider, "level": 2, "return_url": trialReturn, "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	}, key()).want(w.t, http.StatusCreated, "")
	status, page, body := w.ask(said(begun, "url"), nil)
	if status != http.StatusSeeOther || !strings.HasPrefix(page, idp.Path+"?request=") {
		w.t.Fatalf("the provider: %d %s %s", status, page, body)
	}
	status, _, body = w.ask(w.url+page+"&"+choice, nil)
	var chosen struct {
		URL  string
		Form map[string]string
	}
	if err := json.Unmarshal(body, &chosen); err != nil || status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", choice, status, body)
	}
	if len(chosen.Form) == 0 {
		chosen.Form = nil
	}
	status, back, body := w.ask(chosen.URL, chosen.Form)
	to, err := url.Parse(back)
	if err != nil || status != http.StatusSeeOther || !strings.HasPrefix(back, trialReturn+"?") {
		w.t.Fatalf("back: %d %s %s", status, back, body)
	}
	return to.Query()
}

// proofOf is what opens a session after a login at a provider.
func (w *fixture) proofOf(provider, choice string) map[string]any {
	w.t.Helper()
	back := w.atProvider(provider, choice)
	if back.Get("code") == "" {
		w.t.Fatalf("%s, %s: %v", provider, choice, back)
	}
	return map[string]any{"code": back.Get("code"), "code_verifier": trialVerifier}
}

// An application logs people in at each of the sandbox's providers, which speak SAML and OpenID
// Connect, and learns of each refusal.
func TestIdentityProvider_LogsPeopleIn(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		marco := w.named("Bianchi")
		for provider, method := range trialProviders {
			opened := w.do(http.MethodPost, "/v1/sessions/federated", "", w.proofOf(provider, "person=rep-rome&level=3"), key()).
				want(t, http.StatusCreated, "")
			if said(opened, "login_method") != method || opened.field("login_level") != 3.0 || said(opened, "login_provider") != provider ||
				said(opened, "credential_level") != "dispositive" {
				t.Errorf("%s: %s", provider, opened.body)
			}
			me := w.do(http.MethodGet, "/v1/me", said(opened, "access_token"), nil).want(t, http.StatusOK, "")
			if said(me, "family_name") != "Bianchi" {
				t.Errorf("%s: %s", provider, me.body)
			}
			for _, outcome := range idp.Outcomes() {
				if outcome == idp.Granted || outcome == idp.Down && method == "spid" && provider == "sandbox-spid" {
					continue
				}
				back := w.atProvider(provider, "person=rep-rome&outcome="+string(outcome))
				want, number := "access_denied", ""
				if outcome == idp.Down {
					want = "temporarily_unavailable"
				} else {
					number = map[int]string{19: "19", 20: "20", 21: "21", 22: "22", 23: "23", 25: "25"}[outcome.Number()]
				}
				if back.Get("error") != want || back.Get("error_code") != number || back.Get("error_description") == "" || back.Get("code") != "" {
					t.Errorf("%s, %s: %v", provider, outcome, back)
				}
			}
			// A level below the one that was asked for is not taken, whatever the provider says.
			if back := w.atProvider(provider, "person=rep-rome&level=1"); back.Get("error") == "" || back.Get("code") != "" {
				t.Errorf("%s, level 1: %v", provider, back)
			}
			// T9: the session ends as any other does.
			w.do(http.MethodDelete, "/v1/sessions/current", said(opened, "access_token"), nil).want(t, http.StatusNoContent, "")
			w.do(http.MethodGet, "/v1/me", said(opened, "access_token"), nil).want(t, http.StatusUnauthorized, "session-ended")
			// Nobody learns from a log who it was.
			if strings.Contains(w.log.String(), marco.TaxCode) || strings.Contains(w.log.String(), "SAMLResponse") {
				t.Error("the log tells who logged in")
			}
		}
	})
}

// An ordinary PIN's session is raised by a login of the same person, and by nobody else's.
func TestIdentityProvider_RaisesASession(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		token := w.loginAs(w.named("Esposito")).AccessToken
		again := "/v1/sessions/current/authentications"
		w.do(http.MethodPost, again, token, w.proofOf("sandbox-spid", "person=rep-rome"), key()).
			want(t, http.StatusUnauthorized, "invalid-credentials")
		raised := w.do(http.MethodPost, again, token, w.proofOf("sandbox-spid", "person=ordinary-pin"), key()).want(t, http.StatusOK, "")
		if said(raised, "credential_level") != "dispositive" || said(raised, "login_method") != "spid" {
			t.Errorf("got %s", raised.body)
		}
	})
}

// Whoever has no account gets one: it has no PIN, and the identity waits to be confirmed.
func TestIdentityProvider_MakesAccounts(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		for _, person := range []string{"resident-2", "newcomer"} {
			for range 2 {
				opened := w.do(http.MethodPost, "/v1/sessions/federated", "", w.proofOf("sandbox-cie", "person="+person), key()).
					want(t, http.StatusCreated, "")
				me := w.do(http.MethodGet, "/v1/me", said(opened, "access_token"), nil).want(t, http.StatusOK, "")
				if me.field("identity_confirmed") != false || said(me, "user_class") != "citizen" {
					t.Errorf("%s: %s", person, me.body)
				}
				// There is no PIN that a new one could take the place of.
				w.do(http.MethodPost, "/v1/me/pin/rotations", said(opened, "access_token"), nil, key()).want(t, http.StatusConflict, "conflict")
			}
		}
		if n := w.rows("people", "digital_identity_at IS NOT NULL"); n != 2 {
			t.Errorf("%d people", n)
		}
	})
}

// Under another name than the register's somebody is let in, and who looks into it finds that.
func TestIdentityProvider_AnotherNameIsListed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		opened := w.do(http.MethodPost, "/v1/sessions/federated", "", w.proofOf("sandbox-cie", "person=resident-4"), key()).
			want(t, http.StatusCreated, "")
		me := w.do(http.MethodGet, "/v1/me", said(opened, "access_token"), nil).want(t, http.StatusOK, "")
		const path = "/v1/backoffice/identity-mismatches"
		listed := w.do(http.MethodGet, path, w.administrator().AccessToken, nil).want(t, http.StatusOK, "")
		items, _ := listed.field("items").([]any)
		if len(items) != 1 {
			t.Fatalf("listed %s", listed.body)
		}
		item := items[0].(map[string]any)
		if item["person_id"] != said(me, "person_id") || item["login_provider"] != "sandbox-cie" || item["login_method"] != "cie" ||
			fmt.Sprint(item["differs_from"]) != "[register]" || strings.Contains(string(listed.body), "Colombini") {
			t.Errorf("listed %s", listed.body)
		}
		w.do(http.MethodGet, path, said(opened, "access_token"), nil).want(t, http.StatusForbidden, "")
	})
}

// What is under way ends with the sandbox's data, and after a quarter of an hour.
func TestIdentityProvider_ForgetsWhatIsOver(t *testing.T) {
	eachAsOwner(t, func(t *testing.T, w *fixture) {
		sum := sha256.Sum256([]byte(trialVerifier))
		page := func() string {
			begun := w.do(http.MethodPost, "/v1/federated-logins", "", map[string]any{
				"provider_id": "sandbox-cie", "level": 2, "return_url": trialReturn, "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
			}, key()).want(t, http.StatusCreated, "")
			_, to, _ := w.ask(said(begun, "url"), nil)
			return w.url + to
		}
		waiting := page()
		if status, _, _ := w.ask(waiting, nil); status != http.StatusOK {
			t.Errorf("waiting: %d", status)
		}
		w.do(http.MethodPost, "/v1/sandbox/reset", "", nil, key()).want(t, http.StatusNoContent, "")
		if status, _, _ := w.ask(waiting, nil); status != http.StatusNotFound {
			t.Errorf("after the reset: %d", status)
		}
		waiting = page()
		w.clock.Advance(15 * time.Minute)
		if status, _, _ := w.ask(waiting, nil); status != http.StatusNotFound {
			t.Errorf("a quarter of an hour later: %d", status)
		}
	})
}

var (
	wayOf    = regexp.MustCompile(`href="(/oauth2/login/provider\?[^"]*provider=sandbox-spid[^"]*)"`)
	actionOf = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
)

// Somebody lets a program in on the pages by SPID: from the button to the tokens, with cookies and
// forms alone. The program acts as who logged in.
func TestIdentityProvider_LetsAProgramIn(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		v := w.visitor()
		sum := sha256.Sum256([]byte(trialVerifier))
		login := v.do(http.MethodGet, "/oauth2/authorize?"+url.Values{
			"response_type": {"code"}, "client_id": {"sandbox-payroll"}, "redirect_uri": {trialReturn}, "scope": {"declarations"}, "state": {"s-1"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}.Encode(), nil)
		way := wayOf.FindStringSubmatch(login.body)
		if way == nil {
			t.Fatalf("no button: %s", login.body)
		}
		// The visitor follows all redirects: here up to the provider's page.
		to := html.UnescapeString(way[1])
		page := v.do(http.MethodGet, to, nil)
		request, _, _ := strings.Cut(after(page.body, `name="request" value="`), `"`)
		if page.status != http.StatusOK || page.path != idp.Path || request == "" {
			t.Fatalf("got %d at %s: %s", page.status, page.path, page.body)
		}
		choose := func(choice string) visited {
			t.Helper()
			left := v.do(http.MethodGet, idp.Path+"?request="+request+"&lang=en&"+choice, nil)
			action := actionOf.FindStringSubmatch(left.body)
			if action == nil {
				t.Fatalf("got %d %s", left.status, left.body)
			}
			form := url.Values{}
			for _, name := range []string{"SAMLResponse", "RelayState"} {
				value, _, _ := strings.Cut(after(left.body, `name="`+name+`" value="`), `"`)
				form.Set(name, html.UnescapeString(value))
			}
			return v.do(http.MethodPost, strings.TrimPrefix(html.UnescapeString(action[1]), w.url), form)
		}
		refused := choose("person=rep-rome&outcome=refused")
		if refused.status != http.StatusForbidden || !strings.Contains(refused.body, "You did not agree to the sending of your data") {
			t.Fatalf("refused: %d %s", refused.status, refused.body)
		}
		page = v.do(http.MethodGet, to, nil)
		request, _, _ = strings.Cut(after(page.body, `name="request" value="`), `"`)
		asked := choose("person=rep-rome")
		if asked.status != http.StatusOK || asked.path != "/oauth2/consent" || !strings.Contains(asked.body, "Marco Bianchi") {
			t.Fatalf("got %d at %s: %s", asked.status, asked.path, asked.body)
		}
		left := v.submit(asked, "/oauth2/consent", map[string]string{"decision": "approve", "months": "1"})
		back, err := url.Parse(strings.TrimPrefix(left.header.Get("Refresh"), "0;url="))
		if err != nil || back.Query().Get("code") == "" {
			t.Fatalf("got %d %v", left.status, left.header)
		}
		_, _, body := w.ask(w.url+"/oauth2/token", map[string]string{
			"grant_type": "authorization_code", "client_id": "sandbox-payroll", "code": back.Query().Get("code"), "redirect_uri": trialReturn,
			"code_verifier": trialVerifier,
		})
		token := said(answer{body: body}, "access_token")
		w.do(http.MethodGet, "/v1/declarations", token, nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, "/v1/contributors", token, nil).want(t, http.StatusOK, "")
	})
}

// after is what follows the first mark in a text.
func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}
