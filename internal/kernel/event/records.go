package event

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// The kinds of subject, as the audit trail names them.
const (
	kindDeclaration = access.WatchedDeclaration
	kindBatch       = access.WatchedBatch
	kindDelegation  = access.WatchedDelegation
	kindConsent     = access.WatchedConsent
	kindDMA         = access.WatchedDMA
	kindTicket      = access.WatchedTicket
	kindAppointment = access.WatchedAppointment
)

// came says which event it is that a declaration came into a state.
var came = map[string]Type{
	"submitted": DeclarationSubmitted, "awaiting_credentials": DeclarationAwaitingCredentials, "in_charge": DeclarationInCharge,
	"accepted": DeclarationDecided, "provisionally_not_accepted": DeclarationDecided, "not_accepted": DeclarationDecided,
	"confirmed": DeclarationDecided, "withdrawn": DeclarationWithdrawn, "superseded": DeclarationSuperseded, "lapsed": DeclarationLapsed,
}

// cameDMA says which event it is that a list of public employees came into a state.
var cameDMA = map[string]Type{
	"submitted": DMASubmitted, "awaiting_credentials": DMAAwaitingCredentials, "superseded": DMASuperseded, "lapsed": DMALapsed,
}

// undetailed are the states that operations bring about whose records may have no detail.
var undetailed = map[string]string{
	"completeDeclaration": "submitted", "lapseDeclaration": "lapsed", "supersedeDeclaration": "superseded",
	"withdrawDeclaration": "withdrawn",
}

// happened says which event it is that an operation changed an appointment.
var happened = map[string]Type{
	"bookAppointment": AppointmentBooked, "confirmAppointment": AppointmentConfirmed, "rescheduleAppointment": AppointmentMoved,
	"cancelAppointment": AppointmentCancelled, "expireAppointment": AppointmentExpired, "withdrawAppointment": AppointmentWithdrawn,
}

// eventsOf makes events of the records that are any, in their order.
func eventsOf(records []record) []Event {
	events := make([]Event, 0, len(records))
	for _, r := range records {
		e, is := r.event()
		if !is {
			continue
		}
		events = append(events, e)
		if e.Type == DeclarationSubmitted && r.decided() {
			e.ID, e.Type = also(e.ID, DeclarationDecided), DeclarationDecided
			events = append(events, e)
		}
	}
	return events
}

// also is the id of a second event of a record. It is made of the first, so it is always the same,
// and has the same time.
func also(id uuid.UUID, second Type) uuid.UUID {
	hash := uuid.NewSHA1(id, []byte(second))
	copy(id[8:], hash[8:])
	return id
}

// event returns what a record tells first, and false where that is nothing.
func (r record) event() (Event, bool) {
	e := Event{
		ID: r.ID, At: r.At, ContributorID: r.ContributorID, ApplicationID: r.ApplicationID, SubjectKind: r.SubjectKind,
		SubjectID: r.SubjectID,
	}
	switch r.SubjectKind {
	case kindDeclaration:
		e.Type, e.PositionID, e.Service = r.cameInto(), r.PositionID, access.Declarations
		if e.PositionID == nil {
			// A draft that is gone.
			return Event{}, false
		}
	case kindBatch:
		e.PersonID, e.Service = r.GiverID, access.Declarations
		if r.Operation == "finishDeclarationBatch" || r.Operation == "cancelDeclarationBatch" {
			e.Type = BatchFinished
		}
	case kindDelegation:
		e.DelegateID, e.Service = r.DelegateID, access.Delegations
		switch {
		case r.Operation == "activateDelegation" && r.Outcome != "replaced":
			e.Type = DelegationActivated
		case r.Operation == "activateDelegation", r.Operation == "revokeDelegation", r.Operation == "expireDelegation",
			r.Operation == "requestSmartTask" && r.Outcome == "revoked":
			e.Type = DelegationEnded
		}
		if r.Offered == nil || *r.Offered == 0 {
			// It is the intermediary's alone.
			e.ContributorID = nil
		}
	case kindDMA:
		e.Type, e.PositionID, e.Service = cameDMA[r.state()], r.PositionID, access.ViewDMA
	case kindTicket:
		e.Type, e.PositionID, e.Service = r.ofTicket(), r.PositionID, access.Dossier
	case kindConsent:
		e.PersonID, e.ApplicationID, e.ContributorID = r.GiverID, r.ClientID, nil
		switch {
		case r.Operation == "giveConsent":
			e.Type = ConsentGiven
		case r.Operation == "endConsent", r.Operation == "withdrawMyConsent":
			e.Type = ConsentEnded
		case r.Operation == "withdrawContributorConsent" && r.Detail != nil:
			// Where it goes on for others there is no detail.
			e.Type = ConsentEnded
		}
	case kindAppointment:
		e.PersonID, e.PositionID, e.Service = r.GiverID, r.PositionID, access.Dossier
		if e.ContributorID != nil {
			// What somebody booked for themselves is nobody else's.
			e.Type = happened[r.Operation]
		}
	}
	return e, e.Type != ""
}

// files are the operations by which a declaration is submitted; a draft that they leave one has no
// detail.
var files = []string{"draftDeclaration", "submitDeclaration", "fileDeclarationBatch", "completeDeclaration"}

// state is what the operation made of a declaration, or "".
func (r record) state() string {
	var detail struct{ State string }
	if r.Detail == nil || json.Unmarshal([]byte(*r.Detail), &detail) != nil || detail.State == "" {
		return undetailed[r.Operation]
	}
	return detail.State
}

// decided reports whether a declaration was decided in the moment of its filing.
func (r record) decided() bool {
	return came[r.state()] == DeclarationDecided && slices.Contains(files, r.Operation)
}

// cameInto is the first event of a declaration's record, or "". What is decided in the moment of its
// filing was submitted first; what is no longer in charge was submitted long ago.
func (r record) cameInto() Type {
	switch {
	case r.decided():
		return DeclarationSubmitted
	case r.Operation == "releaseDeclaration":
		return ""
	}
	return came[r.state()]
}

// ticketed are the types of the events that operations on tickets are.
var ticketed = map[string]Type{
	"openTicket": TicketOpened, "requestSmartTask": TicketOpened, "takeTicketInCharge": TicketInCharge, "routeTicket": TicketRouted,
	"addTicketComment": TicketCommented, "closeTicket": TicketClosed, "reopenTicket": TicketReopened,
}

// ofTicket is what became of a ticket. What the system does by itself says it by the state that the
// ticket came into, and a comment of the office by who may read it.
func (r record) ofTicket() Type {
	if t, known := ticketed[r.Operation]; known {
		return t
	}
	var detail struct{ State, Visibility string }
	if r.Detail == nil || json.Unmarshal([]byte(*r.Detail), &detail) != nil {
		return ""
	}
	switch {
	case r.Operation == "commentTicket" && detail.Visibility == "visible":
		return TicketCommented
	case r.PersonID != nil:
		return ""
	case detail.State == "in_charge":
		return TicketInCharge
	case detail.State == "closed":
		return TicketClosed
	}
	return ""
}
