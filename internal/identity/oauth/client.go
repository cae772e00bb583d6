package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// maxAssertion is how many bytes an assertion has, maxAssertionID its id.
	maxAssertion   = 8 << 10
	maxAssertionID = 256
	// AssertionLife is how far ahead an assertion may expire.
	AssertionLife = 5 * time.Minute
	// assertionSkew is by how much the application's clock may differ from ours.
	assertionSkew = 30 * time.Second
)

// assertionMethods are how an assertion may be signed. Each key is good for one of them alone, so
// none can be taken for another's.
var assertionMethods = []string{jwt.SigningMethodES256.Alg(), jwt.SigningMethodRS256.Alg()}

// errKeysAway is that nobody can tell now which keys an application has: its own server does not
// answer, or was asked a moment ago.
var errKeysAway = errors.New("keys not to be had")

// errAssertion is why an assertion is not looked at; nobody is told.
var errAssertion = errors.New("assertion refused")

// authenticate returns the application that sent the form. A public one says who it is, a
// confidential one proves it by an assertion (RFC 7523) or a certificate (RFC 8705). Who is not
// known and who cannot prove it get one answer, which counts against the address; after many an
// address must wait. It does not count where the keys are not to be had: that is no guess.
func (s *Service) authenticate(ctx context.Context, post Post) (application.Application, error) {
	address := audit.OriginOf(ctx).Address
	if err := s.clients.Check(ctx, address); err != nil {
		var limited *fault.Fault
		if errors.As(err, &limited) && limited.Code == fault.RateLimited {
			refusal := refuse(temporarilyUnavailable, "too many clients from this address did not prove who they are")
			refusal.Status, refusal.RetryAfter = http.StatusTooManyRequests, limited.RetryAfter
			return application.Application{}, refusal
		}
		return application.Application{}, err
	}
	app, err := s.identify(ctx, post)
	switch {
	case errors.Is(err, errKeysAway):
		return application.Application{}, UnknownClient()
	case err == nil || !errors.Is(err, errAssertion):
		return app, err
	}
	if err := s.run.DB.InTx(ctx, func(ctx context.Context) error { return s.clients.Record(ctx, address) }); err != nil {
		return application.Application{}, err
	}
	return application.Application{}, UnknownClient()
}

// counted is authenticate, and counts what is sent for an application that proved who it is.
func (s *Service) counted(ctx context.Context, post Post) (application.Application, error) {
	app, err := s.authenticate(ctx, post)
	if err != nil {
		return app, err
	}
	return app, s.countFor(ctx, app, uuid.Nil)
}

// countFor counts what is sent for the flow or grant whose secret came with it: one application has
// many. Without one it counts for the application, if that proved who it is.
func (s *Service) countFor(ctx context.Context, app application.Application, id uuid.UUID) error {
	switch {
	case id != uuid.Nil:
		return s.count(ctx, id)
	case app.AuthMethod != application.NoAuth:
		return s.count(ctx, app.ID)
	}
	return nil
}

// identify returns the application that sent the form, or errAssertion.
func (s *Service) identify(ctx context.Context, post Post) (application.Application, error) {
	form := post.Form
	text, id := parameter(form, "client_assertion"), parameter(form, "client_id")
	if parameter(form, "client_secret") != "" || (text == "") != (parameter(form, "client_assertion_type") == "") {
		return application.Application{}, errAssertion
	}
	if text == "" {
		app, err := s.client(ctx, id)
		switch {
		case err != nil || app.AuthMethod == application.NoAuth:
		case app.AuthMethod == application.SelfSignedTLS:
			err = s.certified(ctx, app, post.Certificate)
		case app.AuthMethod == application.TLS:
			err = s.vouchedFor(ctx, app, post)
		default:
			err = errAssertion
		}
		return app, err
	}
	if parameter(form, "client_assertion_type") != assertionType || len(text) > maxAssertion || strings.ContainsAny(text, "\r\n") {
		return application.Application{}, errAssertion
	}
	return s.verify(ctx, text, id)
}

// client returns an application that people may let in, or errAssertion.
func (s *Service) client(ctx context.Context, clientID string) (application.Application, error) {
	app, err := s.applications.Client(ctx, clientID)
	if fault.Is(err, fault.NotFound) {
		err = errAssertion
	}
	return app, err
}

// verify returns the application that signed an assertion, which must be for us, short-lived, and
// not used before.
func (s *Service) verify(ctx context.Context, text, id string) (application.Application, error) {
	var app application.Application
	var claims jwt.RegisteredClaims
	var outage error
	now := s.run.Clock.Now()
	_, err := s.assertions(now).ParseWithClaims(text, &claims, func(unverified *jwt.Token) (any, error) {
		kid, err := assertionHeader(unverified.Header)
		if err != nil {
			return nil, err
		}
		if !isText(claims.Issuer) || claims.Issuer == "" || claims.Issuer != claims.Subject || id != "" && id != claims.Issuer {
			return nil, errAssertion
		}
		if app, err = s.client(ctx, claims.Issuer); err == nil && app.AuthMethod != application.PrivateKeyJWT {
			err = errAssertion
		}
		if err != nil {
			if !errors.Is(err, errAssertion) {
				outage = err
			}
			return nil, err
		}
		keys, err := s.keySets.verifying(ctx, app, kid, unverified.Method.Alg())
		if errors.Is(err, errKeysAway) {
			outage = err
		}
		return keys, err
	})
	if outage != nil {
		return application.Application{}, outage
	}
	if err != nil || !s.forUs(claims.Audience) || claims.ExpiresAt == nil || claims.ID == "" || len(claims.ID) > maxAssertionID ||
		claims.ExpiresAt.After(now.Add(AssertionLife+assertionSkew)) {
		return application.Application{}, errAssertion
	}
	fresh, err := s.repo.useAssertion(ctx, assertion{
		ApplicationID: app.ID, IDHash: digest(secret.Text(claims.ID)), ExpiresAt: claims.ExpiresAt.Add(assertionSkew),
	})
	if err == nil && !fresh {
		err = errAssertion
	}
	return app, err
}

// assertions reads assertions at the instant now.
func (s *Service) assertions(now time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(assertionMethods), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(assertionSkew),
		jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }),
	)
}

// assertionHeader returns the key id of a plain header, "" without one. An assertion that brings
// its own key or says where to fetch one is not looked at, nor is one that asks for more.
func assertionHeader(header map[string]any) (kid string, err error) {
	for name, value := range header {
		text, isText := value.(string)
		switch {
		case !isText:
			return "", errAssertion
		case name == "alg":
		case name == "kid":
			kid = text
		case name == "typ" && (strings.EqualFold(text, "JWT") || strings.EqualFold(text, "client-authentication+jwt")):
		default:
			return "", errAssertion
		}
	}
	return kid, nil
}

// forUs reports whether an assertion is for us and for nobody else, who could show it here.
func (s *Service) forUs(audience jwt.ClaimStrings) bool {
	ours := []string{
		s.issuer, s.issuer + "/", s.issuer + TokenPath, s.issuer + PushPath, s.issuer + DevicePath, s.issuer + IntrospectionPath,
		s.issuer + RevocationPath,
	}
	return len(audience) > 0 && !slices.ContainsFunc(audience, func(one string) bool { return !slices.Contains(ours, one) })
}
