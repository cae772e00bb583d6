// Package appointment is the agenda of the offices (agenda appuntamenti). An office publishes slots,
// people book them for themselves or for a contributor, confirm, move and cancel.
//
// A booking that nobody confirms in time is none any more: every query asks the clock, and what is
// due then is noted after it. That two people never hold one slot is a constraint of the database.
package appointment

import (
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/plaintext"
)

// State is where an appointment stands.
type State string

// The states of an appointment.
const (
	Booked    State = "booked"
	Confirmed State = "confirmed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
)

const (
	// heldFor is for how long a booking holds its slot unconfirmed.
	heldFor = 30 * time.Minute
	// maxOpen is how many appointments to come somebody has at most.
	maxOpen = 5
	// remindHour is when somebody is reminded, on the day before.
	remindHour = 9

	maxPhone  = 20
	maxNotes  = 1000
	maxReason = 500
)

// Appointment is a slot that somebody took.
type Appointment struct {
	ID     uuid.UUID
	SlotID uuid.UUID
	// PersonID is who booked it; ContributorID is for whom, nil for themselves.
	PersonID      uuid.UUID
	ContributorID *uuid.UUID
	Topic         string
	TicketID      *uuid.UUID
	// Phone is where the office reaches the person, Notes what it should know before.
	Phone         string
	Notes         string
	RightID       *uuid.UUID
	ActingAs      *string
	ApplicationID *uuid.UUID
	// State is as it was written last. What it is now is said by At.
	State    State
	BookedAt time.Time
	// ConfirmBy is until when it is held unconfirmed.
	ConfirmBy   time.Time
	ConfirmedAt *time.Time
	EndedAt     *time.Time
	EndedBy     *uuid.UUID
	// WithdrawalReason is what the office said that withdrew the slot.
	WithdrawalReason *string
	RemindAt         *time.Time
	Attended         *bool
	AttendedBy       *uuid.UUID
	AttendedAt       *time.Time
	Sequence         int
	Version          int
	UpdatedAt        time.Time
}

// TableName tells GORM the table.
func (Appointment) TableName() string { return "appointments" }

// Place is where an office is.
type Place struct {
	OfficeCode  string
	OfficeTitle string
	Street      *string
	PostalCode  *string
	Town        *string
	Province    *string
	OfficePhone *string
}

// Line is the address on one line, or "" where it is not known.
func (p Place) Line() string {
	if p.Street == nil || p.PostalCode == nil || p.Town == nil {
		return ""
	}
	line := *p.Street + ", " + *p.PostalCode + " " + *p.Town
	if p.Province != nil {
		line += " (" + *p.Province + ")"
	}
	return line
}

// View is an appointment with its slot and office.
type View struct {
	Appointment
	Place
	StartsAt     time.Time
	EndsAt       time.Time
	Channel      Channel
	TopicTitleIt string
	TopicTitleEn string
	// GivenName and FamilyName are of who booked it, LegalName is of the contributor.
	GivenName  string
	FamilyName string
	LegalName  *string
	// TicketPositionID is the position that its ticket is about; nil for none.
	TicketPositionID *uuid.UUID
	// Now is the state at the moment of reading.
	Now State
}

// contributorOf is the contributor for whom something is booked, or zero for somebody themselves.
func contributorOf(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// At is the state at an instant: a booking that was not confirmed in time has expired.
func (a Appointment) At(now time.Time) State {
	if a.State == Booked && !now.Before(a.ConfirmBy) {
		return Expired
	}
	return a.State
}

// requireLive returns fault.Conflict for what is over, or has begun.
func (a Appointment) requireLive(startsAt, now time.Time) error {
	switch a.At(now) {
	case Cancelled:
		return fault.Because(fault.Conflict, "appointment-cancelled")
	case Expired:
		return fault.Because(fault.Conflict, "appointment-expired")
	case Booked, Confirmed:
	}
	if !now.Before(startsAt) {
		return fault.Because(fault.Conflict, "appointment-begun")
	}
	return nil
}

// changed is the appointment after a change that calendars count.
func (a Appointment) changed(now time.Time) Appointment {
	a.Sequence, a.Version, a.UpdatedAt = a.Sequence+1, a.Version+1, now
	return a
}

// confirm makes a booking a firm appointment.
func (a Appointment) confirm(startsAt, now time.Time) (Appointment, error) {
	if err := a.requireLive(startsAt, now); err != nil {
		return a, err
	}
	if a.State == Confirmed {
		return a, fault.Because(fault.Conflict, "appointment-confirmed")
	}
	a.State, a.ConfirmedAt = Confirmed, &now
	return a.changed(now), nil
}

// cancel gives the slot back.
func (a Appointment) cancel(by uuid.UUID, startsAt, now time.Time) (Appointment, error) {
	if err := a.requireLive(startsAt, now); err != nil {
		return a, err
	}
	a.State, a.EndedAt, a.EndedBy = Cancelled, &now, &by
	return a.changed(now), nil
}

// withdrawn is the appointment whose slot the office withdrew.
func (a Appointment) withdrawn(operator uuid.UUID, reason string, now time.Time) Appointment {
	a.State, a.EndedAt, a.EndedBy, a.WithdrawalReason = Cancelled, &now, &operator, &reason
	return a.changed(now)
}

// expire ends a booking that was not confirmed in time, at that time.
func (a Appointment) expire() Appointment {
	at := a.ConfirmBy
	a.State, a.EndedAt = Expired, &at
	return a.changed(at)
}

// move holds another slot instead. What was confirmed stays so; what was not has no more time for
// it than before.
func (a Appointment) move(old, next Slot, now time.Time) (Appointment, error) {
	if err := a.requireLive(old.StartsAt, now); err != nil {
		return a, err
	}
	if err := next.requireOpen(now); err != nil {
		return a, err
	}
	a.SlotID, a.RemindAt = next.ID, remindAt(next.StartsAt, now)
	if a.State == Booked {
		a.ConfirmBy = earlier(a.ConfirmBy, next.StartsAt)
	}
	return a.changed(now), nil
}

// attend notes whether the person came. It may be corrected.
func (a Appointment) attend(attended bool, operator uuid.UUID, startsAt, now time.Time) (Appointment, error) {
	switch {
	case a.At(now) != Confirmed:
		return a, fault.Because(fault.Conflict, "appointment-not-confirmed")
	case now.Before(startsAt):
		return a, fault.Because(fault.Conflict, "appointment-not-begun")
	}
	a.Attended, a.AttendedBy, a.AttendedAt = &attended, &operator, &now
	a.Version, a.UpdatedAt = a.Version+1, now
	return a, nil
}

// Booking is what somebody asks for.
type Booking struct {
	SlotID        uuid.UUID
	ContributorID *uuid.UUID
	Topic         string
	TicketID      *uuid.UUID
	Phone         string
	Notes         string
}

// check returns fault.Invalid naming each field that is wrong.
func (b Booking) check() error {
	var wrong []fault.Field
	if !plaintext.IsLine(b.Phone, maxPhone) {
		wrong = append(wrong, fault.Field{Pointer: "/phone", Code: fault.FieldPattern})
	}
	if !plaintext.IsLine(b.Notes, maxNotes) {
		wrong = append(wrong, fault.Field{Pointer: "/notes", Code: fault.FieldPattern})
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// book makes the appointment in a slot.
func (b Booking) book(id, personID uuid.UUID, s Slot, now time.Time) (Appointment, error) {
	if err := s.requireOpen(now); err != nil {
		return Appointment{}, err
	}
	return Appointment{
		ID: id, SlotID: s.ID, PersonID: personID, ContributorID: b.ContributorID, Topic: b.Topic, TicketID: b.TicketID,
		Phone: b.Phone, Notes: b.Notes, State: Booked, BookedAt: now, ConfirmBy: earlier(now.Add(heldFor), s.StartsAt),
		RemindAt: remindAt(s.StartsAt, now), Version: 1, UpdatedAt: now,
	}, nil
}

// requireMay returns fault.Invalid where the slot is not for the topic, or an appointment on it
// takes a ticket. What is retired is left to the tickets that there are on it.
func (b Booking) requireMay(s Slot, t Topic) error {
	switch {
	case b.TicketID == nil && !t.Offered:
		return fault.InvalidFields(fault.Field{Pointer: "/topic", Code: fault.FieldUnknownTopic})
	case b.TicketID == nil && !t.Appointments:
		return fault.InvalidFields(fault.Field{Pointer: "/ticket_id", Code: fault.FieldTicketNeeded})
	case !s.isFor(t):
		return fault.InvalidFields(fault.Field{Pointer: "/topic", Code: fault.FieldNotAtSlot})
	}
	return nil
}

// remindAt is the day before at nine by the clocks of Rome, or nil where that is not to come.
func remindAt(startsAt, now time.Time) *time.Time {
	at := onClock(calendar.DateIn(startsAt).AddDays(-1), remindHour*60)
	if !at.After(now) {
		return nil
	}
	return &at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
