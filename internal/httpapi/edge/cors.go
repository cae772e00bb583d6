package edge

import (
	"net/http"
	"strings"
)

const (
	corsAllowedHeaders = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Accept-Language, Request-Id, " +
		"traceparent, tracestate, X-Requested-With, Prefer, Last-Event-ID, Range, If-Range, DPoP"
	corsExposedHeaders = "ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Request-Id, " +
		"Content-Disposition, Content-Range, Accept-Ranges, WWW-Authenticate, Deprecation, Sunset"
	corsAllowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsMaxAge         = "600"
)

// origins are the browser applications that may call.
type origins struct {
	exact map[string]bool
	local bool // any port of this machine, for who develops against the sandbox
}

func newOrigins(exact []string, local bool) origins {
	o := origins{exact: make(map[string]bool, len(exact)), local: local}
	for _, origin := range exact {
		o.exact[origin] = true
	}
	return o
}

func (o origins) allow(origin string) bool {
	if o.exact[origin] {
		return true
	}
	if !o.local {
		return false
	}
	for _, host := range [...]string{"http://localhost", "http://127.0.0.1"} {
		if rest, ok := strings.CutPrefix(origin, host); ok && (rest == "" || isPort(rest)) {
			return true
		}
	}
	return false
}

func isPort(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	return ok && digits != "" && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}

// allowOrigin tells a browser whether its application may read the answer. No credentials that a
// browser adds by itself are ever used here, so it says nothing about them.
func (e *edge) allowOrigin(r *request) error {
	sent := r.c.Request()
	origin := sent.Header.Get("Origin")
	r.preflight = origin != "" && sent.Method == http.MethodOptions && sent.Header.Get("Access-Control-Request-Method") != ""
	if origin == "" || !e.origins.allow(origin) {
		return nil
	}
	h := r.c.Response().Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposedHeaders)
	if r.preflight {
		h.Set("Access-Control-Allow-Methods", corsAllowedMethods)
		h.Set("Access-Control-Allow-Headers", corsAllowedHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	return nil
}

// answerPreflight ends a browser's question about what it may send.
func (e *edge) answerPreflight(r *request) error {
	if !r.preflight {
		return nil
	}
	return r.c.NoContent(http.StatusNoContent)
}
