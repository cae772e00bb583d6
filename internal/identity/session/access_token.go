package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
)

const (
	accessType  = "at+jwt"
	maxToken    = 4096
	maxSkew     = 30 * time.Second
	cachedMax   = 16_384
	tokenAPIEnd = "/v1"
)

// Claims are what an access token says once it is verified.
type Claims struct {
	SessionID uuid.UUID
	PersonID  uuid.UUID
	// ClientID is Portal, or that of the application.
	ClientID string
	// Scopes are what an application may do with the token; a person's own has none.
	Scopes    []string
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Binding is what an application must prove to hold with the token.
	Binding access.Binding
}

// Portal is the client id in the tokens of people's own sessions. No application has it.
const Portal = "diresco"

// Caller is what the guard holds against the row of the session.
func (c Claims) Caller() access.Caller {
	caller := access.Caller{SessionID: c.SessionID, PersonID: c.PersonID}
	if c.ClientID != Portal {
		caller.ClientID, caller.Scopes, caller.Binding = c.ClientID, c.Scopes, c.Binding
	}
	return caller
}

// accessClaims follow the JWT profile for access tokens (RFC 9068).
type accessClaims struct {
	jwt.RegisteredClaims
	ClientID  string `json:"client_id"`
	SessionID string `json:"sid"`
	Scope     string `json:"scope,omitempty"`
	// Confirmation is there in tokens that are bound (RFC 7800).
	Confirmation *Confirmation `json:"cnf,omitempty"`
}

// Confirmation is a binding as tokens have it.
type Confirmation struct {
	Key         string `json:"jkt,omitempty"`
	Certificate string `json:"x5t#S256,omitempty"`
}

// ConfirmationOf writes a binding; nil for none.
func ConfirmationOf(b access.Binding) *Confirmation {
	if b == (access.Binding{}) {
		return nil
	}
	return &Confirmation{Key: b.Key, Certificate: b.Certificate}
}

// consistent reports whether scopes and a binding stand there for an application, and for nobody
// else.
func (c accessClaims) consistent() bool {
	portal := c.ClientID == Portal
	return c.ClientID != "" && portal == (c.Scope == "") && (c.Confirmation == nil || !portal && *c.Confirmation != Confirmation{})
}

// binding is what the token is bound to.
func (c accessClaims) binding() access.Binding {
	if c.Confirmation == nil {
		return access.Binding{}
	}
	return access.Binding{Key: c.Confirmation.Key, Certificate: c.Confirmation.Certificate}
}

// accessTokens makes and reads access tokens.
type accessTokens struct {
	ring     *keyring.Keyring
	clock    clock.Clock
	issuer   string
	audience string
	parser   *jwt.Parser
	verified verifiedTokens
}

func newAccessTokens(ring *keyring.Keyring, c clock.Clock, publicURL string) *accessTokens {
	t := &accessTokens{ring: ring, clock: c, issuer: publicURL, audience: publicURL + tokenAPIEnd}
	t.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
		jwt.WithIssuer(t.issuer), jwt.WithAudience(t.audience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(c.Now), jwt.WithStrictDecoding(),
	)
	return t
}

// issue makes a token that ends at the given instant, to the second below. It ends after AccessLife
// if that comes first.
func (t *accessTokens) issue(c Claims, now, until time.Time) (token secret.Text, life time.Duration, err error) {
	if limit := now.Add(AccessLife); until.After(limit) {
		until = limit
	}
	until = until.Truncate(time.Second)
	kid, key, err := t.ring.Signing(keyring.ForSessions)
	if err != nil {
		return "", 0, err
	}
	issued := jwt.NewWithClaims(jwt.SigningMethodES256, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Audience: jwt.ClaimStrings{t.audience}, Subject: c.PersonID.String(),
			ID: uuid.NewString(), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(until),
		},
		ClientID: c.ClientID, SessionID: c.SessionID.String(), Scope: scopeText(c.Scopes), Confirmation: ConfirmationOf(c.Binding),
	})
	issued.Header["typ"], issued.Header["kid"] = accessType, kid
	text, err := issued.SignedString(key)
	return secret.Text(text), max(0, until.Sub(now).Truncate(time.Second)), err
}

// parse returns the claims of a genuine token that has not expired. Everything else is
// fault.Unauthenticated, with the reason, save that the keys could not be read.
func (t *accessTokens) parse(ctx context.Context, token secret.Text) (Claims, error) {
	text := token.Reveal()
	// Line breaks would pass as base64, and one token would have many texts.
	if len(text) > maxToken || strings.ContainsAny(text, "\r\n") {
		return Claims{}, errInvalid()
	}
	now := t.clock.Now()
	digest := sha256.Sum256([]byte(text))
	if known, ok := t.verified.get(digest); ok {
		switch {
		case t.ring.Revoked(known.kid):
			return Claims{}, errInvalid()
		case !now.Before(known.expires):
			return Claims{}, errExpired()
		}
		return known.claims, nil
	}
	var claims accessClaims
	var outage error
	var signedBy string
	_, err := t.parser.ParseWithClaims(text, &claims, func(unverified *jwt.Token) (any, error) {
		kid, err := plainHeader(unverified.Header)
		if err != nil {
			return nil, err
		}
		signedBy = kid
		key, err := t.ring.Verifying(ctx, keyring.ForSessions, kid)
		if err != nil && !errors.Is(err, keyring.ErrUnknownKey) {
			outage = err
		}
		return key, err
	})
	if outage != nil {
		return Claims{}, outage
	}
	if expiredAlone(err) {
		return Claims{}, errExpired()
	}
	if err != nil || claims.IssuedAt == nil || claims.IssuedAt.After(now.Add(maxSkew)) || !claims.consistent() {
		return Claims{}, errInvalid()
	}
	sessionID, err := uuid.Parse(claims.SessionID)
	personID, personErr := uuid.Parse(claims.Subject)
	if err != nil || personErr != nil {
		return Claims{}, errInvalid()
	}
	result := Claims{
		SessionID: sessionID, PersonID: personID, ClientID: claims.ClientID, Scopes: strings.Fields(claims.Scope),
		IssuedAt: claims.IssuedAt.Time, ExpiresAt: claims.ExpiresAt.Time, Binding: claims.binding(),
	}
	t.verified.put(digest, verifiedToken{result, claims.ExpiresAt.Time, signedBy})
	return result, nil
}

// errInvalid is the fault of a text that is no token of ours, or of one that was changed.
func errInvalid() error { return fault.Because(fault.Unauthenticated, "token-invalid") }

// errExpired is the fault of a genuine token whose time is over.
func errExpired() error { return fault.Because(fault.Unauthenticated, "token-expired") }

// expiredAlone reports whether nothing is wrong with a token but its age. Claims are looked at only
// once the signature is right.
func expiredAlone(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	return !slices.ContainsFunc([]error{
		jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenNotValidYet,
		jwt.ErrTokenUsedBeforeIssued,
	}, func(other error) bool { return errors.Is(err, other) })
}

// plainHeader returns the key id of a header with the three members that issue writes. It takes no
// other header. A token that brings its own key (jwk, x5c) or says where to fetch one (jku, x5u) is
// not looked at, nor is one that asks for more (crit).
func plainHeader(header map[string]any) (kid string, err error) {
	kid, _ = header["kid"].(string)
	if len(header) != 3 || header["typ"] != accessType || kid == "" {
		return "", jwt.ErrTokenUnverifiable
	}
	return kid, nil
}

// verifiedTokens remembers, by their SHA-256, the tokens whose signature was right. The next
// request with one of them needs no elliptic curve. It is bounded: when the newer half is full, the
// older half is forgotten.
type verifiedTokens struct {
	mu           sync.RWMutex
	newer, older map[[sha256.Size]byte]verifiedToken
}

type verifiedToken struct {
	claims  Claims
	expires time.Time
	// kid is the id of the key that signed it, which may be revoked before the token expires.
	kid string
}

func (v *verifiedTokens) get(digest [sha256.Size]byte) (verifiedToken, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if t, ok := v.newer[digest]; ok {
		return t, true
	}
	t, ok := v.older[digest]
	return t, ok
}

func (v *verifiedTokens) put(digest [sha256.Size]byte, t verifiedToken) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.newer == nil || len(v.newer) >= cachedMax {
		v.newer, v.older = make(map[[sha256.Size]byte]verifiedToken), v.newer
	}
	v.newer[digest] = t
}
