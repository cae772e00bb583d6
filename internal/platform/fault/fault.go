// Package fault names what can go wrong for a user, without saying how a protocol shows it. The
// HTTP edge turns a Fault into a problem document in one place; anything that is not a Fault is a
// defect or an outage.
package fault

import (
	"errors"
	"time"
)

// Code is the kind of a fault. Its text is also the slug of the page that explains it.
type Code string

// The kinds of fault.
const (
	Malformed            Code = "malformed-request"
	InvalidCredentials   Code = "invalid-credentials"
	SessionEnded         Code = "session-ended"
	Unauthenticated      Code = "unauthenticated"
	PINChangeRequired    Code = "pin-change-required"
	PINExpired           Code = "pin-expired"
	Reauthenticate       Code = "reauthentication-required"
	StrongLogin          Code = "strong-login-required"
	DispositiveRequired  Code = "dispositive-credentials-required"
	IdentityNotConfirmed Code = "identity-not-confirmed"
	ServiceNotDelegated  Code = "service-not-delegated"
	Forbidden            Code = "forbidden"
	NotFound             Code = "not-found"
	MethodNotAllowed     Code = "method-not-allowed"
	NotAcceptable        Code = "not-acceptable"
	UnsupportedMediaType Code = "unsupported-media-type"
	Conflict             Code = "conflict"
	RequestInProgress    Code = "request-in-progress"
	OTPExhausted         Code = "otp-exhausted"
	OTPExpired           Code = "otp-expired"
	ExclusiveExists      Code = "exclusive-delegation-exists"
	Duplicate            Code = "duplicate"
	ChannelClosed        Code = "channel-closed"
	// SlotTaken is that another holds the hour that was to be booked.
	SlotTaken Code = "slot-taken"
	// BudgetBelowCommitments is that less was to be given than is reserved and spent.
	BudgetBelowCommitments Code = "budget-below-commitments"
	PreconditionFailed     Code = "precondition-failed"
	PreconditionRequired   Code = "precondition-required"
	TooLarge               Code = "content-too-large"
	Invalid                Code = "validation-failed"
	IdempotencyKeyReused   Code = "idempotency-key-reused"
	CodeInvalid            Code = "code-invalid"
	OTPInvalid             Code = "otp-invalid"
	DelegateMustBePerson   Code = "delegate-must-be-person"
	PINLocked              Code = "pin-locked"
	RateLimited            Code = "rate-limited"
	Unavailable            Code = "unavailable"
	Busy                   Code = "busy"
	Internal               Code = "internal-error"
)

// Field is one wrong place in a request.
type Field struct {
	// In says of what Pointer names a place: without it, the body.
	In Place
	// Pointer is an RFC 6901 JSON pointer into the request body, or the name of a parameter or
	// header.
	Pointer string
	// Line is where that is in a file of lines, counted from one; nought where there are none.
	Line int
	// Code says what is wrong there, in kebab-case; the edge has a text for each.
	Code string
	// Right, where it is set, says what would have been right.
	Right *Right
}

// Fault is an outcome that the caller is told about. Texts are chosen by the edge from Code, Reason
// and Fields, so nothing that stands in Err ever reaches a user.
type Fault struct {
	Code Code
	// Reason narrows the code down for the text of the answer, in kebab-case; it may be empty.
	Reason string
	Fields []Field
	// RetryAfter is how long the caller should wait; zero when waiting does not help.
	RetryAfter time.Duration
	// TriesLeft, where it is set, is how often the same may be tried again.
	TriesLeft *int
	// Allowed, where it is set, are those that would have been taken. By the code they are methods,
	// media types, user classes, rights or services.
	Allowed []string
	// Href, where it is set, is where to go instead.
	Href string
	// Err is the cause, for the log only.
	Err error
}

// New returns a fault of the given kind.
func New(code Code) *Fault { return &Fault{Code: code} }

// Because returns a fault of the given kind with a reason.
func Because(code Code, reason string) *Fault { return &Fault{Code: code, Reason: reason} }

// InvalidFields returns a fault for a request that can be read but breaks a schema or a rule. The
// fields are where it does.
func InvalidFields(fields ...Field) *Fault { return &Fault{Code: Invalid, Fields: fields} }

// After returns a fault that passes by itself after the given time.
func After(code Code, wait time.Duration) *Fault { return &Fault{Code: code, RetryAfter: wait} }

// Wrap returns a fault of the given kind that was caused by err.
func Wrap(code Code, err error) *Fault { return &Fault{Code: code, Err: err} }

// Error implements error. It holds no data of the request.
func (f *Fault) Error() string {
	text := string(f.Code)
	if f.Reason != "" {
		text += " (" + f.Reason + ")"
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Is reports whether err is a fault of the given kind.
func Is(err error, code Code) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}
