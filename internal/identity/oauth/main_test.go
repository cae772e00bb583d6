package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/dpop"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	webRedirect  = "https://paghe.example/callback"
	loopRedirect = "http://127.0.0.1/callback"
	verifier     = "0123456789-0123456789-0123456789-0123456789"
	browser      = secret.Text("the browser in which it began")
	elsewhere    = secret.Text("another browser")
)

// fixture is a server with one person who has logged in.
type fixture struct {
	// key is the idempotency key that refreshes are sent with.
	key string
	// proofs are those that forms to the token endpoint come with.
	proofs []string
	*pintest.World
	t            *testing.T
	server       *oauth.Service
	consents     *consent.Service
	applications *application.Service
	personID     uuid.UUID
	by           access.Actor
	address      string
	// counted are the requests that were counted for somebody; full has no more let in.
	counted []uuid.UUID
	full    bool
	// mutualURL, authorities and log are what the next process is made with.
	mutualURL   string
	authorities *x509.CertPool
	log         *slog.Logger
}

func begin(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	w := pintest.New(t, d, pintest.Cheap)
	f := &fixture{World: w, t: t, address: "192.0.2.7"}
	rights, messages := access.NewRepository(d, w.Clock), outbox.New(d)
	contributors := contributor.NewService(contributor.Deps{DB: d, Rights: rights})
	f.consents = consent.NewService(consent.Deps{
		Runner: w.Runner, Rights: rights, Contributors: contributors, Sessions: w.Sessions, Outbox: messages,
	})
	f.applications = application.NewService(application.Deps{Runner: w.Runner, Rights: rights, Outbox: messages})
	w.Sessions.OnReuse(func(ctx context.Context, id uuid.UUID) error {
		return f.consents.End(ctx, id, consent.EndedRefreshReused)
	})
	f.server = f.serve(true)
	p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	f.personID, f.by = p.ID, w.MustActor(t, w.Login(t, pintest.Mario, pin))
	// Somebody who has a right over nobody lets no application in.
	company := uuid.Must(uuid.NewV7())
	w.Exec(t, "INSERT INTO contributors (id, tax_code, legal_name, kind, created_at) VALUES ( ?, '01234567897', 'Rossi srl', 'company', ?)",
		company, w.Clock.Now())
	w.Exec(t, `INSERT INTO contributor_roles (id, contributor_id, person_id, role, services, granted_at) VALUES ( ?, ?, ?, 'employer', '["*"]', ?)`,
		uuid.Must(uuid.NewV7()), company, p.ID, w.Clock.Now())
	return f
}

// serve is another process of the server.
func (f *fixture) serve(loopback bool) *oauth.Service {
	return oauth.NewService(oauth.Deps{
		Runner: f.Runner, Keys: f.DataKeys, Limiter: f.Limiter, Addresses: f.Addresses, Applications: f.applications,
		Consents: f.consents, Sessions: f.Sessions, Proofs: dpop.NewService(f.DB, f.Clock, pintest.PublicURL), PublicURL: pintest.PublicURL, Loopback: loopback,
		MutualURL: f.mutualURL, Authorities: f.authorities, Log: f.log,
		Revocation: card.NewOnline(card.OnlineDeps{Clock: f.Clock, Log: slog.New(slog.DiscardHandler), Loopback: true}),
		Count: func(_ context.Context, id uuid.UUID) error {
			if f.counted = append(f.counted, id); f.full {
				return fault.New(fault.RateLimited)
			}
			return nil
		},
	})
}

// context is that of a request.
func (f *fixture) context() context.Context {
	return audit.WithOrigin(f.t.Context(), audit.Origin{RequestID: "request-1", Address: f.address})
}

// client is an application with the key that it signs with.
type client struct {
	application.Application
	key crypto.Signer
	kid string
}

// register keeps an approved application, as a change by the caller wants it.
func (f *fixture) register(id string, change func(*client)) *client {
	f.t.Helper()
	c := &client{Application: application.Application{
		ID: uuid.Must(uuid.NewV7()), ClientID: id, DisplayName: "Paghe " + id, Kind: application.Public, AuthMethod: application.NoAuth,
		RedirectURIs: []string{webRedirect, loopRedirect}, Scopes: []string{"declarations", "declarations.read", "offline_access"},
		ContactEmail: "info@paghe.example", State: application.Approved, PersonID: f.personID,
	}}
	if change != nil {
		change(c)
	}
	var keys *string
	if c.JWKSURI == "" && c.key != nil {
		text := string(keySet(f.t, c))
		keys = &text
	}
	f.Exec(f.t, "INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, jwks, jwks_uri, scopes, logo_uri, "+
		"contact_email, state, person_id, created_at, updated_at, submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)",
		c.ID, c.ClientID, c.DisplayName, c.Kind, c.AuthMethod, encoded(f.t, c.RedirectURIs), keys, c.JWKSURI, encoded(f.t, c.Scopes),
		c.ContactEmail, c.State, c.PersonID, f.Clock.Now(), f.Clock.Now(), f.Clock.Now())
	return c
}

// confidential makes an application prove who it is by a key.
func confidential(key crypto.Signer) func(*client) {
	return func(c *client) {
		c.Kind, c.AuthMethod, c.key, c.kid = application.Confidential, application.PrivateKeyJWT, key, "k1"
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func keySet(t *testing.T, clients ...*client) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, c := range clients {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: c.key.Public(), KeyID: c.kid, Use: "sig"})
	}
	return []byte(encoded(t, set))
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are those of a good assertion.
func (f *fixture) claims(c *client) jwt.MapClaims {
	now := f.Clock.Now()
	return jwt.MapClaims{
		"iss": c.ClientID, "sub": c.ClientID, "aud": pintest.PublicURL, "jti": uuid.NewString(), "iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
	}
}

// sign makes an assertion.
func sign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asserted is how a client proves who it is.
func asserted(assertion string) url.Values {
	return url.Values{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
}

// says is how a client says who it is, with a fresh assertion where it has a key.
func (f *fixture) says(c *client, more url.Values) url.Values {
	f.t.Helper()
	form := url.Values{"client_id": {c.ClientID}}
	if c.key != nil {
		var method jwt.SigningMethod = jwt.SigningMethodES256
		if _, ok := c.key.(*rsa.PrivateKey); ok {
			method = jwt.SigningMethodRS256
		}
		maps.Copy(form, asserted(sign(f.t, method, c.key, map[string]any{"kid": c.kid}, f.claims(c))))
	}
	maps.Copy(form, more)
	return form
}

// asking is an authorization request.
func asking(c *client, change url.Values) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	values := url.Values{
		"client_id": {c.ClientID}, "response_type": {"code"}, "redirect_uri": {webRedirect}, "scope": {"declarations offline_access"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "state": {"a state of its own"},
	}
	for name, value := range change {
		if value == nil {
			values.Del(name)
		} else {
			values[name] = value
		}
	}
	return values
}

// everything is a consent to all there is.
func (f *fixture) everything() oauth.Choice {
	return oauth.Choice{Services: access.ServiceSet{access.AllServices}, ExpiresAt: f.Clock.Now().AddDate(0, 6, 0)}
}

// code begins a flow and approves it. It returns what the browser goes back with.
func (f *fixture) code(c *client, change url.Values) url.Values {
	f.t.Helper()
	flow, err := f.server.Begin(f.context(), asking(c, change), browser)
	f.must(err)
	return f.approve(flow)
}

func (f *fixture) approve(flow oauth.Flow) url.Values {
	f.t.Helper()
	redirect, err := f.server.Approve(f.context(), f.by, flow.ID, browser, f.everything())
	f.must(err)
	return query(f.t, redirect)
}

// exchange redeems a code as the client does.
func (f *fixture) exchange(c *client, code string, change url.Values) (oauth.Tokens, error) {
	f.t.Helper()
	form := f.says(c, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {webRedirect}, "code_verifier": {verifier},
	})
	for name, value := range change {
		form[name] = value
		if value == nil {
			form.Del(name)
		}
	}
	return f.server.Exchange(f.context(), oauth.Post{Form: form, Proofs: f.proofs})
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// liveConsents counts the consents that live.
func (f *fixture) liveConsents() int { return f.Count(f.t, "consents WHERE ended_at IS NULL") }

func query(t *testing.T, redirect string) url.Values {
	t.Helper()
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// refused ends the test unless the error is a refusal with the code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	_ = refusalOf(t, err, code)
}

// refusalOf is refused, and returns the refusal.
func refusalOf(t *testing.T, err error, code string) *oauth.Refusal {
	t.Helper()
	var refusal *oauth.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if refusal.Code != code {
		t.Fatalf("got %v, want %s", refusal, code)
	}
	if strings.ContainsAny(refusal.Description, "\"\\\n") {
		t.Errorf("the description is %q", refusal.Description)
	}
	return refusal
}

func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("got %v, want %s", err, code)
	}
}
