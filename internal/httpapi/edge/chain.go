package edge

import (
	"errors"
	"net/url"
	"time"

	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// exchange is one request and its answer, as far as the edge has understood them.
type exchange struct {
	c         echo.Context
	started   time.Time
	requestID string
	address   string
	lang      problem.Language
	op        *operation
	preflight bool
	closed    bool // a path of the sandbox where there is none

	sessionID, personID uuid.UUID // from the access token; zero without a valid one
	authError           error
	actor               access.Actor
	target              access.Target

	query url.Values
	body  []byte
	value any // what body says, decoded
	claim *idempotency.Claim

	// form is a body of several parts; formFields is what was wrong with them as they came, formSeen how many came of each name.
	form       *reqctx.Form
	formFields []fault.Field
	formSeen   map[string]uint64
	// raw is a body that is one file.
	raw *reqctx.Raw

	// What became of it, for the log and the access log.
	problem       fault.Code
	problemFields []fault.Field
	turnedAway    bool // by the guard
	// found is whom a search of the back office found.
	found uuid.UUID
}

// step looks at a request before its handler does. An error, or an answer, ends the request's way.
type step func(x *exchange) error

// errNoAnswer is a defect: a handler that returned neither an answer nor an error.
var errNoAnswer = errors.New("the handler gave no answer")

// serve leads a request in through the steps, to its handler, and out again. It is one middleware, not one for each step,
// because echo would build each of them anew for every request.
func (e *edge) serve(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := &exchange{c: c, started: e.now()}
		defer e.leave(x)
		defer e.recover(x)
		if e.walk(x, e.arrival) && (x.op == nil || e.walk(x, e.entry)) {
			e.answer(x, next)
		}
		return nil
	}
}

// walk takes the steps in order and reports whether the way goes on.
func (e *edge) walk(x *exchange, steps []step) bool {
	for _, take := range steps {
		if err := take(x); err != nil {
			e.refuse(x, err)
			return false
		}
		if x.c.Response().Committed {
			return false
		}
	}
	return true
}

// answer calls the handler. Pages, and what the router itself answers, have no operation.
func (e *edge) answer(x *exchange, next echo.HandlerFunc) {
	response := x.c.Response()
	if x.op == nil {
		if err := next(x.c); err != nil {
			e.refuse(x, err)
		}
		return
	}
	var tagged *tagWriter
	var kept *keptWriter
	switch {
	case x.op.tagged:
		tagged = &tagWriter{ResponseWriter: response.Writer, wanted: x.c.Request().Header.Values("If-None-Match")}
		response.Writer = tagged
	case x.claim != nil && !x.op.rendered:
		kept = &keptWriter{ResponseWriter: response.Writer, claim: x.claim}
		response.Writer = kept
	}
	if err := next(x.c); err != nil {
		e.refuse(x, err)
		return
	}
	if !response.Committed {
		e.refuse(x, errNoAnswer)
		return
	}
	if tagged != nil {
		response.Status = tagged.finish()
	}
	if kept != nil {
		e.remember(x, kept)
	}
}

// leave writes what stays of a request: a line in the log, and a row in the access log where it concerns somebody.
func (e *edge) leave(x *exchange) {
	if err := errors.Join(closeForm(x.form), closeRaw(x.raw)); err != nil {
		e.deps.Log.WarnContext(x.c.Request().Context(), "uploaded files not dropped", "request_id", x.requestID, "error", err)
	}
	e.logRequest(x)
	e.trace(x)
}
