// Package event keeps the feed of what happened, for software that wants to know. One appender at a
// time makes events of audit records after their commit, so nobody waits for it and a position is
// never seen before all lower ones. Whoever reads is shown what they may see at that moment.
package event

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Type says what happened.
type Type string

// The types of events in the feed.
const (
	DeclarationSubmitted           Type = "declaration.submitted"
	DeclarationAwaitingCredentials Type = "declaration.awaiting_credentials"
	DeclarationInCharge            Type = "declaration.in_charge"
	DeclarationDecided             Type = "declaration.decided"
	DeclarationWithdrawn           Type = "declaration.withdrawn"
	DeclarationSuperseded          Type = "declaration.superseded"
	DeclarationLapsed              Type = "declaration.lapsed"
	BatchFinished                  Type = "declaration_batch.finished"
	DelegationActivated            Type = "delegation.activated"
	DelegationEnded                Type = "delegation.ended"
	ConsentGiven                   Type = "consent.given"
	ConsentEnded                   Type = "consent.ended"
	DMASubmitted                   Type = "dma.submitted"
	DMAAwaitingCredentials         Type = "dma.awaiting_credentials"
	DMASuperseded                  Type = "dma.superseded"
	DMALapsed                      Type = "dma.lapsed"
	TicketOpened                   Type = "ticket.opened"
	TicketInCharge                 Type = "ticket.in_charge"
	TicketRouted                   Type = "ticket.routed"
	TicketCommented                Type = "ticket.commented"
	TicketClosed                   Type = "ticket.closed"
	TicketReopened                 Type = "ticket.reopened"
	AppointmentBooked              Type = "appointment.booked"
	AppointmentConfirmed           Type = "appointment.confirmed"
	AppointmentMoved               Type = "appointment.moved"
	AppointmentCancelled           Type = "appointment.cancelled"
	AppointmentExpired             Type = "appointment.expired"
	AppointmentWithdrawn           Type = "appointment.withdrawn"
)

// Types lists every type that the feed has.
func Types() []Type {
	return []Type{
		DeclarationSubmitted, DeclarationAwaitingCredentials, DeclarationInCharge, DeclarationDecided, DeclarationWithdrawn,
		DeclarationSuperseded, DeclarationLapsed, BatchFinished, DelegationActivated, DelegationEnded, ConsentGiven, ConsentEnded,
		DMASubmitted, DMAAwaitingCredentials, DMASuperseded, DMALapsed,
		TicketOpened, TicketInCharge, TicketRouted, TicketCommented, TicketClosed, TicketReopened,
		AppointmentBooked, AppointmentConfirmed, AppointmentMoved, AppointmentCancelled, AppointmentExpired, AppointmentWithdrawn,
	}
}

// kind is that of the subjects of such events.
func (t Type) kind() string {
	of, _, _ := strings.Cut(string(t), ".")
	if of == "dma" {
		return kindDMA
	}
	return strings.ReplaceAll(of, "_", "-")
}

// Event is one thing that happened. It holds ids, never personal data.
type Event struct {
	// Position is its place in the feed; there are no gaps.
	Position int64 `gorm:"primaryKey;autoIncrement:false"`
	// ID is that of the audit record that it was made of, or made of that for a second event.
	ID   uuid.UUID
	Type Type
	At   time.Time
	// ContributorID, PositionID and DelegateID are whom it is about; who may see it follows.
	ContributorID *uuid.UUID
	PositionID    *uuid.UUID
	// Service is what a right must cover to see it; it may be empty.
	Service    access.Service
	DelegateID *uuid.UUID
	// PersonID is who gave the consent, sent the batch or booked the appointment; nil for the rest.
	PersonID *uuid.UUID
	// ApplicationID is that of the application which did it, or which the consent is for.
	ApplicationID *uuid.UUID
	SubjectKind   string
	SubjectID     string
}

// TableName tells GORM the table.
func (Event) TableName() string { return "events" }

// About says what the event is about, for access.Repository.Watching.
func (e Event) About() access.About {
	return access.About{
		ContributorID: known(e.ContributorID), PositionID: known(e.PositionID), DelegateID: known(e.DelegateID),
		PersonID: known(e.PersonID), Service: e.Service, Kind: e.SubjectKind, SubjectID: e.SubjectID,
	}
}

// Subject is how the API names the kind of what the event is about, and where that is to be read,
// below the version.
func (e Event) Subject() (kind, path string) {
	switch e.SubjectKind {
	case kindBatch:
		return "declaration_batch", "/declaration-batches/" + e.SubjectID
	case kindDelegation:
		return "delegation", "/delegations/" + e.SubjectID
	case kindConsent:
		return "consent", "/me/consents/" + e.SubjectID
	case kindDMA:
		return "dma_submission", "/dma-submissions/" + e.SubjectID
	case kindTicket:
		return "ticket", "/tickets/" + e.SubjectID
	case kindAppointment:
		return "appointment", "/appointments/" + e.SubjectID
	}
	return "declaration", "/declarations/" + e.SubjectID
}

func known(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// cursorMark begins every cursor.
const cursorMark = "e"

// Cursor is the place in the feed behind the event, in plain ASCII.
func (e Event) Cursor() string { return Cursor(e.Position) }

// Cursor is the place behind a position.
func Cursor(position int64) string { return cursorMark + strconv.FormatInt(position, 36) }

// ParseCursor returns the position behind which a cursor stands. It returns fault.Malformed for one
// that this API never gave, at the parameter or header.
func ParseCursor(text, parameter string, in fault.Place) (int64, error) {
	digits, ours := strings.CutPrefix(text, cursorMark)
	position, err := strconv.ParseInt(digits, 36, 64)
	if !ours || err != nil || position < 0 || Cursor(position) != text {
		return 0, badCursor(parameter, in, fault.FieldCursor)
	}
	return position, nil
}

func badCursor(parameter string, in fault.Place, code string) error {
	return &fault.Fault{Code: fault.Malformed, Fields: []fault.Field{{In: in, Pointer: parameter, Code: code}}}
}
