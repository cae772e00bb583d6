package edge

import (
	"context"
	"errors"
	"strings"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/dpop"
	"diresco/internal/identity/oauth"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
)

// schemeBearer is the scheme of tokens that are good by themselves (RFC 6750).
const schemeBearer = "Bearer"

// authenticate verifies the access token, if there is one. A bad one is refused later, and only by
// operations that need one: whoever renews a session may well send the old token along.
func (e *edge) authenticate(r *request) error {
	if r.op == nil {
		return nil
	}
	sent := r.c.Request()
	values := sent.Header["Authorization"]
	if len(values) == 0 {
		r.authError = fault.Because(fault.Unauthenticated, problem.ReasonNoToken)
		return nil
	}
	scheme, token, ok := credentials(values)
	if !ok {
		r.authError = fault.Because(fault.Unauthenticated, problem.ReasonBadToken)
		return nil
	}
	r.scheme = scheme
	if r.caller, r.authError = e.deps.Tokens(sent.Context(), token); r.authError == nil {
		r.authError = e.checkBinding(r, token)
	}
	return nil
}

// credentials takes scheme and token out of the one Authorization header that there may be.
func credentials(values []string) (scheme, token string, ok bool) {
	scheme, token, _ = strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, schemeBearer):
		scheme = schemeBearer
	case strings.EqualFold(scheme, dpop.Scheme):
		scheme = dpop.Scheme
	default:
		return "", "", false
	}
	if len(values) != 1 || token == "" {
		return "", "", false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", "", false
		}
	}
	return scheme, token, true
}

// checkBinding refuses a token that is bound to a certificate unless it came by a connection with
// that one, and a token that is bound to a key unless the request has a proof of that key. A stolen
// one is good for nothing, whichever scheme it is sent by.
func (e *edge) checkBinding(r *request, token string) error {
	if certificate := r.caller.Binding.Certificate; certificate != "" {
		shown := clientcert.LeafOf(r.c.Request().Context())
		if shown == nil || oauth.CertificateHash(shown) != certificate {
			return fault.Because(fault.Unauthenticated, problem.ReasonTokenCertificate)
		}
	}
	bound := r.caller.Binding.Key
	switch {
	case bound == "" && r.scheme == schemeBearer:
		return nil
	case bound == "":
		return fault.Because(fault.Unauthenticated, problem.ReasonTokenUnbound)
	case r.scheme == schemeBearer:
		return fault.Because(fault.Unauthenticated, problem.ReasonTokenBound)
	}
	sent := r.c.Request()
	proof, err := e.deps.Proofs.Verify(dpop.Sent{
		Proofs: sent.Header[dpopHeader], Method: sent.Method, Path: sent.URL.EscapedPath(), Token: secret.Text(token),
	})
	if err == nil && proof.Key != bound {
		err = dpop.Refuse(dpop.ReasonKey)
	}
	if err != nil {
		return unproved(err)
	}
	r.proof = &proof
	return nil
}

// dpopHeader is the header of proofs as net/http writes it.
const dpopHeader = "Dpop"

// useProof begins to use up the proof of a request, if it has one, while the guard looks at the
// session. What it returns waits for the outcome.
func (e *edge) useProof(ctx context.Context, r *request) (outcome func() error) {
	if r.proof == nil {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- e.deps.Proofs.Use(ctx, *r.proof) }()
	return func() error { return unproved(<-done) }
}

// unproved is the fault of a proof that is refused.
func unproved(err error) error {
	var refused *dpop.Refusal
	if errors.As(err, &refused) {
		return fault.Because(fault.Unauthenticated, refused.Reason)
	}
	return err
}

// public reports whether the operation needs no login.
func (op *operation) public() bool { return op.rule.To == access.ToAnyone }
