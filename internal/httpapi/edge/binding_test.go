package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"diresco/internal/identity/dpop"
	"diresco/internal/identity/dpop/dpoptest"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// boundKey is the thumbprint to which the token "bound-software" is bound.
var boundKey string

// proofs remember in memory which were used.
type proofs struct {
	*dpop.Service

	mu   sync.Mutex
	used map[dpop.Proof]bool
	err  error
}

func newProofs() *proofs {
	return &proofs{Service: dpop.NewService(nil, clock.System{}, "https://diresco.example"), used: map[dpop.Proof]bool{}}
}

// Use implements Proofs.
func (p *proofs) Use(_ context.Context, one dpop.Proof) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used[one] {
		return dpop.Refuse(dpop.ReasonUsed)
	}
	p.used[one] = true
	return p.err
}

// refusedProof is the challenge for a proof or a token that is refused.
func refusedProof(code, why string) string {
	return `DPoP error="` + code + `", error_description="` + why + `", algs="ES256 PS256 RS256"`
}

// A bound token is good with a proof of its key and in no other way.
func TestBinding_ABoundTokenNeedsAProof(t *testing.T) {
	key, other := dpoptest.NewKey(t), dpoptest.NewKey(t)
	boundKey = key.Thumbprint(t)
	const token, address = "bound-software", "https://diresco.example/v1/me"
	w := newWorld(t)
	sign := func(key dpoptest.Key, method, address string, change func(header, claims map[string]any)) string {
		return key.Proof(t, method, address, clock.System{}.Now(), token, change)
	}
	used := sign(key, http.MethodGet, address, nil)
	ask := func(method, path, authorization, proof string) (status int, challenge string) {
		answer := w.do(ask{method: method, path: path, header: map[string]string{"Authorization": authorization, "DPoP": proof}})
		if answer.Code != http.StatusOK && method == http.MethodGet {
			w.problem(answer, answer.Code, fault.Unauthenticated)
		}
		return answer.Code, answer.Header().Get("WWW-Authenticate")
	}
	if status, challenge := ask(http.MethodGet, "/v1/me", "dpop "+token, used); status != http.StatusOK {
		t.Errorf("a good one: %d %s", status, challenge)
	}
	for name, c := range map[string]struct{ authorization, proof, want string }{
		"as Bearer": {"Bearer " + token, "", refusedProof("invalid_token", "The access token is bound to a key: send it with DPoP and a proof.")},
		"as Bearer with a proof": {
			"Bearer " + token, sign(key, http.MethodGet, address, nil),
			refusedProof("invalid_token", "The access token is bound to a key: send it with DPoP and a proof."),
		},
		"one that is not bound": {
			"DPoP software", key.Proof(t, http.MethodGet, address, clock.System{}.Now(), "software", nil),
			refusedProof("invalid_token", "The access token is not bound to a key: send it with Bearer."),
		},
		"one of a person": {
			"DPoP live", key.Proof(t, http.MethodGet, address, clock.System{}.Now(), "live", nil),
			refusedProof("invalid_token", "The access token is not bound to a key: send it with Bearer."),
		},
		"an expired one": {"DPoP expired", "", refusedProof("invalid_token", "The access token has expired. Renew it with the refresh token, or log in again.")},
		"no proof": {
			"DPoP " + token, "", refusedProof("invalid_dpop_proof", "The access token is bound to a key: the DPoP header with a proof is missing."),
		},
		"another method": {
			"DPoP " + token, sign(key, http.MethodPost, address, nil),
			refusedProof("invalid_dpop_proof", "The DPoP proof is for another request: htm is the method; htu the public address, without query."),
		},
		"the address of the connection": {
			"DPoP " + token, sign(key, http.MethodGet, "http://example.com/v1/me", nil),
			refusedProof("invalid_dpop_proof", "The DPoP proof is for another request: htm is the method; htu the public address, without query."),
		},
		"another token": {
			"DPoP " + token, sign(key, http.MethodGet, address, func(_, claims map[string]any) { claims["ath"] = dpoptest.Hash("live") }),
			refusedProof("invalid_dpop_proof", "The DPoP proof is for another access token: ath is its SHA-256."),
		},
		"another key": {
			"DPoP " + token, sign(other, http.MethodGet, address, nil),
			refusedProof("invalid_dpop_proof", "The DPoP proof is by another key than the access token is bound to."),
		},
		"used": {"DPoP " + token, used, refusedProof("invalid_dpop_proof", "The DPoP proof was used before: each request needs one of its own.")},
	} {
		status, challenge := ask(http.MethodGet, "/v1/me", c.authorization, c.proof)
		if status != http.StatusUnauthorized || challenge != c.want {
			t.Errorf("%s: %d %s", name, status, challenge)
		}
	}
	// HEAD is a request of its own.
	if status, challenge := ask(http.MethodHead, "/v1/me", "DPoP "+token, sign(key, http.MethodHead, address, nil)); status != http.StatusOK {
		t.Errorf("HEAD: %d %s", status, challenge)
	}
	if status, _ := ask(http.MethodHead, "/v1/me", "DPoP "+token, sign(key, http.MethodGet, address, nil)); status != http.StatusUnauthorized {
		t.Errorf("HEAD with a proof for GET: %d", status)
	}
	two := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/me", http.NoBody)
	two.Header.Set("Authorization", "DPoP "+token)
	two.Header["Dpop"] = []string{sign(key, http.MethodGet, address, nil), sign(key, http.MethodGet, address, nil)}
	if answer := w.serve(two); answer.Code != http.StatusUnauthorized {
		t.Errorf("two proofs: %d", answer.Code)
	}
	// Nothing of a proof is written down.
	if strings.Contains(w.log.String(), used) {
		t.Error("the log holds a proof")
	}
	if got := w.outcomes(); !slices.Contains(got, "showMe unauthenticated") {
		t.Errorf("the access log says %v", got)
	}
}

// Whoever shows a proof again learns nothing of what it opens, and an outage is no refusal.
func TestBinding_AUsedProofComesBeforeTheGuard(t *testing.T) {
	key := dpoptest.NewKey(t)
	boundKey = key.Thumbprint(t)
	w := newWorld(t)
	const path = "/v1/sessions"
	proof := key.Proof(t, http.MethodGet, "https://diresco.example"+path, clock.System{}.Now(), "bound-software", nil)
	header := map[string]string{"Authorization": "DPoP bound-software", "DPoP": proof}
	first := w.do(ask{method: http.MethodGet, path: path, header: header})
	w.problem(first, http.StatusForbidden, fault.Forbidden)
	if got := first.Header().Get("WWW-Authenticate"); got != `DPoP error="insufficient_scope"` {
		t.Error(got)
	}
	w.problem(w.do(ask{method: http.MethodGet, path: path, header: header}), http.StatusUnauthorized, fault.Unauthenticated)
	w.proofs.err = fault.New(fault.Unavailable)
	header["DPoP"] = key.Proof(t, http.MethodGet, "https://diresco.example"+path, clock.System{}.Now(), "bound-software", nil)
	w.problem(w.do(ask{method: http.MethodGet, path: path, header: header}), http.StatusServiceUnavailable, fault.Unavailable)
}

// A thief with a token and no key spends nothing of what its application may send.
func TestBinding_AWrongProofCountsForTheAddress(t *testing.T) {
	key := dpoptest.NewKey(t)
	boundKey = key.Thumbprint(t)
	w := newWorld(t, rates(1000, 3), func(c *Config) { c.ApplicationRate = 2 })
	for range 2 {
		w.do(ask{method: http.MethodGet, path: "/v1/me", header: map[string]string{"Authorization": "Bearer bound-software"}})
	}
	for i := range 2 {
		proof := key.Proof(t, http.MethodGet, "https://diresco.example/v1/me", clock.System{}.Now(), "bound-software", nil)
		answer := w.do(ask{method: http.MethodGet, path: "/v1/me", header: map[string]string{"Authorization": "DPoP bound-software", "DPoP": proof}})
		if answer.Code != http.StatusOK {
			t.Errorf("request %d: %d", i, answer.Code)
		}
	}
}
