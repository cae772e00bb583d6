package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// held keeps the contract, so that it is parsed once for all tests.
var held, errHeld = ReadContract()

// HEAD is answered wherever GET is, with the same status and headers and without content.
func TestHead_AnswersWhereverGetDoes(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.http)
	defer server.Close()
	contract, err := held, errHeld
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/docs", "/openapi.yaml", "/.well-known/jwks.json"}
	for path, item := range contract.Paths.Map() {
		if item.Get != nil && !strings.HasPrefix(path, "/sandbox/") {
			paths = append(paths, "/v1"+path)
		}
	}
	ask := func(method, path string) (int, http.Header, string) {
		for name := range strings.SplitSeq("contributor_id delegation_id declaration_id delegate_id", " ") {
			path = strings.ReplaceAll(path, "{"+name+"}", uuid.NewString())
		}
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "identity") // else Go asks for gzip by GET alone
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, answer.Header, string(body)
	}
	for _, path := range paths {
		status, get, content := ask(http.MethodGet, path)
		same, head, nothing := ask(http.MethodHead, path)
		if same != status || nothing != "" || content == "" {
			t.Errorf("%s: GET %d, HEAD %d with %q", path, status, same, nothing)
		}
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control", "WWW-Authenticate", "Vary"} {
			if got, want := head.Get(name), get.Get(name); got != want {
				t.Errorf("%s: %s is %q by HEAD and %q by GET", path, name, got, want)
			}
		}
	}
	if len(paths) < 40 {
		t.Errorf("only %d paths were tried", len(paths))
	}
	if status, _, _ := ask(http.MethodHead, "/v1/receipt-verifications"); status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD where there is no GET: %d", status)
	}
}

// A body means nothing with GET, so it means nothing with HEAD either.
func TestHead_LeavesABodyAloneAsGetDoes(t *testing.T) {
	w := newWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if answer := w.do(ask{method: method, path: "/v1/me", token: "live", body: "anything"}); answer.Code != http.StatusOK {
			t.Errorf("%s with a body: %d %s", method, answer.Code, answer.Body)
		}
	}
}
