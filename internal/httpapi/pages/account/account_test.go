package account

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"diresco/db"
	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

func copyAll(to io.Writer, from io.Reader) (int64, error) { return io.Copy(to, from) }

// sqlite is a database for what the other one does not do otherwise.
func sqlite(t *testing.T) *db.DB {
	t.Helper()
	t.Parallel()
	return dbtest.Open(t, dbtest.SQLite(t))
}

// An application is let in from its first request to its code, in one browser.
func TestPages_LetAnApplicationIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.client()
		asked := c.authorize().says(http.StatusOK,
			"Autorizzare Paghe <Rossi> & figli?", "Paghe Rossi S.r.l.", "help@payroll.example", "Forno Rossi S.r.l.", "Officina Bianchi",
			"Servizio declarations", "3 mesi", "Presentare, cambiare e ritirare dichiarazioni",
		)
		form := asked.form(consentPath)
		if form.Get("which") != "all" || form.Get("months") != "3" || len(form["service"]) != 2 || form.Has("pin") {
			t.Errorf("what stands there: %v", form)
		}
		one := w.contributors.all[1].ID
		left := c.submit(asked, consentPath, url.Values{
			"decision": {"approve"}, "which": {"some"}, "contributor": {one.String()}, "service": {"declarations"}, "months": {"12"},
		})
		left.says(http.StatusOK, "L'applicazione è autorizzata.")
		to := redirectURI + "?code=once&state=a%26b"
		if got := left.header.Get("Refresh"); got != "0;url="+to {
			t.Errorf("leads to %q", got)
		}
		if link := left.all("a"); !slices.ContainsFunc(link, func(n *html.Node) bool { return attr(n, "href") == to }) {
			t.Errorf("no link: %s", left.body)
		}
		want := oauth.Choice{
			Services: access.ServiceSet{access.Declarations}, Contributors: []uuid.UUID{one}, ExpiresAt: calendar.AddMonths(w.Clock.Now(), 12),
		}
		if got := w.flows.approved; len(got) != 1 || !slices.Equal(got[0].Services, want.Services) ||
			!slices.Equal(got[0].Contributors, want.Contributors) || !got[0].ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		// A look back finds that it is over.
		c.get(asked.path).says(http.StatusNotFound, "Questa richiesta è conclusa")
		c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusNotFound)
		if n := w.Count(t, "audit_records WHERE operation = 'startSession' AND address = '192.0.2.1'"); n != 1 {
			t.Errorf("%d logins in the trail", n)
		}
		// Whoever logs out has no session left.
		out := c.follow(c.submit(c.get(consentsPath), logoutPath, nil)).says(http.StatusOK, "Uscita effettuata.")
		if n := w.Count(t, "sessions WHERE ended_at IS NULL"); n != 0 || len(out.all("nav")) != 0 {
			t.Errorf("%d sessions live", n)
		}
		if n := w.Count(t, "page_sessions"); n != 0 {
			t.Errorf("%d browsers are in a session", n)
		}
		if got := c.get(consentsPath); got.location != loginPath+"?next=consents" {
			t.Errorf("leads to %q", got.location)
		}
	})
}

// whole is every page in each state, by a name.
func (w *world) whole(lang string) map[string]shown {
	pages := map[string]shown{}
	c := w.client()
	c.lang = lang
	w.flows.refusal = &oauth.Refusal{Code: "invalid_client", Description: "not known"}
	pages["a refusal of authorize"] = c.get(authorizePath)
	w.flows.refusal = nil
	login := c.follow(c.get(authorizePath))
	pages["login"] = login
	pages["login, nothing typed"] = c.submit(login, loginPath, nil)
	pages["login, wrong PIN"] = c.submit(login, loginPath, url.Values{"tax_code": {pintest.Mario.Clear()}, "pin": {"wrong"}})
	forged := url.Values{"token": {"forged"}}
	pages["a forged form"] = c.submit(login, loginPath, forged)
	pages["device, without a login"] = c.follow(c.get(devicePath))
	pages["consent"] = c.authorize()
	pages["consent, nothing chosen"] = c.submit(pages["consent"], consentPath, url.Values{
		"decision": {"approve"}, "which": {"some"}, "contributor": nil, "service": nil, "months": nil,
	})
	w.Clock.Advance(6 * minute)
	pages["consent, PIN again"] = c.get(pages["consent"].path)
	pages["consent, wrong PIN again"] = c.submit(pages["consent, PIN again"], consentPath, url.Values{
		"decision": {"approve"}, "pin": {"wrong"},
	})
	w.contributors.all = nil
	pages["consent, no contributor"] = c.get(pages["consent"].path)
	for range 21 {
		w.contributors.add("One of many")
	}
	pages["consent, many contributors"] = c.get(pages["consent"].path)
	w.reach = nil
	pages["consent, no right"] = c.get(pages["consent"].path)
	for _, open := range w.flows.open {
		open.Details = []oauth.Detail{{Services: access.ServiceSet{access.Declarations}}}
		open.Scopes = []string{application.ScopeDeclarations}
	}
	pages["consent, blocked"] = c.get(pages["consent"].path)
	w.reach = access.ServiceSet{access.Declarations}
	pages["consent, once"] = c.get(pages["consent"].path)
	pages["device"] = c.get(devicePath)
	pages["device, wrong code"] = c.submit(pages["device"], devicePath, url.Values{"user_code": {"wrong"}})
	pages["consent of a device"] = c.follow(c.submit(pages["device"], devicePath, url.Values{"user_code": {"bcdf-ghjk"}}))
	pages["device, refused"] = c.follow(c.submit(pages["consent of a device"], consentPath, url.Values{"decision": {"refuse"}}))
	pages["refused"] = c.submit(pages["consent"], consentPath, url.Values{"decision": {"refuse"}})
	pages["over"] = c.get(pages["consent"].path)
	pages["no consents"] = c.get(consentsPath)
	used := w.Clock.Now()
	w.consents.all = []consent.View{
		{
			Consent:     consent.Consent{ID: uuid.UUID{15: 1}, Scopes: application.Scopes(), Services: access.ServiceSet{access.AllServices}, EveryContributor: true, GivenAt: used, ExpiresAt: used.Add(time.Hour)},
			DisplayName: "Paghe", Excluded: []consent.Contributor{{LegalName: "Escluso"}}, LastUsedAt: &used,
		},
		{
			Consent:     consent.Consent{ID: uuid.UUID{15: 2}, Scopes: consent.Scopes{application.ScopeDeclarationsRead}, Services: access.ServiceSet{access.Declarations}, GivenAt: used, ExpiresAt: used.Add(time.Hour)},
			DisplayName: "Altro", Contributors: []consent.Contributor{{LegalName: "Forno"}},
		},
	}
	pages["consents"] = c.get(consentsPath)
	pages["consent withdrawn"] = c.follow(c.submit(pages["consents"], consentsPath, nil))
	pages["no applications"] = c.get(applicationsPath)
	one := payroll().Application
	one.Kind, one.Pending = application.Confidential, &application.Profile{}
	w.applications.all = []application.Application{one}
	pages["applications"] = c.get(applicationsPath)
	pages["application removed"] = c.follow(c.submit(pages["applications"], applicationsPath, nil))
	w.Exec(w.t, "UPDATE sessions SET pin_change_required = ?", true)
	pages["PIN"] = c.follow(c.get(consentsPath))
	pages["PIN made"] = c.submit(pages["PIN"], pinPath, nil)
	pages["PIN typed wrong"] = c.submit(pages["PIN made"], pinPath, url.Values{"pin": {"wrong"}})
	pages["logged out"] = c.follow(c.submit(pages["PIN"], logoutPath, nil))
	return pages
}

// Each page, in every state and both languages, is whole: one heading, fields with labels, nothing
// for scripts, and headers that keep it out of caches and frames.
func TestPages_AreWholeInBothLanguages(t *testing.T) {
	statuses := map[string]int{
		"a refusal of authorize": 400, "login, nothing typed": 422, "login, wrong PIN": 401, "a forged form": 403,
		"consent, nothing chosen": 422, "consent, wrong PIN again": 401, "device, wrong code": 422, "over": 404, "PIN typed wrong": 422,
	}
	for _, lang := range []string{"it", "en"} {
		t.Run(lang, func(t *testing.T) {
			w := newWorld(t, sqlite(t))
			for name, s := range w.whole(lang) {
				want := statuses[name]
				if want == 0 {
					want = http.StatusOK
				}
				if s.status != want {
					t.Errorf("%s: got %d, want %d", name, s.status, want)
				}
				checkWhole(t, name, lang, s)
			}
		})
	}
}

func checkWhole(t *testing.T, name, lang string, s shown) {
	t.Helper()
	wellFormed(t, name, s.body)
	if got := s.all("html"); attr(got[0], "lang") != lang || s.header.Get("Content-Language") != lang {
		t.Errorf("%s: language %q", name, attr(got[0], "lang"))
	}
	for element, count := range map[string]int{"h1": 1, "main": 1, "title": 1, "script": 0, "style": 0, "iframe": 0} {
		if got := len(s.all(element)); got != count {
			t.Errorf("%s has %d %s", name, got, element)
		}
	}
	ids := map[string]int{}
	labelled := map[string]bool{}
	for n := range s.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			ids[id]++
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = strings.TrimSpace(textOf(n)) != ""
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s has %s inline", name, a.Key)
			}
		}
		if n.Data == "button" && strings.TrimSpace(textOf(n)) == "" {
			t.Errorf("%s has a button without words", name)
		}
	}
	for _, n := range s.all("input") {
		if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
			t.Errorf("%s: %s has no label", name, attr(n, "name"))
		}
		if attr(n, "type") == "password" && attr(n, "value") != "" {
			t.Errorf("%s gives a secret back", name)
		}
	}
	for id, count := range ids {
		if count != 1 {
			t.Errorf("%s has the id %s %d times", name, id, count)
		}
	}
	for _, n := range s.all("input", "fieldset", "section") {
		for _, reference := range strings.Fields(attr(n, "aria-describedby") + " " + attr(n, "aria-labelledby")) {
			if ids[reference] != 1 {
				t.Errorf("%s: nothing is called %s", name, reference)
			}
		}
	}
	for _, n := range s.all("a") {
		if to, here := strings.CutPrefix(attr(n, "href"), "#"); here && ids[to] != 1 {
			t.Errorf("%s leads to #%s, which is not there", name, to)
		}
	}
	if len(s.all("form")) > 0 || s.status != http.StatusOK {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := s.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}
	policy := s.header.Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'",
		"img-src 'self' https://static.istituto.example",
	} {
		if !slices.Contains(strings.Split(policy, "; "), part) {
			t.Errorf("%s: the policy is %q", name, policy)
		}
	}
	if untold := regexp.MustCompile(`\b[a-z]+(\.[a-z_]+)+\b`).FindAllString(strings.ReplaceAll(strings.Join(visible(s), " "), "S.r.l.", ""), -1); len(untold) > 0 {
		for _, word := range untold {
			if !strings.HasSuffix(word, ".example") && word != "declarations.read" && word != "delegations.read" {
				t.Errorf("%s has no text for %s", name, word)
			}
		}
	}
}

// visible are the texts of the page.
func visible(s shown) []string {
	var found []string
	for n := range s.doc.Descendants() {
		if n.Type == html.TextNode {
			found = append(found, n.Data)
		}
	}
	return found
}

// wellFormed sees that every element that was opened is closed, in order.
func wellFormed(t *testing.T, name, body string) {
	t.Helper()
	void := []string{"meta", "link", "input", "img", "br"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() != io.EOF || len(open) > 0 {
				t.Errorf("%s: %v, open %v", name, z.Err(), open)
			}
			return
		case html.StartTagToken:
			if tag := z.Token().Data; !slices.Contains(void, tag) {
				open = append(open, tag)
			}
		case html.EndTagToken:
			tag := z.Token().Data
			if len(open) == 0 || open[len(open)-1] != tag {
				t.Errorf("%s: </%s> closes %v", name, tag, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

func TestTexts_BothLanguagesHaveTheSame(t *testing.T) {
	if it, en := slices.Sorted(maps.Keys(inItalian)), slices.Sorted(maps.Keys(inEnglish)); !slices.Equal(it, en) {
		t.Errorf("Italian has %q, English %q", it, en)
	}
	for name, text := range inItalian {
		if strings.Count(text, "%") != strings.Count(inEnglish[name], "%") {
			t.Errorf("%s has other values in the two languages", name)
		}
	}
	for _, scope := range application.Scopes() {
		if text(problem.Italian, "scope."+scope) == "scope."+scope {
			t.Errorf("%s has no words", scope)
		}
	}
}

// A form is taken only from a page of ours, in the browser and the login that it was shown in.
func TestForms_FromElsewhereAreRefused(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	asked := c.authorize()
	other := w.client()
	othersPage := other.authorize()
	own := asked.form(consentPath)
	own.Set("decision", "approve")
	for name, change := range map[string]func(form url.Values) map[string]string{
		"no token":       func(f url.Values) map[string]string { f.Del("token"); return nil },
		"a forged token": func(f url.Values) map[string]string { f.Set("token", "forged"); return nil },
		"a token of another browser": func(f url.Values) map[string]string {
			f.Set("token", othersPage.form(consentPath).Get("token"))
			return nil
		},
		"a token of another form":        func(f url.Values) map[string]string { f.Set("token", asked.form(logoutPath).Get("token")); return nil },
		"from another site":              func(url.Values) map[string]string { return map[string]string{"Sec-Fetch-Site": "cross-site"} },
		"from a sibling":                 func(url.Values) map[string]string { return map[string]string{"Sec-Fetch-Site": "same-site"} },
		"from nowhere":                   func(url.Values) map[string]string { return map[string]string{"Sec-Fetch-Site": "none"} },
		"an older browser, another site": func(url.Values) map[string]string { return map[string]string{"Origin": "https://evil.example"} },
	} {
		form := url.Values{}
		maps.Copy(form, own)
		c.header = map[string]string{"Sec-Fetch-Site": "same-origin"}
		if header := change(form); header != nil {
			c.header = header
		}
		if got := c.do(http.MethodPost, consentPath, form); got.status != http.StatusForbidden || len(w.flows.approved) > 0 {
			t.Errorf("%s: got %d, approved %v", name, got.status, w.flows.approved)
		}
	}
	// Whoever goes on with the flow of another browser finds none.
	if got := other.get(asked.path); got.status != http.StatusNotFound {
		t.Errorf("another browser: got %d", got.status)
	}
	for name, c2 := range map[string]struct {
		body, kind string
		status     int
	}{
		"another type":      {own.Encode(), "text/plain", http.StatusUnsupportedMediaType},
		"a name twice":      {own.Encode() + "&decision=refuse", formType, http.StatusBadRequest},
		"an unknown name":   {own.Encode() + "&other=1", formType, http.StatusBadRequest},
		"a broken escape":   {own.Encode() + "&pin=%zz", formType, http.StatusBadRequest},
		"a semicolon":       {own.Encode() + ";a=b", formType, http.StatusBadRequest},
		"no UTF-8":          {own.Encode() + "&pin=%ff", formType, http.StatusBadRequest},
		"a zero":            {own.Encode() + "&pin=%00", formType, http.StatusBadRequest},
		"a long entry":      {own.Encode() + "&pin=" + strings.Repeat("a", 129), formType, http.StatusBadRequest},
		"more than 16 KiB":  {own.Encode() + "&pin=" + strings.Repeat("a", 17<<10), formType, http.StatusRequestEntityTooLarge},
		"many contributors": {own.Encode() + strings.Repeat("&contributor=x", 2000), formType, http.StatusRequestEntityTooLarge},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+consentPath, strings.NewReader(c2.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c2.kind)
		r.Header.Set("Origin", "null")
		answer, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != c2.status {
			t.Errorf("%s: got %d, want %d", name, answer.StatusCode, c2.status)
		}
	}
	for _, header := range []map[string]string{{"Origin": "null"}, {"Origin": pintest.PublicURL}, {}} {
		c.header = header
		again := c.follow(c.get(authorizePath))
		c.submit(again, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusOK)
	}
}

// The cookies are out of reach of scripts, other sites and other hosts. They change with the login.
func TestCookies_AreKept(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	seen := map[string]string{}
	note := func(s shown) {
		for _, cookie := range s.cookies {
			if !strings.HasPrefix(cookie.Name, "__Host-diresco") || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" ||
				cookie.Domain != "" || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge > 0 || !cookie.Expires.IsZero() {
				t.Errorf("got %+v", cookie)
			}
			seen[cookie.Name] = cookie.Value
		}
	}
	first := c.get(authorizePath)
	note(first)
	asked := c.follow(first)
	note(c.submit(asked, loginPath, url.Values{"tax_code": {pintest.Mario.Clear()}, "pin": {w.pin.Reveal()}}))
	session := seen["__Host-diresco"]
	if len(session) != 43 || len(seen["__Host-diresco-browser"]) != 43 {
		t.Fatalf("got %v", slices.Sorted(maps.Keys(seen)))
	}
	if n := w.Count(t, "page_sessions WHERE secret_hash = ?", session); n != 0 {
		t.Error("a cookie is kept in clear")
	}
	// With the PIN once more there is another one, and the old one is good no more.
	w.Clock.Advance(6 * minute)
	page := c.follow(c.get(authorizePath))
	note(c.submit(page, consentPath, url.Values{"decision": {"approve"}, "pin": {w.pin.Reveal()}}).says(http.StatusOK))
	if seen["__Host-diresco"] == session {
		t.Error("the cookie is the same after the PIN was entered again")
	}
	address, err := url.Parse(c.base)
	if err != nil {
		t.Fatal(err)
	}
	stale := w.client()
	stale.http.Jar.SetCookies(address, []*http.Cookie{{Name: "__Host-diresco", Value: session, Path: "/", Secure: true}})
	if got := stale.get(consentsPath); got.location != loginPath+"?next=consents" {
		t.Errorf("the old cookie: got %d %q", got.status, got.location)
	}
	// On a developer's machine there is no https.
	w.serve("http://127.0.0.1:8080")
	c = w.client()
	c.base = "http://127.0.0.1:8080"
	for _, cookie := range c.get(authorizePath).cookies {
		if cookie.Secure || strings.HasPrefix(cookie.Name, "__Host-") || !cookie.HttpOnly {
			t.Errorf("got %+v", cookie)
		}
	}
}

// Nothing that stands in a link or a form leads to another site.
func TestPages_LeadNowhereElse(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	for _, next := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, "/account/consents", "javascript:alert(1)", "", "CONSENTS", "consents\r\nX: y",
	} {
		for _, name := range []string{"next", "flow"} {
			page := c.get(loginPath + "?" + url.Values{name: {next}}.Encode())
			if name == "flow" || page.status != http.StatusOK {
				page.says(http.StatusOK)
			}
			if strings.Contains(page.body, "evil") || page.form(loginPath).Has(name) {
				t.Errorf("%s=%s stands on the page", name, next)
			}
			fresh := w.client()
			page = fresh.get(loginPath)
			done := fresh.submit(page, loginPath, url.Values{
				"tax_code": {pintest.Mario.Clear()}, "pin": {w.pin.Reveal()}, name: {next},
			})
			if done.status != http.StatusSeeOther || done.location != consentsPath {
				t.Errorf("%s=%s leads to %d %q", name, next, done.status, done.location)
			}
			if got := fresh.get(loginPath + "?" + url.Values{name: {next}}.Encode()); got.location != consentsPath {
				t.Errorf("%s=%s leads who has logged in to %q", name, next, got.location)
			}
		}
	}
	for name, place := range places {
		fresh := w.client()
		if got := fresh.login(place); !strings.HasPrefix(got.path, place) {
			t.Errorf("%s leads to %s", name, got.path)
		}
	}
	w.flows.refusal = &oauth.Refusal{Code: "invalid_scope", Redirect: redirectURI + "?error=invalid_scope"}
	if got := c.get(authorizePath); got.status != http.StatusSeeOther || got.location != redirectURI+"?error=invalid_scope" {
		t.Errorf("got %d %q", got.status, got.location)
	}
	w.flows.refusal.Redirect = ""
	c.get(authorizePath+"?redirect_uri=https://evil.example").says(http.StatusBadRequest, "invalid_scope")
}

// Wrong PINs are counted, said and kept in the access log as the API does, and nobody learns who is
// registered.
func TestLogin_IsThrottledAsTheAPIIs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.client()
		login := c.get(loginPath)
		try := func(code, pin string) shown {
			return c.submit(login, loginPath, url.Values{"tax_code": {code}, "pin": {pin}})
		}
		known := try(pintest.Mario.Clear(), "wrong").says(http.StatusUnauthorized)
		unknown := try(pintest.Stranger.Clear(), "wrong").says(http.StatusUnauthorized)
		if strings.ReplaceAll(known.body, pintest.Mario.Clear(), "") != strings.ReplaceAll(unknown.body, pintest.Stranger.Clear(), "") {
			t.Errorf("the two differ:\n%s\n%s", known.body, unknown.body)
		}
		if len(w.refused) != 2 || w.refused[0].Operation != "startSession" || w.refused[0].Fault.Code != fault.InvalidCredentials {
			t.Errorf("for the access log: %+v", w.refused)
		}
		for range 4 {
			try(pintest.Mario.Clear(), "wrong")
		}
		// One counter for the pages and the API.
		for range 5 {
			if _, err := w.Sessions.Start(t.Context(), pintest.Mario.Clear(), "wrong", "192.0.2.99"); err == nil {
				t.Fatal("a wrong PIN is right")
			}
		}
		locked := try(pintest.Mario.Clear(), w.pin.Reveal()).says(http.StatusTooManyRequests, "Riprovare tra 5 minuti.")
		if got := locked.header.Get("Retry-After"); got != "300" {
			t.Errorf("Retry-After %q", got)
		}
		w.Clock.Advance(5 * minute)
		if got := try(pintest.Mario.Clear(), strings.ToLower(w.pin.Reveal()[:4])+" "+w.pin.Reveal()[4:]); got.status != http.StatusSeeOther {
			t.Errorf("got %d %s", got.status, got.text())
		}
		if n := w.Count(t, "sessions"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// Whoever must change the PIN does that and nothing else. The new one is shown once, and another
// session stands in the place of the first.
func TestPIN_IsChangedBeforeAnythingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, initial := w.Person(t, pintest.Giulia, access.Citizen, true)
		c := w.client()
		login := c.follow(c.get(authorizePath))
		changing := c.follow(c.submit(login, loginPath, url.Values{"tax_code": {pintest.Giulia.Clear()}, "pin": {initial.Reveal()}}))
		changing.says(http.StatusOK, "Cambio del PIN", "va cambiato, poi si prosegue")
		flow := changing.form(pinPath).Get("flow")
		for _, path := range []string{consentsPath, applicationsPath, devicePath, consentPath + "?flow=" + flow, loginPath} {
			if got := c.get(path); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, pinPath) {
				t.Errorf("%s: got %d %q", path, got.status, got.location)
			}
		}
		made := c.submit(changing, pinPath, nil).says(http.StatusOK, "Il nuovo PIN")
		pin := strings.ReplaceAll(textOf(made.all("code")[0]), " ", "")
		c.submit(made, pinPath, url.Values{"pin": {"wrong"}}).says(http.StatusUnprocessableEntity, "Non è il nuovo PIN.")
		if again := c.get(changing.path); strings.Contains(again.body, pin) {
			t.Error("the PIN is shown again")
		}
		lost := c.submit(made, pinPath, url.Values{"rotation": {uuid.NewString()}, "pin": {pin}})
		lost.says(http.StatusNotFound, "Quel cambio è concluso.")
		done := c.submit(made, pinPath, url.Values{"pin": {strings.ToLower(pin)}})
		if done.status != http.StatusSeeOther || done.location != consentPath+"?flow="+flow {
			t.Fatalf("got %d %q %s", done.status, done.location, done.text())
		}
		c.follow(done).says(http.StatusOK, "Autorizzare")
		if n := w.Count(t, "sessions WHERE ended_at IS NULL"); n != 1 {
			t.Errorf("%d sessions live", n)
		}
		if n := w.Count(t, "page_sessions"); n != 1 {
			t.Errorf("%d browsers are in a session", n)
		}
		for _, operation := range []string{"rotatePin", "confirmPinRotation"} {
			if n := w.Count(t, "audit_records WHERE operation = ?", operation); n != 1 {
				t.Errorf("%s stands %d times in the trail", operation, n)
			}
		}
		if got := c.get(pinPath); got.location != consentsPath {
			t.Errorf("who need not change the PIN is led to %q", got.location)
		}
	})
}

// An application is let in only by who entered the PIN in the last five minutes. To refuse one
// takes no PIN.
func TestConsent_NeedsAFreshLogin(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	asked := c.authorize()
	w.Clock.Advance(5*minute + time.Second)
	again := c.submit(asked, consentPath, url.Values{"decision": {"approve"}, "service": {"delegations"}, "months": {"6"}})
	again.says(http.StatusUnprocessableEntity, "Digitare il PIN.")
	if form := again.form(consentPath); form.Get("months") != "6" || !slices.Equal(form["service"], []string{"delegations"}) {
		t.Errorf("what was chosen is lost: %v", form)
	}
	c.submit(again, consentPath, url.Values{"decision": {"approve"}, "pin": {"wrong"}}).says(http.StatusUnauthorized)
	if len(w.flows.approved) > 0 || w.refused[0].Operation != "reauthenticate" || w.refused[0].PersonID != w.mario.ID {
		t.Fatalf("approved %v, refused %+v", w.flows.approved, w.refused)
	}
	c.submit(again, consentPath, url.Values{"decision": {"approve"}, "pin": {w.pin.Reveal()}}).says(http.StatusOK)
	if len(w.flows.approved) != 1 || w.flows.approved[0].Contributors != nil {
		t.Errorf("approved %+v", w.flows.approved)
	}
	w.Clock.Advance(6 * minute)
	asked = c.follow(c.get(authorizePath))
	c.submit(asked, consentPath, url.Values{"decision": {"refuse"}}).says(http.StatusOK, "L'applicazione non è autorizzata.")
	if w.flows.denied != 1 {
		t.Errorf("denied %d times", w.flows.denied)
	}
	// After half an hour without activity the session is over.
	asked = c.follow(c.get(authorizePath))
	w.Clock.Advance(30 * minute)
	c.follow(c.submit(asked, consentPath, url.Values{"decision": {"approve"}})).says(http.StatusForbidden, "La pagina è scaduta")
	c.follow(c.get(asked.path)).says(http.StatusOK, "Accedi")
}

// Nobody gives more than they were asked for, nor what is another's.
func TestConsent_GivesNoMoreThanWasOffered(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	stranger := uuid.New()
	asked := c.authorize()
	flow := w.flows.open[flowID(asked.form(consentPath).Get("flow"))]
	flow.Details = []oauth.Detail{{
		Contributors: []uuid.UUID{w.contributors.all[0].ID, stranger}, Services: access.ServiceSet{access.Declarations, access.ViewDMA},
	}}
	flow.Scopes = []string{application.ScopeDeclarations}
	asked = c.get(asked.path).says(http.StatusOK, "Forno Rossi S.r.l.", "senza rinnovo")
	if strings.Contains(asked.body, "Officina Bianchi") || strings.Contains(asked.body, stranger.String()) || strings.Contains(asked.body, "view_dma") {
		t.Errorf("more is offered than was asked: %s", asked.text())
	}
	for name, values := range map[string]url.Values{
		"a stranger":        {"contributor": {stranger.String()}},
		"one not asked for": {"contributor": {w.contributors.all[1].ID.String()}},
		"all":               {"which": {"all"}, "contributor": nil},
		"none":              {"contributor": nil},
		"another service":   {"service": {"view_dma"}},
		"every service":     {"service": {"*"}},
		"no service":        {"service": nil},
	} {
		values.Set("decision", "approve")
		if got := c.submit(asked, consentPath, values); got.status != http.StatusUnprocessableEntity || len(w.flows.approved) > 0 {
			t.Errorf("%s: got %d, approved %+v", name, got.status, w.flows.approved)
		}
	}
	c.submit(asked, consentPath, url.Values{"decision": {"approve"}, "months": {"12"}}).says(http.StatusOK)
	got := w.flows.approved[0]
	if !slices.Equal(got.Contributors, []uuid.UUID{w.contributors.all[0].ID}) || !slices.Equal(got.Services, access.ServiceSet{access.Declarations}) ||
		!got.ExpiresAt.Equal(w.Clock.Now().Add(session.OnlineGrant)) {
		t.Errorf("got %+v", got)
	}
	for _, months := range []string{"0", "13", "-1", "x", "", "2"} {
		asked = c.follow(c.get(authorizePath))
		c.submit(asked, consentPath, url.Values{"decision": {"approve"}, "months": {months}}).says(http.StatusUnprocessableEntity, "Scegliere la durata.")
	}
	w.flows.failure = fault.InvalidFields(fault.Field{Pointer: "/services/0", Code: fault.FieldUnknownService})
	c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusUnprocessableEntity)
	c.submit(asked, consentPath, url.Values{"decision": {"else"}}).says(http.StatusBadRequest)
}

// Whoever works here is told that they let no application in, and may refuse it.
func TestConsent_OfStaffIsRefused(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	w.Exec(t, "UPDATE people SET user_class = 'contact_centre'")
	asked := c.authorize().says(http.StatusOK, "Chi lavora qui non autorizza applicazioni")
	c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusForbidden)
	if len(w.flows.approved) > 0 {
		t.Error("let in")
	}
	c.submit(asked, consentPath, url.Values{"decision": {"refuse"}}).says(http.StatusOK)
}

// A program with an address of its own scheme is opened by a redirect, which the page's policy
// lets through. Others go by a page, since browsers hold the redirects of their sites against it.
func TestConsent_GoesBackToPrograms(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	asked := c.authorize()
	flow := w.flows.open[flowID(asked.form(consentPath).Get("flow"))]
	flow.redirect = "com.example.payroll:/callback"
	flow.Application.RedirectURIs = []string{"com.example.payroll:/callback", "http://127.0.0.1/callback"}
	asked = c.get(asked.path)
	if policy := asked.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' com.example.payroll:") {
		t.Errorf("the policy is %q", policy)
	}
	left := c.submit(asked, consentPath, url.Values{"decision": {"approve"}})
	if left.status != http.StatusSeeOther || left.location != "com.example.payroll:/callback?code=once&state=a%26b" {
		t.Errorf("got %d %q", left.status, left.location)
	}
	asked = c.follow(c.get(authorizePath))
	flow = w.flows.open[flowID(asked.form(consentPath).Get("flow"))]
	flow.redirect = "http://127.0.0.1:4711/callback"
	left = c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusOK)
	if got := left.header.Get("Refresh"); got != "0;url=http://127.0.0.1:4711/callback?code=once&state=a%26b" {
		t.Errorf("got %q", got)
	}
}

// A device is let in by its code, after a login and with a warning.
func TestDevice_IsLetInByItsCode(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	page := c.login(devicePath).says(http.StatusOK, "Digitare solo un codice che si vede su un proprio dispositivo.")
	c.submit(page, devicePath, nil).says(http.StatusUnprocessableEntity, "Digitare il codice.")
	c.submit(page, devicePath, url.Values{"user_code": {"XXXX-XXXX"}}).says(http.StatusUnprocessableEntity, "Il codice non esiste")
	if len(w.refused) != 1 || w.refused[0].Fault.Code != fault.CodeInvalid || w.refused[0].PersonID != w.mario.ID {
		t.Errorf("for the access log: %+v", w.refused)
	}
	w.flows.failure = fault.After(fault.PINLocked, 5*minute)
	c.submit(page, devicePath, url.Values{"user_code": {"XXXX-XXXX"}}).says(http.StatusTooManyRequests, "Troppi codici sbagliati.", "5 minuti")
	w.flows.failure = nil
	asked := c.follow(c.submit(page, devicePath, url.Values{"user_code": {"bcdf ghjk"}}))
	asked.says(http.StatusOK, "Il codice è stato mandato da qualcuno? Allora rifiutare.")
	c.follow(c.submit(asked, consentPath, url.Values{"decision": {"approve"}})).says(http.StatusOK, "Il dispositivo è autorizzato")
}

// People see what they gave and what they registered, and end it.
func TestMine_IsSeenAndEnded(t *testing.T) {
	w := newWorld(t, sqlite(t))
	pages := w.whole("en")
	pages["consents"].says(http.StatusOK, "Paghe", "All for whom you act", "except Escluso", "All that your rights cover", "Altro", "Forno",
		"Service declarations", "never", "16 March 2026")
	pages["consent withdrawn"].says(http.StatusOK, "The consent is withdrawn.", "Altro")
	if len(w.consents.all) != 1 || strings.Contains(pages["consent withdrawn"].text(), "Escluso") {
		t.Errorf("left: %+v", w.consents.all)
	}
	pages["applications"].says(http.StatusOK, "payroll", redirectURI, "confidential", "approved", "A change waits for approval.")
	pages["application removed"].says(http.StatusOK, "The application is removed.", "You have registered no application.")
	// What has ended meanwhile is what was wanted.
	c := w.client()
	w.Exec(t, "UPDATE sessions SET pin_change_required = ?", false)
	page := c.login(consentsPath)
	form := page.form(consentsPath)
	w.consents.all = nil
	c.follow(c.do(http.MethodPost, consentsPath, form)).says(http.StatusOK, "Nessuna applicazione è autorizzata.")
}

// A language that was chosen on a page stays; else the application's is taken, else the browser's.
func TestLanguage_IsChosenOnce(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	login := c.follow(c.get(authorizePath)).says(http.StatusOK, "Codice fiscale")
	flow := w.flows.open[flowID(login.form(loginPath).Get("flow"))]
	flow.Language = "en"
	c.get(login.path).says(http.StatusOK, "Tax code")
	var other string
	for _, n := range c.get(login.path).all("a") {
		if attr(n, "class") == "language" {
			other = attr(n, "href")
		}
	}
	c.get(other).says(http.StatusOK, "Codice fiscale")
	c.get(login.path).says(http.StatusOK, "Codice fiscale")
	c.get(consentsPath + "?lang=xx")
	c.get(loginPath).says(http.StatusOK, "Codice fiscale")
}
