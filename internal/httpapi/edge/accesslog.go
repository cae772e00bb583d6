package edge

import (
	"net/http"
	"regexp"
	"slices"

	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// outcomeRead is what the access log says of a read that was answered.
const outcomeRead = "read"

// refusals are the problems that leave a row in the access log. What is merely wrong in form does not.
var refusals = []fault.Code{
	fault.Unauthenticated, fault.SessionEnded, fault.InvalidCredentials, fault.PINChangeRequired, fault.PINExpired, fault.Reauthenticate,
	fault.StrongLogin, fault.DispositiveRequired, fault.IdentityNotConfirmed, fault.ServiceNotDelegated, fault.Forbidden, fault.CodeInvalid, fault.PINLocked, fault.RateLimited,
	fault.OTPInvalid, fault.OTPExhausted,
}

// secretCodes are the field codes that say that a secret was wrong, or something about who is registered.
var secretCodes = []string{fault.FieldWrongPIN, fault.FieldUnknownPerson, fault.FieldIdentityNotConfirmed}

// trace leaves a row in the access log: for a refusal, for a failed login, and for a read of what belongs to another.
func (e *edge) trace(x *exchange) {
	if x.op == nil {
		return
	}
	outcome := ""
	switch {
	case x.problem == fault.RateLimited && !e.firstOverLimit(x):
		// Who is over the limit must not be able to fill the log: one row a minute tells it all.
	case x.refusal():
		outcome = string(x.problem)
	case x.problem == "" && x.op.readsOthers && x.c.Response().Committed && x.c.Response().Status < http.StatusBadRequest:
		outcome = outcomeRead
	}
	if outcome == "" {
		return
	}
	row := audit.Access{Operation: x.op.id, Outcome: outcome, RequestID: x.requestID, Address: x.address}
	row.PersonID, row.SessionID = present(x.personID), present(x.sessionID)
	row.ContributorID = present(x.actor.ContributorID)
	if row.ContributorID == nil {
		row.ContributorID = present(x.target.ContributorID)
	}
	if subject := x.subject(); subject != "" {
		row.SubjectID = &subject
	}
	e.deps.AccessLog.Add(x.c.Request().Context(), row)
}

// subject is what the request was about, besides a contributor: the declaration in the path or, in the back office and for reads
// that are open to any session, whatever the path names by an id, else whom a search found.
func (x *exchange) subject() string {
	if x.target.DeclarationID != uuid.Nil || !x.op.staff() && !x.op.shared {
		return textOf(x.target.DeclarationID)
	}
	for _, p := range x.op.path {
		value := x.c.Param(p.name)
		if pathID(value) != uuid.Nil || unguessable.MatchString(value) {
			return value
		}
	}
	return textOf(x.found)
}

// unguessable is an id of 128 random bits in base64url.
var unguessable = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

func textOf(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func (x *exchange) refusal() bool {
	switch x.problem {
	case fault.NotFound:
		return x.turnedAway || x.op.shared
	case fault.Invalid:
		return slices.ContainsFunc(x.problemFields, func(f fault.Field) bool { return slices.Contains(secretCodes, f.Code) })
	default:
		return slices.Contains(refusals, x.problem)
	}
}

func present(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
