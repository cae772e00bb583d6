// Package trial runs a sandbox for the tests of the examples, and a person who lets programs in.
package trial

import (
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

// Sandbox starts a sandbox and returns its address, without /v1.
func Sandbox(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	listener := httptest.NewUnstartedServer(nil)
	address := listener.Listener.Addr().String()
	a, err := app.Open(t.Context(), config.Config{
		Addr: address, PublicURL: "http://" + address, DataDir: dir, DatabaseURL: secret.Text("sqlite:" + filepath.Join(dir, "diresco.db")),
		BlobURL: "file://" + dir + "/blobs", RatePerson: 100_000, RateApplication: 100_000, RateAddress: 100_000,
	}, app.Options{Sandbox: true, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = withShortInterval(t, a.Handler())
	listener.Start()
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.URL
}

// withShortInterval has programs ask after a second, not five, whether somebody let them in: here that
// is done at once.
func withShortInterval(t *testing.T, service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/device-authorization" {
			service.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, r)
		body := strings.Replace(answer.Body.String(), `"interval":5`, `"interval":1`, 1)
		if answer.Code == http.StatusOK && body == answer.Body.String() {
			t.Errorf("the interval is another: %s", body)
		}
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = io.WriteString(w, body)
	})
}

// Person is somebody with a browser.
type Person struct {
	t                 *testing.T
	service           string
	key, taxCode, pin string
	browser           *http.Client
}

// NewPerson returns one of the sandbox's test people by their key.
func NewPerson(t *testing.T, service, key string) *Person {
	t.Helper()
	var found struct {
		Items []struct {
			TaxCode string `json:"tax_code"`
			PIN     string `json:"pin"`
		} `json:"items"`
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Person{t: t, service: service, key: key, browser: &http.Client{Jar: jar}}
	p.api(http.MethodGet, "/v1/sandbox/people?key="+key, "", &found)
	if len(found.Items) != 1 {
		t.Fatalf("%d people are called %s", len(found.Items), key)
	}
	p.taxCode, p.pin = found.Items[0].TaxCode, found.Items[0].PIN
	return p
}

// LetInDevice types the code that a program shows, and lets it act for everything that it asks for.
func (p *Person) LetInDevice(code string) {
	p.t.Helper()
	page := p.open("/oauth2/device")
	if strings.Contains(page, `action="/oauth2/login"`) {
		page = p.send(page, "/oauth2/login", url.Values{"tax_code": {p.taxCode}, "pin": {p.pin}})
	}
	page = p.send(page, "/oauth2/device", url.Values{"user_code": {code}})
	page = p.send(page, "/oauth2/consent", url.Values{"decision": {"approve"}, "months": {"1"}})
	if strings.Contains(page, `role="alert"`) {
		p.t.Fatalf("the program was not let in: %s", page)
	}
}

// LetIn opens the address that a program begins its login with, lets it act for everything that it
// asks for, and returns what the browser brings back to the program.
func (p *Person) LetIn(address string) url.Values {
	p.t.Helper()
	page := p.open(strings.TrimPrefix(address, p.service))
	if strings.Contains(page, `action="/oauth2/login"`) {
		page = p.send(page, "/oauth2/login", url.Values{"tax_code": {p.taxCode}, "pin": {p.pin}})
	}
	page = p.send(page, "/oauth2/consent", url.Values{"decision": {"approve"}, "months": {"1"}})
	found := leadsTo.FindStringSubmatch(page)
	if found == nil {
		p.t.Fatalf("the program was not let in: %s", page)
	}
	back, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return back.Query()
}

// Withdraw withdraws every consent that was given.
func (p *Person) Withdraw() {
	p.t.Helper()
	var session struct {
		Token string `json:"access_token"`
	}
	p.api(http.MethodPost, "/v1/sandbox/people/"+p.key+"/sessions", "", &session)
	var given struct {
		Items []struct {
			ID string `json:"consent_id"`
		} `json:"items"`
	}
	p.api(http.MethodGet, "/v1/me/consents", session.Token, &given)
	for _, consent := range given.Items {
		p.api(http.MethodDelete, "/v1/me/consents/"+consent.ID, session.Token, nil)
	}
}

// api asks the service as the person's own program would.
func (p *Person) api(method, path, token string, into any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.service+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= http.StatusBadRequest {
		p.t.Fatalf("%s %s answers %s %s, %v", method, path, answer.Status, body, err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *Person) open(path string) string { return p.do(http.MethodGet, path, nil) }

var (
	// leadsTo is the link with which the last page leads back to the program.
	leadsTo = regexp.MustCompile(`<a class="button" href="([^"]*)"`)

	forms  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	inputs = regexp.MustCompile(`<input [^>]*>`)
	parts  = regexp.MustCompile(`(name|value|type)="([^"]*)"`)
)

// send sends the form of a page that leads to the path: what stands there, with these values.
func (p *Person) send(page, path string, values url.Values) string {
	p.t.Helper()
	for _, found := range forms.FindAllStringSubmatch(page, -1) {
		if found[1] != path {
			continue
		}
		form := url.Values{}
		for _, input := range inputs.FindAllString(found[0], -1) {
			field := map[string]string{}
			for _, part := range parts.FindAllStringSubmatch(input, -1) {
				field[part[1]] = part[2]
			}
			if field["type"] == "hidden" || strings.HasSuffix(input, " checked>") {
				form.Add(field["name"], field["value"])
			}
		}
		for name, value := range values {
			form[name] = value
		}
		return p.do(http.MethodPost, path, form)
	}
	p.t.Fatalf("no form leads to %s: %s", path, page)
	return ""
}

func (p *Person) do(method, path string, form url.Values) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.service+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := p.browser.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(page)
}
