package edge

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/dpop"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

// request is one request and its answer, as far as the edge has understood them.
type request struct {
	c         echo.Context
	started   time.Time
	requestID string
	address   string
	lang      problem.Language
	op        *operation
	preflight bool
	closed    bool // a path of the sandbox where there is none

	caller    access.Caller // from the access token; zero without a valid one
	authError error
	scheme    string      // by which the token came; "" without one
	proof     *dpop.Proof // of the key that the token is bound to; not yet used up
	actor     access.Actor
	target    access.Target

	query url.Values
	body  []byte
	value any // what body says, decoded
	claim *idempotency.Claim

	// form is a body of several parts. formFields is what was wrong with them as they came,
	// formSeen how many came of each name.
	form       *reqctx.Form
	formFields []fault.Field
	formSeen   map[string]uint64
	// raw is a body that is one file.
	raw *reqctx.Raw
	// charset is what the sender says of it.
	charset string

	// What became of it, for the log and the access log.
	problem       fault.Code
	problemFields []fault.Field
	turnedAway    bool // by the guard
	// found is whom a search of the back office found.
	found uuid.UUID
	// refused is what a page says that it refused.
	refused *reqctx.Refused
	// unproved says that the request counts for the address until a page finds out who sent it.
	unproved bool
	// sender is who that was, if a page did.
	sender uuid.UUID
}

// stage looks at a request before its handler does. An error or an answer ends the request.
type stage func(r *request) error

// errNoAnswer is a defect: a handler that returned neither an answer nor an error.
var errNoAnswer = errors.New("the handler gave no answer")

// serve takes a request through the stages, to its handler, and out again. It is one middleware,
// not one for each stage: echo would build each of them anew for every request.
func (e *edge) serve(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := &request{c: c, started: e.now()}
		defer e.finish(r)
		defer e.recover(r)
		if e.run(r, e.arrival) && (r.op == nil || e.run(r, e.entry)) {
			e.answer(r, next)
		}
		return nil
	}
}

// run takes a request through stages in order and reports whether it goes on.
func (e *edge) run(r *request, stages []stage) bool {
	for _, take := range stages {
		if err := take(r); err != nil {
			e.refuse(r, e.concealed(r, err))
			return false
		}
		if r.c.Response().Committed {
			return false
		}
	}
	return true
}

// answer calls the handler. Pages, and what the router itself answers, have no operation.
func (e *edge) answer(r *request, next echo.HandlerFunc) {
	response := r.c.Response()
	if r.op == nil {
		r.c.SetRequest(r.c.Request().WithContext(e.pageContext(r)))
		if err := next(r.c); err != nil {
			e.refuse(r, err)
		}
		return
	}
	var tagged *tagWriter
	var kept *keptWriter
	switch {
	case r.op.tagged:
		tagged = &tagWriter{ResponseWriter: response.Writer, wanted: etag.Parse(r.c.Request().Header.Values("If-None-Match")...)}
		response.Writer = tagged
	case r.claim != nil && !r.op.rendered:
		kept = &keptWriter{ResponseWriter: response.Writer, claim: r.claim}
		response.Writer = kept
	}
	if err := next(r.c); err != nil {
		e.refuse(r, err)
		return
	}
	if !response.Committed {
		e.refuse(r, errNoAnswer)
		return
	}
	if tagged != nil {
		response.Status = tagged.finish()
	}
	if kept != nil {
		e.remember(r, kept)
	}
}

// pageContext carries what a page needs to know of the request. A page says itself which operation
// it does, and what it refused.
func (e *edge) pageContext(r *request) context.Context {
	ctx := audit.WithOrigin(r.c.Request().Context(), audit.Origin{RequestID: r.requestID, Address: r.address})
	if r.unproved {
		ctx = reqctx.WithCounter(ctx, func(sender reqctx.Sender) error { return e.countSender(r, sender) })
	}
	return reqctx.WithRefused(ctx, func(refused reqctx.Refused) { r.refused = &refused })
}

// finish writes what stays of a request. This is a line in the log, and a row in the access log
// where it concerns somebody.
func (e *edge) finish(r *request) {
	if err := errors.Join(closeForm(r.form), closeRaw(r.raw)); err != nil {
		e.deps.Log.WarnContext(r.c.Request().Context(), "uploaded files not dropped", "request_id", r.requestID, "error", err)
	}
	e.logRequest(r)
	e.trace(r)
}
