package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"diresco"
	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
)

func TestPages_TheContractIsServedAsItWasWritten(t *testing.T) {
	w := newWorld(t, Config{})
	answer := w.do(http.MethodGet, "/openapi.yaml")
	if answer.Code != http.StatusOK || !bytes.Equal(answer.Body.Bytes(), diresco.Contract()) ||
		!strings.HasPrefix(answer.Header().Get("Content-Type"), "application/yaml") {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
	tag := answer.Header().Get("ETag")
	if again := w.do(http.MethodGet, "/openapi.yaml", "If-None-Match", tag); again.Code != http.StatusNotModified {
		t.Errorf("got %d", again.Code)
	}
	if answer.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %q", answer.Header().Get("Cache-Control"))
	}
	zipped := w.do(http.MethodGet, "/openapi.yaml", "Accept-Encoding", "br, gzip")
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, diresco.Contract()) || zipped.Header().Get("ETag") == tag {
		t.Errorf("compressed: %v, %v", err, zipped.Header())
	}
	answer = w.do(http.MethodGet, "/openapi.json", "Accept-Encoding", "gzip;q=0")
	if !json.Valid(answer.Body.Bytes()) || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
}

// contract is read once for all tests.
var contract = sync.OnceValues(api.GetSpec)

// world serves the pages alone.
type world struct{ http http.Handler }

func newWorld(t *testing.T, config Config) world {
	t.Helper()
	var err error
	if config.Spec, err = contract(); err != nil {
		t.Fatal(err)
	}
	return serving(t, config)
}

func serving(t *testing.T, config Config) world {
	t.Helper()
	config.Contract = diresco.Contract
	all, err := New(config, func(context.Context) (any, error) { return map[string]any{"keys": []any{}}, nil })
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, p := range all {
		pattern := "GET " + p.Pattern
		if p.Pattern == "/" {
			pattern += "{$}"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := p.Serve(w, r); err != nil {
				t.Errorf("%s: %v", r.URL.Path, err)
			}
		})
	}
	return world{mux}
}

func (w world) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, nil)
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	answer := httptest.NewRecorder()
	w.http.ServeHTTP(answer, r)
	return answer
}

func TestPages_EveryProblemHasItsPage(t *testing.T) {
	w := newWorld(t, Config{})
	for _, code := range problem.Codes() {
		title, _, _ := problem.Words(problem.English, code)
		answer := w.do(http.MethodGet, "/problems/"+string(code))
		body := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.Contains(body, `lang="it"`) || !strings.Contains(body, `lang="en"`) ||
			!strings.Contains(body, title) || !strings.Contains(body, "What to do") || !strings.Contains(body, "Che cosa fare") ||
			!strings.Contains(body, html.EscapeString(problem.Remedy(problem.English, code))) {
			t.Errorf("%s: got %d %s", code, answer.Code, body)
		}
	}
	answer := w.do(http.MethodHead, "/problems/conflict")
	if answer.Code != http.StatusOK || answer.Body.Len() != 0 {
		t.Errorf("HEAD: got %d", answer.Code)
	}
}

// What the service works by of the contract makes the same pages as the whole.
func TestPages_NeedNoMoreOfTheContract(t *testing.T) {
	whole := newWorld(t, Config{})
	short, err := api.GetOperations()
	if err != nil {
		t.Fatal(err)
	}
	reduced := serving(t, Config{Spec: short})
	paths := []string{"/assets/samples.json", "/problems/"}
	for _, code := range problem.Codes() {
		paths = append(paths, "/problems/"+string(code))
	}
	for _, path := range paths {
		for _, accept := range []string{"text/html", "application/json"} {
			want := whole.do(http.MethodGet, path, "Accept", accept)
			got := reduced.do(http.MethodGet, path, "Accept", accept)
			if want.Body.Len() == 0 || got.Body.String() != want.Body.String() || got.Header().Get("ETag") != want.Header().Get("ETag") {
				t.Errorf("%s: got %s, want %s", path, got.Body, want.Body)
			}
		}
	}
}

// Each problem says which operations give it, with a link to each, or that every request may get
// it.
func TestProblems_LeadToTheirOperations(t *testing.T) {
	w := newWorld(t, Config{})
	for code, c := range map[fault.Code]struct{ has, not string }{
		fault.OTPInvalid:         {`href="/docs#/Delegations/activateDelegation"`, "startSession"},
		fault.Reauthenticate:     {`href="/docs#/PIN/rotatePin"`, "listOffices"},
		fault.PINExpired:         {`href="/docs#/Sessions/startSession"`, "listOffices"},
		fault.Forbidden:          {`href="/docs#/Back%20office/listOperators"`, "listOffices"},
		fault.PreconditionFailed: {`href="/docs#/Declarations/changeDeclaration"`, "showDeclaration<"},
		fault.RateLimited:        {"Every request may get this answer.", "listOffices"},
		fault.MethodNotAllowed:   {"Every request may get this answer.", "listOffices"},
	} {
		body := w.do(http.MethodGet, "/problems/"+string(code)).Body.String()
		if !strings.Contains(body, c.has) || strings.Contains(body, c.not) {
			t.Errorf("%s: %s", code, body)
		}
	}
	// Who can give a problem of their own names it, and no problem is one that nobody gives.
	spec, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	operations := problemOperations(spec)
	for _, code := range named {
		if len(problemView(operations, code).Operations) == 0 {
			t.Errorf("no operation names %s", code)
		}
	}
}

// The index is a page for people and a list for programs.
func TestProblems_AreListed(t *testing.T) {
	w := newWorld(t, Config{})
	for _, path := range []string{"/problems/", "/problems"} {
		page := w.do(http.MethodGet, path, "Accept", "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8")
		list := w.do(http.MethodGet, path, "Accept", "application/json")
		if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") ||
			list.Header().Get("Content-Type") != "application/json" || !strings.HasPrefix(list.Header().Get("Vary"), "Accept,") {
			t.Errorf("%s: %d %v, %v", path, page.Code, page.Header(), list.Header())
		}
		var index struct {
			Items []struct {
				Code       fault.Code
				Type       string
				Status     int
				Texts      map[string]struct{ Title, Remedy string }
				Operations []struct {
					ID   string `json:"operation_id"`
					Href string
				}
			}
		}
		if err := json.Unmarshal(list.Body.Bytes(), &index); err != nil {
			t.Fatal(err)
		}
		var codes []fault.Code
		for _, item := range index.Items {
			codes = append(codes, item.Code)
			status, _ := problem.Status(item.Code)
			if item.Type != "/problems/"+string(item.Code) || item.Status != status || item.Texts["it"].Remedy == "" ||
				item.Texts["en"].Title == "" || item.Operations == nil {
				t.Errorf("got %+v", item)
			}
			if !strings.Contains(page.Body.String(), `href="`+item.Type+`"`) {
				t.Errorf("the page does not lead to %s", item.Code)
			}
		}
		if !slices.Equal(codes, problem.Codes()) {
			t.Errorf("listed are %q", codes)
		}
	}
}

func TestPages_PublicKeysAreShown(t *testing.T) {
	w := newWorld(t, Config{})
	answer := w.do(http.MethodGet, "/.well-known/jwks.json")
	if answer.Code != http.StatusOK || answer.Body.String() != `{"keys":[]}` ||
		answer.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("got %d %s %v", answer.Code, answer.Body, answer.Header())
	}
	if answer := w.do(http.MethodGet, "/favicon.ico"); answer.Code != http.StatusNoContent {
		t.Errorf("favicon: %d", answer.Code)
	}
}

// The pages have the institution's colour.
func TestPages_HaveTheInstitutionsColour(t *testing.T) {
	w := newWorld(t, Config{Institution: institution.Institution{Colour: "#7a1020"}})
	answer := w.do(http.MethodGet, "/assets/institution.css")
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/css; charset=utf-8" ||
		!strings.Contains(answer.Body.String(), "--bar: #7a1020;") {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if page := w.do(http.MethodGet, "/").Body.String(); !strings.Contains(page, `href="/assets/institution.css"`) {
		t.Errorf("the page does not take it: %s", page)
	}
}

// Who runs the service is named on the pages that people read.
func TestPages_BearTheInstitution(t *testing.T) {
	by := institution.Institution{
		Name: "Istituto <Esempio>", Address: "Via Roma 1", Telephone: "06 1234", Page: "https://istituto.example/servizi",
		PrivacyPage: "https://istituto.example/privacy", Logo: "https://static.example/logo.png",
	}
	named, plain := newWorld(t, Config{Institution: by}), newWorld(t, Config{})
	for _, path := range []string{"/", "/verify"} {
		got := named.do(http.MethodGet, path)
		for _, want := range []string{
			"Istituto &lt;Esempio&gt; – Via Roma 1", "06 1234", `href="` + by.Page + `"`, `href="` + by.PrivacyPage + `"`, `src="` + by.Logo + `"`,
		} {
			if !strings.Contains(got.Body.String(), want) {
				t.Errorf("%s: %q is missing", path, want)
			}
		}
		if policy := got.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src 'self' https://static.example data:") {
			t.Errorf("%s: %s", path, policy)
		}
		if got := plain.do(http.MethodGet, path); strings.Contains(got.Body.String(), "<footer") ||
			strings.Contains(got.Header().Get("Content-Security-Policy"), "https:") {
			t.Errorf("%s bears somebody's name", path)
		}
	}
}
