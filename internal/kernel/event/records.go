package event

import (
	"encoding/json"

	"diresco/internal/kernel/access"
)

// The kinds of subject, as the audit trail names them.
const (
	kindDeclaration = access.WatchedDeclaration
	kindBatch       = access.WatchedBatch
	kindDelegation  = access.WatchedDelegation
	kindConsent     = access.WatchedConsent
)

// offered is that the contributor knows of a delegation g.
var offered = access.OfferedDelegation("g")

// came says which event it is that a declaration came into a state.
var came = map[string]Type{
	"submitted": DeclarationSubmitted, "awaiting_credentials": DeclarationAwaitingCredentials, "in_charge": DeclarationInCharge,
	"accepted": DeclarationDecided, "provisionally_not_accepted": DeclarationDecided, "not_accepted": DeclarationDecided,
	"confirmed": DeclarationDecided, "withdrawn": DeclarationWithdrawn, "superseded": DeclarationSuperseded, "lapsed": DeclarationLapsed,
}

// undetailed are the states that operations bring about whose records may have no detail.
var undetailed = map[string]string{
	"completeDeclaration": "submitted", "lapseDeclaration": "lapsed", "supersedeDeclaration": "superseded",
	"withdrawDeclaration": "withdrawn",
}

// eventsOf makes events of the records that are any, in their order.
func eventsOf(records []record) []Event {
	events := make([]Event, 0, len(records))
	for _, r := range records {
		e, is := r.event()
		if is {
			events = append(events, e)
		}
	}
	return events
}

// event returns what a record tells, and false where that is nothing.
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
		case r.Operation == "activateDelegation", r.Operation == "revokeDelegation", r.Operation == "expireDelegation":
			e.Type = DelegationEnded
		}
		if r.Offered == nil || *r.Offered == 0 {
			// It is the intermediary's alone.
			e.ContributorID = nil
		}
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
	}
	return e, e.Type != ""
}

// cameInto is the event of a declaration's record, or "".
func (r record) cameInto() Type {
	var detail struct{ State string }
	if r.Detail != nil && json.Unmarshal([]byte(*r.Detail), &detail) == nil && detail.State != "" {
		return came[detail.State]
	}
	if r.FiledAs != nil {
		return came[*r.FiledAs]
	}
	return came[undetailed[r.Operation]]
}
