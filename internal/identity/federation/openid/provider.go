// Package openid lets people log in by OpenID Connect: with a provider or broker of the body's own,
// and with CIE and SPID as the national profile says.
package openid

import (
	"context"
	"crypto"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
)

const (
	// CallbackPath is where providers send people back.
	CallbackPath = "/federation/oidc/callback"
	// requestLife is how long a signed request is good.
	requestLife = 5 * time.Minute
	// assertionLife is how long a proof of who asks is good.
	assertionLife = time.Minute
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Deps are what providers are made of.
type Deps struct {
	Keys   *keyring.Federation
	Clock  clock.Clock
	Random io.Reader
	// PublicURL is the origin by which people reach this installation. It is its name in a
	// federation, too.
	PublicURL string
	// Allow are private networks in which the addresses may lie that are configured.
	Allow []netip.Prefix
	// Transport is how all providers are reached in tests; nil for the network.
	Transport http.RoundTripper
	Log       *slog.Logger
}

// provider is one way in. It implements federation.Provider.
type provider struct {
	settings Settings
	deps     Deps
	client   *http.Client
	about    *about
	// levels are those of the acr values.
	levels map[string]federation.Level
}

// About implements federation.Provider.
func (p *provider) About() federation.About {
	levels := make([]federation.Level, 0, len(p.levels))
	for level := range p.settings.Levels {
		if level >= federation.Lowest {
			levels = append(levels, level)
		}
	}
	slices.Sort(levels)
	return federation.About{
		ID: p.settings.ProviderID, Kind: federation.Kind(p.settings.Kind), Protocol: federation.OpenIDConnect,
		Method: session.LoginMethod(p.settings.LoginMethod), DisplayName: p.settings.DisplayName, LogoURI: p.settings.LogoURI,
		Levels: levels,
	}
}

// clientID is the installation's name at the provider.
func (p *provider) clientID() string {
	if p.settings.ClientID != "" {
		return p.settings.ClientID
	}
	return p.deps.PublicURL
}

func (p *provider) redirectURI() string { return p.deps.PublicURL + CallbackPath }

// config is the provider as the OAuth library knows it.
func (p *provider) config(m *metadata) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: p.clientID(), RedirectURL: p.redirectURI(), Scopes: p.settings.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
	if p.settings.Authentication.Method != byKey {
		c.ClientSecret = p.settings.Authentication.secret.Reveal()
	}
	if p.settings.Authentication.Method == byBasic {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return c
}

// Begin implements federation.Provider.
func (p *provider) Begin(ctx context.Context, a federation.Attempt) (federation.Departure, error) {
	m, err := p.about.get(ctx)
	if err != nil {
		return federation.Departure{}, err
	}
	acr, offered := p.settings.Levels[a.Level]
	if !offered {
		return federation.Departure{}, invalid("level is not offered")
	}
	if p.settings.national() {
		return p.beginNational(m, a, acr)
	}
	options := []oauth2.AuthCodeOption{
		oauth2.S256ChallengeOption(a.Verifier.Reveal()), oauth2.SetAuthURLParam("nonce", a.Nonce.Reveal()),
		oauth2.SetAuthURLParam("acr_values", acr),
	}
	if *p.settings.Prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", *p.settings.Prompt))
	}
	return federation.Departure{URL: p.config(m).AuthCodeURL(a.State.Reveal(), options...)}, nil
}

// beginNational makes a signed request. What must stand outside of it, too, says the profile.
func (p *provider) beginNational(m *metadata, a federation.Attempt, acr string) (federation.Departure, error) {
	now := p.deps.Clock.Now()
	id, err := uuid.NewRandomFromReader(p.deps.Random)
	if err != nil {
		return federation.Departure{}, err
	}
	challenge := oauth2.S256ChallengeFromVerifier(a.Verifier.Reveal())
	parameters := map[string]any{
		"iss": p.clientID(), "aud": []string{m.Issuer}, "iat": now.Unix(), "exp": now.Add(requestLife).Unix(), "jti": id.String(),
		"client_id": p.clientID(), "response_type": "code", "redirect_uri": p.redirectURI(), "scope": strings.Join(p.settings.Scopes, " "),
		"state": a.State.Reveal(), "nonce": a.Nonce.Reveal(), "code_challenge": challenge, "code_challenge_method": "S256",
		"acr_values": acr, "prompt": *p.settings.Prompt, "claims": p.claimsRequest(), "ui_locales": "it",
	}
	request, err := p.sign(parameters, "oauth-authz-req+jwt")
	if err != nil {
		return federation.Departure{}, err
	}
	u, err := url.Parse(m.Authorization)
	if err != nil {
		return federation.Departure{}, err
	}
	query := u.Query()
	for name, value := range map[string]string{
		"client_id": p.clientID(), "response_type": "code", "scope": strings.Join(p.settings.Scopes, " "),
		"code_challenge": challenge, "code_challenge_method": "S256", "request": request,
	} {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return federation.Departure{URL: u.String()}, nil
}

// claimsRequest asks for the claims (OpenID Connect Core 5.5). SPID gives them at its userinfo
// endpoint alone.
func (p *provider) claimsRequest() map[string]any {
	essential := func(names ...string) map[string]any {
		wanted := map[string]any{}
		for _, name := range names {
			wanted[name] = map[string]any{"essential": true}
		}
		return wanted
	}
	c := p.settings.Claims
	userinfo := essential(c.TaxCode[0], c.GivenName[0], c.FamilyName[0], c.BirthDate[0])
	for _, name := range []string{c.BirthPlace[0], c.Email[0], c.Mobile[0]} {
		userinfo[name] = nil
	}
	wanted := map[string]any{fromInfo: userinfo}
	if p.settings.Profile == CIE {
		wanted[fromID] = essential(c.GivenName[0], c.FamilyName[0])
	}
	return wanted
}

// sign makes a JWT with the key by which this installation asks.
func (p *provider) sign(claims map[string]any, typ jose.ContentType) (string, error) {
	return signWith(p.deps.Keys.Requests[0], claims, typ)
}

// signWith makes a JWT.
func signWith(key jose.JSONWebKey, claims any, typ jose.ContentType) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.Key.(crypto.Signer), KeyID: key.KeyID}},
		(&jose.SignerOptions{}).WithType(typ),
	)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// prove adds to a form what proves who asks, where that is no shared secret.
func (p *provider) prove(form url.Values, endpoint string) error {
	if p.settings.Authentication.Method != byKey {
		return nil
	}
	id, err := uuid.NewRandomFromReader(p.deps.Random)
	if err != nil {
		return err
	}
	now := p.deps.Clock.Now()
	assertion, err := p.sign(map[string]any{
		"iss": p.clientID(), "sub": p.clientID(), "aud": []string{endpoint}, "jti": id.String(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}, "JWT")
	if err != nil {
		return err
	}
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return nil
}
