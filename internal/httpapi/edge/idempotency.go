package edge

import (
	"net/http"

	"github.com/gowebpki/jcs"

	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

// keptHeaders are those that a stored answer has beside its body.
var keptHeaders = []string{contentType, "ETag", "Location", contentLanguage}

// claimKey turns the Idempotency-Key into a claim on its one effect. The key is claimed by the
// operation, in the transaction that has the effect; here it is only put within its reach, after
// the right to act has been checked, so that a repeat never goes round a lost right.
func (e *edge) claimKey(r *request) error {
	sent := r.c.Request()
	key := sent.Header.Get(keyHeader)
	if key == "" || !r.op.remembered {
		return nil
	}
	var body []byte
	var err error
	switch {
	case r.form != nil:
		if body, err = formIdentity(r.form); err != nil {
			return err
		}
	case r.raw != nil:
		body = rawIdentity(r.raw)
	case r.body != nil:
		if body, err = jcs.Transform(r.body); err != nil {
			return &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Code: fault.FieldOther}}, Err: err}
		}
	}
	macs := e.deps.MACs([]byte(sent.Method), []byte(sent.URL.EscapedPath()), []byte(r.query.Encode()), body)
	r.claim = &idempotency.Claim{
		Scope: r.actor.KeyScope(), Key: key, Operation: r.op.id, RequestMAC: macs[0], OtherMACs: macs[1:],
	}
	if r.op.public() {
		// Nobody is logged in whose key it could be.
		r.claim.Scope = "request:" + macs[0]
	}
	r.c.SetRequest(sent.WithContext(idempotency.WithClaim(sent.Context(), r.claim)))
	return nil
}

// keptWriter keeps a copy of the answer to a request that holds its key.
type keptWriter struct {
	http.ResponseWriter
	claim  *idempotency.Claim
	status int
	body   []byte
}

// WriteHeader implements http.ResponseWriter.
func (w *keptWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *keptWriter) Write(p []byte) (int, error) {
	if w.claim.Keeps() {
		w.body = append(w.body, p...)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *keptWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// remember keeps a success for who repeats the request.
func (e *edge) remember(r *request, w *keptWriter) {
	if !r.claim.Keeps() || w.status < http.StatusOK || w.status >= http.StatusMultipleChoices {
		return
	}
	answer := idempotency.Answer{Status: w.status, Headers: make(map[string]string, len(keptHeaders)), Body: w.body}
	for _, name := range keptHeaders {
		if value := w.Header().Get(name); value != "" {
			answer.Headers[name] = value
		}
	}
	e.deps.Answers.Remember(r.claim, answer)
}

// replay gives the first answer again, as it was.
func (e *edge) replay(r *request, answer *idempotency.Answer) {
	response := r.c.Response()
	for name, value := range answer.Headers {
		response.Header().Set(name, value)
	}
	response.WriteHeader(answer.Status)
	if _, err := response.Write(answer.Body); err != nil {
		e.deps.Log.DebugContext(r.c.Request().Context(), "answer not written", "request_id", r.requestID, "error", err)
	}
}
