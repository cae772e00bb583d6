package idp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Places of the OpenID provider, below its address.
const (
	DiscoveryPath = OpenIDPath + "/.well-known/openid-configuration"
	KeysPath      = OpenIDPath + "/jwks"
	AuthorizePath = OpenIDPath + "/authorize"
	TokenPath     = OpenIDPath + "/token"
	UserinfoPath  = OpenIDPath + "/userinfo"
)

const (
	// claimPrefix is the namespace of the national claims.
	claimPrefix = "https://attributes.eid.gov.it/"
	keyID       = "sandbox"
	// challengeLength is how long a PKCE challenge by S256 is.
	challengeLength = 43
)

// authorization is a request of OpenID Connect.
type authorization struct {
	client                  string
	state, nonce, challenge string
}

// grant is what a code or a token stands for.
type grant struct {
	authorization
	choice Choice
	at     time.Time
}

// ProtocolError is a refusal in the words of OAuth 2.0.
type ProtocolError struct {
	Status      int
	Code        string
	Description string
}

// Error implements error.
func (e *ProtocolError) Error() string { return e.Code + ": " + e.Description }

// Issuer is the name of the OpenID provider.
func (p *Provider) Issuer() string { return p.at(OpenIDPath) }

// Discovery returns what clients read of the provider.
func (p *Provider) Discovery() map[string]any {
	classes := make([]string, 0, highest)
	for level := lowest; level <= highest; level++ {
		classes = append(classes, class(level))
	}
	return map[string]any{
		"issuer": p.Issuer(), "authorization_endpoint": p.at(AuthorizePath), "token_endpoint": p.at(TokenPath),
		"userinfo_endpoint": p.at(UserinfoPath), "jwks_uri": p.at(KeysPath),
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code"},
		"subject_types_supported": []string{"pairwise"}, "id_token_signing_alg_values_supported": []string{string(jose.RS256)},
		"scopes_supported": []string{"openid", "profile", "email"}, "acr_values_supported": classes,
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":      []string{"S256"}, "authorization_response_iss_parameter_supported": true,
	}
}

// PublicKeys returns the key that ID tokens are verified with.
func (p *Provider) PublicKeys() any {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: p.Key.Public(), KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"},
	}}
}

// ReadOpenID takes a request for authentication and returns the name under which it waits. What it
// does not take is an *Invalid.
func (p *Provider) ReadOpenID(query url.Values) (string, error) {
	for name, values := range query {
		if len(values) > 1 {
			return "", &Invalid{name + " is repeated"}
		}
	}
	a := authorization{
		client: query.Get("client_id"), state: query.Get("state"), nonce: query.Get("nonce"), challenge: query.Get("code_challenge"),
	}
	client, known := p.client(a.client)
	level := asked
	if wanted := strings.Fields(query.Get("acr_values")); len(wanted) > 0 {
		levels := make([]int, len(wanted))
		for i, acr := range wanted {
			levels[i] = levelOf(acr)
		}
		level = slices.Min(levels)
	}
	switch {
	case !known:
		return "", &Invalid{"client_id is not known"}
	case query.Get("redirect_uri") != p.RedirectURI:
		return "", &Invalid{"redirect_uri is not the registered one"}
	case query.Get("response_type") != "code":
		return "", &Invalid{"response_type is not code"}
	case !slices.Contains(strings.Fields(query.Get("scope")), "openid"):
		return "", &Invalid{"scope has no openid"}
	case query.Get("code_challenge_method") != "S256" || len(a.challenge) != challengeLength:
		return "", &Invalid{"code_challenge is missing, or not by S256"}
	case a.state == "" || a.nonce == "":
		return "", &Invalid{"state or nonce is missing"}
	case level == 0:
		return "", &Invalid{"acr_values names no level of SPID"}
	}
	return p.requests.put(Request{Provider: client.Name, Level: level, openid: &a})
}

func (p *Provider) client(id string) (Client, bool) {
	i := slices.IndexFunc(p.Clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return p.Clients[i], true
}

// answerOpenID makes the redirect that ends a request.
func (p *Provider) answerOpenID(a authorization, choice Choice) (Answer, error) {
	query := url.Values{"state": {a.state}, "iss": {p.Issuer()}}
	if number := choice.Outcome.Number(); number > 0 {
		query.Set("error", "access_denied")
		query.Set("error_description", fmt.Sprintf("ErrorCode nr%d", number))
	} else {
		code, err := p.codes.put(grant{authorization: a, choice: choice, at: p.Clock.Now()})
		if err != nil {
			return Answer{}, err
		}
		query.Set("code", code)
	}
	return Answer{URL: p.RedirectURI + "?" + query.Encode()}, nil
}

// Token exchanges a code, once. The client proves who it is by its secret, in the header or in the
// form. What it does not take is a *ProtocolError.
func (p *Provider) Token(r *http.Request) (map[string]any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, &ProtocolError{http.StatusBadRequest, "invalid_request", "the body is not a form"}
	}
	id, given, basic := r.BasicAuth()
	if basic {
		// What stands there is encoded as in a form (RFC 6749 section 2.3.1).
		id, given = unescaped(id), unescaped(given)
	} else {
		id, given = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	client, known := p.client(id)
	if !known || subtle.ConstantTimeCompare([]byte(given), []byte(client.Secret.Reveal())) != 1 {
		return nil, &ProtocolError{http.StatusUnauthorized, "invalid_client", "the client or its secret is not known"}
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		return nil, &ProtocolError{http.StatusBadRequest, "unsupported_grant_type", "only authorization_code is taken"}
	}
	g, found := p.codes.take(r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !found || g.client != id || r.PostForm.Get("redirect_uri") != p.RedirectURI ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		return nil, &ProtocolError{http.StatusBadRequest, "invalid_grant", "the code is over, or was given to another request"}
	}
	if g.choice.Outcome == Down {
		return nil, ErrDown
	}
	token, err := p.tokens.put(g)
	if err != nil {
		return nil, err
	}
	signed, err := p.idToken(g, token)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(codeFor / time.Second), "id_token": signed,
	}, nil
}

// unescaped reads what is encoded as in a form; what is not encoded so is left as it is.
func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// idToken says who logged in, and how.
func (p *Provider) idToken(g grant, token string) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.Key, KeyID: keyID}}, (&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return "", err
	}
	now, sum := p.Clock.Now(), sha256.Sum256([]byte(token))
	all := map[string]any{
		"iss": p.Issuer(), "aud": g.client, "iat": now.Unix(), "exp": now.Add(codeFor).Unix(), "auth_time": g.at.Unix(), "nonce": g.nonce,
		"acr": class(g.choice.Level), "at_hash": base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]),
	}
	maps.Copy(all, p.claims(g))
	return jwt.Signed(signer).Claims(all).Serialize()
}

// Userinfo returns what is told of the person for whom a token was made.
func (p *Provider) Userinfo(token string) (map[string]any, error) {
	g, found := p.tokens.get(token)
	if !found {
		return nil, &ProtocolError{http.StatusUnauthorized, "invalid_token", "the token is over"}
	}
	return p.claims(g), nil
}

// claims are what is told of a person. Each client knows the person by another subject.
func (p *Provider) claims(g grant) map[string]any {
	of := g.choice.Person
	subject := hmac.New(sha256.New, []byte(g.client))
	subject.Write([]byte(of.TaxCode))
	told := map[string]any{
		"sub": hex.EncodeToString(subject.Sum(nil)), "given_name": of.GivenName, "family_name": of.FamilyName, "birthdate": of.BirthDate,
		"place_of_birth": map[string]any{"locality": of.BirthPlace, "country": "IT"}, claimPrefix + "fiscal_number": "TINIT-" + of.TaxCode,
	}
	for name, value := range map[string]string{"email": of.Email, "phone_number": of.Mobile} {
		if value != "" {
			told[name] = value
		}
	}
	return told
}

// inBase64 encodes as forms carry it.
func inBase64(text []byte) string { return base64.StdEncoding.EncodeToString(text) }
