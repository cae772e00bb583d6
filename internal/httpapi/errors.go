package httpapi

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
	"unicode"
	"unicode/utf8"

	"diresco/api"
	"diresco/db"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"

	"github.com/labstack/echo/v4"
)

// statuses say how HTTP shows each kind of fault.
var statuses = map[fault.Code]int{
	fault.Malformed:            http.StatusBadRequest,
	fault.InvalidCredentials:   http.StatusUnauthorized,
	fault.SessionEnded:         http.StatusUnauthorized,
	fault.Unauthenticated:      http.StatusUnauthorized,
	fault.PINChangeRequired:    http.StatusForbidden,
	fault.PINExpired:           http.StatusForbidden,
	fault.Reauthenticate:       http.StatusForbidden,
	fault.StrongLogin:          http.StatusForbidden,
	fault.DispositiveRequired:  http.StatusForbidden,
	fault.IdentityNotConfirmed: http.StatusForbidden,
	fault.ServiceNotDelegated:  http.StatusForbidden,
	fault.Forbidden:            http.StatusForbidden,
	fault.NotFound:             http.StatusNotFound,
	fault.MethodNotAllowed:     http.StatusMethodNotAllowed,
	fault.NotAcceptable:        http.StatusNotAcceptable,
	fault.Conflict:             http.StatusConflict,
	fault.RequestInProgress:    http.StatusConflict,
	fault.OTPExhausted:         http.StatusConflict,
	fault.OTPExpired:           http.StatusConflict,
	fault.ExclusiveExists:      http.StatusConflict,
	fault.ChannelClosed:        http.StatusConflict,
	fault.PreconditionFailed:   http.StatusPreconditionFailed,
	fault.TooLarge:             http.StatusRequestEntityTooLarge,
	fault.UnsupportedMediaType: http.StatusUnsupportedMediaType,
	fault.Invalid:              http.StatusUnprocessableEntity,
	fault.IdempotencyKeyReused: http.StatusUnprocessableEntity,
	fault.CodeInvalid:          http.StatusUnprocessableEntity,
	fault.OTPInvalid:           http.StatusUnprocessableEntity,
	fault.DelegateMustBePerson: http.StatusUnprocessableEntity,
	fault.PreconditionRequired: http.StatusPreconditionRequired,
	fault.PINLocked:            http.StatusTooManyRequests,
	fault.RateLimited:          http.StatusTooManyRequests,
	fault.Internal:             http.StatusInternalServerError,
	fault.Unavailable:          http.StatusServiceUnavailable,
	fault.Busy:                 http.StatusServiceUnavailable,
}

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

// refuse turns an error into the answer. It is the one place where that happens: nothing that an error says reaches the
// caller, only what its fault stands for.
func (e *edge) refuse(x *exchange, err error) {
	ctx := x.c.Request().Context()
	var replay *idempotency.Replay
	switch {
	case x.c.Response().Committed:
		e.deps.Log.LogAttrs(ctx, slog.LevelWarn, "answer broke off", slog.String("request_id", x.requestID), slog.String("error", err.Error()))
		return
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return // nobody is there to read an answer
	case errors.As(err, &replay) && replay.Answer != nil:
		e.replay(x, replay.Answer)
		return
	}
	f := asFault(err)
	status, known := statuses[f.Code]
	if !known {
		f, status = fault.Wrap(fault.Internal, err), http.StatusInternalServerError
	}
	switch {
	case f.Code == fault.Internal:
		e.deps.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("request_id", x.requestID), slog.String("route", x.route()), slog.String("error", err.Error()))
	case status >= http.StatusInternalServerError:
		e.deps.Log.LogAttrs(ctx, slog.LevelWarn, "request not served", slog.String("request_id", x.requestID), slog.String("route", x.route()), slog.String("error", err.Error()))
	}
	x.problem, x.problemFields = f.Code, f.Fields
	e.writeProblem(x, f, status)
}

// asFault finds the fault that an error stands for.
func asFault(err error) *fault.Fault {
	var f *fault.Fault
	var router *echo.HTTPError
	var tooLarge *http.MaxBytesError
	var replay *idempotency.Replay
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &replay):
		// The first answer is not there yet and nobody could render it: it will be in a moment.
		return fault.After(fault.RequestInProgress, time.Second)
	case errors.As(err, &tooLarge):
		return fault.New(fault.TooLarge)
	case db.IsUnavailable(err):
		return fault.Wrap(fault.Unavailable, err)
	case db.IsLockTimeout(err):
		// Too many at once want the same row: no defect, and worth another try.
		return &fault.Fault{Code: fault.Busy, RetryAfter: time.Second, Err: err}
	case errors.As(err, &router):
		if code, ok := routerFaults[router.Code]; ok {
			return fault.Wrap(code, err)
		}
	}
	return fault.Wrap(fault.Internal, err)
}

// writeProblem writes a problem document (RFC 9457).
func (e *edge) writeProblem(x *exchange, f *fault.Fault, status int) {
	response := x.c.Response()
	h := response.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(f))
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", seconds(f.RetryAfter))
	default:
		if f.RetryAfter > 0 {
			h.Set("Retry-After", seconds(f.RetryAfter))
		}
	}
	h[cacheControl] = noStore
	h.Set(contentType, problemType)
	h.Del("ETag")
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e.problemOf(x, f, status)); err != nil {
		e.deps.Log.ErrorContext(x.c.Request().Context(), "problem not encoded", "request_id", x.requestID, "error", err)
	}
	response.WriteHeader(status)
	if _, err := response.Write(body.Bytes()); err != nil {
		e.deps.Log.DebugContext(x.c.Request().Context(), "answer not written", "request_id", x.requestID, "error", err)
	}
}

func (e *edge) problemOf(x *exchange, f *fault.Fault, status int) api.Problem {
	texts := dictionaries[x.lang]
	words := texts.problems[f.Code]
	p := api.Problem{
		Type: e.config.PublicURL + problemsPath + string(f.Code), Title: words.title, Status: int32(status), //nolint:gosec // an HTTP status
		Detail: words.detail, Instance: "urn:request:" + x.requestID,
	}
	if detail, ok := texts.reasons[f.Reason]; ok {
		p.Detail = detail
	}
	if f.TriesLeft != nil {
		left := int32(*f.TriesLeft) //nolint:gosec // a handful
		p.TriesLeft = &left
	}
	if f.Href != "" {
		p.Href = &f.Href
	}
	if len(f.Fields) == 0 {
		return p
	}
	fields := make([]api.ProblemError, 0, min(len(f.Fields), maxFields))
	for _, field := range f.Fields[:min(len(f.Fields), maxFields)] {
		fields = append(fields, api.ProblemError{Pointer: fitPointer(field.Pointer), Code: field.Code, Detail: texts.field(field.Code)})
	}
	p.Errors = &fields
	return p
}

// maxPointer is how long a pointer in an answer may be, in characters.
const maxPointer = 1024

// fitPointer keeps what a caller sent as a name within what a problem may show: a place that cannot be shown is shown as
// the one it stands in.
func fitPointer(p string) string {
	for !utf8.ValidString(p) || utf8.RuneCountInString(p) > maxPointer || strings.ContainsFunc(p, unicode.IsControl) {
		cut := strings.LastIndexByte(p, '/')
		if cut < 0 {
			return ""
		}
		p = p[:cut]
	}
	return p
}

// challenge says how to authenticate (RFC 6750): who sent no token is not told that it was bad.
func challenge(f *fault.Fault) string {
	if f.Code == fault.InvalidCredentials || f.Reason == reasonNoToken || f.Reason == reasonSignature {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// seconds writes a wait in whole seconds, rounded up; at least one.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(int64((wait+time.Second-1)/time.Second), 1), 10)
}
