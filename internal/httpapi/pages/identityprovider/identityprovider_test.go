package identityprovider

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox/idp"
)

const (
	publicURL   = "http://127.0.0.1:8080"
	redirectURI = publicURL + "/federation/oidc/callback"
)

var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return idp.NewKey(rand.Reader) })

func marco() string {
	code, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Bianchi", GivenName: "Marco", Sex: taxcode.Male, Date: time.Date(1971, 3, 14, 0, 0, 0, 0, time.UTC), Place: "H501",
	})
	if err != nil {
		panic(err)
	}
	return code.Clear()
}

// people are two who can log in.
type people struct{}

var known = []idp.Person{
	{
		Key: "rep-rome", Description: "Legal <representative>", TaxCode: marco(), GivenName: "Marco", FamilyName: "Bianchi",
		Sex: "M", BirthDate: "1971-03-14", BirthPlace: "H501", Province: "RM",
	},
	{Key: "rep-milan", TaxCode: "CLMGLI80A41F205Y", GivenName: "Giulia", FamilyName: "Colombo", Sex: "F", BirthDate: "1980-01-01"},
}

func (people) Identities(context.Context) ([]idp.Person, error) { return known, nil }

func (people) Identity(_ context.Context, key string) (idp.Person, error) {
	for _, p := range known {
		if p.Key == key {
			return p, nil
		}
	}
	return idp.Person{}, fault.New(fault.NotFound)
}

// world is the pages with a service provider of SPID that knows them.
type world struct {
	t       *testing.T
	clock   *clock.Manual
	handler *http.ServeMux
	spid    federation.Provider
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t: t, clock: clock.NewManual(time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)), handler: http.NewServeMux()}
	own, err := key()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := idp.Certify(own, "service", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	registry := spid.NewRegistry(spid.Origin{Kind: federation.SPID})
	service, err := spid.New(spid.Config{
		Plain:    true,
		EntityID: publicURL, PublicURL: publicURL, Keys: []spid.KeyPair{{Certificate: certificate, Key: own}}, Comparison: "minimum",
		Organisation: spid.Organisation{Name: "Ente", URL: "https://ente.example", IPACode: "ente", Email: "spid@ente.example"},
		Attributes:   []string{"name", "familyName", "fiscalNumber", "dateOfBirth"},
	}, spid.Deps{Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}, registry)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := idp.New(idp.Deps{
		PublicURL: publicURL, Clock: w.clock, Random: rand.Reader, Key: own, Name: "SPID di prova",
		ServiceMetadata: func(context.Context) ([]byte, error) { return service.Metadata(federation.SPID), nil },
		Clients:         []idp.Client{{ID: "cie", Secret: "kept", Name: "CIE di prova"}}, RedirectURI: redirectURI,
	})
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := provider.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Set(registry, metadata); err != nil {
		t.Fatal(err)
	}
	w.spid = service.Providers()[0]
	all, err := New(Deps{Provider: provider, People: people{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, method := range append(p.Methods, "") {
			if len(p.Methods) > 0 == (method == "") {
				continue
			}
			w.handler.HandleFunc(strings.TrimSpace(method+" "+p.Pattern), func(rw http.ResponseWriter, r *http.Request) {
				if err := p.Serve(rw, r); err != nil {
					t.Error(err)
				}
			})
		}
	}
	return w
}

// get asks for a page as a browser does, or as a program.
func (w world) get(address, accept string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, strings.TrimPrefix(address, publicURL), http.NoBody)
	r.Header.Set("Accept", accept)
	return w.do(r)
}

func (w world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer
}

// beginSAML begins a login and returns it with the address at which somebody chooses.
func (w world) beginSAML() (a federation.Attempt, page string) {
	w.t.Helper()
	a = federation.Attempt{
		ID: uuid.Must(uuid.NewV7()), Level: 2, State: secret.Text(strings.Repeat("s", 48)), Nonce: secret.Text(strings.Repeat("n", 48)),
		Verifier: secret.Text(strings.Repeat("v", 64)), BegunAt: w.clock.Now(),
	}
	departure, err := w.spid.Begin(w.t.Context(), a)
	if err != nil {
		w.t.Fatal(err)
	}
	a.Kept = departure.Kept
	sent := w.get(departure.URL, "text/html")
	if sent.Code != http.StatusSeeOther {
		w.t.Fatalf("got %d %s", sent.Code, sent.Body)
	}
	return a, sent.Header().Get("Location")
}

// beginOpenID begins a login and returns the address at which somebody chooses.
func (w world) beginOpenID() string {
	w.t.Helper()
	client := oauth2.Config{
		ClientID: "cie", RedirectURL: redirectURI, Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{AuthURL: idp.AuthorizePath},
	}
	sent := w.get(client.AuthCodeURL("state", oauth2.S256ChallengeOption(strings.Repeat("v", 64)), oauth2.SetAuthURLParam("nonce", "once")), "")
	if sent.Code != http.StatusSeeOther {
		w.t.Fatalf("got %d %s", sent.Code, sent.Body)
	}
	return sent.Header().Get("Location")
}

// program is what a program reads of an answer.
type programAnswer struct {
	URL  string
	Form map[string]string
}

func (w world) choose(page string) programAnswer {
	w.t.Helper()
	answer := w.get(page, "application/json")
	var read programAnswer
	if err := json.Unmarshal(answer.Body.Bytes(), &read); err != nil || answer.Code != http.StatusOK {
		w.t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
	return read
}

// The service of SPID takes what the pages answer: who it is, and each refusal by its number.
func TestSAML_IsUnderstoodByTheService(t *testing.T) {
	w := newWorld(t)
	a, page := w.beginSAML()
	answer := w.choose(page + "&person=rep-rome&level=3")
	claims, err := w.spid.Finish(t.Context(), a, url.Values{
		"SAMLResponse": {answer.Form["SAMLResponse"]}, "RelayState": {answer.Form["RelayState"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	if claims.TaxCode != known[0].TaxCode || claims.Level != 3 || claims.GivenName != "Marco" || claims.BirthDate != "1971-03-14" ||
		answer.URL != publicURL+spid.AnswerPath || answer.Form["RelayState"] != a.State.Reveal() {
		t.Errorf("got %+v %+v", claims, answer.URL)
	}
	for _, outcome := range idp.Outcomes() {
		if outcome.Number() == 0 {
			continue
		}
		a, page := w.beginSAML()
		answer := w.choose(page + "&person=rep-rome&outcome=" + string(outcome))
		_, err := w.spid.Finish(t.Context(), a, url.Values{
			"SAMLResponse": {answer.Form["SAMLResponse"]}, "RelayState": {answer.Form["RelayState"]},
		})
		var refusal *federation.Refusal
		if !errors.As(err, &refusal) || refusal.Outcome != federation.Denied || refusal.Number != outcome.Number() {
			t.Errorf("%s: %v", outcome, err)
		}
	}
}

// A browser sees who can log in, what is told of them, and a form that leads back.
func TestPages_LeadABrowserBack(t *testing.T) {
	w := newWorld(t)
	_, page := w.beginSAML()
	shown := w.get(page, "text/html")
	body := shown.Body.String()
	for _, want := range []string{
		"SPID di prova", "Legal &lt;representative&gt;", `value="2" checked`, `value="granted" checked`, `href="/sandbox/identity-provider?request=`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if policy := shown.Header().Get("Content-Security-Policy"); shown.Code != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'") ||
		strings.Contains(policy, "unsafe") || shown.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v", shown.Code, shown.Header())
	}
	if english := w.get(page+"&lang=en", "text/html"); !strings.Contains(english.Body.String(), "Who logs in") ||
		english.Header().Get("Content-Language") != "en" {
		t.Errorf("got %s", english.Body)
	}
	for _, wrong := range []string{"&person=nobody", "&person=rep-rome&level=9", "&person=rep-rome&level=x", "&person=rep-rome&outcome=x"} {
		if got := w.get(page+wrong, "text/html"); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), `role="alert"`) {
			t.Errorf("%s: %d", wrong, got.Code)
		}
	}
	left := w.get(page+"&person=rep-rome", "text/html")
	body = left.Body.String()
	if left.Code != http.StatusOK || !strings.Contains(body, `<form method="post" action="`+publicURL+`/federation/spid/acs">`) ||
		!strings.Contains(body, "TINIT-"+known[0].TaxCode) || !strings.Contains(body, `name="RelayState"`) {
		t.Errorf("got %d %s", left.Code, body)
	}
	if again := w.get(page+"&person=rep-rome", "text/html"); again.Code != http.StatusNotFound || !strings.Contains(again.Body.String(), "conclusa") {
		t.Errorf("again: %d", again.Code)
	}
	_, page = w.beginSAML()
	failed := w.get(page+"&person=rep-rome&outcome=cancelled&lang=en", "text/html").Body.String()
	if !strings.Contains(failed, "ErrorCode nr25") || !strings.Contains(failed, "Back to the service") || strings.Contains(failed, "TINIT") {
		t.Errorf("got %s", failed)
	}
	_, page = w.beginSAML()
	if down := w.get(page+"&person=rep-rome&outcome=down", "text/html"); down.Code != http.StatusServiceUnavailable {
		t.Errorf("out of order: %d", down.Code)
	}
	opened := w.get(w.beginOpenID()+"&person=rep-milan", "text/html")
	if to := opened.Header().Get("Location"); opened.Code != http.StatusSeeOther || !strings.HasPrefix(to, redirectURI+"?code=") {
		t.Errorf("got %d %s", opened.Code, to)
	}
	for _, wrong := range []string{idp.SAMLPath, idp.AuthorizePath + "?client_id=other"} {
		if got := w.get(wrong, "text/html"); got.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, got.Code)
		}
	}
}

// Programs are told in their own words what is wrong.
func TestPrograms_AreAnsweredInJSON(t *testing.T) {
	w := newWorld(t)
	if got := w.get(idp.DiscoveryPath, ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"issuer":"`+publicURL+idp.OpenIDPath+`"`) {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := w.get(idp.KeysPath, ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"kty":"RSA"`) ||
		strings.Contains(got.Body.String(), `"d"`) {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := w.get(idp.UserinfoPath, ""); got.Code != http.StatusUnauthorized || !strings.Contains(got.Body.String(), "invalid_token") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := w.get(idp.MetadataPath, ""); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "IDPSSODescriptor") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	token := func(code string) *httptest.ResponseRecorder {
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {strings.Repeat("v", 64)},
		}
		r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, idp.TokenPath, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("cie", "kept")
		return w.do(r)
	}
	code := func(outcome idp.Outcome) string {
		t.Helper()
		back, err := url.Parse(w.choose(w.beginOpenID() + "&person=rep-milan&outcome=" + string(outcome)).URL)
		if err != nil {
			t.Fatal(err)
		}
		return back.Query().Get("code")
	}
	good := code(idp.Granted)
	if got := token(good); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"id_token"`) {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if got := token(good); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "invalid_grant") {
		t.Errorf("again: %d %s", got.Code, got.Body)
	}
	if got := token(code(idp.Down)); got.Code != http.StatusServiceUnavailable {
		t.Errorf("out of order: %d %s", got.Code, got.Body)
	}
}
