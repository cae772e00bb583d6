package edge

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/audit"
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

// A page may take what is posted. It knows where the request came from, what it refuses is kept in
// the access log as an operation's refusal is, and it shows faults in its own words.
func TestPages_MayBePostedTo(t *testing.T) {
	var origin audit.Origin
	form := pages.Page{
		Pattern: "/further/{name}", Methods: []string{http.MethodPost},
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			origin = audit.OriginOf(r.Context())
			f := fault.New(fault.InvalidCredentials)
			switch r.PathValue("name") {
			case "refused":
				reqctx.NoteRefused(r.Context(), reqctx.Refused{Operation: "startSession", Fault: f, PersonID: myPerson})
				w.WriteHeader(http.StatusUnauthorized)
				return nil
			case "slow":
				return fault.New(fault.Busy)
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, f *fault.Fault, status int) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("in words: " + f.Code))
		},
	}
	w := newWorldWith(t, []pages.Page{form}, func(c *Config) { c.AddressRate = 4 })
	post := func(name string) ask {
		return ask{method: http.MethodPost, path: "/further/" + name, address: "192.0.2.7:1234"}
	}
	answer := w.do(post("good"))
	if answer.Code != http.StatusNoContent || answer.Header().Get("Cache-Control") != "no-store" || origin.Address != "192.0.2.7" ||
		origin.RequestID != answer.Header().Get("Request-Id") || len(w.access.rows) > 0 {
		t.Fatalf("got %d %v, from %+v, rows %v", answer.Code, answer.Header(), origin, w.outcomes())
	}
	w.do(post("refused"))
	if got := w.outcomes(); len(got) != 1 || got[0] != "startSession invalid-credentials" || *w.access.rows[0].PersonID != myPerson {
		t.Fatalf("got %v", got)
	}
	if answer := w.do(post("slow")); answer.Code != http.StatusServiceUnavailable || answer.Body.String() != "in words: busy" ||
		answer.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	get := post("good")
	get.method = http.MethodGet
	if answer := w.do(get); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", answer.Code)
	}
	if answer := w.do(post("good")); answer.Code != http.StatusTooManyRequests || answer.Body.String() != "in words: rate-limited" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}
