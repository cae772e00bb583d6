package client_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// answers is a service that gives its answers in turn, and keeps what it was sent.
type answers struct {
	mu    sync.Mutex
	given []func(w http.ResponseWriter)
	seen  []*http.Request
	sent  []string
}

// ServeHTTP implements http.Handler.
func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen, a.sent = append(a.seen, r), append(a.sent, string(body))
	if len(a.given) == 0 {
		panic(http.ErrAbortHandler)
	}
	next := a.given[0]
	a.given = a.given[1:]
	next(w)
}

func problem(status int, code, after string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Request-Id", "request-1")
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"code":"`+code+`","status":`+strconv.Itoa(status)+
			`,"title":"t","detail":"d","type":"https://diresco.example/problems/x","instance":"urn:request:1",`+
			`"errors":[{"code":"format","detail":"d","pointer":"/content/worker_tax_code"}]}`)
	}
}

func lost(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func made(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"state":"submitted"}`)
}

// called returns an API of a service with these answers, and the pauses that it made.
func called(t *testing.T, o client.Options, given ...func(http.ResponseWriter)) (*client.API, *answers, *[]time.Duration) {
	t.Helper()
	service := &answers{given: given}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	var pauses []time.Duration
	o.Wait = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	api, err := client.New(server.URL+"/v1", o)
	if err != nil {
		t.Fatal(err)
	}
	return api, service, &pauses
}

func file(t *testing.T, api *client.API) (*client.DraftDeclarationResponse, error) {
	t.Helper()
	return api.DraftDeclarationWithResponse(t.Context(), uuid.UUID{1}, &client.DraftDeclarationParams{}, client.DeclarationDraft{Type: "RIOC"})
}

func TestRetry_SendsTheSameKeyUntilThereIsAnAnswer(t *testing.T) {
	api, service, pauses := called(t, client.Options{Tries: 6, Language: "en", UserAgent: "paghe/1"},
		lost, problem(503, "unavailable", "2"), problem(429, "rate-limited", "7"), problem(409, "request-in-progress", ""),
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, made)
	answer, err := file(t, api)
	if err != nil || answer.JSON201.State != client.DeclarationStateSubmitted {
		t.Fatal(answer, err)
	}
	key := service.seen[0].Header.Get("Idempotency-Key")
	if len(service.seen) != 6 || len(key) < 8 {
		t.Fatalf("%d requests, key %q", len(service.seen), key)
	}
	for i, r := range service.seen {
		if r.Header.Get("Idempotency-Key") != key || service.sent[i] != service.sent[0] || !strings.Contains(service.sent[i], "RIOC") ||
			r.Header.Get("Accept-Language") != "en" || r.Header.Get("User-Agent") != "paghe/1" {
			t.Errorf("request %d differs: %v %s", i, r.Header, service.sent[i])
		}
	}
	if p := *pauses; len(p) != 5 || p[1] < 2*time.Second || p[2] < 7*time.Second || p[0] > time.Second || p[4] > 7*time.Second {
		t.Errorf("it waited %v", p)
	}
}

func TestRetry_EndsWhereItDoesNotHelp(t *testing.T) {
	for name, c := range map[string]struct {
		given []func(http.ResponseWriter)
		want  client.ProblemCode
		sent  int
	}{
		"refused":                {[]func(http.ResponseWriter){problem(422, "validation-failed", "")}, client.ProblemCodeValidationFailed, 1},
		"locked":                 {[]func(http.ResponseWriter){problem(429, "pin-locked", "1")}, client.ProblemCodePinLocked, 1},
		"too long a wait":        {[]func(http.ResponseWriter){problem(503, "unavailable", "3600")}, client.ProblemCodeUnavailable, 1},
		"a state":                {[]func(http.ResponseWriter){problem(409, "conflict", "")}, client.ProblemCodeConflict, 1},
		"away for a long time":   {slices.Repeat([]func(http.ResponseWriter){problem(503, "busy", "")}, 9), client.ProblemCodeBusy, 5},
		"nobody may go on as it": {[]func(http.ResponseWriter){problem(401, "session-ended", "")}, client.ProblemCodeSessionEnded, 1},
	} {
		api, service, _ := called(t, client.Options{Tokens: client.StaticToken("a")}, c.given...)
		_, err := file(t, api)
		var p *client.Problem
		if !errors.As(err, &p) || p.Code != c.want || len(service.seen) != c.sent {
			t.Errorf("%s: %v after %d requests", name, err, len(service.seen))
		}
	}
	// What changes and has no key may have been done already.
	api, service, _ := called(t, client.Options{}, problem(503, "unavailable", ""), made)
	if _, err := api.ChangeDeclarationWithApplicationMergePatchPlusJSONBodyWithResponse(
		t.Context(), uuid.UUID{1}, nil, client.DeclarationChange{}); err == nil || len(service.seen) != 1 {
		t.Errorf("a change was sent %d times: %v", len(service.seen), err)
	}
}

func TestProblem_NamesCodeAndFields(t *testing.T) {
	api, _, _ := called(t, client.Options{}, problem(422, "validation-failed", ""))
	_, err := file(t, api)
	var refused *client.Refusal
	if !errors.As(err, &refused) || refused.RequestID != "request-1" || refused.Problem.Fields()[0].Code != "format" ||
		err.Error() != "422 validation-failed: d; /content/worker_tax_code: format" {
		t.Errorf("got %v", err)
	}
	api, _, _ = called(t, client.Options{}, func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) })
	var foreign *client.AnswerError
	if _, err := file(t, api); !errors.As(err, &foreign) || foreign.Status != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}

// rotating gives another token each time one was refused.
type rotating struct{ n int }

// AccessToken implements client.TokenSource.
func (r *rotating) AccessToken(_ context.Context, refused string) (string, error) {
	if refused != "" {
		r.n++
	}
	return "token-" + strconv.Itoa(r.n), nil
}

func TestRetry_RenewsARefusedTokenOnce(t *testing.T) {
	api, service, _ := called(t, client.Options{Tokens: &rotating{}}, problem(401, "unauthenticated", ""), made)
	if _, err := file(t, api); err != nil {
		t.Fatal(err)
	}
	if got := service.seen[1].Header.Get("Authorization"); got != "Bearer token-1" || service.sent[1] != service.sent[0] {
		t.Errorf("the second request has %s", got)
	}
	api, service, _ = called(t, client.Options{Tokens: &rotating{}}, problem(401, "session-ended", ""), problem(401, "session-ended", ""), made)
	if _, err := file(t, api); err == nil || len(service.seen) != 2 {
		t.Errorf("%d requests, %v", len(service.seen), err)
	}
}

func TestAll_GoesThroughThePagesEachTimeAnew(t *testing.T) {
	pages := map[string][]int{"": {1, 2}, "b": {}, "c": {3}}
	next := map[string]string{"": "b", "b": "c"}
	asked := 0
	all := client.All(func(cursor *string) ([]int, *string, error) {
		asked++
		at := ""
		if cursor != nil {
			at = *cursor
		}
		if to := next[at]; to != "" {
			return pages[at], &to, nil
		}
		return pages[at], nil, nil
	})
	for range 2 {
		var got []int
		for item, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, item)
		}
		if !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("got %v", got)
		}
	}
	asked = 0
	for _, err := range all {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if asked != 1 {
		t.Errorf("%d pages for one item", asked)
	}
	broken, turns := errors.New("broken"), 0
	for _, err := range client.All(func(*string) ([]int, *string, error) { return nil, nil, broken }) {
		turns++
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	}
	if turns != 1 {
		t.Errorf("%d turns with an error", turns)
	}
}

// What stands between a program and the service may answer with a page of its own.
func TestAnswers_OfAnotherAreNoSuccess(t *testing.T) {
	page := func(status int, kind, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if kind == "" {
				w.Header()["Content-Type"] = nil
			} else {
				w.Header().Set("Content-Type", kind)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, given := range map[string]func(http.ResponseWriter){
		"a page":               page(200, "text/html; charset=utf-8", "<html>log in</html>"),
		"a text":               page(200, "text/plain", "ok"),
		"without a type":       page(200, "", "ok"),
		"elsewhere":            page(302, "text/html", ""),
		"as it was":            page(304, "", ""),
		"nothing":              page(204, "", ""),
		"a success of another": page(202, "application/json", "{}"),
		"a document":           page(200, "application/pdf", "%PDF-"),
	} {
		for of, call := range map[string]func(*client.API) iter.Seq[error]{
			"contributors": func(api *client.API) iter.Seq[error] {
				return errorsOf(api.AllContributors(t.Context(), client.ListContributorsParams{}))
			},
			"positions": func(api *client.API) iter.Seq[error] {
				return errorsOf(api.AllPositions(t.Context(), uuid.UUID{1}, client.ListPositionsParams{}))
			},
			"declarations": func(api *client.API) iter.Seq[error] {
				return errorsOf(api.AllDeclarations(t.Context(), uuid.UUID{1}, client.ListDeclarationsParams{}))
			},
			"my declarations": func(api *client.API) iter.Seq[error] {
				return errorsOf(api.AllMyDeclarations(t.Context(), client.ListMyDeclarationsParams{}))
			},
			"events": func(api *client.API) iter.Seq[error] {
				return errorsOf(api.FollowEvents(t.Context(), client.EventOptions{}))
			},
		} {
			api, service, _ := called(t, client.Options{}, given)
			turns := 0
			for err := range call(api) {
				turns++
				var foreign *client.AnswerError
				if !errors.As(err, &foreign) || foreign.Status/100 == 4 || foreign.Error() == "" {
					t.Errorf("%s for %s: %v", name, of, err)
				}
			}
			if turns != 1 || len(service.seen) != 1 {
				t.Errorf("%s for %s: %d turns, %d requests", name, of, turns, len(service.seen))
			}
		}
	}
	for _, kind := range []string{"text/html", "text/plain", ""} {
		api, _, _ := called(t, client.Options{}, page(201, kind, "<html>"))
		var foreign *client.AnswerError
		if _, err := file(t, api); !errors.As(err, &foreign) || foreign.ContentType != kind {
			t.Errorf("filed with %q: %v", kind, err)
		}
	}
	// A receipt is no page, and what has not changed was asked for.
	api, _, _ := called(t, client.Options{}, page(200, "application/pdf", "%PDF-"), page(304, "", ""))
	if answer, err := api.DownloadReceiptPdfWithResponse(t.Context(), uuid.UUID{1}, nil); err != nil || string(answer.Body) != "%PDF-" {
		t.Errorf("a document: %v", err)
	}
	same := func(_ context.Context, r *http.Request) error {
		r.Header.Set("If-None-Match", `"1"`)
		return nil
	}
	if answer, err := api.DownloadReceiptPdfWithResponse(t.Context(), uuid.UUID{1}, nil, same); err != nil || answer.StatusCode() != http.StatusNotModified {
		t.Errorf("what has not changed: %v", err)
	}
}

func errorsOf[T any](items iter.Seq2[T, error]) iter.Seq[error] {
	return func(yield func(error) bool) {
		for _, err := range items {
			if !yield(err) {
				return
			}
		}
	}
}
