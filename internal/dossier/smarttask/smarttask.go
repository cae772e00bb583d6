// Package smarttask decides requests by itself (smart task). These are to end the delegation of an
// intermediary or the role of an employee, to change the contacts of either, and to delete contacts
// of a position that nothing reaches.
//
// Each is a ticket too: it has its number, stands in its lists and is told by its messages. A job
// takes it in charge, examines it, and decides; effect and outcome are one transaction.
package smarttask

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/ticket"
)

// State is how far a task has come.
type State string

// The states of a task.
const (
	Submitted        State = "submitted"
	TakenInCharge    State = "taken_in_charge"
	UnderExamination State = "under_examination"
	Accepted         State = "accepted"
	NotAccepted      State = "not_accepted"
)

// Task is what the system is asked to decide, as it is kept. Its ticket has the same id.
type Task struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	Type          string
	// Content is as it was sent; it meets the schema of its type.
	Content string
	State   State
	// Who asked, by which right, and in which request.
	PersonID  uuid.UUID
	RightID   uuid.UUID
	SessionID uuid.UUID
	RequestID string
	Address   string
	// When it came into each state; nil until then.
	SubmittedAt time.Time
	TakenAt     *time.Time
	ExaminedAt  *time.Time
	DecidedAt   *time.Time
	// Checks and Reasons are what the examination found, and why it was not accepted.
	Checks  []Check  `gorm:"serializer:json"`
	Reasons []Reason `gorm:"serializer:json"`
	// Failures is how often the examination failed for no fault of the request.
	Failures   int
	LeaseOwner *string
	LeaseUntil *time.Time
}

// TableName tells GORM the table.
func (Task) TableName() string { return "smart_tasks" }

// View is a task with what its ticket says of it.
type View struct {
	Task
	PositionID     *uuid.UUID
	OfficeCode     string
	ProtocolNumber string
	Email, Phone   *string
}

// asFiled is the task as it was when it was filed, whatever became of it since.
func (v View) asFiled() View {
	v.State, v.TakenAt, v.ExaminedAt, v.DecidedAt = Submitted, nil, nil, nil
	v.Checks, v.Reasons = unexamined(), []Reason{}
	return v
}

// Step is a state that a task came into.
type Step struct {
	State State
	At    time.Time
}

// History is how the task came to where it is, in order.
func (v View) History() []Step {
	steps := []Step{{Submitted, v.SubmittedAt}}
	add := func(s State, at *time.Time) {
		if at != nil {
			steps = append(steps, Step{s, *at})
		}
	}
	add(TakenInCharge, v.TakenAt)
	add(UnderExamination, v.ExaminedAt)
	if v.DecidedAt != nil {
		add(v.State, v.DecidedAt)
	}
	return steps
}

// taken is the task once the system has taken it in charge.
func (t Task) taken(now time.Time) Task {
	t.State, t.TakenAt = TakenInCharge, &now
	return t
}

// examined is the task once its examination (istruttoria) has begun.
func (t Task) examined(now time.Time) Task {
	t.State, t.ExaminedAt = UnderExamination, &now
	return t
}

// Decided is the task with its outcome. Without reasons all checks have passed and it is accepted;
// with reasons and no check that failed it could not be examined.
func (t Task) Decided(failed CheckCode, reasons []Reason, now time.Time) Task {
	t.State, t.Checks, t.Reasons, t.DecidedAt = NotAccepted, checksUntil(failed, Failed), reasons, &now
	switch {
	case len(reasons) == 0:
		t.State, t.Reasons = Accepted, []Reason{}
	case failed == "":
		t.Checks = unexamined()
	}
	t.LeaseOwner, t.LeaseUntil = nil, nil
	return t
}

// Closure is how the task's ticket is closed.
func (t Task) Closure() ticket.Closure {
	outcome := ticket.Accepted
	if t.State == NotAccepted {
		outcome = ticket.NotAccepted
	}
	return ticket.Closure{Outcome: outcome, Text: t.summary()}
}
