package openid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/secret"
)

const (
	// maxCode is how long a code may be, in bytes.
	maxCode = 4096
	// clockSkew is by how much the provider's clock may be ahead.
	clockSkew = time.Minute
	// oldToken is how old an ID token may be that was asked for just now.
	oldToken = 10 * time.Minute
	// revokeTimeout is how long the end of an access token is waited for.
	revokeTimeout = 3 * time.Second
)

// nationalError is how providers number what went wrong.
var nationalError = regexp.MustCompile(`(?i)ErrorCode nr\s?0?(\d{1,2})\b`)

// Finish implements federation.Provider.
func (p *provider) Finish(ctx context.Context, a federation.Attempt, answer url.Values) (federation.Claims, error) {
	m, err := p.about.get(ctx)
	if err != nil {
		return federation.Claims{}, err
	}
	code, err := p.code(m, a, answer)
	if err != nil {
		return federation.Claims{}, err
	}
	token, err := p.exchange(ctx, m, a, code)
	if err != nil {
		return federation.Claims{}, err
	}
	id, level, err := p.verifyID(ctx, m, a, token)
	if err != nil {
		return federation.Claims{}, err
	}
	said := map[string]any{}
	if id.Claims(&said) != nil {
		return federation.Claims{}, invalid("ID token cannot be read")
	}
	if p.settings.Source == fromInfo {
		said, err = p.userinfo(ctx, m, id.Subject, token.AccessToken)
		p.revoke(ctx, m, token.AccessToken)
		if err != nil {
			return federation.Claims{}, err
		}
	}
	claims, err := p.settings.read(said)
	claims.Level = level
	seen := sha256.Sum256([]byte(m.Issuer + " " + code.Reveal()))
	claims.Once = []string{"openid " + base64.RawURLEncoding.EncodeToString(seen[:])}
	return claims, err
}

// code reads the answer that the browser brought.
func (p *provider) code(m *metadata, a federation.Attempt, answer url.Values) (secret.Text, error) {
	for _, values := range answer {
		if len(values) != 1 {
			return "", invalid("answer names a parameter twice")
		}
	}
	if answer.Get("state") != a.State.Reveal() {
		return "", invalid("answer has another state")
	}
	// Whoever another provider sent must not be taken for this one's (RFC 9207).
	from := answer.Get("iss")
	if from != "" && from != m.Issuer {
		return "", invalid("answer is from another issuer")
	}
	if from == "" && (m.NamesItself || p.settings.Profile == CIE) {
		return "", invalid("answer does not say who it is from")
	}
	if failed := answer.Get("error"); failed != "" {
		return "", declined(failed, answer.Get("error_description"))
	}
	code := answer.Get("code")
	if code == "" || len(code) > maxCode {
		return "", invalid("answer has no code")
	}
	return secret.Text(code), nil
}

// declined says what an error of the provider means.
func declined(code, description string) error {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"unmet_authentication_requirements":
		refusal := &federation.Refusal{Outcome: federation.Denied, Rule: "provider denies: " + code}
		if found := nationalError.FindStringSubmatch(description); found != nil {
			if n, err := strconv.Atoi(found[1]); err == nil && (n >= 19 && n <= 25 || n == 30) {
				refusal.Number = n
			}
		}
		return refusal
	case "temporarily_unavailable", "server_error":
		return unavailable("provider says it is unavailable")
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_request_object",
		"request_not_supported", "invalid_client", "invalid_trust_chain", "invalid_issuer", "invalid_metadata":
		return invalid("provider refuses the request: " + code)
	}
	return invalid("provider answers with an unknown error")
}

// exchange takes the code to the provider.
func (p *provider) exchange(ctx context.Context, m *metadata, a federation.Attempt, code secret.Text) (*oauth2.Token, error) {
	proof := url.Values{}
	if err := p.prove(proof, m.Token); err != nil {
		return nil, err
	}
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(a.Verifier.Reveal())}
	for name := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, proof.Get(name)))
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.client)
	token, err := p.config(m).Exchange(ctx, code.Reveal(), options...)
	var refused *oauth2.RetrieveError
	switch {
	case err == nil && token.AccessToken != "":
		return token, nil
	case errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError &&
		refused.Response.StatusCode != http.StatusTooManyRequests:
		// What it says further could hold the code.
		return nil, invalid("token endpoint refuses the code")
	case errors.As(err, &refused):
		return nil, unavailable("token endpoint fails")
	}
	var network *url.Error
	if errors.As(err, &network) {
		return nil, unavailable("token endpoint cannot be reached")
	}
	return nil, invalid("token endpoint's answer cannot be read")
}

// verifyID verifies an ID token (OpenID Connect Core 3.1.3.7) and returns the level that was
// reached.
func (p *provider) verifyID(
	ctx context.Context, m *metadata, a federation.Attempt, token *oauth2.Token,
) (*oidc.IDToken, federation.Level, error) {
	no := func(rule string) (*oidc.IDToken, federation.Level, error) { return nil, 0, invalid(rule) }
	raw, isText := token.Extra("id_token").(string)
	if !isText || raw == "" {
		return no("there is no ID token")
	}
	now := p.deps.Clock.Now()
	id, err := oidc.NewVerifier(m.Issuer, m.verifying, &oidc.Config{
		ClientID: p.clientID(), SupportedSigningAlgs: p.settings.Algorithms, Now: func() time.Time { return now },
	}).Verify(oidc.ClientContext(ctx, p.client), raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return no("ID token is expired")
	case err != nil:
		return no("ID token's signature, issuer or audience is wrong")
	case id.Subject == "":
		return no("ID token has no subject")
	case id.Nonce == "" || id.Nonce != a.Nonce.Reveal():
		return no("ID token has another nonce")
	case id.IssuedAt.After(now.Add(clockSkew)) || id.IssuedAt.Before(now.Add(-oldToken)):
		return no("ID token was not issued just now")
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return no("ID token is for another access token")
	}
	var more struct {
		AuthorizedParty string `json:"azp"`
		ACR             string `json:"acr"`
	}
	if id.Claims(&more) != nil {
		return no("ID token cannot be read")
	}
	if more.AuthorizedParty != "" && more.AuthorizedParty != p.clientID() || len(id.Audience) > 1 && more.AuthorizedParty == "" {
		return no("ID token is for another party")
	}
	level, known := p.levels[more.ACR]
	if !known {
		return no("ID token tells no level")
	}
	if level < a.Level {
		return no("level is lower than asked")
	}
	return id, level, nil
}

// userinfo asks the provider about the person, who is the one of the ID token.
func (p *provider) userinfo(ctx context.Context, m *metadata, subject, accessToken string) (map[string]any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Userinfo, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	request.Header.Set("Accept", "application/json, application/jwt, application/jose")
	body, contentType, err := send(p.client, request)
	if errors.Is(err, errUnreached) {
		return nil, unavailable("userinfo cannot be had")
	}
	if err != nil {
		return nil, invalid("userinfo is refused")
	}
	payload, err := p.open(ctx, m, body, contentType)
	if err != nil {
		return nil, err
	}
	said := map[string]any{}
	if json.Unmarshal(payload, &said) != nil {
		return nil, invalid("userinfo cannot be read")
	}
	if said["sub"] != subject {
		return nil, invalid("userinfo is about another subject")
	}
	return said, nil
}

// revoke ends the access token: it has done what it was for. A provider that does not do so ends it
// by itself soon.
func (p *provider) revoke(ctx context.Context, m *metadata, accessToken string) {
	if m.Revocation == "" {
		return
	}
	form := url.Values{"token": {accessToken}, "token_type_hint": {"access_token"}, "client_id": {p.clientID()}}
	if p.prove(form, m.Revocation) != nil {
		return
	}
	authentication := p.settings.Authentication
	if authentication.Method == byPost {
		form.Set("client_secret", authentication.secret.Reveal())
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authentication.Method == byBasic {
		request.SetBasicAuth(url.QueryEscape(p.clientID()), url.QueryEscape(authentication.secret.Reveal()))
	}
	if _, _, err := send(p.client, request); err != nil {
		p.deps.Log.WarnContext(ctx, "an access token of an identity provider was not revoked", "provider", p.settings.ProviderID)
	}
}
