// Package problem says what a fault looks like to a caller. It gives its status, its words in
// Italian and English, and its document (RFC 9457).
package problem

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"diresco/api"
	"diresco/db"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

// MediaType is that of a problem document (RFC 9457).
const MediaType = "application/problem+json"

// PagesPath is where the page of each kind of problem is.
const PagesPath = "/problems/"

// MaxFields is how many wrong fields one answer names.
const MaxFields = 100

// statuses say how HTTP shows each kind of fault.
var statuses = map[fault.Code]int{
	fault.Malformed:              http.StatusBadRequest,
	fault.InvalidCredentials:     http.StatusUnauthorized,
	fault.SessionEnded:           http.StatusUnauthorized,
	fault.Unauthenticated:        http.StatusUnauthorized,
	fault.PINChangeRequired:      http.StatusForbidden,
	fault.PINExpired:             http.StatusForbidden,
	fault.Reauthenticate:         http.StatusForbidden,
	fault.StrongLogin:            http.StatusForbidden,
	fault.DispositiveRequired:    http.StatusForbidden,
	fault.IdentityNotConfirmed:   http.StatusForbidden,
	fault.ServiceNotDelegated:    http.StatusForbidden,
	fault.Forbidden:              http.StatusForbidden,
	fault.NotFound:               http.StatusNotFound,
	fault.MethodNotAllowed:       http.StatusMethodNotAllowed,
	fault.NotAcceptable:          http.StatusNotAcceptable,
	fault.Conflict:               http.StatusConflict,
	fault.RequestInProgress:      http.StatusConflict,
	fault.OTPExhausted:           http.StatusConflict,
	fault.OTPExpired:             http.StatusConflict,
	fault.ExclusiveExists:        http.StatusConflict,
	fault.ChannelClosed:          http.StatusConflict,
	fault.BudgetBelowCommitments: http.StatusConflict,
	fault.SlotTaken:              http.StatusConflict,
	fault.PreconditionFailed:     http.StatusPreconditionFailed,
	fault.TooLarge:               http.StatusRequestEntityTooLarge,
	fault.UnsupportedMediaType:   http.StatusUnsupportedMediaType,
	fault.Invalid:                http.StatusUnprocessableEntity,
	fault.IdempotencyKeyReused:   http.StatusUnprocessableEntity,
	fault.CodeInvalid:            http.StatusUnprocessableEntity,
	fault.OTPInvalid:             http.StatusUnprocessableEntity,
	fault.DelegateMustBePerson:   http.StatusUnprocessableEntity,
	fault.PreconditionRequired:   http.StatusPreconditionRequired,
	fault.PINLocked:              http.StatusTooManyRequests,
	fault.RateLimited:            http.StatusTooManyRequests,
	fault.Internal:               http.StatusInternalServerError,
	fault.Unavailable:            http.StatusServiceUnavailable,
	fault.Busy:                   http.StatusServiceUnavailable,
	fault.Duplicate:              http.StatusConflict,
}

// Status returns how HTTP shows a kind of fault, and whether there is such a kind.
func Status(code fault.Code) (status int, known bool) {
	status, known = statuses[code]
	return status, known
}

// Codes are the kinds of fault that are shown, in the order of their names.
func Codes() []fault.Code { return slices.Sorted(maps.Keys(statuses)) }

// FaultOf finds the fault that an error stands for; it returns nil for a defect.
func FaultOf(err error) *fault.Fault {
	var f *fault.Fault
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
	case db.IsUnavailable(err), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		// A disk that is full is emptied, or grows.
		return fault.Wrap(fault.Unavailable, err)
	case db.IsLockTimeout(err):
		// Too many at once want the same row: no defect, and worth another try.
		return &fault.Fault{Code: fault.Busy, RetryAfter: time.Second, Err: err}
	default:
		return nil
	}
}

// New writes the document of a fault, in the caller's language. The instance is the request's id,
// the base where this service is found.
func New(f *fault.Fault, status int, lang Language, base, requestID string) api.Problem {
	texts := dictionaries[lang]
	words := texts.problems[f.Code]
	p := api.Problem{
		Type: base + PagesPath + string(f.Code), Code: api.ProblemCode(f.Code), Title: words.title, Status: int32(status), //nolint:gosec // an HTTP status
		Detail: words.detail, Instance: "urn:request:" + requestID,
	}
	if detail, ok := texts.reasons[f.Reason]; ok {
		p.Detail = detail
	}
	if len(f.Allowed) > 0 {
		p.Allowed = &f.Allowed
		p.Detail = fitText(p.Detail+" "+texts.allowed(f), maxDetail)
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
	fields := make([]api.ProblemError, 0, min(len(f.Fields), MaxFields))
	for _, field := range f.Fields[:min(len(f.Fields), MaxFields)] {
		fields = append(fields, texts.place(field))
	}
	p.Errors = &fields
	return p
}

// maxPointer is how long a pointer in an answer may be, in characters.
const maxPointer = 1024

// fitPointer keeps what a caller sent as a name within what a problem may show. A place that cannot
// be shown is shown as the one it stands in.
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
