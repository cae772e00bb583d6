package event

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

// Each record is the event that says what became of its subject, or none.
func TestRecord_IsTheEventOfWhatBecameOfItsSubject(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	known := 1
	detail := func(state string) *string {
		text := `{"state":"` + state + `"}`
		return &text
	}
	for _, c := range []struct {
		kind, operation string
		outcome         string
		detail          *string
		want            []Type
	}{
		{kindDeclaration, "draftDeclaration", "done", nil, nil},
		{kindDeclaration, "draftDeclaration", "done", detail("submitted"), []Type{DeclarationSubmitted}},
		{kindDeclaration, "submitDeclaration", "done", detail("accepted"), []Type{DeclarationSubmitted, DeclarationDecided}},
		{kindDeclaration, "fileDeclarationBatch", "done", detail("not_accepted"), []Type{DeclarationSubmitted, DeclarationDecided}},
		{kindDeclaration, "submitDeclaration", "done", detail("awaiting_credentials"), []Type{DeclarationAwaitingCredentials}},
		{kindDeclaration, "completeDeclaration", "done", nil, []Type{DeclarationSubmitted}},
		{kindDeclaration, "completeDeclaration", "done", detail("accepted"), []Type{DeclarationSubmitted, DeclarationDecided}},
		{kindDeclaration, "completeDeclaration", "done", detail("submitted"), []Type{DeclarationSubmitted}},
		{kindDeclaration, "takeDeclarationInCharge", "done", detail("in_charge"), []Type{DeclarationInCharge}},
		{kindDeclaration, "releaseDeclaration", "done", detail("submitted"), nil},
		{kindDeclaration, "decideDeclaration", "done", detail("not_accepted"), []Type{DeclarationDecided}},
		{kindDeclaration, "holdDeclaration", "done", detail("provisionally_not_accepted"), []Type{DeclarationDecided}},
		{kindDeclaration, "confirmReservation", "done", detail("confirmed"), []Type{DeclarationDecided}},
		{kindDeclaration, "withdrawDeclaration", "done", detail("withdrawn"), []Type{DeclarationWithdrawn}},
		{kindDeclaration, "supersedeDeclaration", "done", detail("superseded"), []Type{DeclarationSuperseded}},
		{kindDeclaration, "lapseDeclaration", "done", detail("lapsed"), []Type{DeclarationLapsed}},
		{kindBatch, "fileDeclarationBatch", "done", nil, nil},
		{kindBatch, "finishDeclarationBatch", "done", nil, []Type{BatchFinished}},
		{kindBatch, "cancelDeclarationBatch", "done", nil, []Type{BatchFinished}},
		{kindDelegation, "activateDelegation", "done", nil, []Type{DelegationActivated}},
		{kindDelegation, "activateDelegation", "replaced", nil, []Type{DelegationEnded}},
		{kindDelegation, "revokeDelegation", "done", nil, []Type{DelegationEnded}},
		{kindDelegation, "requestSmartTask", "revoked", nil, []Type{DelegationEnded}},
		{kindDelegation, "requestSmartTask", "contacts-changed", nil, nil},
		{kindDelegation, "expireDelegation", "done", nil, []Type{DelegationEnded}},
		{kindDelegation, "showDelegationForm", "done", nil, nil},
		{kindTicket, "openTicket", "done", detail("open"), []Type{TicketOpened}},
		{kindTicket, "requestSmartTask", "done", detail("open"), []Type{TicketOpened}},
		{kindTicket, "takeTicketInCharge", "done", detail("in_charge"), []Type{TicketInCharge}},
		{kindTicket, "releaseTicket", "done", detail("open"), nil},
		{kindTicket, "routeTicket", "done", detail("open"), []Type{TicketRouted}},
		{kindTicket, "addTicketComment", "done", nil, []Type{TicketCommented}},
		{kindTicket, "commentTicket", "done", &[]string{`{"visibility":"visible"}`}[0], []Type{TicketCommented}},
		{kindTicket, "commentTicket", "done", &[]string{`{"visibility":"internal"}`}[0], nil},
		{kindTicket, "closeTicket", "done", detail("closed"), []Type{TicketClosed}},
		{kindTicket, "reopenTicket", "done", detail("open"), []Type{TicketReopened}},
		{kindTicket, "remindTicket", "done", nil, nil},
		{kindTicket, "decideSmartTask", "done", detail("closed"), []Type{TicketClosed}},
		{kindAppointment, "bookAppointment", "done", nil, []Type{AppointmentBooked}},
		{kindAppointment, "confirmAppointment", "done", nil, []Type{AppointmentConfirmed}},
		{kindAppointment, "rescheduleAppointment", "done", nil, []Type{AppointmentMoved}},
		{kindAppointment, "cancelAppointment", "done", nil, []Type{AppointmentCancelled}},
		{kindAppointment, "expireAppointment", "done", nil, []Type{AppointmentExpired}},
		{kindAppointment, "withdrawAppointment", "done", nil, []Type{AppointmentWithdrawn}},
		{kindAppointment, "markAppointment", "done", nil, nil},
		{kindConsent, "giveConsent", "done", nil, []Type{ConsentGiven}},
		{kindConsent, "endConsent", "done", detail("x"), []Type{ConsentEnded}},
		{kindConsent, "withdrawMyConsent", "done", nil, []Type{ConsentEnded}},
		{kindConsent, "withdrawContributorConsent", "done", nil, nil},
		{kindConsent, "withdrawContributorConsent", "done", detail("x"), []Type{ConsentEnded}},
	} {
		r := record{
			ID: id, Operation: c.operation, Outcome: c.outcome, Detail: c.detail, SubjectKind: c.kind, SubjectID: id.String(), ContributorID: &id,
			subject: subject{PositionID: &id, Offered: &known},
		}
		var got []Type
		told := map[uuid.UUID]bool{}
		for _, e := range eventsOf([]record{r}) {
			got = append(got, e.Type)
			if told[e.ID] || e.ID.Time() != id.Time() || e.ID.Version() != 7 || e.ID.Variant() != uuid.RFC4122 {
				t.Errorf("%s of a %s: %s has the id %s, of the record %s", c.operation, c.kind, e.Type, e.ID, id)
			}
			told[e.ID] = true
		}
		if !slices.Equal(got, c.want) || len(got) > 0 && !told[id] {
			t.Errorf("%s of a %s: %q, want %q", c.operation, c.kind, got, c.want)
		}
	}
	drafts := eventsOf([]record{{ID: id, Operation: "revokeDelegation", SubjectKind: kindDelegation, ContributorID: &id, subject: subject{DelegateID: &id}}})
	if len(drafts) != 1 || drafts[0].ContributorID != nil || drafts[0].DelegateID == nil {
		t.Errorf("a draft that its contributor never knew of: %+v", drafts)
	}
}
