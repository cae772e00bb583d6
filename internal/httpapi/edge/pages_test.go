package edge

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/platform/fault"
)

var fetched = regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)

func TestPages_FetchFromHereOnly(t *testing.T) {
	w := newWorld(t, sandboxed)
	for _, path := range []string{"/", "/docs", "/verify", "/problems/", "/problems/otp-invalid", "/problems/validation-failed"} {
		answer := w.do(ask{method: http.MethodGet, path: path})
		body := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s: got %d %v", path, answer.Code, answer.Header())
		}
		if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") ||
			!strings.Contains(policy, "connect-src 'self';") {
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
				target, _, _ := strings.Cut(link[1], "#")
				if got := w.do(ask{method: http.MethodGet, path: target}); got.Code != http.StatusOK {
					t.Errorf("%s leads to %s, which answers %d", path, link[1], got.Code)
				}
			}
		}
	}
}

func TestPages_StandBesideTheOperations(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/docs", "/openapi.yaml", "/problems/conflict", "/.well-known/jwks.json"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer := w.do(ask{method: method, path: path})
			if answer.Code != http.StatusOK || answer.Header().Get("X-Content-Type-Options") != "nosniff" ||
				answer.Header().Get("Request-Id") == "" || answer.Header().Get("Cache-Control") != "public, max-age=300" {
				t.Errorf("%s %s: got %d %v", method, path, answer.Code, answer.Header())
			}
		}
	}
	w.problem(w.do(ask{method: http.MethodGet, path: "/problems/made-up"}), http.StatusNotFound, fault.NotFound)
	w.problem(w.do(ask{method: http.MethodPost, path: "/docs"}), http.StatusMethodNotAllowed, fault.MethodNotAllowed)
}
