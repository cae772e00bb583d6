//go:build peers

package openid

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

const (
	portal   = "https://portal.example"
	anchor   = "https://anchor.example"
	callback = portal + "/federation/oidc/callback"
	person   = "RSSMRA80A01H501U"
	mark     = "https://anchor.example/marks/openid_provider"
	national = "https://www.spid.gov.it/SpidL"
)

// peer is the provider and an installation that knows it.
type peer struct {
	t      *testing.T
	issuer string
	keys   *keyring.Federation
	clock  *clock.Offset
	wire   *wire
	// plain and cie are the two ways in which it is known.
	plain, cie federation.Provider
}

// wire leads to the provider. It plays the anchor of a federation beside it, and can change what
// the token endpoint answers.
type wire struct {
	t        *testing.T
	issuer   string
	key      *ecdsa.PrivateKey
	swap     func(idToken string) string
	seen     []string
	userinfo []string
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	keys, err := keyring.GenerateFederation()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, keys: keys, clock: clock.NewOffset(clock.System{})}
	p.issuer = startProvider(t, keys, callback)
	p.wire = &wire{t: t, issuer: p.issuer, key: key}
	pinned, err := json.Marshal(p.wire.set())
	if err != nil {
		t.Fatal(err)
	}
	f, err := openid.Parse([]byte(`{
		"relying_party": {
			"organization_name": "Ente", "homepage_uri": "` + portal + `", "policy_uri": "` + portal + `", "logo_uri": "` + portal + `/l.svg",
			"contacts": ["a@pec.example.it"], "authority_hints": ["` + anchor + `"]
		},
		"providers": [
			{
				"provider_id": "plain", "kind": "oidc", "display_name": "Ente", "login_method": "spid", "issuer": "` + p.issuer + `",
				"client_id": "portal-1", "authentication": {"method": "private_key_jwt"}, "scopes": ["openid", "profile"],
				"levels": {"1": "urn:level:1", "2": "urn:level:2"}
			},
			{
				"provider_id": "cie", "kind": "cie", "profile": "cie", "display_name": "CIE", "issuer": "` + p.issuer + `",
				"federation": {
					"trust_anchors": [{"entity_id": "` + anchor + `", "jwks": ` + string(pinned) + `}], "trust_marks": ["` + mark + `"],
					"max_path_length": 0
				}
			}
		]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	source := openid.New(f, openid.Deps{
		Keys: keys, Clock: p.clock, Random: rand.Reader, PublicURL: portal, Transport: p.wire, Log: slog.New(slog.DiscardHandler),
	})
	p.plain, p.cie = source.Providers()[0], source.Providers()[1]
	return p
}

// startProvider starts oidc-provider, ended with the test, and returns its issuer. It sends people
// back to one address.
func startProvider(t *testing.T, keys *keyring.Federation, back string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "provider"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v: %s", err, out)
	}
	request, answer := keys.Requests[0].Public(), keys.Answers[0].Public()
	client := map[string]any{
		"redirect_uris": []string{back}, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256",
		"jwks": map[string]any{"keys": []jose.JSONWebKey{request, answer}},
	}
	with := func(id string, more map[string]any) map[string]any {
		all := map[string]any{"client_id": id}
		for _, from := range []map[string]any{client, more} {
			for name, value := range from {
				all[name] = value
			}
		}
		return all
	}
	input, err := json.Marshal(map[string]any{
		"acrs": []string{"urn:level:1", "urn:level:2", national + "1", national + "2", national + "3"},
		"clients": []any{with("portal-1", nil), with("portal-2", nil), with(portal, map[string]any{
			"request_object_signing_alg": "RS256", "userinfo_signed_response_alg": "ES256",
			"userinfo_encrypted_response_alg": "RSA-OAEP-256", "userinfo_encrypted_response_enc": "A256CBC-HS512",
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), "node", "provider.mjs")
	program.Dir, program.Stderr, program.Stdin = dir, os.Stderr, bytes.NewReader(append(input, '\n'))
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Signal(syscall.SIGTERM)
		_ = program.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if issuer, found := strings.CutPrefix(lines.Text(), "listening on "); found {
			return issuer
		}
	}
	t.Fatal("the provider did not start")
	return ""
}

func (w *wire) set() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &w.key.PublicKey, KeyID: "anchor-1", Use: "sig"}}}
}

// sign makes a statement or trust mark by the anchor's key, which is the provider's, too.
func (w *wire) sign(typ string, claims map[string]any) string {
	now := clock.System{}.Now()
	claims["iat"], claims["exp"] = now.Add(-time.Minute).Unix(), now.Add(time.Hour).Unix()
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.key, KeyID: "anchor-1"},
	}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// statement answers as a member of the federation, or with "".
func (w *wire) statement(r *http.Request) string {
	const typ = "entity-statement+jwt"
	entity := func(issuer, subject string, more map[string]any) string {
		more["iss"], more["sub"], more["jwks"] = issuer, subject, w.set()
		return w.sign(typ, more)
	}
	switch {
	case r.URL.Host == "anchor.example" && r.URL.Path == "/fetch":
		return entity(anchor, w.issuer, map[string]any{})
	case r.URL.Host == "anchor.example":
		return entity(anchor, anchor, map[string]any{
			"metadata": map[string]any{"federation_entity": map[string]any{"federation_fetch_endpoint": anchor + "/fetch"}},
		})
	case r.URL.Path == "/.well-known/openid-federation":
		response, err := http.Get(w.issuer + "/.well-known/openid-configuration") //nolint:noctx // it ends with the test
		if err != nil {
			w.t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		var metadata map[string]any
		if err := json.NewDecoder(response.Body).Decode(&metadata); err != nil {
			w.t.Fatal(err)
		}
		return entity(w.issuer, w.issuer, map[string]any{
			"authority_hints": []string{anchor}, "metadata": map[string]any{"openid_provider": metadata},
			"trust_marks": []any{map[string]any{
				"trust_mark_type": mark,
				"trust_mark":      w.sign("trust-mark+jwt", map[string]any{"iss": anchor, "sub": w.issuer, "trust_mark_type": mark}),
			}},
		})
	}
	return ""
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if text := w.statement(r); text != "" {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.URL.Path == "/me" {
		w.userinfo = append(w.userinfo, response.Header.Get("Content-Type"))
	}
	if r.URL.Path != "/token" || response.StatusCode != http.StatusOK {
		return response, nil
	}
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	token, _ := answer["id_token"].(string)
	w.seen = append(w.seen, token)
	if w.swap != nil {
		answer["id_token"] = w.swap(token)
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(encoded)), int64(len(encoded))
	return response, nil
}

func draw(t *testing.T, length int) secret.Text {
	t.Helper()
	text, err := secret.Draw(rand.Reader, length)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (p *peer) attempt(level federation.Level) federation.Attempt {
	return federation.Attempt{
		ID: uuid.New(), Level: level, State: draw(p.t, 48), Nonce: draw(p.t, 48), Verifier: draw(p.t, 64), BegunAt: p.clock.Now(),
	}
}

// next says how the next login ends.
func (p *peer) next(query string) {
	response, err := http.Get(p.issuer + "/next?" + query) //nolint:noctx // it ends with the test
	if err != nil {
		p.t.Fatal(err)
	}
	_ = response.Body.Close()
}

// browse follows a departure as a browser does, until it comes back here.
func (p *peer) browse(address string) url.Values {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	var back url.Values
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			back = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	response, err := browser.Get(address) //nolint:noctx // it ends with the test
	if err != nil {
		p.t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if back == nil {
		p.t.Fatalf("the browser did not come back: %d %s", response.StatusCode, body)
	}
	return back
}

// login logs the person in.
func (p *peer) login(provider federation.Provider, a federation.Attempt, change func(*federation.Attempt, url.Values)) (federation.Claims, error) {
	p.t.Helper()
	departure, err := provider.Begin(p.t.Context(), a)
	if err != nil {
		p.t.Fatal(err)
	}
	answer := p.browse(departure.URL)
	if change != nil {
		change(&a, answer)
	}
	return provider.Finish(p.t.Context(), a, answer)
}

func refused(t *testing.T, what string, err error, outcome federation.Outcome, rule string) {
	t.Helper()
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) || refusal.Outcome != outcome || refusal.Rule != rule {
		t.Errorf("%s: got %v, want %s for %q", what, err, outcome, rule)
	}
}

// TestOpenID_AgainstAProviderOfOthers goes through what a certified provider answers.
func TestOpenID_AgainstAProviderOfOthers(t *testing.T) {
	p := newPeer(t)
	for name, provider := range map[string]federation.Provider{"plain": p.plain, "cie": p.cie} {
		claims, err := p.login(provider, p.attempt(2), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if claims.TaxCode != person || claims.GivenName != "Mario" || claims.FamilyName != "Rossi" || claims.BirthPlace != "H501" ||
			claims.BirthDate != "1980-01-01" || claims.Level != 2 {
			t.Errorf("%s: %+v", name, claims)
		}
	}
	if got := fmt.Sprint(p.wire.userinfo); !strings.Contains(got, "application/jwt") || !strings.Contains(got, "application/json") {
		t.Errorf("userinfo was %s: one way should be plain and one encrypted", got)
	}

	const notRight = "ID token's signature, issuer or audience is wrong"
	for name, provider := range map[string]federation.Provider{"plain": p.plain, "cie": p.cie} {
		_, err := p.login(provider, p.attempt(2), func(a *federation.Attempt, _ url.Values) { a.Nonce = draw(t, 48) })
		refused(t, name+" nonce", err, federation.Invalid, "ID token has another nonce")
		_, err = p.login(provider, p.attempt(2), func(_ *federation.Attempt, v url.Values) { v.Set("iss", "https://other.example") })
		refused(t, name+" issuer", err, federation.Invalid, "answer is from another issuer")
		_, err = p.login(provider, p.attempt(2), func(a *federation.Attempt, _ url.Values) { a.Verifier = draw(t, 64) })
		refused(t, name+" verifier", err, federation.Invalid, "token endpoint refuses the code")
		_, err = p.login(provider, p.attempt(2), func(_ *federation.Attempt, v url.Values) { v.Set("code", "unknown") })
		refused(t, name+" code", err, federation.Invalid, "token endpoint refuses the code")

		a := p.attempt(2)
		var answer url.Values
		if _, err = p.login(provider, a, func(_ *federation.Attempt, v url.Values) { answer = v }); err != nil {
			t.Fatal(err)
		}
		_, err = provider.Finish(t.Context(), a, answer)
		refused(t, name+" replay", err, federation.Invalid, "token endpoint refuses the code")

		p.next("denies")
		_, err = p.login(provider, p.attempt(2), nil)
		refused(t, name+" denied", err, federation.Denied, "provider denies: access_denied")
		if refusal := (*federation.Refusal)(nil); errors.As(err, &refusal) && refusal.Number != 25 {
			t.Errorf("%s: number %d", name, refusal.Number)
		}
		lower := map[string]string{"plain": "urn:level:1", "cie": national + "1"}[name]
		p.next("acr=" + url.QueryEscape(lower))
		_, err = p.login(provider, p.attempt(2), nil)
		refused(t, name+" acr", err, federation.Invalid, "level is lower than asked")
		p.next("")

		// An ID token whose signature does not fit, and one of before.
		p.wire.swap = func(token string) string {
			parts, others := strings.Split(token, "."), strings.Split(p.wire.seen[0], ".")
			return parts[0] + "." + parts[1] + "." + others[2]
		}
		_, err = p.login(provider, p.attempt(2), nil)
		refused(t, name+" signature", err, federation.Invalid, notRight)
		p.wire.swap = nil
	}

	// Tokens that the provider made for another party, and for another login.
	keep := func(provider federation.Provider) (token string) {
		p.wire.swap = func(idToken string) string { token = idToken; return idToken }
		if _, err := p.login(provider, p.attempt(2), nil); err != nil {
			t.Fatal(err)
		}
		return token
	}
	ofAnother, ofBefore := keep(p.cie), keep(p.plain)
	p.wire.swap = func(string) string { return ofAnother }
	_, err := p.login(p.plain, p.attempt(2), nil)
	refused(t, "audience", err, federation.Invalid, notRight)
	p.wire.swap = func(string) string { return ofBefore }
	_, err = p.login(p.plain, p.attempt(2), nil)
	refused(t, "of before", err, federation.Invalid, "ID token has another nonce")

	// By a clock a little later it is over.
	p.wire.swap = func(idToken string) string { p.clock.Set(2 * time.Minute); return idToken }
	_, err = p.login(p.plain, p.attempt(2), nil)
	refused(t, "expired", err, federation.Invalid, "ID token is expired")
}
