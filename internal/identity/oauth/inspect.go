package oauth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
)

// Inspection is what there is to know about a token (RFC 7662).
type Inspection struct {
	// Active is false for everything that is no live token of the application that asks; then there
	// is nothing else.
	Active    bool
	ClientID  string
	PersonID  uuid.UUID
	Scopes    []string
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Audience is the API that the token is for.
	Audience string
	// Access says that it is an access token.
	Access bool
	// Binding is what the access token is bound to.
	Binding access.Binding
}

// Inspect tells a confidential application about a token of its own. Of others' tokens it learns
// nothing, not even that there are such.
func (s *Service) Inspect(ctx context.Context, post Post) (Inspection, error) {
	app, token, err := s.tokenOf(ctx, post)
	if err != nil {
		return Inspection{}, err
	}
	if app.AuthMethod == application.NoAuth {
		// Whoever finds a token could ask.
		return Inspection{}, UnknownClient()
	}
	claims, isAccess, found, err := s.claims(ctx, token, s.sessions.InspectRefresh)
	if err != nil || !found || claims.ClientID != app.ClientID {
		return Inspection{}, err
	}
	return Inspection{
		Active: true, ClientID: claims.ClientID, PersonID: claims.PersonID, Scopes: claims.Scopes, IssuedAt: claims.IssuedAt,
		ExpiresAt: claims.ExpiresAt, Audience: s.audience(), Access: isAccess, Binding: claims.Binding,
	}, nil
}

// Revoke ends the grant that a token of the application belongs to, with the consent (RFC 7009). A
// refresh token that was replaced since will do: the program may not know of the next one, which
// somebody else has. For a text that is no token there is nothing to do, which is no error.
func (s *Service) Revoke(ctx context.Context, post Post) error {
	app, token, err := s.tokenOf(ctx, post)
	if err != nil {
		return err
	}
	claims, _, found, err := s.claims(ctx, token, s.sessions.GrantOf)
	if err != nil || !found {
		return err
	}
	if claims.ClientID != app.ClientID {
		return refuse(unauthorizedClient, "the token is another client's")
	}
	consentID, err := s.repo.consentOf(ctx, claims.SessionID)
	if err != nil {
		return err
	}
	return s.end(named(ctx, opRevoke), consentID, consent.EndedTokenRevoked)
}

// tokenOf returns who asks, and about which token.
func (s *Service) tokenOf(ctx context.Context, post Post) (application.Application, secret.Text, error) {
	form := post.Form
	if refusal := misformed(form); refusal != nil {
		return application.Application{}, "", refusal
	}
	app, err := s.counted(ctx, post)
	if err != nil {
		return app, "", err
	}
	token := parameter(form, "token")
	if token == "" {
		return app, "", refuse(invalidRequest, "token is missing")
	}
	return app, secret.Text(token), nil
}

// claims returns what a token of a live grant says; of any other text there is nothing to say.
func (s *Service) claims(
	ctx context.Context, token secret.Text, refresh func(context.Context, secret.Text) (session.Claims, error),
) (claims session.Claims, isAccess, found bool, err error) {
	claims, err = refresh(ctx, token)
	if isEnd(err) {
		isAccess = true
		claims, err = s.sessions.InspectAccess(ctx, token)
	}
	if isEnd(err) {
		return session.Claims{}, false, false, nil
	}
	return claims, isAccess, err == nil, err
}
