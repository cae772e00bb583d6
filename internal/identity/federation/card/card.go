// Package card verifies the certificates on the national service card (CNS, carta nazionale dei
// servizi) and on the electronic identity card (CIE), with which people log in.
package card

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
	"diresco/internal/platform/clock"
)

// Level is how sure a card is of its holder: it was given in person, and has a key and a PIN.
const Level federation.Level = 3

// mostOthers is how many certificates may come along beside that of the card.
const mostOthers = 8

// The policies that tell certificates for logging in from others of the same authorities.
var (
	policyCNS = mustOID("1.3.76.16.2.1")
	policyCIE = mustOID("1.3.76.47.4")
)

func mustOID(text string) x509.OID {
	oid, err := x509.ParseOID(text)
	if err != nil {
		panic(err)
	}
	return oid
}

// The rules that a certificate may break, as logs name them.
const (
	ruleNoAuthorities = "no-authorities"
	ruleMany          = "too-many-certificates"
	ruleValidity      = "validity"
	ruleChain         = "chain"
	ruleKeyUsage      = "key-usage"
	ruleClientAuth    = "extended-key-usage"
	rulePolicy        = "policy"
	ruleSubject       = "subject"
	ruleRevoked       = "revoked"
	ruleUnchecked     = "revocation-unknown"
)

// Authorities are those that issue cards.
type Authorities interface {
	// Pool returns their certificates. It returns errNone where they are not known, which is no
	// fault of the card.
	Pool(now time.Time) (*x509.CertPool, error)
}

// errNone means that no authority is known at present.
var errNone = errors.New("no authority is known")

// Revocation tells whether certificates were revoked.
type Revocation interface {
	// Check asks about a certificate and that of its issuer. It returns ErrRevoked, or ErrUnchecked
	// where nobody could be asked.
	Check(ctx context.Context, certificate, issuer *x509.Certificate) error
}

// Verifier verifies the certificates of cards.
type Verifier struct {
	authorities Authorities
	revocation  Revocation
	clock       clock.Clock
}

// NewVerifier makes a verifier.
func NewVerifier(authorities Authorities, revocation Revocation, c clock.Clock) *Verifier {
	return &Verifier{authorities: authorities, revocation: revocation, clock: c}
}

// Verify verifies the certificate of a card, whose key its sender has proved to hold. The others
// came along with it. What it does not accept is a *federation.Refusal:
//   - Unavailable: authorities or revocation could not be asked;
//   - Invalid: anything else, as Rule says.
func (v *Verifier) Verify(
	ctx context.Context, leaf *x509.Certificate, others []*x509.Certificate,
) (federation.Claims, session.LoginMethod, error) {
	now := v.clock.Now()
	chain, err := v.chain(leaf, others, now)
	if err != nil {
		return federation.Claims{}, "", err
	}
	method, err := purpose(leaf)
	if err != nil {
		return federation.Claims{}, "", err
	}
	claims, err := subject(leaf)
	if err != nil {
		return federation.Claims{}, "", err
	}
	// The last one is trusted by itself.
	for i := range chain[:len(chain)-1] {
		switch err := v.revocation.Check(ctx, chain[i], chain[i+1]); {
		case errors.Is(err, ErrRevoked):
			return federation.Claims{}, "", invalid(ruleRevoked)
		case err != nil:
			return federation.Claims{}, "", &federation.Refusal{Outcome: federation.Unavailable, Rule: ruleUnchecked}
		}
	}
	return claims, method, nil
}

// chain leads from the card to a trusted authority, by the shortest way.
func (v *Verifier) chain(leaf *x509.Certificate, others []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	if len(others) > mostOthers {
		return nil, invalid(ruleMany)
	}
	roots, err := v.authorities.Pool(now)
	if err != nil {
		return nil, &federation.Refusal{Outcome: federation.Unavailable, Rule: ruleNoAuthorities}
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil, invalid(ruleValidity)
	}
	between := x509.NewCertPool()
	for _, other := range others {
		between.AddCert(other)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if usage := (x509.CertificateInvalidError{}); errors.As(err, &usage) && usage.Reason == x509.IncompatibleUsage {
		return nil, invalid(ruleClientAuth)
	}
	if err != nil {
		return nil, invalid(ruleChain)
	}
	shortest := slices.MinFunc(chains, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	if len(shortest) < 2 {
		// An authority is no card.
		return nil, invalid(ruleChain)
	}
	return shortest, nil
}

// purpose tells what a certificate is for: the authorities of cards issue others, too.
func purpose(leaf *x509.Certificate) (session.LoginMethod, error) {
	switch {
	case leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "", invalid(ruleKeyUsage)
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return "", invalid(ruleClientAuth)
	case slices.ContainsFunc(leaf.Policies, policyCNS.Equal):
		return session.ByCNS, nil
	case slices.ContainsFunc(leaf.Policies, policyCIE.Equal):
		return session.ByCIE, nil
	}
	return "", invalid(rulePolicy)
}

func invalid(rule string) error { return &federation.Refusal{Outcome: federation.Invalid, Rule: rule} }
