package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// federated lets Mario in, by a provider far away and a code that is good once.
type federated struct {
	w       *world
	all     []federation.About
	begun   []federation.Request
	failure error
}

const (
	farAway = "https://idp.example/sso?request=1"
	good    = "code"
)

func (f *federated) Providers() []federation.About { return f.all }

func (f *federated) Begin(_ context.Context, in federation.Request) (federation.Begun, error) {
	if f.failure != nil {
		return federation.Begun{}, f.failure
	}
	f.begun = append(f.begun, in)
	return federation.Begun{URL: farAway}, nil
}

func (f *federated) Redeem(ctx context.Context, code, verifier secret.Text) (session.Session, error) {
	if len(f.begun) == 0 {
		return session.Session{}, fault.New(fault.InvalidCredentials)
	}
	last := f.begun[len(f.begun)-1]
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	if code != good || base64.RawURLEncoding.EncodeToString(sum[:]) != last.CodeChallenge {
		return session.Session{}, fault.New(fault.InvalidCredentials)
	}
	f.begun = nil
	level := int(last.Level)
	return f.w.Sessions.StartBy(ctx, session.Proof{
		Login: access.Login{Method: "spid", Level: &level, Provider: &last.ProviderID},
		Find:  func(context.Context) (uuid.UUID, error) { return f.w.mario.ID, nil },
		Hold:  func(context.Context, uuid.UUID) error { return nil },
	})
}

// depart follows a button on a page up to the provider.
func (c *client) depart(s shown, provider string) {
	c.w.t.Helper()
	for _, link := range s.all("a") {
		if href := attr(link, "href"); strings.Contains(href, "provider="+provider) {
			if left := c.get(href); left.status != http.StatusSeeOther || left.location != farAway {
				c.w.t.Fatalf("got %d %s", left.status, left.location)
			}
			return
		}
	}
	c.w.t.Fatalf("no button leads to %s: %s", provider, s.body)
}

// back is where the provider's answer leads.
func (w *world) back(query string) string {
	last := w.federated.begun[len(w.federated.begun)-1]
	to := strings.TrimPrefix(last.ReturnURL, w.publicURL())
	if strings.Contains(to, "?") {
		return to + "&" + query
	}
	return to + "?" + query
}

func (w *world) publicURL() string { return w.client().base }

// An application is let in by who logs in with a national identity: from the button to the code.
func TestFederated_LetsAnApplicationIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		c := w.client()
		login := c.follow(c.get(authorizePath)).says(http.StatusOK, "Entra con SPID <uno>", "Entra con CIE")
		c.depart(login, "spid")
		begun := w.federated.begun[0]
		if begun.Level != 2 || !strings.HasPrefix(begun.ReturnURL, w.publicURL()+FederatedPath+"?flow=") || len(begun.CodeChallenge) != 43 {
			t.Errorf("asked %+v", begun)
		}
		asked := c.follow(c.get(w.back("code=" + good)))
		asked.says(http.StatusOK, "Autorizzare Paghe <Rossi> & figli?")
		c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusOK, "L'applicazione è autorizzata.")
		if len(w.flows.approved) != 1 {
			t.Errorf("approved %+v", w.flows.approved)
		}
		var method string
		if err := w.DB.From(context.Background()).Raw("SELECT login_method FROM sessions").Scan(&method).Error; err != nil || method != "spid" {
			t.Errorf("logged in by %q: %v", method, err)
		}
	})
}

// A code is good in the browser that began the login, for where that leads, and once.
func TestFederated_CodesAreOfOneBrowser(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	c.depart(c.follow(c.get(authorizePath)), "spid")
	back := w.back("code=" + good)
	over := func(what string, s shown) {
		t.Helper()
		s.says(http.StatusForbidden, "Accesso non riuscito", "Ricominciare")
		for _, cookie := range s.cookies {
			if cookie.Value != "" && strings.HasSuffix(cookie.Name, sessionCookie) {
				t.Errorf("%s: somebody is logged in", what)
			}
		}
	}
	over("without a cookie", w.client().get(back))
	other := w.client()
	other.get(loginPath)
	over("another browser", other.get(back))
	over("another place", c.get(FederatedPath+"?next=consents&code="+good))
	over("another code", c.get(strings.Replace(back, good, "other", 1)))
	if got := c.get(back); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, consentPath) {
		t.Errorf("got %d %s", got.status, got.location)
	}
	// Opened again it leads on: somebody is in.
	if got := c.get(back); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, consentPath) {
		t.Errorf("opened again: %d %s", got.status, got.location)
	}
	if len(w.refused) == 0 || w.refused[0].Operation != opFederated || w.refused[0].Fault.Code != fault.InvalidCredentials {
		t.Errorf("for the access log: %+v", w.refused)
	}
}

// Each refusal has its words and leads back to the login, with the flow. What the address says else
// is shown to nobody.
func TestFederated_SaysWhyNobodyIsLetIn(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	login := c.follow(c.get(authorizePath))
	flow := login.form(loginPath).Get("flow")
	c.depart(login, "spid")
	for query, want := range map[string]string{
		"error=access_denied&error_code=19": "più volte credenziali errate", "error=access_denied&error_code=20": "livello più alto",
		"error=access_denied&error_code=21": "Il tempo per l'accesso è scaduto", "error=access_denied&error_code=22": "consenso all'invio dei dati",
		"error=access_denied&error_code=23": "sospesa o bloccata", "error=access_denied&error_code=25": "L'accesso è stato annullato",
		"error=access_denied&error_code=30": "di un altro tipo", "error=access_denied&error_code=24": "scegliere un altro gestore",
		"error=access_denied": "scegliere un altro gestore", "error=access_denied&error_code=title": "scegliere un altro gestore",
		"error=invalid_answer": "non è valida", "error=anything": "non è valida",
	} {
		s := c.get(w.back("error_description=SECRET&"+query)).says(http.StatusForbidden, "Accesso non riuscito", want)
		if strings.Contains(s.body, "SECRET") || !strings.Contains(s.body, `href="`+loginPath+"?flow="+flow+`"`) {
			t.Errorf("%s: %s", query, s.body)
		}
	}
	c.get(w.back("error=access_denied&error_code=card-revoked")).says(http.StatusForbidden, "è stato revocato")
	c.get(w.back("error=access_denied&error_code=not-a-reason")).says(http.StatusForbidden, "scegliere un altro gestore")
	if s := c.get(w.back("error=temporarily_unavailable")).says(http.StatusServiceUnavailable, "ora non risponde"); s.header.Get("Retry-After") != "60" {
		t.Errorf("try again after %q", s.header.Get("Retry-After"))
	}
	c.get(w.back("error=temporarily_unavailable&error_code=card-unchecked")).says(http.StatusServiceUnavailable, "se la carta è stata revocata")
	// What any link says is no login of this browser.
	for _, link := range []string{FederatedPath + "?flow=" + flow + "&error=access_denied&error_code=23", w.back("error=access_denied&error_code=23") + "x"} {
		other := c
		if !strings.HasPrefix(link, FederatedPath+"?flow="+flow+"&error") {
			other = w.client()
		}
		if s := other.get(link).says(http.StatusForbidden, "Ricominciare"); strings.Contains(s.body, "sospesa") {
			t.Errorf("%s: %s", link, s.body)
		}
	}
	w.federated.failure = fault.After(fault.Unavailable, 30*time.Second)
	if s := c.get(departPath+"?provider=spid").says(http.StatusServiceUnavailable, "ora non risponde"); s.header.Get("Retry-After") != "30" {
		t.Errorf("try again after %q", s.header.Get("Retry-After"))
	}
	if gone := c.get(departPath + "?provider=none&flow=" + flow); gone.location != loginPath+"?flow="+flow {
		t.Errorf("got %s", gone.location)
	}
}

// Providers stand in an order that is drawn: each is first at times.
func TestFederated_NoProviderIsAlwaysFirst(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	first := map[bool]int{}
	for range 64 {
		body := c.get(loginPath).body
		first[strings.Index(body, "provider=cie") < strings.Index(body, "provider=spid")]++
	}
	if first[true] == 0 || first[false] == 0 {
		t.Errorf("CIE is first: %v", first)
	}
	w.federated.all = nil
	if body := c.get(loginPath).body; strings.Contains(body, `id="ways"`) {
		t.Error("a heading stands above no button")
	}
}

// Who logged in long ago logs in again at the provider to let an application in. The session before
// ends.
func TestFederated_LogsInAgain(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	asked := c.authorize()
	w.Clock.Advance(6 * minute)
	again := c.get(asked.path).says(http.StatusOK, "Oppure accedere di nuovo con l'identità digitale")
	c.depart(again, "cie")
	asked = c.follow(c.get(w.back("code=" + good)))
	if form := asked.form(consentPath); form.Has("pin") {
		t.Error("the PIN is asked for")
	}
	c.submit(asked, consentPath, url.Values{"decision": {"approve"}}).says(http.StatusOK, "L'applicazione è autorizzata.")
	var live int
	if err := w.DB.From(context.Background()).Raw("SELECT count(*) FROM sessions WHERE ended_at IS NULL").Scan(&live).Error; err != nil || live != 1 {
		t.Errorf("%d sessions live: %v", live, err)
	}
}

// After a login that was broken off the page is in the language that the application asked for.
func TestFederated_SpeaksTheLanguageOfTheApplication(t *testing.T) {
	w := newWorld(t, sqlite(t))
	c := w.client()
	login := c.follow(c.get(authorizePath))
	c.depart(login, "spid")
	w.flows.open[flowID(login.form(loginPath).Get("flow"))].Language = "en"
	c.get(w.back("error=access_denied&error_code=25")).says(http.StatusForbidden, "You broke the login off")
}
