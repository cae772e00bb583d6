package client_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"diresco/api/client"
	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// exampleSandbox starts a sandbox and returns the base address of its API.
func exampleSandbox() (server string, end func()) {
	dir := must(os.MkdirTemp("", "diresco-client-"))
	listener := httptest.NewUnstartedServer(nil)
	address := listener.Listener.Addr().String()
	a := must(app.Open(context.Background(), config.Config{
		Addr: address, PublicURL: "http://" + address, DataDir: dir, DatabaseURL: secret.Text("sqlite:" + filepath.Join(dir, "diresco.db")),
		BlobURL: "file://" + dir + "/blobs", RatePerson: 600, RateApplication: 600, RateAddress: 600,
	}, app.Options{Sandbox: true, Log: slog.New(slog.DiscardHandler)}))
	listener.Config.Handler = a.Handler()
	listener.Start()
	return listener.URL + "/v1", func() {
		listener.CloseClientConnections()
		listener.Close()
		_ = a.Close()
		_ = os.RemoveAll(dir)
	}
}

// person is somebody at a browser, with a PIN that no application sees.
type person struct {
	issuer  string
	http    *http.Client
	taxCode string
	pin     string
}

// somebody returns a person of the sandbox.
func somebody(server, key string) *person {
	people := must(must(client.NewClientWithResponses(server)).ListSandboxPeopleWithResponse(
		context.Background(), &client.ListSandboxPeopleParams{Key: &key})).JSON200.Items
	return &person{
		issuer: strings.TrimSuffix(server, "/v1"), http: &http.Client{Jar: must(cookiejar.New(nil))}, taxCode: people[0].TaxCode, pin: people[0].Pin,
	}
}

var (
	forms  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	inputs = regexp.MustCompile(`<input [^>]*>`)
	parts  = regexp.MustCompile(`(name|value|type)="([^"]*)"`)
)

// visit opens a page.
func (p *person) visit(address string) string {
	answer := must(p.http.Get(address)) //nolint:noctx // a person at a browser
	return p.page(answer)
}

func (p *person) page(answer *http.Response) string {
	defer func() { _ = answer.Body.Close() }()
	body := string(must(io.ReadAll(answer.Body)))
	if answer.StatusCode != http.StatusOK {
		panic(fmt.Sprintf("%d: %s", answer.StatusCode, body))
	}
	return answer.Header.Get("Refresh") + "\n" + body
}

// fill sends the form of a page.
func (p *person) fill(page, action string, values map[string]string) string {
	form := url.Values{}
	for _, found := range forms.FindAllStringSubmatch(page, -1) {
		if found[1] != action {
			continue
		}
		for _, input := range inputs.FindAllString(found[0], -1) {
			is := map[string]string{}
			for _, part := range parts.FindAllStringSubmatch(input, -1) {
				is[part[1]] = part[2]
			}
			if is["type"] == "hidden" || strings.HasSuffix(input, " checked>") {
				form.Add(is["name"], is["value"])
			}
		}
		break
	}
	for name, value := range values {
		form.Set(name, value)
	}
	r := must(http.NewRequestWithContext(context.Background(), http.MethodPost, p.issuer+action, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.issuer)
	return p.page(must(p.http.Do(r)))
}

// decide logs in and decides whether to let an application in.
func (p *person) decide(page, decision string) string {
	if strings.Contains(page, `action="/oauth2/login"`) {
		page = p.fill(page, "/oauth2/login", map[string]string{"tax_code": p.taxCode, "pin": p.pin})
	}
	return p.fill(page, "/oauth2/consent", map[string]string{"decision": decision})
}

// typesCode lets in a device that shows a code.
func (p *person) typesCode(address, code string) {
	page := p.visit(address)
	if strings.Contains(page, `action="/oauth2/login"`) {
		page = p.fill(page, "/oauth2/login", map[string]string{"tax_code": p.taxCode, "pin": p.pin})
	}
	p.decide(p.fill(page, "/oauth2/device", map[string]string{"user_code": code}), "approve")
}

// back is where the browser of a person goes after the decision.
func back(page string) url.Values {
	to, _, _ := strings.Cut(page, "\n")
	return must(url.Parse(strings.TrimPrefix(to, "0;url="))).Query()
}
