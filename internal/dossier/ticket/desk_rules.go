package ticket

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
)

// Overdue says whether the time to answer a ticket is over.
type Overdue string

// How overdue a ticket is.
const (
	// NotOverdue is what is in time, and what is closed.
	NotOverdue Overdue = "none"
	// Due is what was not answered within five working days.
	Due Overdue = "due"
	// Late is what was not answered within twenty.
	Late Overdue = "late"
)

const (
	// reopenDays is for how many days a closed ticket can be opened again.
	reopenDays = 30
	maxReason  = 1000
)

// WaitsFrom is from when the working days of the office are counted: the opening, or the last
// reopening. Nobody gains time by routing a ticket.
func (t Ticket) WaitsFrom() time.Time {
	if t.ReopenedAt != nil {
		return *t.ReopenedAt
	}
	return t.OpenedAt
}

// AnswerDue is when the five working days of the office are over.
func (t Ticket) AnswerDue() time.Time {
	return calendar.DeadlineWorkingDays(t.WaitsFrom(), workingDays)
}

// Overdue says how overdue the ticket is at an instant.
func (t Ticket) Overdue(now time.Time) Overdue {
	switch {
	case t.State == Closed || now.Before(t.AnswerDue()):
		return NotOverdue
	case now.Before(t.AnsweredBy()):
		return Due
	}
	return Late
}

// overSince returns before which instant a ticket waits for more than some working days. It is the
// same rule as that of Ticket.Overdue, as a list asks it of all tickets at once.
func overSince(now time.Time, days int) time.Time {
	day := calendar.DateIn(now)
	for calendar.DeadlineWorkingDays(day.Start(), days).After(now) {
		day = day.AddDays(-1)
	}
	return day.End()
}

// requireByOffice returns fault.Conflict for a smart task, which decides itself.
func (t Ticket) requireByOffice() error {
	if t.Kind == SmartTask {
		return fault.Because(fault.Conflict, "ticket-decides-itself")
	}
	return nil
}

// requireSecond returns fault.Forbidden to an operator who opened the ticket, or who acts for its
// contributor beside their work: rights are theirs over it, their post aside.
func (t Ticket) requireSecond(by access.Actor, rights []access.Right) error {
	if len(rights) > 0 {
		return review.RequireSecond(by, by.PersonID)
	}
	return review.RequireSecond(by, t.PersonID)
}

// requireNotAnothers returns fault.Conflict for what a colleague of the operator has in charge.
func (t Ticket) requireNotAnothers(operator uuid.UUID) error {
	if t.State == InCharge && (t.AssignedTo == nil || *t.AssignedTo != operator) {
		return fault.Because(fault.Conflict, "ticket-in-charge-of-another")
	}
	return nil
}

// takenAtOffice puts the ticket in an operator's charge. It stays as it is in the charge of whoever
// has it.
func (t Ticket) takenAtOffice(operator uuid.UUID, now time.Time) (Ticket, error) {
	if err := t.requireByOffice(); err != nil {
		return t, err
	}
	return t.takenBy(&operator, now)
}

// releasedBy gives the ticket back to the office. What another has in charge is given back once
// they work here no more, or have had it for five working days.
func (t Ticket) releasedBy(operator uuid.UUID, worksHere bool, now time.Time) (Ticket, error) {
	if err := t.requireByOffice(); err != nil {
		return t, err
	}
	if t.State != InCharge || t.AssignedTo == nil {
		return t, fault.Because(fault.Conflict, "ticket-not-in-charge")
	}
	if *t.AssignedTo != operator && review.IsKept(worksHere, *t.AssignedAt, now) {
		return t, fault.Because(fault.Conflict, "ticket-in-charge-of-another")
	}
	t.State, t.AssignedTo, t.AssignedAt = Open, nil, nil
	return t.changed(now), nil
}

// routedBy hands the ticket over to an office, on a topic. It is in nobody's charge then.
func (t Ticket) routedBy(operator uuid.UUID, office, topic string, now time.Time) (Ticket, error) {
	err := t.requireByOffice()
	if err == nil {
		err = t.requireLive()
	}
	if err == nil {
		err = t.requireNotAnothers(operator)
	}
	if err != nil {
		return t, err
	}
	if office != t.OfficeCode {
		t.OfficeCode, t.RoutedAt = office, &now
	}
	t.Topic, t.State, t.AssignedTo, t.AssignedAt = topic, Open, nil, nil
	return t.changed(now), nil
}

// closedAtOffice closes a ticket that the operator has in charge.
func (t Ticket) closedAtOffice(operator uuid.UUID, c Closure, now time.Time) (Ticket, error) {
	err := t.requireByOffice()
	if err == nil {
		err = t.requireLive()
	}
	if err == nil {
		err = t.requireNotAnothers(operator)
	}
	if err == nil && t.State != InCharge {
		err = fault.Because(fault.Conflict, "ticket-not-in-charge")
	}
	if err != nil {
		return t, err
	}
	c.By = &operator
	return t.closedWith(c, now)
}

// reopened opens a closed ticket again, with its number and with new working days.
func (t Ticket) reopened(now time.Time) (Ticket, error) {
	if err := t.requireByOffice(); err != nil {
		return t, err
	}
	if t.State != Closed {
		return t, fault.Because(fault.Conflict, "ticket-not-closed")
	}
	if !now.Before(calendar.DeadlineDays(*t.ClosedAt, reopenDays)) {
		return t, fault.Because(fault.Conflict, "ticket-closed-too-long-ago")
	}
	t.State, t.ReopenedAt = Open, &now
	t.Outcome, t.ClosingText, t.ClosedBy, t.ClosedAt = nil, nil, nil, nil
	return t.changed(now), nil
}

// check returns fault.Invalid naming each field that is wrong.
func (c Closure) check() error {
	var wrong []fault.Field
	if c.Outcome != Accepted && c.Outcome != NotAccepted && c.Outcome != Informed {
		wrong = append(wrong, fault.Field{Pointer: "/outcome", Code: fault.FieldEnum})
	}
	if !plaintext.IsText(c.Text, maxComment) {
		wrong = append(wrong, fault.Field{Pointer: "/text", Code: fault.FieldPattern})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// requireReason returns fault.Invalid for a reason that says nothing, or too much.
func requireReason(reason string) error {
	if !plaintext.IsText(reason, maxReason) {
		return fault.InvalidFields(fault.Field{Pointer: "/reason", Code: fault.FieldPattern})
	}
	return nil
}
