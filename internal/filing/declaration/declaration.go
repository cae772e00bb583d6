// Package declaration keeps declarations of responsibility (dichiarazioni di responsabilità):
// drafts, their submission through the protocol register, receipts and lists.
package declaration

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// Kind is the protocol register's word for a declaration.
const Kind = "declaration"

// mostDrafts is how many drafts one person has for one contributor at a time.
const mostDrafts = 200

// State is where a declaration stands.
type State string

// The states of a declaration.
const (
	Draft                    State = "draft"
	Submitted                State = "submitted"
	InCharge                 State = "in_charge"
	AwaitingCredentials      State = "awaiting_credentials"
	Accepted                 State = "accepted"
	ProvisionallyNotAccepted State = "provisionally_not_accepted"
	NotAccepted              State = "not_accepted"
	Confirmed                State = "confirmed"
	Lapsed                   State = "lapsed"
	Withdrawn                State = "withdrawn"
	Superseded               State = "superseded"
)

// Declaration is a draft or a submitted declaration. What was submitted never changes but for its
// state.
type Declaration struct {
	ID            uuid.UUID
	ContributorID uuid.UUID
	PositionID    uuid.UUID
	OfficeCode    string
	Type          string
	TypeVersion   int
	Step          string
	State         State
	// Content is in the canonical form of RFC 8785.
	Content string
	// WorkerTaxCode is that of the worker in the content, as written there; nil where there is
	// none.
	WorkerTaxCode *string
	// PersonID is who made it, ActingAs and RightID by which right.
	PersonID uuid.UUID
	ActingAs access.ActingAs
	RightID  uuid.UUID
	// ApplicationID is that of the application by which it was made; nil for the person.
	ApplicationID *uuid.UUID
	SupersedesID  *uuid.UUID
	// SupersededByID is the declaration that took its place.
	SupersededByID *uuid.UUID
	// ReservationID is the reservation that a confirmation confirms.
	ReservationID *uuid.UUID
	// Version counts changes, from 1.
	Version     int
	CreatedAt   time.Time
	UpdatedAt   time.Time `gorm:"autoUpdateTime:false"`
	ListedAt    time.Time
	SubmittedAt *time.Time
	// ProtocolNumber and Digest are set at submission.
	ProtocolNumber *string
	Digest         *string
	// AssignedTo is the operator who has taken it in charge, AssignedAt when.
	AssignedTo *uuid.UUID
	AssignedAt *time.Time
	// Amount is what was reserved or granted. Reasons is a JSON array of Reason, and DecidedBy the
	// operator; it is nil for what was decided by itself.
	Amount    *money.Cents
	Reasons   *string
	DecidedAt *time.Time
	DecidedBy *uuid.UUID
	// HireBy and ConfirmBy are the terms of an accepted reservation: each is over at its instant.
	HireBy    *time.Time
	ConfirmBy *time.Time
	// EndsAt is when the present state ends by itself.
	EndsAt *time.Time
}

// Reason is why a declaration was decided as it was. The text is that of the operator who decided;
// it is empty for what was decided by itself.
type Reason struct {
	Code ReasonCode `json:"code"`
	Text string     `json:"text,omitempty"`
}

// ReasonCode is a kind of reason.
type ReasonCode string

// ReasonOperator is a reason in the words of an operator.
const ReasonOperator ReasonCode = "operator"

// Because returns the reasons for what was decided. A text that this package has not written has
// none.
func (d Declaration) Because() []Reason {
	var reasons []Reason
	if d.Reasons == nil || json.Unmarshal([]byte(*d.Reasons), &reasons) != nil {
		return nil
	}
	return reasons
}

// View is a declaration as it is shown: with its maker's names and its receipt.
type View struct {
	Declaration
	GivenName  string
	FamilyName string
	// ClientID names the application by which it was made; empty for the person, and in lists.
	ClientID string
	// JWS is the signed receipt; empty while the declaration is a draft, and in lists.
	JWS string
	// Withdrawal is how long its type lets it be taken back; empty in lists.
	Withdrawal catalogue.Withdrawal `gorm:"-"`
	// Assignee is who has it in charge; nil but for operators of the office.
	Assignee *review.Colleague `gorm:"-"`
}

// Input is what a user gives for a draft.
type Input struct {
	Type          string
	PositionID    uuid.UUID
	Step          string
	ReservationID *uuid.UUID
	SupersedesID  *uuid.UUID
	RightID       *uuid.UUID
	Content       json.RawMessage
	// Submit files it at once.
	Submit bool
}

// Change is what a user changes in a draft; nil leaves a part as it is.
type Change struct {
	PositionID *uuid.UUID
	// Content is a JSON merge patch (RFC 7396).
	Content json.RawMessage
}

// Filter narrows a list down.
type Filter struct {
	Type          string
	State         State
	SubmittedFrom *time.Time
	SubmittedTo   *time.Time
	WorkerTaxCode string
	// What follows is for an office's lists alone.
	ContributorID uuid.UUID
	// ContributorTaxCode is resolved to the id.
	ContributorTaxCode string
	Assigned           review.Assignment
	// LapsesBefore is the instant before which the present state ends by itself.
	LapsesBefore *time.Time

	// operator is who asks.
	operator uuid.UUID
}

// Names returns the receipt's facts about who filed.
func (d View) Names() string { return d.GivenName + " " + d.FamilyName }

// requireDraft returns fault.Conflict for what was submitted already.
func (d Declaration) requireDraft() error {
	if d.State != Draft {
		return fault.Because(fault.Conflict, "declaration-not-draft")
	}
	return nil
}

// requireVersion returns fault.PreconditionFailed when somebody changed the declaration since the
// caller read it.
func (d Declaration) requireVersion(expected int) error {
	return fault.RequireVersion(expected, d.Version)
}

// MayBeWithdrawn reports whether the declaration may be taken back as it stands.
func (d View) MayBeWithdrawn() bool { return d.withdrawable(d.Withdrawal) }

// withdrawable holds until the office has decided and, where the type says so, for a reservation
// until it is confirmed.
func (d Declaration) withdrawable(until catalogue.Withdrawal) bool {
	switch until {
	case catalogue.NoWithdrawal:
		return false
	case catalogue.UntilConfirmation:
		if d.State == Accepted && d.Step == catalogue.Reservation {
			return true
		}
	case catalogue.UntilDecision:
	}
	return slices.Contains([]State{Submitted, AwaitingCredentials, ProvisionallyNotAccepted}, d.State)
}

// requireWithdrawable returns fault.Conflict where a declaration may not be taken back any more.
func (d Declaration) requireWithdrawable(until catalogue.Withdrawal, now time.Time) error {
	if !d.withdrawable(until) || d.lapsed(now) {
		return fault.Because(fault.Conflict, "declaration-not-withdrawable")
	}
	return nil
}

// mayBeSuperseded holds for what was submitted and neither withdrawn nor replaced. What is confirmed
// stays.
func (d Declaration) mayBeSuperseded() bool {
	return !slices.Contains([]State{Draft, Withdrawn, Superseded, Lapsed}, d.State) &&
		(d.Step != catalogue.Reservation || d.State != Confirmed) && (d.Step != catalogue.Confirmation || d.State != Accepted)
}

// stateAtSubmission is the state in which a declaration begins. What is sent with ordinary
// credentials is protocolled but waits until they become dispositive (INPS PIN rules).
func stateAtSubmission(level access.CredentialLevel) State {
	if level == access.Dispositive {
		return Submitted
	}
	return AwaitingCredentials
}
