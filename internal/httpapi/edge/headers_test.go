package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"diresco/internal/platform/fault"
)

func TestHeaders_NothingPersonalIsCached(t *testing.T) {
	w := newWorld(t)
	for _, a := range []ask{
		{method: http.MethodGet, path: "/v1/me", token: "live"},
		{method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String(), token: "live"},
		{
			method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String(), token: "live",
			header: map[string]string{"If-None-Match": "*"},
		},
		{method: http.MethodGet, path: "/v1/declarations", token: "live"},
		{method: http.MethodGet, path: "/v1/offices?stato=1"},
		{method: http.MethodGet, path: "/v1/nothing"},
		{method: http.MethodGet, path: "/v1/status"},
		draft(draftBody),
		draft("{"),
	} {
		if got := w.do(a).Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %s: %q", a.method, a.path, got)
		}
	}
	if got := w.do(ask{
		method: http.MethodGet, path: "/v1/offices", token: "live",
	}).Header().Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("what is the same for everybody: %q", got)
	}
}

func TestHeaders_EveryAnswerIsProtected(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/v1/status", "/v1/me", "/v1/nothing", "/openapi.yaml", "/docs", "/problems/conflict", "/verify", "/"} {
		h := w.do(ask{method: http.MethodGet, path: path}).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Strict-Transport-Security"), "max-age=") ||
			h.Get("Referrer-Policy") != "no-referrer" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(
			h.Get("Vary"), "Accept-Language, Origin",
		) {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestHeaders_TheRequestIdIsTheCallersIfItIsFit(t *testing.T) {
	w := newWorld(t)
	for id, keep := range map[string]bool{
		"abcd.EF_01-9": true, "12345678": true, strings.Repeat("a", 64): true,
		"": false, "1234567": false, strings.Repeat("a", 65): false, "abcdefgh\n": false, "abc defgh": false, "abcdefghé": false,
		`"abcdefgh"`: false,
	} {
		got := w.do(ask{method: http.MethodGet, path: "/v1/status", header: map[string]string{"Request-Id": id}}).Header().Get("Request-Id")
		if keep != (got == id) || !fitRequestID(got) {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestHeaders_TheLanguageIsItalianUnlessEnglishIsPreferred(t *testing.T) {
	w := newWorld(t)
	for accept, want := range map[string]string{
		"": "it", "it": "it", "en": "en", "en-GB": "en", "en-US,en;q=0.9,it;q=0.8": "en", "it-IT,it;q=0.9,en;q=0.8": "it", "de": "it",
		"de,en;q=0.5": "en", "fr;q=0.9, it;q=0.1": "it",
		"*": "it", "en;q=0": "it", "en;q=0, it": "it", "nonsense-----": "it", "\x7f\x01": "it", strings.Repeat("en,", 2000): "it",
	} {
		answer := w.do(ask{method: http.MethodGet, path: "/v1/nothing", header: map[string]string{"Accept-Language": accept}})
		title := map[string]string{"it": "Non trovato", "en": "Not found"}[want]
		if p := w.problem(
			answer, http.StatusNotFound, fault.NotFound,
		); answer.Header().Get("Content-Language") != want || p.Title != title {
			t.Errorf("%.40q: got %q %q, want %s", accept, answer.Header().Get("Content-Language"), p.Title, want)
		}
	}
}

func TestHeaders_OnlyConfiguredOriginsMayRead(t *testing.T) {
	configured := func(c *Config) { c.CORSOrigins = []string{"https://portal.example"} }
	for name, c := range map[string]struct {
		sandbox bool
		origin  string
		want    bool
	}{
		"configured":          {origin: "https://portal.example", want: true},
		"other scheme":        {origin: "http://portal.example"},
		"other port":          {origin: "https://portal.example:8443"},
		"longer":              {origin: "https://portal.example.evil.example"},
		"null":                {origin: "null"},
		"local outside":       {origin: "http://localhost:3000"},
		"local":               {sandbox: true, origin: "http://localhost:3000", want: true},
		"local, no port":      {sandbox: true, origin: "http://localhost", want: true},
		"local address":       {sandbox: true, origin: "http://127.0.0.1:5173", want: true},
		"local with https":    {sandbox: true, origin: "https://localhost:3000"},
		"local as a prefix":   {sandbox: true, origin: "http://localhost.evil.example"},
		"local as a user":     {sandbox: true, origin: "http://localhost:3000@evil.example"},
		"local, endless port": {sandbox: true, origin: "http://localhost:300000"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, configured, func(cfg *Config) { cfg.Sandbox = c.sandbox })
			h := w.do(ask{method: http.MethodGet, path: "/v1/status", header: map[string]string{"Origin": c.origin}}).Header()
			got := h.Get("Access-Control-Allow-Origin")
			if (got == c.origin) != c.want || !c.want && got != "" {
				t.Errorf("got %q", got)
			}
			if c.want &&
				(!strings.Contains(h.Get("Access-Control-Expose-Headers"), "ETag, Location, Retry-After, RateLimit-Limit") ||
					h.Get("Access-Control-Allow-Credentials") != "") {
				t.Errorf("got %v", h)
			}
			answer := w.do(ask{
				method: http.MethodOptions, path: "/v1/declarations/1",
				header: map[string]string{"Origin": c.origin, "Access-Control-Request-Method": "PATCH"},
			})
			if answer.Code != http.StatusNoContent || (answer.Header().Get("Access-Control-Allow-Headers") != "") != c.want {
				t.Errorf("preflight: got %d %v", answer.Code, answer.Header())
			}
		})
	}
}

// A browser's application may send and read what its libraries do.
func TestHeaders_BrowsersMaySendAndRead(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CORSOrigins = []string{"https://portal.example"} })
	from := map[string]string{"Origin": "https://portal.example", "Access-Control-Request-Method": "PATCH"}
	allowed := w.do(ask{method: http.MethodOptions, path: "/v1/me", header: from}).Header()
	for name, list := range map[string]string{
		"Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, " +
			"Accept-Language, Request-Id, " +
			"traceparent, tracestate, X-Requested-With, Prefer, Last-Event-ID, Range, If-Range, DPoP",
		"Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
		"Access-Control-Expose-Headers": "WWW-Authenticate, Deprecation, Sunset, ETag, Location, Retry-After, Request-Id, " +
			"RateLimit-Remaining, Content-Range, Accept-Ranges",
	} {
		got := strings.Split(allowed.Get(name), ", ")
		for _, one := range strings.Split(list, ", ") {
			if !slices.Contains(got, one) {
				t.Errorf("%s has no %s", name, one)
			}
		}
	}
	// The contract is for everybody's tools.
	for _, path := range []string{"/openapi.yaml", "/openapi.json"} {
		for _, origin := range []string{"https://portal.example", "https://editor.example", ""} {
			answer := w.do(ask{method: http.MethodGet, path: path, header: map[string]string{"Origin": origin}})
			if got := answer.Header().Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("%s is for %q, asked from %q", path, got, origin)
			}
		}
	}
}

func TestHeaders_PathsAndMethodsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	w.problem(w.do(ask{method: http.MethodGet, path: "/v1/nothing"}), http.StatusNotFound, fault.NotFound)
	w.problem(w.do(ask{method: http.MethodGet, path: "/problems/nothing"}), http.StatusNotFound, fault.NotFound)
	answer := w.do(ask{method: http.MethodDelete, path: "/v1/declarations"})
	w.problem(answer, http.StatusMethodNotAllowed, fault.MethodNotAllowed)
	if allow := answer.Header().Get("Allow"); !strings.Contains(allow, "GET") || strings.Contains(allow, "DELETE") {
		t.Errorf("Allow: %q", allow)
	}
	if answer := w.do(ask{method: http.MethodOptions, path: "/v1/me"}); answer.Code != http.StatusNoContent ||
		!strings.Contains(answer.Header().Get("Allow"), "GET") {
		t.Errorf("OPTIONS: %d %v", answer.Code, answer.Header())
	}
}

func TestHeaders_TheSandboxIsThereInTheSandboxOnly(t *testing.T) {
	w := newWorld(t)
	for _, a := range []ask{
		{method: http.MethodGet, path: "/v1/sandbox/clock"},
		{method: http.MethodDelete, path: "/v1/sandbox/clock"},
		{method: http.MethodPost, path: "/v1/sandbox/reset"},
		{method: http.MethodOptions, path: "/v1/sandbox/clock"},
		{method: http.MethodGet, path: "/v1/sandbox/nothing"},
		{method: http.MethodPost, path: "/v1/sandbox/clock", body: "{"},
	} {
		w.problem(w.do(a), http.StatusNotFound, fault.NotFound)
	}
	w = newWorld(t, sandboxed)
	if answer := w.do(ask{method: http.MethodGet, path: "/v1/sandbox/clock"}); answer.Code != http.StatusOK {
		t.Errorf("got %d", answer.Code)
	}
}

func TestHeaders_AnAnswerThatTheCallerHasIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	show := ask{method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String(), token: "live"}
	for tag, modified := range map[string]bool{
		`"3"`: false, `W/"3"`: false, `"1", "3"`: false, "*": false, `"2"`: true, `"33"`: true, "3": true,
	} {
		answer := w.do(show.with("If-None-Match", tag))
		if want := map[bool]int{true: http.StatusOK, false: http.StatusNotModified}[modified]; answer.Code != want ||
			answer.Header().Get("ETag") != `"3"` {
			t.Errorf("%s: got %d %v", tag, answer.Code, answer.Header())
		}
		if !modified && (answer.Body.Len() > 0 || answer.Header().Get("Content-Type") != "") {
			t.Errorf("%s: 304 with a body", tag)
		}
	}
	me := ask{method: http.MethodGet, path: "/v1/me", token: "live"}
	first := w.do(me)
	tag := first.Header().Get("ETag")
	if first.Code != http.StatusOK || tag == "" || first.Body.Len() == 0 {
		t.Fatalf("got %d %v", first.Code, first.Header())
	}
	if answer := w.do(me.with("If-None-Match", tag)); answer.Code != http.StatusNotModified || answer.Body.Len() > 0 {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	if !strings.Contains(w.log.String(), `"status":304`) {
		t.Error("the log does not tell a 304")
	}
}
