package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"diresco/internal/httpapi/problem"
	"diresco/internal/identity/dpop"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

// routerFaults say which fault stands behind an error of the router or of the generated code.
var routerFaults = map[int]fault.Code{
	http.StatusBadRequest:            fault.Malformed,
	http.StatusUnauthorized:          fault.Unauthenticated,
	http.StatusForbidden:             fault.Forbidden,
	http.StatusNotFound:              fault.NotFound,
	http.StatusMethodNotAllowed:      fault.MethodNotAllowed,
	http.StatusNotAcceptable:         fault.NotAcceptable,
	http.StatusRequestEntityTooLarge: fault.TooLarge,
	http.StatusUnsupportedMediaType:  fault.UnsupportedMediaType,
	http.StatusTooManyRequests:       fault.RateLimited,
	http.StatusServiceUnavailable:    fault.Unavailable,
}

// refuse turns an error into the answer. It is the one place where that happens: nothing that an
// error says reaches the caller, only what its fault stands for.
// An answer that has begun is broken off.
func (e *edge) refuse(r *request, err error) {
	ctx := r.c.Request().Context()
	var replay *idempotency.Replay
	switch {
	case r.c.Response().Committed:
		e.deps.Log.LogAttrs(
			ctx, slog.LevelWarn, "answer broke off", slog.String("request_id", r.requestID), slog.String("error", err.Error()),
		)
		// Without its end, so that nobody takes what they have for the whole.
		panic(http.ErrAbortHandler)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		// Who is gone reads no answer. Who will only send no more would read a success.
		r.c.Response().Header()[cacheControl] = noStore
		r.c.Response().WriteHeader(statusClosed)
		return
	case errors.As(err, &replay) && replay.Answer != nil:
		e.replay(r, replay.Answer)
		return
	}
	f := asFault(err)
	if f.Code == fault.MethodNotAllowed && len(f.Allowed) == 0 {
		// The router has written which ones it knows.
		told := *f
		told.Reason, told.Allowed = problem.ReasonMethod, strings.Fields(strings.ReplaceAll(r.c.Response().Header().Get("Allow"), ",", " "))
		f = &told
	}
	status, known := problem.Status(f.Code)
	if !known {
		f, status = fault.Wrap(fault.Internal, err), http.StatusInternalServerError
	}
	switch {
	case f.Code == fault.Internal:
		e.deps.Log.LogAttrs(
			ctx, slog.LevelError, "request failed", slog.String("request_id", r.requestID), slog.String("route", r.route()),
			slog.String("error", err.Error()),
		)
	case status >= http.StatusInternalServerError:
		e.deps.Log.LogAttrs(
			ctx, slog.LevelWarn, "request not served", slog.String("request_id", r.requestID), slog.String("route", r.route()),
			slog.String("error", err.Error()),
		)
	}
	r.problem, r.problemFields = f.Code, f.Fields
	e.writeProblem(r, f, status)
}

// asFault finds the fault that an error of a handler, of the generated code or of the router stands
// for.
func asFault(err error) *fault.Fault {
	if f := problem.FaultOf(err); f != nil {
		return f
	}
	var router *echo.HTTPError
	if errors.As(err, &router) {
		if code, ok := routerFaults[router.Code]; ok {
			f := fault.Wrap(code, err)
			if code == fault.NotFound {
				f.Reason = problem.ReasonNoPath
			}
			return f
		}
	}
	return fault.Wrap(fault.Internal, err)
}

// writeProblem writes a problem document (RFC 9457).
func (e *edge) writeProblem(r *request, f *fault.Fault, status int) {
	response := r.c.Response()
	h := response.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", r.challenge(f))
	case http.StatusForbidden:
		if r.actor.Grant != nil && (f.Reason == access.ReasonScope || f.Reason == access.ReasonPersonOnly) {
			h.Set("WWW-Authenticate", r.insufficient(f.Allowed))
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", seconds(f.RetryAfter))
	default:
		if f.RetryAfter > 0 {
			h.Set("Retry-After", seconds(f.RetryAfter))
		}
	}
	h[cacheControl] = noStore
	h.Del("ETag")
	if show := e.refusals[r.c.Path()]; show != nil {
		show(response, r.c.Request(), f, status)
		return
	}
	h.Set(contentType, problemType)
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(problem.New(f, status, r.lang, e.config.PublicURL, r.requestID)); err != nil {
		e.deps.Log.ErrorContext(r.c.Request().Context(), "problem not encoded", "request_id", r.requestID, "error", err)
	}
	response.WriteHeader(status)
	if _, err := response.Write(body.Bytes()); err != nil {
		e.deps.Log.DebugContext(r.c.Request().Context(), "answer not written", "request_id", r.requestID, "error", err)
	}
}

// proofAlgorithms says by which algorithms proofs may be signed.
var proofAlgorithms = `algs="` + strings.Join(dpop.Algorithms(), " ") + `"`

// challenge says how to authenticate (RFC 6750, RFC 9449 section 7.1): who sent no token is not told
// that it was bad.
func (r *request) challenge(f *fault.Fault) string {
	switch {
	case f.Code == fault.InvalidCredentials || f.Reason == problem.ReasonSignature:
		return schemeBearer
	case f.Reason == problem.ReasonNoToken:
		return schemeBearer + ", " + dpop.Scheme + " " + proofAlgorithms
	}
	description := problem.ReasonText(problem.English, f.Reason)
	if description == "" {
		_, description, _ = problem.Words(problem.English, f.Code)
	}
	code := "invalid_token"
	if strings.HasPrefix(f.Reason, "proof-") {
		code = "invalid_dpop_proof"
	}
	says := ` error="` + code + `", error_description="` + quotable(description) + `"`
	if r.scheme == dpop.Scheme || f.Reason == problem.ReasonTokenBound {
		return dpop.Scheme + says + ", " + proofAlgorithms
	}
	return schemeBearer + says
}

// insufficient says which scopes would have let an application in (RFC 6750); none would where there
// are no scopes.
func (r *request) insufficient(scopes []string) string {
	says := r.scheme + ` error="insufficient_scope"`
	if len(scopes) == 0 {
		return says
	}
	return says + `, scope="` + strings.Join(scopes, " ") + `"`
}

// quotable leaves out what may not stand in a description (RFC 6750 section 3).
func quotable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, text)
}

// seconds writes a wait in whole seconds, rounded up; at least one.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(int64((wait+time.Second-1)/time.Second), 1), 10)
}
