// Package operation runs a changing operation as one transaction. It claims the operation's
// idempotency key first, then runs the effect, then looks again at the session and the right by
// which it was let in, and writes its audit record last. (Submissions go through the protocol
// register, which does the same for a group.)
package operation

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/clock"
)

// Runner has what every changing operation needs.
type Runner struct {
	DB    *db.DB
	Clock clock.Clock
	Keys  *idempotency.Store
	Trail *audit.Trail
	// Recheck tells whether who was let in is still in.
	Recheck *recheck.Checker
}

// Trace is what an operation leaves in the audit trail beside who asked and from where.
type Trace struct {
	// PersonID and SessionID are taken from the actor; set them where there is none yet (a login).
	PersonID  uuid.UUID
	SessionID uuid.UUID
	// Login is taken from the actor, too.
	Login         access.Login
	ContributorID uuid.UUID
	// Right is what it was done by; zero for what one does for oneself. It must be good until the
	// end.
	Right access.Right
	// Unchecked operations end the session or the right by which they are done, and look at it
	// themselves.
	Unchecked bool
	// SubjectKind and SubjectID name what was made or changed.
	SubjectKind string
	SubjectID   string
	// Outcome is "done" unless the operation says otherwise.
	Outcome string
	// Detail is what became of the subject, as a JSON object without personal data; it may be empty.
	Detail string
}

// Do runs an operation once for a request, as one transaction.
//
// It claims the request's idempotency key, runs the effect, looks again at the session and the
// right by which the operation is done, and writes the audit record. The id names what the
// operation makes or changes. The effect completes the trace that it is given, which has the id as
// that of its subject; without a kind the trace has no subject. A repeat of the request returns
// what replay renders or, where the first answer was kept, an *idempotency.Replay with that answer.
// replay may be nil.
//
// Lock order: idempotency key, what the effect locks, session and right.
func Do[T any](
	ctx context.Context, r *Runner, by access.Actor, id string,
	effect func(ctx context.Context, trace *Trace) (T, error), replay func(ctx context.Context, id string) (T, error),
) (T, error) {
	var result T
	err := r.DB.InTx(ctx, func(ctx context.Context) error {
		if err := r.Keys.Take(ctx, idempotency.Want{Claim: idempotency.ClaimOf(ctx), ResourceID: id}); err != nil {
			return err
		}
		trace := Trace{SubjectID: id}
		var err error
		if result, err = effect(ctx, &trace); err != nil {
			return err
		}
		if trace.SubjectKind == "" {
			trace.SubjectID = ""
		}
		if by.SessionID != uuid.Nil && !trace.Unchecked {
			if err := r.Recheck.InTx(ctx, by, trace.Right); err != nil {
				return err
			}
		}
		return r.Trail.Write(ctx, trace.Record(ctx, by, r.Clock))
	})
	if err != nil {
		return Replay(ctx, err, replay)
	}
	return result, nil
}

// ByID makes a replay of what finds a resource by its id.
func ByID[T any](find func(ctx context.Context, id uuid.UUID) (T, error)) func(ctx context.Context, id string) (T, error) {
	return func(ctx context.Context, id string) (T, error) {
		parsed, err := uuid.Parse(id)
		if err != nil {
			var none T
			return none, err
		}
		return find(ctx, parsed)
	}
}

// Replay renders what an earlier, equal request made whose answer was not kept. err says that there
// was such a request; any other error is returned as it is. replay may be nil.
func Replay[T any](ctx context.Context, err error, replay func(ctx context.Context, id string) (T, error)) (T, error) {
	var earlier *idempotency.Replay
	if errors.As(err, &earlier) && earlier.Answer == nil && replay != nil {
		return replay(ctx, earlier.ResourceID)
	}
	var none T
	return none, err
}

// ReplayIfVisible returns the error of Do, or that of replay where a kept answer must not be shown.
// That is so where replay does not render any more what the earlier request was about: no repeat
// shows what somebody may not see any more.
func ReplayIfVisible[T any](ctx context.Context, err error, replay func(ctx context.Context, id string) (T, error)) error {
	var earlier *idempotency.Replay
	if !errors.As(err, &earlier) {
		return err
	}
	if _, unseen := replay(ctx, earlier.ResourceID); unseen != nil {
		return unseen
	}
	return err
}

// Record makes the audit record of an operation that the actor did now.
func (t Trace) Record(ctx context.Context, by access.Actor, c clock.Clock) audit.Record {
	origin := audit.OriginOf(ctx)
	if t.PersonID == uuid.Nil {
		t.PersonID = by.PersonID
	}
	if t.SessionID == uuid.Nil {
		t.SessionID = by.SessionID
	}
	login := t.Login
	if login.Method == "" {
		login = by.Login
	}
	if t.Outcome == "" {
		t.Outcome = "done"
	}
	return audit.Record{
		ID: uuid.Must(uuid.NewV7()), At: c.Now(), Operation: origin.Operation,
		PersonID: present(t.PersonID), SessionID: present(t.SessionID), ApplicationID: by.ApplicationID(),
		ContributorID: present(t.ContributorID),
		ActingAs:      presentText(string(t.Right.ActingAs)), RightID: present(t.Right.ID),
		SubjectKind: presentText(t.SubjectKind), SubjectID: presentText(t.SubjectID),
		Outcome: t.Outcome, LoginMethod: presentText(login.Method), LoginLevel: login.Level, LoginProvider: login.Provider,
		Detail: presentText(t.Detail), RequestID: origin.RequestID, Address: origin.Address,
	}
}

func present(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func presentText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
