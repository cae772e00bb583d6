package edge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"diresco"
	"diresco/internal/httpapi/problem"
)

func TestTheContractIsServedAsItWasWritten(t *testing.T) {
	w := newWorld(t)
	answer := w.do(ask{method: http.MethodGet, path: "/openapi.yaml"})
	if answer.Code != http.StatusOK || !bytes.Equal(answer.Body.Bytes(), diresco.Contract) || !strings.HasPrefix(answer.Header().Get("Content-Type"), "application/yaml") {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
	tag := answer.Header().Get("ETag")
	if again := w.do(ask{method: http.MethodGet, path: "/openapi.yaml", header: map[string]string{"If-None-Match": tag}}); again.Code != http.StatusNotModified {
		t.Errorf("got %d", again.Code)
	}
	if answer.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("got %q", answer.Header().Get("Cache-Control"))
	}
	zipped := w.do(ask{method: http.MethodGet, path: "/openapi.yaml", header: map[string]string{"Accept-Encoding": "br, gzip"}})
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, diresco.Contract) || zipped.Header().Get("ETag") == tag {
		t.Errorf("compressed: %v, %v", err, zipped.Header())
	}
	answer = w.do(ask{method: http.MethodGet, path: "/openapi.json", header: map[string]string{"Accept-Encoding": "gzip;q=0"}})
	if !json.Valid(answer.Body.Bytes()) || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v", answer.Code, answer.Header())
	}
}

var fetched = regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)

func TestPagesFetchFromHereOnly(t *testing.T) {
	w := newWorld(t, sandboxed)
	for _, path := range []string{"/", "/docs", "/verify", "/problems/validation-failed"} {
		answer := w.do(ask{method: http.MethodGet, path: path})
		body := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s: got %d %v", path, answer.Code, answer.Header())
		}
		if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "connect-src 'self';") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if strings.Contains(body, "<style") || strings.Contains(body, "<script>") || regexp.MustCompile(`\son\w+=`).MatchString(body) {
			t.Errorf("%s has something inline", path)
		}
		for _, link := range fetched.FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(link[1], "/") && !strings.HasPrefix(link[1], "#") {
				t.Errorf("%s leads to %s", path, link[1])
			}
			if strings.HasPrefix(link[1], "/") && !strings.HasPrefix(link[1], "/v1/sandbox") {
				if got := w.do(ask{method: http.MethodGet, path: link[1]}); got.Code != http.StatusOK {
					t.Errorf("%s leads to %s, which answers %d", path, link[1], got.Code)
				}
			}
		}
	}
}

func TestEveryProblemHasItsPage(t *testing.T) {
	w := newWorld(t)
	for _, code := range problem.Codes() {
		title, _, _ := problem.Words(problem.English, code)
		answer := w.do(ask{method: http.MethodGet, path: "/problems/" + string(code)})
		body := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.Contains(body, `lang="it"`) || !strings.Contains(body, `lang="en"`) || !strings.Contains(body, title) {
			t.Errorf("%s: got %d %s", code, answer.Code, body)
		}
	}
	answer := w.do(ask{method: http.MethodHead, path: "/problems/conflict"})
	if answer.Code != http.StatusOK || answer.Body.Len() != 0 {
		t.Errorf("HEAD: got %d", answer.Code)
	}
}

func TestPublicKeysAreShown(t *testing.T) {
	w := newWorld(t)
	answer := w.do(ask{method: http.MethodGet, path: "/.well-known/jwks.json"})
	if answer.Code != http.StatusOK || answer.Body.String() != `{"keys":[]}` || answer.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("got %d %s %v", answer.Code, answer.Body, answer.Header())
	}
	if answer := w.do(ask{method: http.MethodGet, path: "/favicon.ico"}); answer.Code != http.StatusNoContent {
		t.Errorf("favicon: %d", answer.Code)
	}
}
