package event

import (
	"testing"

	"github.com/google/uuid"
)

// Each record is the event that says what became of its subject, or none.
func TestRecord_IsTheEventOfWhatBecameOfItsSubject(t *testing.T) {
	id := uuid.New()
	known := 1
	detail := func(state string) *string {
		text := `{"state":"` + state + `"}`
		return &text
	}
	for _, c := range []struct {
		kind, operation string
		outcome         string
		detail          *string
		want            Type
	}{
		{kindDeclaration, "draftDeclaration", "done", nil, ""},
		{kindDeclaration, "draftDeclaration", "done", detail("submitted"), DeclarationSubmitted},
		{kindDeclaration, "submitDeclaration", "done", detail("accepted"), DeclarationSubmitted},
		{kindDeclaration, "fileDeclarationBatch", "done", detail("not_accepted"), DeclarationSubmitted},
		{kindDeclaration, "submitDeclaration", "done", detail("awaiting_credentials"), DeclarationAwaitingCredentials},
		{kindDeclaration, "completeDeclaration", "done", nil, DeclarationSubmitted},
		{kindDeclaration, "completeDeclaration", "done", detail("accepted"), DeclarationDecided},
		{kindDeclaration, "takeDeclarationInCharge", "done", detail("in_charge"), DeclarationInCharge},
		{kindDeclaration, "releaseDeclaration", "done", detail("submitted"), DeclarationSubmitted},
		{kindDeclaration, "decideDeclaration", "done", detail("not_accepted"), DeclarationDecided},
		{kindDeclaration, "holdDeclaration", "done", detail("provisionally_not_accepted"), DeclarationDecided},
		{kindDeclaration, "confirmReservation", "done", detail("confirmed"), DeclarationDecided},
		{kindDeclaration, "withdrawDeclaration", "done", detail("withdrawn"), DeclarationWithdrawn},
		{kindDeclaration, "supersedeDeclaration", "done", detail("superseded"), DeclarationSuperseded},
		{kindDeclaration, "lapseDeclaration", "done", detail("lapsed"), DeclarationLapsed},
		{kindBatch, "fileDeclarationBatch", "done", nil, ""},
		{kindBatch, "finishDeclarationBatch", "done", nil, BatchFinished},
		{kindBatch, "cancelDeclarationBatch", "done", nil, BatchFinished},
		{kindDelegation, "activateDelegation", "done", nil, DelegationActivated},
		{kindDelegation, "activateDelegation", "replaced", nil, DelegationEnded},
		{kindDelegation, "revokeDelegation", "done", nil, DelegationEnded},
		{kindDelegation, "expireDelegation", "done", nil, DelegationEnded},
		{kindDelegation, "showDelegationForm", "done", nil, ""},
		{kindConsent, "giveConsent", "done", nil, ConsentGiven},
		{kindConsent, "endConsent", "done", detail("x"), ConsentEnded},
		{kindConsent, "withdrawMyConsent", "done", nil, ConsentEnded},
		{kindConsent, "withdrawContributorConsent", "done", nil, ""},
		{kindConsent, "withdrawContributorConsent", "done", detail("x"), ConsentEnded},
	} {
		r := record{
			ID: id, Operation: c.operation, Outcome: c.outcome, Detail: c.detail, SubjectKind: c.kind, SubjectID: id.String(), PositionID: &id,
			ContributorID: &id, Offered: &known,
		}
		e, is := r.event()
		if e.Type != c.want || is != (c.want != "") {
			t.Errorf("%s of a %s: %q, %v, want %q", c.operation, c.kind, e.Type, is, c.want)
		}
	}
	draft, ended := record{ID: id, Operation: "revokeDelegation", SubjectKind: kindDelegation, ContributorID: &id, DelegateID: &id}.event()
	if !ended || draft.ContributorID != nil || draft.DelegateID == nil {
		t.Errorf("a draft that its contributor never knew of: %+v", draft)
	}
}
