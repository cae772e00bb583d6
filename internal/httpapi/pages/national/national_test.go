package national

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/secret"
)

// logins answers as a test wants.
type logins struct {
	returnTo string
	err      error
	form     federation.Departure
	// protocol, state and values are those of the last answer.
	protocol federation.Protocol
	state    string
	values   url.Values
}

func (l *logins) Answer(_ context.Context, protocol federation.Protocol, state secret.Text, values url.Values) (string, error) {
	l.protocol, l.state, l.values = protocol, state.Reveal(), values
	return l.returnTo, l.err
}

func (l *logins) Form(context.Context, secret.Text) (federation.Departure, error) {
	return l.form, l.err
}

// serve asks for a page, and returns what the access log is told of, too.
func serve(t *testing.T, l *logins, r *http.Request) (*httptest.ResponseRecorder, []reqctx.Refused, error) {
	t.Helper()
	all, err := New(l, nil, institution.Institution{Name: "Istituto", Page: "https://istituto.example/servizi"})
	if err != nil {
		t.Fatal(err)
	}
	var found *pages.Page
	for _, p := range all {
		prefix, ticket := strings.CutSuffix(p.Pattern, "{ticket}")
		if p.Pattern == r.URL.Path || ticket && strings.HasPrefix(r.URL.Path, prefix) {
			r.SetPathValue("ticket", strings.TrimPrefix(r.URL.Path, prefix))
			found = &p
		}
	}
	if found == nil {
		t.Fatalf("no page %s", r.URL.Path)
	}
	var refused []reqctx.Refused
	r = r.WithContext(reqctx.WithRefused(r.Context(), func(n reqctx.Refused) { refused = append(refused, n) }))
	w := httptest.NewRecorder()
	return w, refused, found.Serve(w, r)
}

func posted(form string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, spid.AnswerPath, strings.NewReader(form))
	r.Header.Set("Content-Type", formType)
	return r
}

func get(path string) *http.Request {
	return httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
}

func TestPages_LeadBack(t *testing.T) {
	for name, tt := range map[string]struct {
		request  *http.Request
		protocol federation.Protocol
	}{
		"posted": {posted("SAMLResponse=PHg%2B&RelayState=the-state"), federation.SAML},
		"sent":   {get(openid.CallbackPath + "?code=c&state=the-state&iss=https%3A%2F%2Fidp.example"), federation.OpenIDConnect},
	} {
		l := &logins{returnTo: "https://app.example/callback?code=x"}
		w, refused, err := serve(t, l, tt.request)
		if err != nil || w.Code != http.StatusSeeOther || w.Header().Get("Location") != l.returnTo || len(refused) != 0 {
			t.Errorf("%s: %d %v %v", name, w.Code, w.Header(), err)
		}
		if l.protocol != tt.protocol || l.state != "the-state" || len(l.values) < 2 {
			t.Errorf("%s: taken as %s %s %v", name, l.protocol, l.state, l.values)
		}
	}
}

func TestPages_SayWhyALoginDidNotSucceed(t *testing.T) {
	l := &logins{
		returnTo: "com.example.app:/callback?error=access_denied&error_code=25",
		err:      &federation.Refusal{Outcome: federation.Denied, Number: 25, Rule: "broken off"},
	}
	for lang, want := range map[string]string{"it": "Hai annullato l'accesso.", "en": "You broke the login off."} {
		r := get(openid.CallbackPath + "?error=access_denied&state=s&lang=" + lang)
		w, refused, err := serve(t, l, r)
		if err != nil || w.Code != http.StatusSeeOther {
			t.Fatal(w.Code, err)
		}
		u, err := url.Parse(w.Header().Get("Location"))
		if err != nil || u.Scheme != "com.example.app" || u.Query().Get("error_code") != "25" || u.Query().Get("error") != "access_denied" ||
			!strings.HasPrefix(u.Query().Get("error_description"), want) {
			t.Errorf("%s: %s", lang, w.Header().Get("Location"))
		}
		// As after a wrong PIN.
		if len(refused) != 1 || refused[0].Operation != "startFederatedSession" || refused[0].Fault.Code != fault.InvalidCredentials {
			t.Errorf("noted %v", refused)
		}
	}
}

func TestPages_EveryReasonHasWords(t *testing.T) {
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		seen := map[string]bool{}
		for _, number := range []int{19, 20, 21, 22, 23, 25, 30} {
			seen[Reason(lang, &federation.Refusal{Outcome: federation.Denied, Number: number})] = true
		}
		for _, outcome := range []federation.Outcome{federation.Denied, federation.Unavailable, federation.Invalid} {
			seen[Reason(lang, &federation.Refusal{Outcome: outcome})] = true
		}
		if len(seen) != 10 || seen[""] {
			t.Errorf("%s: %d texts", lang, len(seen))
		}
		unknown := Reason(lang, &federation.Refusal{Outcome: federation.Denied, Number: 24})
		if unknown != Reason(lang, &federation.Refusal{Outcome: federation.Denied}) || Reason(lang, &federation.Refusal{Outcome: "other"}) == "" {
			t.Errorf("%s: a number without words", lang)
		}
	}
	for name := range inItalian {
		if inEnglish[name] == "" {
			t.Errorf("%s is missing in English", name)
		}
	}
	if len(inItalian) != len(inEnglish) {
		t.Error("a text stands in one language alone")
	}
}

func TestPages_AnUnknownLoginLeadsNowhere(t *testing.T) {
	for _, r := range []*http.Request{posted("SAMLResponse=x"), get(openid.CallbackPath), get(federation.FormPath + "x")} {
		w, _, err := serve(t, &logins{err: federation.ErrUnknown}, r)
		body := w.Body.String()
		if err != nil || w.Code != http.StatusNotFound || w.Header().Get("Location") != "" || !strings.Contains(body, "non è più valido") ||
			!strings.Contains(body, `href="https://istituto.example/servizi"`) {
			t.Errorf("%s: %d %v %s", r.URL.Path, w.Code, err, body)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'none'") {
			t.Errorf("policy %s", policy)
		}
	}
}

func TestPages_PostToTheProviderAlone(t *testing.T) {
	l := &logins{form: federation.Departure{URL: "https://idp.example:8443/sso?a=b", Form: []federation.Field{
		{Name: "SAMLRequest", Value: `PHg+"<script>`}, {Name: "RelayState", Value: "s"},
	}}}
	w, _, err := serve(t, l, get(federation.FormPath+"ticket?lang=en"))
	body := w.Body.String()
	if err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, err)
	}
	for _, want := range []string{
		`<form method="post" action="https://idp.example:8443/sso?a=b">`, `name="SAMLRequest" value="PHg&#43;&#34;&lt;script&gt;"`,
		`name="RelayState" value="s"`, `<button type="submit">Go on</button>`, `<html lang="en">`, `href="/federation/logins/ticket?lang=it"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	h := w.Header()
	if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") ||
		!strings.HasSuffix(policy, "form-action https://idp.example:8443 https:") || h.Get("Cache-Control") != "no-store" ||
		h.Get("Content-Language") != "en" {
		t.Errorf("headers %v", h)
	}
}

func TestPages_WhatIsNoAnswerUsesNothingUp(t *testing.T) {
	wrongType := posted("SAMLResponse=x&RelayState=s")
	wrongType.Header.Set("Content-Type", "text/plain")
	for name, tt := range map[string]struct {
		request *http.Request
		code    fault.Code
	}{
		"another type":    {wrongType, fault.UnsupportedMediaType},
		"a name twice":    {posted("RelayState=s&RelayState=t&SAMLResponse=x"), fault.Malformed},
		"escapes":         {posted("RelayState=%zz"), fault.Malformed},
		"no text":         {posted("RelayState=%ff"), fault.Malformed},
		"twice in a link": {get(openid.CallbackPath + "?state=s&state=t"), fault.Malformed},
		"too much":        {posted("RelayState=s&SAMLResponse=" + strings.Repeat("x", maxForm)), fault.TooLarge},
	} {
		l := &logins{returnTo: "https://app.example/"}
		w, _, err := serve(t, l, tt.request)
		if f := problem.FaultOf(err); f == nil || f.Code != tt.code || w.Header().Get("Location") != "" || l.values != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPages_RefuseInWords(t *testing.T) {
	all, err := New(&logins{}, nil, institution.Institution{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		w := httptest.NewRecorder()
		p.Refuse(w, get("/federation/oidc/callback"), fault.New(fault.RateLimited), http.StatusTooManyRequests)
		if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "Accesso non riuscito") {
			t.Errorf("%s: %d %s", p.Pattern, w.Code, w.Body)
		}
	}
}

// A notice leads to itself in the other language, however the browser came to it.
func TestPages_NoticesAreInBothLanguages(t *testing.T) {
	for name, tt := range map[string]struct {
		request *http.Request
		leads   string
	}{
		"sent":   {get(openid.CallbackPath + "?code=c&state=s&lang=en"), openid.CallbackPath + "?lang=it"},
		"posted": {posted("SAMLResponse=PHg%2B&RelayState=s"), openid.CallbackPath + "?lang=en"},
		"a form": {get(federation.FormPath + "ticket"), federation.FormPath + "ticket?lang=en"},
	} {
		w, _, err := serve(t, &logins{err: federation.ErrUnknown}, tt.request)
		if err != nil || w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `href="`+tt.leads+`"`) {
			t.Errorf("%s: %d %v %s", name, w.Code, err, w.Body)
			continue
		}
		again, _, err := serve(t, &logins{err: federation.ErrUnknown}, get(tt.leads))
		other := tt.leads[len(tt.leads)-2:]
		title := texts[map[string]problem.Language{"it": problem.Italian, "en": problem.English}[other]]["unknown.title"]
		if err != nil || again.Code != http.StatusNotFound || !strings.Contains(again.Body.String(), `<html lang="`+other+`"`) ||
			!strings.Contains(again.Body.String(), title) {
			t.Errorf("%s: leads to %d %v %s", name, again.Code, err, again.Body)
		}
	}
}
