package openid_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
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
	issuer   = "https://provider.example"
	taxCode  = "RSSMRA80A01H501U"
	plainACR = "urn:level:"
)

var start = time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)

// network leads requests to handlers, by host. A host that is not there cannot be reached.
type network struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	// asked counts the requests to each address.
	asked map[string]int
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	handler := n.hosts[r.URL.Host]
	n.asked[r.URL.Host+r.URL.Path]++
	n.mu.Unlock()
	if handler == nil {
		return nil, errors.New("no such host")
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (n *network) count(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[address]
}

func (n *network) put(host string, handler http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = handler
}

// keyPair is a key of somebody else.
type keyPair struct {
	kid     string
	private *ecdsa.PrivateKey
}

func newKey(t *testing.T, kid string) keyPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{kid, private}
}

func (k keyPair) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.kid, Use: "sig"}
}

func (k keyPair) set() map[string]any { return map[string]any{"keys": []jose.JSONWebKey{k.public()}} }

// sign makes a JWT of a type by ES256.
func (k keyPair) sign(t *testing.T, claims any, typ string) string {
	t.Helper()
	return signBy(t, jose.ES256, jose.JSONWebKey{Key: k.private, KeyID: k.kid}, claims, typ)
}

func signBy(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims any, typ string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fake is a provider that does what a test wants wrong.
type fake struct {
	t     *testing.T
	clock *clock.Manual
	key   keyPair
	// idClaims and info change what is said; idToken signs it.
	idClaims, info func(claims map[string]any)
	idToken        func(claims map[string]any) string
	// userinfo writes what is said of a person.
	userinfo func(w http.ResponseWriter, claims map[string]any)
	// discovery changes the metadata.
	discovery func(metadata map[string]any)
	// replays lets a code be used again.
	replays bool
	// tokenStatus is what the token endpoint answers, if not 200.
	tokenStatus int

	mu      sync.Mutex
	codes   map[string]url.Values
	revoked []string
	// forms are what was posted to the token endpoint.
	forms []url.Values
	basic []string
}

func (f *fake) metadata() map[string]any {
	m := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"userinfo_endpoint": issuer + "/userinfo", "revocation_endpoint": issuer + "/revoke", "jwks_uri": issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"authorization_response_iss_parameter_supported": true,
	}
	if f.discovery != nil {
		f.discovery(m)
	}
	return m
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		f.json(w, f.metadata())
	case "/keys":
		f.json(w, f.key.set())
	case "/token":
		f.token(w, r)
	case "/userinfo":
		f.tell(w, r)
	case "/revoke":
		_ = r.ParseForm()
		f.mu.Lock()
		f.revoked = append(f.revoked, r.PostForm.Get("token"))
		f.mu.Unlock()
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *fake) json(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		f.t.Error(err)
	}
}

func (f *fake) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forms = append(f.forms, r.PostForm)
	if user, password, is := r.BasicAuth(); is {
		f.basic = append(f.basic, user+":"+password)
	}
	request, known := f.codes[r.PostForm.Get("code")]
	if !f.replays {
		delete(f.codes, r.PostForm.Get("code"))
	}
	hash := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if f.tokenStatus != 0 {
		w.WriteHeader(f.tokenStatus)
		return
	}
	if !known || base64.RawURLEncoding.EncodeToString(hash[:]) != request.Get("code_challenge") {
		w.WriteHeader(http.StatusBadRequest)
		f.json(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := f.clock.Now()
	claims := map[string]any{
		"iss": issuer, "aud": request.Get("client_id"), "sub": "pairwise", "nonce": request.Get("nonce"), "acr": request.Get("acr_values"),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	if f.idClaims != nil {
		f.idClaims(claims)
	}
	sign := f.idToken
	if sign == nil {
		sign = func(claims map[string]any) string { return f.key.sign(f.t, claims, "JWT") }
	}
	f.json(w, map[string]any{"access_token": "at-" + r.PostForm.Get("code"), "token_type": "Bearer", "id_token": sign(claims)})
}

func (f *fake) tell(w http.ResponseWriter, r *http.Request) {
	if len(r.Header.Get("Authorization")) < len("Bearer at-") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	claims := map[string]any{
		"sub": "pairwise", "iss": issuer, "aud": portal, "fiscal_number": "TINIT-" + taxCode, "given_name": "Mario", "family_name": "Rossi",
		"birthdate": "1980-01-01", "place_of_birth": map[string]string{"locality": "H501"}, "email": "mario@example.org",
	}
	if f.info != nil {
		f.info(claims)
	}
	if f.userinfo != nil {
		f.userinfo(w, claims)
		return
	}
	f.json(w, claims)
}

// authorize lets the person of an authorization request in, and returns the answer.
func (f *fake) authorize(t *testing.T, departure federation.Departure) url.Values {
	t.Helper()
	u, err := url.Parse(departure.URL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme+"://"+u.Host+u.Path != issuer+"/authorize" {
		t.Fatalf("the browser goes to %s", departure.URL)
	}
	request := u.Query()
	if signed := request.Get("request"); signed != "" {
		request = inner(t, signed)
	}
	code := uuid.NewString()
	f.mu.Lock()
	f.codes[code] = request
	f.mu.Unlock()
	return url.Values{"state": {request.Get("state")}, "code": {code}, "iss": {issuer}}
}

// inner reads the parameters of a signed request, as texts.
func inner(t *testing.T, signed string) url.Values {
	t.Helper()
	all := url.Values{}
	for name, value := range payload(t, signed) {
		if text, isText := value.(string); isText {
			all.Set(name, text)
		}
	}
	return all
}

func payload(t *testing.T, signed string) map[string]any {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(signed, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// world is an installation and one provider.
type world struct {
	t        *testing.T
	clock    *clock.Manual
	network  *network
	fake     *fake
	source   *openid.Source
	provider federation.Provider
	log      *bytes.Buffer
}

var ownKeys = sync.OnceValues(keyring.GenerateFederation)

const plainFile = `{"providers": [{
	"provider_id": "body", "kind": "oidc", "display_name": "Ente di prova", "login_method": "spid",
	"issuer": "https://provider.example", "client_id": "portal-1", "scopes": ["openid", "profile"], "algorithms": ["ES256"],
	"authentication": {"method": "private_key_jwt"}, "levels": {"1": "urn:level:1", "2": "urn:level:2", "3": "urn:level:3"}
}]}`

// newWorld makes a world of a file.
func newWorld(t *testing.T, file string) *world {
	t.Helper()
	keys, err := ownKeys()
	if err != nil {
		t.Fatal(err)
	}
	f, err := openid.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(start)
	w := &world{
		t: t, clock: c, network: &network{hosts: map[string]http.Handler{}, asked: map[string]int{}},
		fake: &fake{t: t, clock: c, key: newKey(t, "op-1"), codes: map[string]url.Values{}}, log: &bytes.Buffer{},
	}
	w.network.put("provider.example", w.fake)
	w.source = openid.New(f, openid.Deps{
		Keys: keys, Clock: c, Random: rand.Reader, PublicURL: portal, Transport: w.network, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	w.provider = w.source.Providers()[0]
	return w
}

func attempt(level federation.Level) federation.Attempt {
	text := func(length int) secret.Text {
		code, err := secret.Draw(rand.Reader, length)
		if err != nil {
			panic(err)
		}
		return code
	}
	return federation.Attempt{
		ID: uuid.New(), Level: level, State: text(48), Nonce: text(48), Verifier: text(64), BegunAt: start,
	}
}

// login logs the person in at a level. What change does to the answer is done before it arrives.
func (w *world) login(level federation.Level, change func(url.Values)) (federation.Claims, error) {
	w.t.Helper()
	a := attempt(level)
	departure, err := w.provider.Begin(w.t.Context(), a)
	if err != nil {
		return federation.Claims{}, err
	}
	answer := w.fake.authorize(w.t, departure)
	if change != nil {
		change(answer)
	}
	return w.provider.Finish(w.t.Context(), a, answer)
}

// refused fails the test unless the error is a refusal for that rule.
func refused(t *testing.T, err error, outcome federation.Outcome, rule string) {
	t.Helper()
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) || refusal.Outcome != outcome || refusal.Rule != rule {
		t.Errorf("got %v, want %s for %q", err, outcome, rule)
	}
}

func with(claims map[string]any) func(map[string]any) {
	return func(all map[string]any) { maps.Copy(all, claims) }
}

func without(names ...string) func(map[string]any) {
	return func(all map[string]any) {
		for _, name := range names {
			delete(all, name)
		}
	}
}

// encrypt makes a JWE for a key.
func encrypt(t *testing.T, key jose.JSONWebKey, algorithm jose.KeyAlgorithm, content jose.ContentEncryption, text string) string {
	t.Helper()
	public := key.Public()
	encrypter, err := jose.NewEncrypter(content, jose.Recipient{Algorithm: algorithm, Key: public.Key, KeyID: key.KeyID},
		(&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encrypter.Encrypt([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := sealed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func writeSecret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := writeFile(path, text); err != nil {
		t.Fatal(err)
	}
	return path
}
