package edge

import (
	"strings"

	"diresco/internal/httpapi/problem"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

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
	token, ok := bearer(values)
	if !ok {
		r.authError = fault.Because(fault.Unauthenticated, problem.ReasonBadToken)
		return nil
	}
	r.caller, r.authError = e.deps.Tokens(sent.Context(), token)
	return nil
}

// bearer takes the token out of the one Authorization header that there may be (RFC 6750).
func bearer(values []string) (string, bool) {
	const scheme = "bearer "
	v := values[0]
	if len(values) != 1 || len(v) <= len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return "", false
	}
	token := v[len(scheme):]
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return "", false
		}
	}
	return token, true
}

// public reports whether the operation needs no login.
func (op *operation) public() bool { return op.rule.To == access.ToAnyone }
