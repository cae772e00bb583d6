package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// An application is told which scopes would let it in, and is named in the access log.
func TestApplication_IsToldWhichScopesLetItIn(t *testing.T) {
	w := newWorld(t)
	for path, challenge := range map[string]string{
		"/v1/sessions":    `Bearer error="insufficient_scope"`,
		"/v1/delegations": `Bearer error="insufficient_scope", scope="delegations.read"`,
	} {
		answer := w.do(ask{method: http.MethodGet, path: path, token: "software"})
		w.problem(answer, http.StatusForbidden, fault.Forbidden)
		if got := answer.Header().Get("WWW-Authenticate"); got != challenge {
			t.Errorf("%s: %q", path, got)
		}
	}
	for _, row := range w.access.rows {
		if row.ApplicationID == nil || *row.ApplicationID != anApplication {
			t.Errorf("row %+v", row)
		}
	}
	if n := len(w.access.rows); n != 2 {
		t.Errorf("%d rows", n)
	}
	// A person who may not do something has no scopes to ask for.
	answer := w.do(ask{method: http.MethodGet, path: "/v1/backoffice/declarations", token: "live"})
	if got := answer.Header().Get("WWW-Authenticate"); answer.Code != http.StatusForbidden || got != "" {
		t.Errorf("a person is told %d %q", answer.Code, got)
	}
}

// An application is named in the access log also where it was refused before anybody looked at its
// grant: the grant has ended, or it asks too often.
func TestApplication_IsNamedWhereItsGrantWasNotLookedAt(t *testing.T) {
	w := newWorld(t, rates(1000, 1000), func(c *Config) { c.ApplicationRate = 1 })
	for range 2 {
		w.do(ask{method: http.MethodGet, path: "/v1/me", token: "ended-software"})
	}
	if got := w.outcomes(); !slices.Equal(got, []string{"showMe session-ended", "showMe rate-limited"}) {
		t.Errorf("the log says %v", got)
	}
	for _, row := range w.access.rows {
		if row.ApplicationID == nil || *row.ApplicationID != anApplication {
			t.Errorf("%s: application %v", row.Outcome, row.ApplicationID)
		}
	}
	// A person is none.
	w.access.rows = nil
	w.do(ask{method: http.MethodGet, path: "/v1/me", token: "ended"})
	if len(w.access.rows) != 1 || w.access.rows[0].ApplicationID != nil {
		t.Errorf("a person: %+v", w.access.rows)
	}
}

// An application's requests count for its session; the person's own go on.
func TestRateLimit_AnApplicationHasItsOwn(t *testing.T) {
	w := newWorld(t, rates(1000, 1000), func(c *Config) { c.ApplicationRate = 5 })
	from := func(token string) func(int) ask {
		return func(int) ask { return ask{method: http.MethodGet, path: "/v1/me", token: token} }
	}
	if passed := count(w, 10, from("software")); passed != 5 {
		t.Errorf("%d passed, want 5", passed)
	}
	if passed := count(w, 10, from("live")); passed != 10 {
		t.Errorf("the person: %d passed, want 10", passed)
	}
}

// Scopes stand where neither the person nor a post is needed, and nowhere else.
func TestContract_ScopesStandWhereNoPersonIsNeeded(t *testing.T) {
	base := map[string]any{"to": "session", "scopes": []any{access.ScopeDeclarationsRead}}
	read := func(change map[string]any) error {
		rule := map[string]any{}
		for name, value := range base {
			rule[name] = value
		}
		for name, value := range change {
			rule[name] = value
		}
		op := &operation{}
		return op.readRule(&openapi3.Operation{Extensions: map[string]any{accessExtension: rule}}, "/things")
	}
	if err := read(nil); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]map[string]any{
		"fresh": {"fresh": true}, "forced": {"forced": true}, "strong": {"strong": true}, "dispositive": {"dispositive": true},
		"an office": {"to": "office"}, "anyone": {"to": "anyone"}, "staff": {"classes": []any{"operator"}}, "none": {"scopes": []any{}},
		"unknown": {"scopes": []any{"everything"}}, "not for a request": {"scopes": []any{access.ScopeOfflineAccess}},
	} {
		if err := read(change); err == nil || !strings.Contains(err.Error(), accessExtension) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := read(map[string]any{"classes": []any{"citizen", "institutional_intermediary"}}); err != nil {
		t.Errorf("people's classes: %v", err)
	}
}
