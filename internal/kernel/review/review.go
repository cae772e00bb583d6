// Package review has what is common to all that an office decides. It knows who may decide, what a
// decision says, and what is kept of it. What a decision brings about is the business of the
// package whose rows are decided.
package review

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
)

// Outcome is what an office decided.
type Outcome string

// The outcomes.
const (
	Accepted    Outcome = "accepted"
	NotAccepted Outcome = "not_accepted"
)

const maxReason = 1000

// Decision is what an operator decides. Who asked is told the reason.
type Decision struct {
	Outcome Outcome
	Reason  string
}

// Verdict is what a row keeps of a decision; all is nil before it. The state is the row's own.
type Verdict struct {
	DecidedBy *uuid.UUID
	DecidedAt *time.Time
	Reason    *string
}

// Check returns fault.Invalid naming each field that is wrong.
func (d Decision) Check() error {
	var wrong []fault.Field
	if d.Outcome != Accepted && d.Outcome != NotAccepted {
		wrong = append(wrong, fault.Field{Pointer: "/outcome", Code: fault.FieldEnum})
	}
	if !plaintext.IsLine(d.Reason, maxReason) {
		wrong = append(wrong, fault.Field{Pointer: "/reason", Code: fault.FieldPattern})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Verdict returns what is kept of a decision that an operator makes now.
func (d Decision) Verdict(operator uuid.UUID, now time.Time) Verdict {
	return Verdict{DecidedBy: &operator, DecidedAt: &now, Reason: &d.Reason}
}

// RequireOffice returns fault.NotFound to whoever does not work at the office. They know nothing of
// what is asked of another one.
func RequireOffice(by access.Actor, office string) error {
	if by.OfficeCode == "" || by.OfficeCode != office {
		return fault.New(fault.NotFound)
	}
	return nil
}

// RequireSecond returns fault.Forbidden to who had a part in what is to be decided or confirmed.
// That is who asked for it, filed it or issued it. Nobody brings about alone what takes two people.
func RequireSecond(by access.Actor, parts ...uuid.UUID) error {
	for _, part := range parts {
		if part != uuid.Nil && part == by.PersonID {
			return fault.Because(fault.Forbidden, "second-person")
		}
	}
	return nil
}

// Case is what an operator sees of what somebody asked of their office.
type Case interface {
	// Parts are the people who had a part in it before: who asked, and who prepared it.
	Parts() []uuid.UUID
}

// Decide runs an office's decision as one operation. show returns the case to who works at its
// office, and fault.NotFound to anybody else; effect decides its row, locked, with all that follows
// from it, and completes the trace. Decide returns
//   - fault.Invalid naming what is wrong with the decision,
//   - the error of show, also for a repeat by who has left the office meanwhile,
//   - what RequireSecond does to who had a part in it before,
//   - the error of effect.
func Decide[C Case](
	ctx context.Context, r *operation.Runner, by access.Actor, id uuid.UUID, d Decision,
	show func(ctx context.Context) (C, error), effect func(ctx context.Context, trace *operation.Trace, c C) (C, error),
) (C, error) {
	var none C
	if err := d.Check(); err != nil {
		return none, err
	}
	// A repeat tells nothing to who has left the office meanwhile.
	if _, err := show(ctx); err != nil {
		return none, err
	}
	return operation.Do(ctx, r, by, id.String(), func(ctx context.Context, trace *operation.Trace) (C, error) {
		c, err := show(ctx)
		if err == nil {
			err = RequireSecond(by, c.Parts()...)
		}
		if err != nil {
			return none, err
		}
		return effect(ctx, trace, c)
	}, func(ctx context.Context, _ string) (C, error) { return show(ctx) })
}
