// Package timeline shows everything that happened for a contributor as one list: the electronic
// file (fascicolo elettronico). It keeps nothing of its own. It reads what every change leaves in the
// audit trail, and of filings the declarations themselves, so that no change does more for it.
package timeline

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// Kind is what kind of thing an entry is about.
type Kind string

// The kinds.
const (
	Declaration Kind = "declaration"
	Ticket      Kind = "ticket"
	SmartTask   Kind = "smart_task"
	Appointment Kind = "appointment"
	DMA         Kind = "dma_submission"
	Delegation  Kind = "delegation"
	Enrolment   Kind = "enrolment"
	Role        Kind = "role"
)

// Happening says what happened.
type Happening string

// What happens.
const (
	DeclarationSubmitted           Happening = "declaration.submitted"
	DeclarationAwaitingCredentials Happening = "declaration.awaiting_credentials"
	DeclarationInCharge            Happening = "declaration.in_charge"
	DeclarationDecided             Happening = "declaration.decided"
	DeclarationWithdrawn           Happening = "declaration.withdrawn"
	DeclarationSuperseded          Happening = "declaration.superseded"
	DeclarationLapsed              Happening = "declaration.lapsed"
	TicketOpened                   Happening = "ticket.opened"
	TicketInCharge                 Happening = "ticket.in_charge"
	TicketRouted                   Happening = "ticket.routed"
	TicketCommented                Happening = "ticket.commented"
	TicketReminded                 Happening = "ticket.reminded"
	TicketClosed                   Happening = "ticket.closed"
	TicketReopened                 Happening = "ticket.reopened"
	AppointmentBooked              Happening = "appointment.booked"
	AppointmentConfirmed           Happening = "appointment.confirmed"
	AppointmentMoved               Happening = "appointment.moved"
	AppointmentCancelled           Happening = "appointment.cancelled"
	AppointmentExpired             Happening = "appointment.expired"
	AppointmentWithdrawn           Happening = "appointment.withdrawn"
	DMASubmitted                   Happening = "dma_submission.submitted"
	DMAAwaitingCredentials         Happening = "dma_submission.awaiting_credentials"
	DMASuperseded                  Happening = "dma_submission.superseded"
	DMALapsed                      Happening = "dma_submission.lapsed"
	DelegationActivated            Happening = "delegation.activated"
	DelegationEnded                Happening = "delegation.ended"
	EnrolmentSubmitted             Happening = "enrolment.submitted"
	EnrolmentAwaitingCredentials   Happening = "enrolment.awaiting_credentials"
	EnrolmentDecided               Happening = "enrolment.decided"
	EnrolmentLapsed                Happening = "enrolment.lapsed"
	RoleGranted                    Happening = "role.granted"
	RoleWithdrawn                  Happening = "role.withdrawn"
)

// Entry is one thing that happened.
type Entry struct {
	// ID is that of the audit record; of a filing that of the declaration.
	ID       uuid.UUID
	Kind     Kind
	Happened Happening
	At       time.Time
	// SubjectID is what it happened to.
	SubjectID uuid.UUID
	// OwnerID is the person to whom alone the subject is shown; zero where it is not so.
	OwnerID uuid.UUID
	// State is what the subject came into; empty where it stayed as it was.
	State string
	// Code is that of the declaration's type, and the like; it may be empty.
	Code           string
	PositionID     *uuid.UUID
	PositionNumber string
	ProtocolNumber string
	By             Author
	// Operation is what did it, in the words of the trail.
	Operation string
	// Filed says that there is a receipt of it.
	Filed bool
}

// Author is who did it. It is empty for what came about by itself.
type Author struct {
	// AtOffice says that somebody acted for an office, Office which one.
	AtOffice bool
	Office   string
	// PersonID is nil where it is not told.
	PersonID   *uuid.UUID
	GivenName  string
	FamilyName string
	ActingAs   access.ActingAs
	// ClientID names the application by which they did it.
	ClientID string
}

// row is what is read of one thing that happened.
type row struct {
	ID             uuid.UUID
	At             time.Time
	Operation      string
	Outcome        string
	Detail         *string
	PersonID       *uuid.UUID
	ActingAs       *access.ActingAs
	SubjectKind    string
	SubjectID      string
	Kind           Kind
	Code           *string
	PositionID     *uuid.UUID
	OfficeCode     *string
	ProtocolNumber *string
	// State is that of the subject now; of a filing that in which it was filed.
	State *string
	// OwnerID is to whom alone the subject is shown.
	OwnerID    *uuid.UUID
	GivenName  string
	FamilyName string
	PersonsAt  *string
	// PositionNumber is that of the position, if there is one.
	PositionNumber *string
	ClientID       string
}

// entry says what a row tells.
func (r row) entry(office bool) (Entry, error) {
	id, err := uuid.Parse(r.SubjectID)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		ID: r.ID, Kind: r.Kind, At: r.At, SubjectID: id, Code: text(r.Code), PositionID: r.PositionID,
		PositionNumber: text(r.PositionNumber),
		ProtocolNumber: text(r.ProtocolNumber), By: r.author(office), Operation: r.Operation,
		Filed: r.Operation == filed,
	}
	if r.OwnerID != nil {
		e.OwnerID = *r.OwnerID
	}
	e.Happened, e.State = r.happened()
	return e, nil
}

// happened is what a row tells, with the state that the subject came into.
func (r row) happened() (Happening, string) {
	told, state := Happening(""), ""
	for _, h := range happenings {
		if h.subject == r.SubjectKind && h.operation == r.Operation && h.outcome == r.Outcome {
			told, state = h.happening, h.state
			break
		}
	}
	switch state {
	case inDetail:
		state = r.detailed()
	case asItIs:
		state = text(r.State)
	}
	if next, is := awaiting[told]; is && state == awaitingCredentials {
		told = next
	}
	return told, state
}

// detailed is the state that the record names; of records without a detail the operation says it.
func (r row) detailed() string {
	var detail struct{ State string }
	if r.Detail == nil || json.Unmarshal([]byte(*r.Detail), &detail) != nil || detail.State == "" {
		return undetailed[r.Operation]
	}
	return detail.State
}

// author is who did it. Of an office it is told which one it is; who acted is told in the office
// alone.
func (r row) author(office bool) Author {
	a := Author{PersonID: r.PersonID, GivenName: r.GivenName, FamilyName: r.FamilyName, ClientID: r.ClientID}
	if r.ActingAs != nil {
		a.ActingAs = *r.ActingAs
	}
	if a.ActingAs != access.OfficeOperator {
		return a
	}
	if a.AtOffice, a.Office = true, text(r.PersonsAt); a.Office == "" {
		a.Office = text(r.OfficeCode)
	}
	if !office {
		return Author{AtOffice: true, Office: a.Office}
	}
	return a
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
