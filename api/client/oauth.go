package client

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"golang.org/x/oauth2"
)

// AppConfig is what an application knows of itself, as it was registered.
type AppConfig struct {
	// Issuer is the address of the service, such as https://diresco.example.
	Issuer   string
	ClientID string
	// RedirectURL is where people come back to; the device flow needs none.
	RedirectURL string
	Scopes      []string
	// Key is the private key of a confidential application, with its KeyID: EC with P-256, or RSA.
	Key *jose.JSONWebKey
	// HTTP sends the requests; http.DefaultClient if nil.
	HTTP *http.Client
}

// App is an application that people let in. It never sees a PIN.
type App struct {
	oauth    oauth2.Config
	metadata serverMetadata
	http     *http.Client
}

// serverMetadata is what the service says of itself (RFC 8414).
type serverMetadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	PushEndpoint          string `json:"pushed_authorization_request_endpoint"`
	DeviceEndpoint        string `json:"device_authorization_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
}

// Discover reads where the service takes what, and returns the application.
func Discover(ctx context.Context, c AppConfig) (*App, error) {
	base := c.HTTP
	if base == nil {
		base = http.DefaultClient
	}
	issuer := strings.TrimSuffix(c.Issuer, "/")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return nil, err
	}
	d := doer{Options: Options{HTTP: base}.withDefaults()}
	answer, err := d.send(r) //nolint:bodyclose // by who reads it
	if err != nil {
		return nil, fmt.Errorf("metadata of %s: %w", issuer, err)
	}
	a := &App{}
	if err := readJSON(answer, &a.metadata); err != nil {
		return nil, fmt.Errorf("metadata of %s: %w", issuer, err)
	}
	if a.metadata.Issuer != issuer {
		return nil, fmt.Errorf("metadata of %s name another issuer, %s", issuer, a.metadata.Issuer)
	}
	sender := *base
	sender.Transport = &tokenTransport{base: base.Transport, clientID: c.ClientID, audience: issuer, key: c.Key, wait: wait}
	a.http = &sender
	a.oauth = oauth2.Config{
		ClientID: c.ClientID, RedirectURL: c.RedirectURL, Scopes: c.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: a.metadata.AuthorizationEndpoint, TokenURL: a.metadata.TokenEndpoint, DeviceAuthURL: a.metadata.DeviceEndpoint,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	return a, nil
}

// Access limits what a person is asked for (RFC 9396): to some contributors, to some services. What
// is empty is not limited.
type Access struct {
	Contributors []uuid.UUID
	Services     []string
}

// Authorization is a request for access on its way. Keep it where the person comes back to, such as
// the browser's session, and send the person to URL.
type Authorization struct {
	URL      string `json:"url"`
	State    string `json:"state"`
	Verifier string `json:"verifier"`
}

// Authorize begins the login of a person in a browser: the request is pushed to the service (RFC
// 9126), with PKCE, so that nothing of it stands in the address. Each limit is optional.
func (a *App) Authorize(ctx context.Context, limits ...Access) (*Authorization, error) {
	auth := &Authorization{State: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	form := url.Values{
		"client_id": {a.oauth.ClientID}, "response_type": {"code"}, "redirect_uri": {a.oauth.RedirectURL}, "state": {auth.State},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(auth.Verifier)}, "code_challenge_method": {"S256"},
	}
	if len(a.oauth.Scopes) > 0 {
		form.Set("scope", strings.Join(a.oauth.Scopes, " "))
	}
	if len(limits) > 0 {
		details, err := json.Marshal(detailsOf(limits))
		if err != nil {
			return nil, err
		}
		form.Set("authorization_details", string(details))
	}
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	if err := a.post(ctx, a.metadata.PushEndpoint, form, &pushed); err != nil {
		return nil, err
	}
	auth.URL = a.metadata.AuthorizationEndpoint + "?" + url.Values{
		"client_id": {a.oauth.ClientID}, "request_uri": {pushed.RequestURI},
	}.Encode()
	return auth, nil
}

func detailsOf(limits []Access) []any {
	details := make([]any, len(limits))
	for i, limit := range limits {
		detail := map[string]any{"type": "diresco_access", "contributors": "all"}
		if len(limit.Contributors) > 0 {
			detail["contributors"] = limit.Contributors
		}
		if len(limit.Services) > 0 {
			detail["services"] = limit.Services
		}
		details[i] = detail
	}
	return details
}

// Exchange ends the login: it takes the parameters with which the person came back, and returns the
// first tokens. It returns an *oauth2.RetrieveError where the person, or the service, said no;
// "access_denied" is the person's.
func (a *App) Exchange(ctx context.Context, auth *Authorization, back url.Values) (*oauth2.Token, error) {
	switch {
	case subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(auth.State)) != 1:
		return nil, errors.New("the answer is not to this login: another state")
	case back.Get("iss") != a.metadata.Issuer:
		return nil, errors.New("the answer is not from this service: another iss")
	case back.Get("error") != "":
		return nil, &oauth2.RetrieveError{ErrorCode: back.Get("error"), ErrorDescription: back.Get("error_description")}
	}
	return a.oauth.Exchange(a.context(ctx), back.Get("code"), oauth2.VerifierOption(auth.Verifier))
}

// StartDevice begins the login of a person elsewhere: show them VerificationURI and UserCode.
func (a *App) StartDevice(ctx context.Context) (*oauth2.DeviceAuthResponse, error) {
	return a.oauth.DeviceAuth(a.context(ctx))
}

// WaitForDevice returns the first tokens once the person has let the application in, and an
// *oauth2.RetrieveError if they did not, or not in time.
func (a *App) WaitForDevice(ctx context.Context, device *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	return a.oauth.DeviceAccessToken(a.context(ctx), device)
}

// Revoke ends what a person let the application do (RFC 7009). It takes a refresh or access token.
func (a *App) Revoke(ctx context.Context, token string) error {
	return a.post(ctx, a.metadata.RevocationEndpoint, url.Values{"client_id": {a.oauth.ClientID}, "token": {token}}, nil)
}

// context carries the client that proves who the application is.
func (a *App) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, a.http)
}

// post sends a form to the service and reads the answer.
func (a *App) post(ctx context.Context, to string, form url.Values, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", formType)
	answer, err := a.http.Do(r) //nolint:bodyclose // by who reads it
	if err != nil {
		return err
	}
	if answer.StatusCode < http.StatusBadRequest {
		return readJSON(answer, into)
	}
	var refused struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := readJSON(answer, &refused); err != nil || refused.Code == "" {
		return &AnswerError{Status: answer.StatusCode, RetryAfter: retryAfter(answer.Header)}
	}
	return &oauth2.RetrieveError{Response: answer, ErrorCode: refused.Code, ErrorDescription: refused.Description}
}

// readJSON reads an answer and closes it. Into nil, only the latter.
func readJSON(answer *http.Response, into any) error {
	defer func() { _ = answer.Body.Close() }()
	if into == nil {
		return nil
	}
	const longest = 1 << 20
	return json.NewDecoder(io.LimitReader(answer.Body, longest)).Decode(into)
}
