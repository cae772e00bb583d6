package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"diresco/internal/identity/dpop/dpoptest"
	"diresco/internal/identity/oauth"
	"diresco/internal/platform/config"
	"diresco/internal/test/dbtest"
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

// TestMutualTLS_ACertificateLetsInAndBinds is the story of a server that has a certificate of its own
// and signs nothing: by mutual TLS it gets tokens, and uses them.
func TestMutualTLS_ACertificateLetsInAndBinds(t *testing.T) {
	const place = "https://mtls.diresco.example"
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w := startWith(t, rawURL, cheapPINs, func(c *config.Config) { c.MTLSURL, c.MTLSAddr = place, "127.0.0.1:0" })
		f := w.filer()
		own, stranger := selfSigned(t), selfSigned(t)
		ask := w.mutual().ask
		made := payrollOf(map[string]any{
			"kind": "confidential", "token_endpoint_auth_method": "self_signed_tls_client_auth", "scopes": []string{"declarations", "offline_access"},
			"tls_client_certificate_bound_access_tokens": true,
			"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
				Key: own.Leaf.PublicKey, KeyID: "k1", Use: "sig", Certificates: []*x509.Certificate{own.Leaf},
			}}},
		})
		registered := w.do(http.MethodPost, "/v1/applications", f.token, made, key()).want(t, http.StatusCreated, "")
		if registered.field("tls_client_certificate_bound_access_tokens") != true {
			t.Errorf("registered %s", registered.body)
		}
		clientID, _ := registered.field("client_id").(string)
		described := w.do(http.MethodGet, oauth.MetadataPath, "", nil).want(t, http.StatusOK, "")
		if described.field("mtls_endpoint_aliases", "token_endpoint") != place+oauth.TokenPath {
			t.Errorf("described by %s", described.body)
		}
		redeem := w.redeem(ask, &own, f.token, clientID)
		for _, with := range []*tls.Certificate{nil, &stranger} {
			ask(with, http.MethodPost, oauth.TokenPath, "", redeem).oauthError(t, http.StatusUnauthorized, "invalid_client")
		}
		given := ask(&own, http.MethodPost, oauth.TokenPath, "", redeem).want(t, http.StatusOK, "")
		token, _ := given.field("access_token").(string)
		if given.field("token_type") != "Bearer" {
			t.Errorf("given %s", given.body)
		}
		ask(&own, http.MethodGet, "/v1/contributors", token, nil).want(t, http.StatusOK, "")
		for name, refused := range map[string]answer{
			"without it": ask(nil, http.MethodGet, "/v1/contributors", token, nil), "with another": ask(&stranger, http.MethodGet, "/v1/contributors", token, nil),
			"elsewhere": w.do(http.MethodGet, "/v1/contributors", token, nil),
			"in a header": w.do(http.MethodGet, "/v1/contributors", token, nil,
				header{"X-SSL-Client-Cert", url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Leaf.Raw})))}),
		} {
			if refused.status != http.StatusUnauthorized || !strings.HasPrefix(refused.header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`) {
				t.Errorf("%s: %d %s", name, refused.status, refused.body)
			}
		}
	})
}

// selfSigned makes a certificate that nobody vouches for.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Paghe"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
