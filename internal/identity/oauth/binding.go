package oauth

import (
	"context"
	"errors"
	"net/http"

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
// wrong is refused, and so is none where the application was registered to send one.
func (s *Service) binding(ctx context.Context, app application.Application, post Post) (access.Binding, error) {
	key, err := s.proved(ctx, post, TokenPath)
	if err == nil && key == "" && app.DPoPBound {
		err = unproved(dpop.Refuse(dpop.ReasonMissing))
	}
	return access.Binding{Key: key}, err
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
