package account

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

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
	flow.Scopes = []string{access.ScopeDeclarations}
	asked = c.get(asked.path).says(http.StatusOK, "Forno Rossi S.r.l.", "senza rinnovo")
	if strings.Contains(asked.body, "Officina Bianchi") || strings.Contains(asked.body, stranger.String()) ||
		strings.Contains(asked.body, "view_dma") {
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
	if !slices.Equal(got.Contributors, []uuid.UUID{w.contributors.all[0].ID}) ||
		!slices.Equal(got.Services, access.ServiceSet{access.Declarations}) ||
		!got.ExpiresAt.Equal(w.Clock.Now().Add(session.OnlineGrant)) {
		t.Errorf("got %+v", got)
	}
	for _, months := range []string{"0", "13", "-1", "x", "", "2"} {
		asked = c.follow(c.get(authorizePath))
		c.submit(asked, consentPath, url.Values{"decision": {"approve"}, "months": {months}}).
			says(http.StatusUnprocessableEntity, "Scegliere la durata.")
	}
	w.flows.failure = fault.InvalidFields(fault.Field{Pointer: "/services/0", Code: fault.FieldUnknownService})
	c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusUnprocessableEntity)
	c.submit(asked, consentPath, url.Values{"decision": {"else"}}).says(http.StatusBadRequest)
	// Who marks one contributor and leaves "all" chosen is asked what they mean.
	w.flows.failure = nil
	one := w.contributors.all[1].ID.String()
	both := c.submit(asked, consentPath, url.Values{"decision": {"approve"}, "which": {"all"}, "contributor": {one}})
	both.says(http.StatusUnprocessableEntity, "ora sono scelti tutti e anche alcuni")
	if form := both.form(consentPath); len(w.flows.approved) != 1 || form.Get("contributor") != one {
		t.Errorf("approved %+v, what stands there %v", w.flows.approved, form)
	}
}

// Whoever works here is told that they let no application in, and may refuse it.
func TestConsent_OfStaffIsRefused(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	w.Exec(t, "UPDATE people SET user_class = 'contact_centre'")
	asked := c.authorize().says(http.StatusOK, "Chi lavora qui non può autorizzare applicazioni")
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
	c.submit(page, devicePath, url.Values{"user_code": {"XXXX-XXXX"}}).
		says(http.StatusTooManyRequests, "Troppi codici sbagliati.", "5 minuti")
	w.flows.failure = nil
	asked := c.follow(c.submit(page, devicePath, url.Values{"user_code": {"bcdf ghjk"}}))
	asked.says(http.StatusOK, "Il codice è stato mandato da qualcuno? Allora rifiutare.")
	c.follow(c.submit(asked, consentPath, url.Values{"decision": {"approve"}})).says(http.StatusOK, "Il dispositivo è autorizzato")
}

// A code comes from who types it: an address that brings one fills in nothing and opens nothing, before
// the login and after it.
func TestDevice_NoLinkBringsItsCode(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	const link = devicePath + "?user_code=BCDF-GHJK&code=BCDF-GHJK"
	brought := func(what string, s shown) {
		t.Helper()
		if s.status != http.StatusOK || strings.Contains(strings.ReplaceAll(strings.ToUpper(s.body+s.path), "-", ""), "USER_CODE=BCDFGHJK") {
			t.Errorf("%s: %d at %s", what, s.status, s.path)
		}
		if len(w.flows.approved) > 0 || strings.HasPrefix(s.path, consentPath) {
			t.Errorf("%s: it leads to %s", what, s.path)
		}
		if s.path == devicePath || strings.HasPrefix(s.path, devicePath+"?") {
			if got := s.form(devicePath).Get("user_code"); got != "" {
				t.Errorf("%s: the code %q is filled in", what, got)
			}
		}
	}
	login := c.follow(c.get(link))
	brought("before the login", login)
	page := c.follow(c.submit(login, loginPath, url.Values{"tax_code": {pintest.Mario.Clear()}, "pin": {w.pin.Reveal()}}))
	page.says(http.StatusOK, "Digitare solo un codice che si vede su un proprio dispositivo.")
	brought("after the login", page)
	again := c.get(link)
	if got := again.form(devicePath).Get("user_code"); again.status != http.StatusOK || got != "" {
		t.Errorf("opened again: %d, filled in with %q", again.status, got)
	}
	// Nor does a form that is sent to such an address.
	c.submit(again, devicePath, nil).says(http.StatusUnprocessableEntity, "Digitare il codice.")
	r := c.do(http.MethodPost, link, again.form(devicePath))
	r.says(http.StatusUnprocessableEntity, "Digitare il codice.")
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
	c.login(consentsPath)
	form := c.get(consentsPath + "?id=" + w.consents.all[0].ID.String()).form(consentsPath)
	w.consents.all = nil
	c.follow(c.do(http.MethodPost, consentsPath, form)).says(http.StatusOK, "Nessuna applicazione è autorizzata.")
}

// Nothing that cannot be brought back ends by one click: the list leads to a page that asks, and a
// form without the answer is asked again.
func TestMine_AsksBeforeItEnds(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	w.consents.all = []consent.View{{Consent: consent.Consent{ID: uuid.UUID{15: 1}}, DisplayName: "Paghe <Rossi>"}}
	w.applications.all = []application.Application{payroll().Application}
	c.login(consentsPath)
	for path, page := range map[string]struct {
		id            uuid.UUID
		asks, changed string
		left          func() int
	}{
		consentsPath: {
			w.consents.all[0].ID, "Togliere l'accesso a Paghe <Rossi>?", "L'autorizzazione è revocata.",
			func() int { return len(w.consents.all) },
		},
		applicationsPath: {
			w.applications.all[0].ID, "Eliminare l'applicazione Paghe <Rossi> & figli?", "L'applicazione è eliminata.",
			func() int { return len(w.applications.all) },
		},
	} {
		list := c.get(path)
		ask := path + "?id=" + page.id.String()
		if !strings.Contains(list.body, `href="`+ask+`"`) {
			t.Errorf("%s does not lead to the question", path)
		}
		for _, n := range list.all("form") {
			if attr(n, "action") == path {
				t.Errorf("%s has a form that ends something", path)
			}
		}
		asked := c.get(ask).says(http.StatusOK, page.asks, "Non si può annullare", "Tornare indietro")
		c.submit(asked, path, url.Values{"confirmed": nil}).says(http.StatusOK, page.asks)
		if page.left() != 1 {
			t.Errorf("%s: ended without an answer", path)
		}
		c.follow(c.submit(asked, path, nil)).says(http.StatusOK, page.changed)
		if page.left() != 0 {
			t.Errorf("%s: not ended", path)
		}
		// What is over already is asked for no more.
		if gone := c.get(ask); gone.status != http.StatusSeeOther || gone.location != path {
			t.Errorf("%s: got %d %s", ask, gone.status, gone.location)
		}
	}
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
