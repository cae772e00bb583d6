package edge

import (
	"net/http"

	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"

	"github.com/gowebpki/jcs"
)

// keptHeaders are those that a stored answer has beside its body.
var keptHeaders = []string{contentType, "ETag", "Location", contentLanguage}

// claimKey turns the Idempotency-Key into a claim on its one effect. The key is claimed by the operation, in the transaction that
// has the effect; here it is only put within its reach, after the right to act has been checked, so that a repeat never
// goes round a lost right.
func (e *edge) claimKey(x *exchange) error {
	request := x.c.Request()
	key := request.Header.Get(keyHeader)
	if key == "" || !x.op.remembered {
		return nil
	}
	var body []byte
	var err error
	switch {
	case x.form != nil:
		if body, err = formIdentity(x.form); err != nil {
			return err
		}
	case x.raw != nil:
		body = rawIdentity(x.raw)
	case x.body != nil:
		if body, err = jcs.Transform(x.body); err != nil {
			return &fault.Fault{Code: fault.Invalid, Fields: []fault.Field{{Code: fault.FieldOther}}, Err: err}
		}
	}
	mac := e.deps.MAC([]byte(request.Method), []byte(request.URL.EscapedPath()), []byte(x.query.Encode()), body)
	x.claim = &idempotency.Claim{Scope: "person:" + x.actor.PersonID.String(), Key: key, Operation: x.op.id, RequestMAC: mac}
	if x.op.public() {
		// Nobody is logged in whose key it could be.
		x.claim.Scope = "request:" + mac
	}
	x.c.SetRequest(request.WithContext(idempotency.WithClaim(request.Context(), x.claim)))
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
func (e *edge) remember(x *exchange, w *keptWriter) {
	if !x.claim.Keeps() || w.status < http.StatusOK || w.status >= http.StatusMultipleChoices {
		return
	}
	answer := idempotency.Answer{Status: w.status, Headers: make(map[string]string, len(keptHeaders)), Body: w.body}
	for _, name := range keptHeaders {
		if value := w.Header().Get(name); value != "" {
			answer.Headers[name] = value
		}
	}
	e.deps.Answers.Remember(x.claim, answer)
}

// replay gives the first answer again, as it was.
func (e *edge) replay(x *exchange, answer *idempotency.Answer) {
	response := x.c.Response()
	for name, value := range answer.Headers {
		response.Header().Set(name, value)
	}
	response.WriteHeader(answer.Status)
	if _, err := response.Write(answer.Body); err != nil {
		e.deps.Log.DebugContext(x.c.Request().Context(), "answer not written", "request_id", x.requestID, "error", err)
	}
}
