package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/application"
	"diresco/internal/identity/dpop"
	"diresco/internal/kernel/access"
)

// Proofs checks that who sends a form holds a key; see dpop.Service.
type Proofs interface {
	Verify(sent dpop.Sent) (dpop.Proof, error)
	Use(ctx context.Context, p dpop.Proof) error
}

// binding returns what the tokens of a request are bound to, nothing without a proof. One that is
// wrong is refused, and so is none where the application was registered to send one. Tokens are bound
// to a certificate where the application was registered for that.
func (s *Service) binding(ctx context.Context, app application.Application, post Post) (access.Binding, error) {
	var bound access.Binding
	if app.CertificateBound {
		if post.Certificate == nil {
			return bound, refuse(invalidRequest, "the tokens of this client are bound to a certificate, and the request came without one")
		}
		bound.Certificate = CertificateHash(post.Certificate)
	}
	var err error
	if bound.Key, err = s.proved(ctx, post, TokenPath); err == nil && bound.Key == "" && app.DPoPBound {
		err = unproved(dpop.Refuse(dpop.ReasonMissing))
	}
	return bound, err
}

// CertificateHash is how a token names the certificate that it is bound to (RFC 8705 section 3.1).
func CertificateHash(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// certified reports whether an application came with a certificate of its own. The connection has
// proved that it has the key; nobody vouches for it but the key set.
func (s *Service) certified(ctx context.Context, app application.Application, shown *x509.Certificate) error {
	now := s.run.Clock.Now()
	if shown == nil || now.Before(shown.NotBefore) || now.After(shown.NotAfter) {
		return errAssertion
	}
	mine := func(keys []jose.JSONWebKey) bool {
		return slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool {
			return len(key.Certificates) > 0 && key.Certificates[0].Equal(shown)
		})
	}
	keys, known := s.keySets.of(ctx, app, mine)
	switch {
	case mine(keys):
		return nil
	case !known:
		return errKeysAway
	}
	return errAssertion
}

// proved returns the thumbprint of the key that a request came with a proof of, "" without one.
func (s *Service) proved(ctx context.Context, post Post, path string) (string, error) {
	if len(post.Proofs) == 0 {
		return "", nil
	}
	proof, err := s.proofs.Verify(dpop.Sent{Proofs: post.Proofs, Method: http.MethodPost, Path: path})
	if err == nil {
		err = s.proofs.Use(ctx, proof)
	}
	return proof.Key, unproved(err)
}

// unproved says as the protocol does why a proof is refused.
func unproved(err error) error {
	var refused *dpop.Refusal
	if errors.As(err, &refused) {
		return refuse(invalidProof, refused.Error())
	}
	return err
}
