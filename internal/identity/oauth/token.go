package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// The kinds of grant.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// lostAnswer is how long after its success a device may ask again without being taken for another.
const lostAnswer = time.Minute

// errRedeemed is that a code was used before.
var errRedeemed = errors.New("code used before")

// Exchange gives an application tokens for a code, a device code or a refresh token. What it does
// wrong it is told as a *Refusal. A code that is used a second time ends the consent that it was
// given for: somebody else holds a copy of it. So does a refresh token, unless it comes with the
// idempotency key of the first time, soon after. With a proof the tokens are bound to its key.
func (s *Service) Exchange(ctx context.Context, post Post) (Tokens, error) {
	form := post.Form
	if refusal := misformed(form); refusal != nil {
		return Tokens{}, refusal
	}
	app, err := s.authenticate(ctx, post)
	if err != nil {
		return Tokens{}, err
	}
	if refusal := s.checkResource(form); refusal != nil {
		return Tokens{}, refusal
	}
	bound, err := s.binding(ctx, app, post)
	if err != nil {
		return Tokens{}, err
	}
	switch parameter(form, "grant_type") {
	case grantCode:
		return s.redeemCode(ctx, app, form, bound)
	case grantDevice:
		return s.redeemDevice(ctx, app, form, bound)
	case grantRefresh:
		return s.refresh(ctx, app, post, bound)
	case "":
		return Tokens{}, refuse(invalidRequest, "grant_type is missing")
	default:
		return Tokens{}, refuse(unsupportedGrant, "grant_type is authorization_code, refresh_token or the one of device codes")
	}
}

// redeemCode gives the tokens for an authorization code.
func (s *Service) redeemCode(
	ctx context.Context, app application.Application, form url.Values, bound access.Binding,
) (Tokens, error) {
	code, verifier, redirectURI := parameter(form, "code"), parameter(form, "code_verifier"), parameter(form, "redirect_uri")
	switch {
	case code == "":
		return Tokens{}, refuse(invalidRequest, "code is missing")
	case verifier == "":
		return Tokens{}, refuse(invalidRequest, "code_verifier is missing: every client uses PKCE")
	case redirectURI == "":
		return Tokens{}, refuse(invalidRequest, "redirect_uri is missing: it is that of the authorization request")
	}
	f, found, err := s.repo.byCode(ctx, digest(secret.Text(code)))
	if err != nil {
		return Tokens{}, err
	}
	if err := s.countFor(ctx, app, f.of(app)); err != nil {
		return Tokens{}, err
	}
	wrong := refuse(invalidGrant, "the code is not known, expired, was used before, or is not for this client, redirect_uri and verifier")
	if !found {
		return Tokens{}, wrong
	}
	if f.RedeemedAt != nil {
		return Tokens{}, s.reused(ctx, f, wrong)
	}
	if f.ApplicationID != app.ID || *f.RedirectURI != redirectURI || !verifies(verifier, *f.CodeChallenge) ||
		!s.run.Clock.Now().Before(*f.CodeExpiresAt) {
		return Tokens{}, wrong
	}
	if f.Key != nil && *f.Key != bound.Key {
		return Tokens{}, refuse(invalidGrant, "the code is bound to a key, of which the request has no proof")
	}
	return s.issue(ctx, app, f, bound, wrong)
}

// of returns the id of a flow that is the application's, and of any other none.
func (r row) of(app application.Application) uuid.UUID {
	if r.ApplicationID != app.ID {
		return uuid.Nil
	}
	return r.ID
}

// verifies reports whether a code verifier (RFC 7636) is that of the challenge.
func verifies(verifier, challenge string) bool {
	const shortest, longest = 43, 128
	if len(verifier) < shortest || len(verifier) > longest {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// redeemDevice answers a device that asks whether somebody let it in.
func (s *Service) redeemDevice(
	ctx context.Context, app application.Application, form url.Values, bound access.Binding,
) (Tokens, error) {
	code := parameter(form, "device_code")
	if code == "" {
		return Tokens{}, refuse(invalidRequest, "device_code is missing")
	}
	f, found, err := s.repo.byDevice(ctx, digest(secret.Text(code)))
	if err != nil {
		return Tokens{}, err
	}
	wrong := refuse(invalidGrant, "the device_code is not known, was used before, or is not for this client")
	// It asks again and again, and others beside it do.
	if err := s.countFor(ctx, app, f.of(app)); err != nil {
		return Tokens{}, err
	}
	now := s.run.Clock.Now()
	switch {
	case !found || f.ApplicationID != app.ID:
		return Tokens{}, wrong
	case f.RedeemedAt != nil && now.Before(f.RedeemedAt.Add(lostAnswer)):
		// A device whose answer was lost asks again (RFC 8628 section 3.5): it begins anew.
		return Tokens{}, wrong
	case f.RedeemedAt != nil:
		return Tokens{}, s.reused(ctx, f, wrong)
	case f.State == stateDenied:
		return Tokens{}, refuse(accessDenied, "the person did not let the application in")
	case f.State == stateApproved && now.Before(*f.CodeExpiresAt):
		return s.issue(ctx, app, f, bound, wrong)
	case f.State == stateApproved || !now.Before(f.ExpiresAt):
		return Tokens{}, refuse(expiredToken, "the device_code has expired: begin again")
	}
	return Tokens{}, s.wait(ctx, f, now)
}

// wait tells a device to ask again later. One that asks too soon waits longer from then on.
func (s *Service) wait(ctx context.Context, f row, now time.Time) error {
	// What is on its way for a moment longer than before does not make a device too early.
	const tolerance = time.Second
	interval := time.Duration(f.PollInterval) * time.Second
	refusal := refuse(authorizationPending, "nobody has let the application in yet")
	if f.PollAfter != nil && now.Before(*f.PollAfter) {
		interval += PollInterval
		refusal = refuse(slowDown, "the application asks too often: wait five seconds longer each time")
	}
	if err := s.repo.poll(ctx, f.ID, int(interval/time.Second), now.Add(interval-tolerance)); err != nil {
		return err
	}
	return refusal
}

// reused ends the consent of a code that is used again.
func (s *Service) reused(ctx context.Context, f row, wrong *Refusal) error {
	if err := s.end(named(ctx, opIssue), *f.ConsentID, consent.EndedCodeReused); err != nil {
		return err
	}
	return wrong
}

// issue uses a flow's code up and opens the session of its grant.
//
// Lock order: the flow's name, flow, what session.Service.OpenGrant locks.
func (s *Service) issue(
	ctx context.Context, app application.Application, f row, bound access.Binding, wrong *Refusal,
) (Tokens, error) {
	ctx = named(ctx, opIssue)
	var tokens session.GrantTokens
	var detail *Detail
	err := s.run.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.lock(ctx, f.ID); err != nil {
			return err
		}
		now := s.run.Clock.Now()
		first, err := s.repo.redeem(ctx, f.ID, now)
		if err != nil {
			return err
		}
		if !first {
			return errRedeemed
		}
		given, named, found, err := s.repo.consent(ctx, *f.ConsentID, now)
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.SessionEnded)
		}
		offline := slices.Contains(f.Scopes, access.ScopeOfflineAccess)
		ends := given.ExpiresAt
		if online := now.Add(session.OnlineGrant); !offline && online.Before(ends) {
			ends = online
		}
		detail = &Detail{Contributors: named, Services: given.Services}
		tokens, err = s.sessions.OpenGrant(ctx, session.Grant{
			ConsentID: *f.ConsentID, ApplicationID: app.ID, PersonID: *f.PersonID, ClientID: app.ClientID, Scopes: f.Scopes,
			ExpiresAt: ends, Refreshable: offline, Binding: bound, BindRefresh: app.AuthMethod == application.NoAuth,
		})
		if err != nil {
			return err
		}
		trace := operation.Trace{SubjectKind: "session", SubjectID: tokens.SessionID.String()}
		return s.run.Trail.Write(ctx, trace.Record(ctx, access.Actor{
			PersonID: *f.PersonID, SessionID: tokens.SessionID, Login: tokens.Login,
			Grant: &access.Grant{ConsentID: *f.ConsentID, ApplicationID: app.ID, ClientID: app.ClientID},
		}, s.run.Clock))
	})
	switch {
	case errors.Is(err, errRedeemed):
		return Tokens{}, s.reused(ctx, f, wrong)
	case isEnd(err):
		return Tokens{}, wrong
	case err != nil:
		return Tokens{}, err
	}
	return handed(tokens, detail), nil
}

// refresh gives the next tokens of a grant. They may be for less than before, never for more.
func (s *Service) refresh(ctx context.Context, app application.Application, post Post, bound access.Binding) (Tokens, error) {
	token := parameter(post.Form, "refresh_token")
	if token == "" {
		return Tokens{}, refuse(invalidRequest, "refresh_token is missing")
	}
	// Only the token that is good now proves a grant: an older one is in too many hands to spend what
	// the grant may send, and each of one's own would bring a rate of its own.
	tokens, err := s.sessions.RenewGrant(named(ctx, opRefresh), session.Renewal{
		Refresh: secret.Text(token), ClientID: app.ClientID, Scopes: strings.Fields(parameter(post.Form, "scope")),
		IdempotencyKey: post.IdempotencyKey, Binding: bound, Admit: s.count,
	})
	switch {
	case isEnd(err):
		if err := s.countFor(ctx, app, uuid.Nil); err != nil {
			return Tokens{}, err
		}
		return Tokens{}, refuse(
			invalidGrant, "the refresh_token is not known, was used before, is for another client or key, or its grant has ended")
	case fault.Is(err, fault.Forbidden):
		return Tokens{}, refuse(invalidScope, "a scope is not one that was granted")
	case err != nil:
		return Tokens{}, err
	}
	return handed(tokens, s.detail(ctx, tokens.ConsentID)), nil
}

// detail is what a consent gives; nil where it cannot be told.
func (s *Service) detail(ctx context.Context, consentID uuid.UUID) *Detail {
	given, named, found, err := s.repo.consent(ctx, consentID, s.run.Clock.Now())
	if err != nil || !found {
		return nil
	}
	return &Detail{Contributors: named, Services: given.Services}
}

// isEnd reports whether an error says that a grant is not, or no longer, there.
func isEnd(err error) bool {
	return slices.ContainsFunc([]fault.Code{fault.Unauthenticated, fault.SessionEnded, fault.NotFound}, func(code fault.Code) bool {
		return fault.Is(err, code)
	})
}

func handed(t session.GrantTokens, granted *Detail) Tokens {
	return Tokens{
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, ExpiresIn: t.ExpiresIn, Scopes: t.Scopes,
		Binding: t.Binding, Granted: granted,
	}
}
