package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/api/client"
	"diresco/internal/platform/config"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox/cards"
	"diresco/internal/test/dbtest"
)

// cardWorld is a sandbox with its listener for cards.
type cardWorld struct {
	*fixture
	authority *cards.Authority
	url       string
}

// cardsOf opens the listener of a sandbox as the program does.
func (w *fixture) cardsOf() cardWorld {
	w.t.Helper()
	server := httptest.NewUnstartedServer(w.app.CardHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	w.t.Cleanup(server.Close)
	authority, err := cards.Load(filepath.Join(w.dir, "cards"), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return cardWorld{w, authority, server.URL}
}

// issue makes a card for a tax code.
func (w cardWorld) issue(code string, change func(*cards.Order)) cards.Card {
	w.t.Helper()
	order := cards.Order{Kind: cards.CNS, TaxCode: taxcode.MustParse(code), GivenName: "Mario", FamilyName: "Rossi"}
	if change != nil {
		change(&order)
	}
	made, err := w.authority.Issue(order, w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// enter logs in with a card, or without one.
func (w cardWorld) enter(card *cards.Card) answer {
	w.t.Helper()
	settings := &tls.Config{InsecureSkipVerify: true}
	if card != nil {
		settings.Certificates = []tls.Certificate{{Certificate: [][]byte{card.Certificate.Raw}, PrivateKey: card.Key}}
	}
	transport := &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}
	return w.post(&http.Client{Transport: transport}, w.url, nil)
}

func (w cardWorld) post(by *http.Client, address string, header http.Header) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, address+"/v1/sessions/card", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	response, err := by.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}
}

func (a answer) session(t *testing.T) client.Session {
	t.Helper()
	var s client.Session
	if err := json.Unmarshal(a.body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCard_ReachesTheSamePerson: by either card it is the account of the PIN, with dispositive
// credentials.
func TestCard_ReachesTheSamePerson(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w := f.cardsOf()
		p := w.createPerson(map[string]any{})
		for kind, method := range map[cards.Kind]client.LoginMethod{cards.CNS: client.LoginMethodCns, cards.CIE: client.LoginMethodCie} {
			card := w.issue(p.TaxCode, func(o *cards.Order) { o.Kind = kind })
			s := w.enter(&card).want(t, http.StatusCreated, "").session(t)
			if s.LoginMethod != method || s.CredentialLevel != client.CredentialLevelDispositive {
				t.Errorf("%s: %s, %s", kind, s.LoginMethod, s.CredentialLevel)
			}
			me := w.do(http.MethodGet, "/v1/me", s.AccessToken, nil).want(t, http.StatusOK, "")
			if !strings.Contains(string(me.body), p.PersonId.String()) {
				t.Errorf("%s: another person: %s", kind, me.body)
			}
			if n := w.rows("sessions", "login_method = ? AND person_id = ?", string(method), p.PersonId); n != 1 {
				t.Errorf("%s: %d sessions", kind, n)
			}
		}
		if strings.Contains(w.log.String(), p.TaxCode) {
			t.Error("the log has the tax code")
		}
	})
}

// TestCard_RefusedWithAReason: each refusal says why, and stands in the access log.
func TestCard_RefusedWithAReason(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w := f.cardsOf()
		p := w.createPerson(map[string]any{})
		good := w.issue(p.TaxCode, nil)
		w.enter(&good).want(t, http.StatusCreated, "")
		if err := w.authority.Revoke(good.Certificate); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(6 * time.Second)
		expired := w.issue(p.TaxCode, func(o *cards.Order) { o.Expired = true })
		foreign, err := cards.Open(t.TempDir(), w.fixture.url, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		other := cardWorld{w.fixture, foreign, w.url}.issue(p.TaxCode, nil)
		for words, card := range map[string]*cards.Card{
			"revocato": &good, "scaduto": &expired, "ammessa qui": &other, "Inserire la carta": nil,
		} {
			a := w.enter(card).want(t, http.StatusUnauthorized, "invalid-credentials")
			if errs, _ := a.field("errors").([]any); !strings.Contains(string(a.body), words) || len(errs) != 1 ||
				!strings.HasPrefix(errs[0].(map[string]any)["code"].(string), "card-") {
				t.Errorf("%s: %s", words, a.body)
			}
		}
		// Over the API itself no card is taken.
		w.do(http.MethodPost, "/v1/sessions/card", "", nil).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.suspend(p)
		suspended := w.issue(p.TaxCode, nil)
		w.enter(&suspended).want(t, http.StatusUnauthorized, "invalid-credentials")
		w.app.AccessLog.Flush(t.Context())
		if n := w.rows("access_log", "operation = 'startCardSession' AND outcome = 'invalid-credentials'"); n != 6 {
			t.Errorf("the access log has %d refusals", n)
		}
	})
}

// TestCard_ByATrustedProxy: its header counts, and that of anybody else does not.
func TestCard_ByATrustedProxy(t *testing.T) {
	for name, network := range map[string]string{"trusted": "127.0.0.0/8", "not trusted": "10.0.0.0/8"} {
		t.Run(name, func(t *testing.T) {
			f := startWith(t, dbtest.SQLite(t), cheapPINs, func(c *config.Config) {
				c.CNSHeader, c.TrustedProxies = "haproxy", []netip.Prefix{netip.MustParsePrefix(network)}
			})
			w := f.cardsOf()
			p := w.createPerson(map[string]any{})
			card := w.issue(p.TaxCode, nil)
			header := func(c *x509.Certificate) http.Header {
				return http.Header{"X-Ssl-Client-Cert": {base64.StdEncoding.EncodeToString(c.Raw)}}
			}
			// At the API itself no proxy replaces what a client writes, so there it means nothing.
			w.post(http.DefaultClient, w.fixture.url, header(card.Certificate)).want(t, http.StatusUnauthorized, "invalid-credentials")
			proxied := httptest.NewServer(w.app.CardProxyHandler())
			t.Cleanup(proxied.Close)
			a := w.post(http.DefaultClient, proxied.URL, header(card.Certificate))
			if name == "trusted" {
				a.want(t, http.StatusCreated, "")
				return
			}
			a.want(t, http.StatusForbidden, "forbidden")
			if log := w.log.String(); !strings.Contains(log, "no trusted proxy sent it") || strings.Contains(log, p.TaxCode) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// browsing is a browser with a card, which follows links by hand.
type browsing struct {
	cardWorld
	client *http.Client
}

func (w cardWorld) browse(card *cards.Card) browsing {
	w.t.Helper()
	if err := w.authority.LoginAt(w.url); err != nil {
		w.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	settings := &tls.Config{InsecureSkipVerify: true}
	if card != nil {
		settings.Certificates = []tls.Certificate{{Certificate: [][]byte{card.Certificate.Raw}, PrivateKey: card.Key}}
	}
	return browsing{w, &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open opens an address and returns what is shown, and where it leads.
func (b browsing) open(address string) (status int, to, body string) {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.fixture.url + address
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "en")
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	shown, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(shown)
}

// toCards goes from the login page to the address where the card is shown.
func (b browsing) toCards(provider string) string {
	b.t.Helper()
	if _, _, page := b.open("/oauth2/login"); !strings.Contains(page, "provider="+provider) {
		b.t.Fatalf("no button leads to %s: %s", provider, page)
	}
	status, to, _ := b.open("/oauth2/login/provider?provider=" + provider)
	if status != http.StatusSeeOther || !strings.HasPrefix(to, b.cardWorld.url+"/card-login?state=") {
		b.t.Fatalf("%d %s", status, to)
	}
	return to
}

// TestCard_InABrowser goes from the button on the login page by way of the cards' own address back to
// where the person is logged in.
func TestCard_InABrowser(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		w := f.cardsOf()
		p := w.createPerson(map[string]any{})
		card := w.issue(p.TaxCode, nil)
		b := w.browse(&card)
		at := b.toCards("cns-card")
		status, back, _ := b.open(at)
		if status != http.StatusSeeOther || !strings.HasPrefix(back, w.fixture.url+"/oauth2/login/federated?") || !strings.Contains(back, "code=") {
			t.Fatalf("%d %s", status, back)
		}
		if again, _, page := b.open(at); again != http.StatusNotFound || !strings.Contains(page, "This login is over") {
			t.Errorf("the same login again: %d %s", again, page)
		}
		// The code opens nothing in another browser, and the login goes on in the first.
		if status, _, _ := w.browse(nil).open(back); status != http.StatusForbidden {
			t.Errorf("in another browser: %d", status)
		}
		if status, to, page := b.open(back); status != http.StatusSeeOther || to != "/account/consents" {
			t.Fatalf("%d %s %s", status, to, page)
		}
		if n := w.rows("sessions", "login_method = 'cns' AND login_provider = 'cns-card' AND login_level = 3 AND person_id = ?", p.PersonId); n != 1 {
			t.Errorf("%d sessions", n)
		}
		for reason, refused := range map[string]*browsing{
			"No certificate of a card": new(w.browse(nil)), "another kind": new(w.browse(new(w.issue(p.TaxCode, func(o *cards.Order) { o.Kind = cards.CIE })))),
			"has expired": new(w.browse(new(w.issue(p.TaxCode, func(o *cards.Order) { o.Expired = true })))),
		} {
			_, back, _ := refused.open(refused.toCards("cns-card"))
			if !strings.Contains(back, "error=access_denied") || !strings.Contains(back, "error_code=card-") {
				t.Errorf("%s: %s", reason, back)
			}
			if status, _, page := refused.open(back); status != http.StatusForbidden || !strings.Contains(page, reason) || !strings.Contains(page, `href="/oauth2/login"`) {
				t.Errorf("%s: %d %s", reason, status, page)
			}
		}
		// At the API's own address there is no such page.
		if status, _, _ := b.open("/card-login?state=abc"); status != http.StatusNotFound {
			t.Errorf("at the API itself: %d", status)
		}
		if strings.Contains(w.log.String(), p.TaxCode) {
			t.Error("the log has the tax code")
		}
	})
}

// TestCard_RaisesASession: an application begins the login as at any other provider.
func TestCard_RaisesASession(t *testing.T) {
	w := start(t, dbtest.SQLite(t)).cardsOf()
	marco := w.named("Bianchi")
	card := w.issue(marco.TaxCode, func(o *cards.Order) { o.Kind = cards.CIE })
	b := w.browse(&card)
	sum := sha256.Sum256([]byte(loginVerifier))
	begun := w.do(http.MethodPost, "/v1/federated-logins", "", map[string]any{
		"provider_id": "cie-card", "level": 3, "return_url": loginReturn, "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	}, key()).want(t, http.StatusCreated, "")
	if begun.header.Get("Location") != "" {
		t.Errorf("leads to %s", begun.header.Get("Location"))
	}
	_, back, _ := b.open(said(begun, "url"))
	landed, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, loginReturn+"?code=") {
		t.Fatalf("landed at %s: %v", back, err)
	}
	raised := w.do(http.MethodPost, "/v1/sessions/current/authentications", w.loginAs(marco).AccessToken, map[string]any{
		"code": landed.Query().Get("code"), "code_verifier": loginVerifier,
	}, key()).want(t, http.StatusOK, "")
	if raised.field("login_method") != "cie" || raised.field("login_provider") != "cie-card" {
		t.Errorf("raised %s", raised.body)
	}
}
