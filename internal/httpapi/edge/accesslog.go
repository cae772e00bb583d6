package edge

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
)

// outcomeRead is what the access log says of a read that was answered.
const outcomeRead = "read"

// refusals are the problems that leave a row in the access log. What is merely wrong in form does
// not.
var refusals = []fault.Code{
	fault.Unauthenticated, fault.SessionEnded, fault.InvalidCredentials, fault.PINChangeRequired, fault.PINExpired, fault.Reauthenticate,
	fault.StrongLogin, fault.DispositiveRequired, fault.IdentityNotConfirmed, fault.ServiceNotDelegated, fault.Forbidden, fault.CodeInvalid,
	fault.PINLocked, fault.RateLimited,
	fault.OTPInvalid, fault.OTPExhausted,
}

// secretCodes are the field codes that say that a secret was wrong, or something about who is
// registered.
var secretCodes = []string{fault.FieldWrongPIN, fault.FieldUnknownPerson, fault.FieldIdentityNotConfirmed}

// trace leaves a row in the access log. It does so for a refusal, for a failed login, and for a
// read of what belongs to another.
func (e *edge) trace(r *request) {
	if r.op == nil {
		e.tracePage(r)
		return
	}
	outcome := ""
	switch {
	case r.problem == fault.RateLimited && !e.firstOverLimit(r):
		// Who is over the limit must not be able to fill the log: one row a minute tells it all.
	case r.refusal():
		outcome = string(r.problem)
	case r.problem == "" && r.op.readsOthers && r.c.Response().Committed && r.c.Response().Status < http.StatusBadRequest:
		outcome = outcomeRead
	}
	if outcome == "" {
		return
	}
	row := audit.Access{Operation: r.op.id, Outcome: outcome, RequestID: r.requestID, Address: r.address}
	row.PersonID, row.SessionID = present(r.caller.PersonID), present(r.caller.SessionID)
	row.ApplicationID = e.applicationOf(r)
	row.ContributorID = present(r.actor.ContributorID)
	if row.ContributorID == nil {
		row.ContributorID = present(r.target.ContributorID)
	}
	if subject := r.subject(); subject != "" {
		row.SubjectID = &subject
	}
	e.deps.AccessLog.Add(r.c.Request().Context(), row)
}

// applicationOf is the application that sent a request, also where it was refused before the guard
// found its grant; nil for a person.
func (e *edge) applicationOf(r *request) *uuid.UUID {
	if id := r.actor.ApplicationID(); id != nil || r.caller.ClientID == "" || e.deps.ApplicationOf == nil {
		return id
	}
	// Whoever asked may have gone away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.c.Request().Context()), lookupTimeout)
	defer cancel()
	id, err := e.deps.ApplicationOf(ctx, r.caller.ClientID)
	if err != nil {
		e.deps.Log.WarnContext(ctx, "application of a refusal not found", "request_id", r.requestID, "error", err)
		return nil
	}
	return &id
}

// lookupTimeout is how long the access log waits for what it is to say.
const lookupTimeout = 2 * time.Second

// tracePage leaves a row in the access log for what a page says that it refused.
func (e *edge) tracePage(r *request) {
	if r.refused == nil {
		return
	}
	r.problem, r.problemFields, r.caller.PersonID = r.refused.Fault.Code, r.refused.Fault.Fields, r.refused.PersonID
	if !r.refusal() || r.problem == fault.RateLimited && !e.firstOverLimit(r) {
		return
	}
	e.deps.AccessLog.Add(r.c.Request().Context(), audit.Access{
		Operation: r.refused.Operation, Outcome: string(r.problem), RequestID: r.requestID, Address: r.address,
		PersonID: present(r.refused.PersonID), SessionID: present(r.refused.SessionID),
	})
}

// subject is what the request was about, besides a contributor. It is the declaration in the path.
// In the back office, and for reads that are open to any session, it is whatever the path names by
// an id, else whom a search found.
func (r *request) subject() string {
	if r.target.DeclarationID != uuid.Nil || !r.op.staff() && !r.op.shared {
		return textOf(r.target.DeclarationID)
	}
	for _, p := range r.op.path {
		value := r.c.Param(p.name)
		if pathID(value) != uuid.Nil || unguessable.MatchString(value) {
			return value
		}
	}
	return textOf(r.found)
}

// unguessable is an id of 128 random bits in base64url.
var unguessable = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

func textOf(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func (r *request) refusal() bool {
	switch r.problem {
	case fault.NotFound:
		return r.turnedAway || r.op != nil && r.op.shared
	case fault.Invalid:
		return slices.ContainsFunc(r.problemFields, func(f fault.Field) bool { return slices.Contains(secretCodes, f.Code) })
	default:
		return slices.Contains(refusals, r.problem)
	}
}

func present(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
