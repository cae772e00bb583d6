package account

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"diresco/db"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
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
			Services: access.ServiceSet{access.Declarations}, Contributors: []uuid.UUID{one},
			ExpiresAt: calendar.AddMonths(w.Clock.Now(), 12),
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
		"a token of another form": func(f url.Values) map[string]string {
			f.Set("token", asked.form(logoutPath).Get("token"))
			return nil
		},
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
		"https://evil.example", "//evil.example", `/\evil.example`, "/account/consents", "javascript:alert(1)", "", "CONSENTS",
		"consents\r\nX: y",
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
		w.federated.all = nil // they stand in another order each time
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
		typed := strings.ToLower(w.pin.Reveal()[:4]) + " " + w.pin.Reveal()[4:]
		if got := try(pintest.Mario.Clear(), typed); got.status != http.StatusSeeOther {
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
