package oauth

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"diresco/internal/identity/application"
	"diresco/internal/identity/federation/card"
)

// maxBetween is how many certificates may come along with that of an application.
const maxBetween = 8

// Revocation tells whether certificates were revoked; see card.Online.
type Revocation interface {
	// Check asks about a certificate and that of its issuer. It returns card.ErrRevoked, or
	// card.ErrUnchecked where nobody could be asked.
	Check(ctx context.Context, certificate, issuer *x509.Certificate) error
}

// Why a certificate is not taken, as the log says it; nobody else is told.
var (
	errNoAuthorities = errors.New("no authority is trusted")
	errValidity      = errors.New("it is not valid now")
	errChain         = errors.New("no trusted authority vouches for it")
	errMany          = errors.New("too many certificates came along")
	errPurpose       = errors.New("it is not for clients")
	errName          = errors.New("it has another name")
)

// vouchedFor reports whether an application came with a certificate of its name that a trusted
// authority issued. Whoever has another name makes nobody ask the authority.
func (s *Service) vouchedFor(ctx context.Context, app application.Application, post Post) error {
	if post.Certificate == nil {
		return errAssertion
	}
	chain, err := s.chain(post.Certificate, post.Between, s.run.Clock.Now())
	if err == nil && !app.CertificateName.In(post.Certificate) {
		err = errName
	}
	if err != nil {
		return s.notTaken(ctx, app, err, errAssertion)
	}
	// The last one is trusted by itself.
	for i := range chain[:len(chain)-1] {
		switch err := s.revocation.Check(ctx, chain[i], chain[i+1]); {
		case errors.Is(err, card.ErrRevoked):
			return s.notTaken(ctx, app, err, errAssertion)
		case err != nil:
			return s.notTaken(ctx, app, err, errKeysAway)
		}
	}
	return nil
}

// notTaken notes why a certificate is not taken.
func (s *Service) notTaken(ctx context.Context, app application.Application, why, refused error) error {
	s.log.InfoContext(ctx, "the certificate of an application was not taken", "client_id", app.ClientID, "reason", why.Error())
	return refused
}

// chain leads from a certificate for clients to a trusted authority, by the shortest way.
func (s *Service) chain(leaf *x509.Certificate, others []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	switch {
	case s.authorities == nil:
		return nil, errNoAuthorities
	case len(others) > maxBetween:
		return nil, errMany
	case leaf.IsCA, !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth),
		leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, errPurpose
	case now.Before(leaf.NotBefore), now.After(leaf.NotAfter):
		return nil, errValidity
	}
	between := x509.NewCertPool()
	for _, other := range others {
		between.AddCert(other)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: s.authorities, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		// What the library says names names.
		return nil, errChain
	}
	shortest := slices.MinFunc(chains, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	if len(shortest) < 2 {
		// Nobody vouched for it: it is one of the authorities' own.
		return nil, errPurpose
	}
	return shortest, nil
}
