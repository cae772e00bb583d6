package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/identity/dpop/dpoptest"
)

// bound registers a program whose tokens are bound to a key of its own, and to nothing else; with a
// key of its own to sign with it is confidential.
func (w *fixture) bound(token string, key *ecdsa.PrivateKey) *program {
	w.t.Helper()
	proving := dpoptest.NewKey(w.t)
	p := w.program(token, key)
	p.proves = &proving
	path := "/v1/applications/" + p.id
	tag := w.do(http.MethodGet, path, token, nil).want(w.t, http.StatusOK, "").header.Get("ETag")
	changed := w.do(http.MethodPatch, path, token, map[string]any{"dpop_bound_access_tokens": true}, header{"If-Match", tag})
	if changed.want(w.t, http.StatusOK, "").field("dpop_bound_access_tokens") != true {
		w.t.Errorf("changed to %s", changed.body)
	}
	return p
}

// with is how the program sends a bound token with one request.
func (p *program) with(method, path, token string) []header {
	place, _, _ := strings.Cut(path, "?")
	return []header{
		{"Authorization", "DPoP " + token},
		{"DPoP", p.secrets.add("proof", p.proves.Proof(p.w.t, method, p.w.url+place, p.w.clock.Now(), token, nil))},
	}
}

// TestBoundTokens_AreGoodWithTheirKeyAlone is the story of software whose tokens nobody else can use:
// lists, files and receipts, each with a proof of its own.
func TestBoundTokens_AreGoodWithTheirKeyAlone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		p := w.bound(f.token, nil)
		answered := p.exchange(p.pushed(f.token).Get("code"))
		token, refresh := p.tokens(answered)
		if answered.field("token_type") != "DPoP" {
			t.Errorf("answered %s", answered.body)
		}
		do := func(method, path string, body any, headers ...header) answer {
			return w.do(method, path, "", body, append(headers, p.with(method, path, token)...)...)
		}
		filed := do(http.MethodPost, f.path, f.draft(map[string]any{"submit": true}), header{"Idempotency-Key", uuid.NewString()}).want(
			t, http.StatusCreated, "")
		place := filed.header.Get("Location")
		do(http.MethodGet, place, nil).want(t, http.StatusOK, "")
		do(http.MethodGet, "/v1/contributors?limit=1", nil).want(t, http.StatusOK, "")
		if receipt := do(http.MethodGet, place+"/receipt", nil, header{"Accept", "application/pdf"}); receipt.status != http.StatusOK ||
			!strings.HasPrefix(string(receipt.body), "%PDF-") {
			t.Errorf("the receipt: %d", receipt.status)
		}
		// One that was caught on its way is good for nothing, nor is its proof.
		sent := p.with(http.MethodGet, place, token)
		w.do(http.MethodGet, place, "", nil, sent...).want(t, http.StatusOK, "")
		for name, headers := range map[string][]header{
			"again": sent, "elsewhere": p.with(http.MethodGet, place+"/history", token), "alone": sent[:1],
			"as Bearer": {{"Authorization", "Bearer " + token}, sent[1]},
		} {
			refused := w.do(http.MethodGet, place, "", nil, headers...)
			refused.want(t, http.StatusUnauthorized, "unauthenticated")
			if got := refused.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `DPoP error="invalid_`) || !strings.Contains(got, `algs="ES256 `) {
				t.Errorf("%s: %s", name, got)
			}
		}
		// Neither is a refresh token without the key.
		thief := dpoptest.NewKey(t)
		key := p.proves
		p.proves = &thief
		p.refresh(refresh).oauthError(t, http.StatusBadRequest, "invalid_grant")
		p.proves = nil
		p.refresh(refresh).oauthError(t, http.StatusBadRequest, "invalid_dpop_proof")
		p.proves = key
		next, _ := p.tokens(p.refresh(refresh))
		w.do(http.MethodGet, place, "", nil, p.with(http.MethodGet, place, next)...).want(t, http.StatusOK, "")
		for name, place := range map[string]string{"log": w.log.String(), "database": w.dump()} {
			if found := p.secrets.found(place); len(found) > 0 {
				t.Errorf("found %v in the %s", found, name)
			}
		}
	})
}

// A stream is opened with a bound token as anything else, and what a server learns of its token says
// to which key it is bound.
func TestBoundTokens_StreamAndAreInspected(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p := w.bound(f.token, key)
		p.scope = "events offline_access"
		token, _ := p.tokens(p.exchange(p.pushed(f.token).Get("code")))
		const events = "/v1/events/stream"
		if s := w.stream(token, "", p.with(http.MethodGet, events, token)...); s.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("streamed %v", s.header)
		}
		seen := p.post("/oauth2/introspection", url.Values{"token": {token}}).want(t, http.StatusOK, "")
		if cnf, _ := seen.field("cnf").(map[string]any); seen.field("token_type") != "DPoP" || cnf["jkt"] != p.proves.Thumbprint(t) {
			t.Errorf("inspected: %s", seen.body)
		}
	})
}
