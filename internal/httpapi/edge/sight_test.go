package edge

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Who may not see what the path names is told that and nothing else, however the request is wrong.
func TestSight_ComesBeforeWhatIsWrongWithTheRequest(t *testing.T) {
	seen, hidden := uuid.MustParse("018f3b41-2b3c-7d4e-9f50-6b7c8d9e1021"), uuid.MustParse("018f3b41-2b3c-7d4e-9f50-6b7c8d9e1022")
	w := newWorld(t)
	w.sights["/sub-delegations/{sub_delegation_id}"] = func(_ context.Context, by access.Actor, id uuid.UUID) error {
		if by.PersonID != myPerson || id != seen {
			return fault.New(fault.NotFound)
		}
		return nil
	}
	revocation := func(id uuid.UUID) string { return "/v1/sub-delegations/" + id.String() + "/revocation" }
	for name, c := range map[string]struct {
		ask  ask
		want int
	}{
		"a body that is not expected": {
			ask{body: `{"a":1}`, header: map[string]string{"Idempotency-Key": "key-00000001"}}, http.StatusBadRequest,
		},
		"no key": {ask{}, http.StatusBadRequest},
		"an unknown parameter": {
			ask{header: map[string]string{"Idempotency-Key": "key-00000001"}, path: "?x=y"}, http.StatusBadRequest,
		},
	} {
		for _, id := range []uuid.UUID{seen, hidden} {
			asked := c.ask
			asked.method, asked.path, asked.token = http.MethodPost, revocation(id)+c.ask.path, "live"
			want := c.want
			if id != seen {
				want = http.StatusNotFound
			}
			if got := w.do(asked); got.Code != want {
				t.Errorf("%s: %d, want %d: %s", name, got.Code, want, got.Body)
			}
		}
	}
	if got := w.do(ask{method: http.MethodPost, path: revocation(seen), body: "{}"}); got.Code != http.StatusUnauthorized {
		t.Errorf("without a login: %d", got.Code)
	}
}

// Each thing that a path of the contract names is for the guard to show, or has a sight. What is
// the same to all who may ask needs neither.
func TestSight_IsKnownForWhateverAServiceShows(t *testing.T) {
	contract, err := ReadContract()
	if err != nil {
		t.Fatal(err)
	}
	operations, err := readOperations(contract)
	if err != nil {
		t.Fatal(err)
	}
	known := []string{
		"/sessions/{session_id}", "/me/contacts/{contact_id}", "/me/pin/upgrades/{upgrade_id}", "/backoffice/pin-upgrades/{upgrade_id}",
		"/enrolments/{enrolment_id}", "/backoffice/enrolments/{enrolment_id}", "/delegation-batches/{batch_id}", "/declaration-batches/{batch_id}",
		// A catalogue, of which nothing is anybody's.
		"/smart-task-types/{type}",
		"/sub-delegations/{sub_delegation_id}", "/applications/{application_id}", "/me/consents/{consent_id}", "/appointments/{appointment_id}",
		"/surveys/{survey_id}",
		// Shown to nobody: the proof of another one is entered with it.
		"/me/pin/rotations/{rotation_id}",
	}
	for _, op := range operations {
		path, _ := op.resource()
		if op.rule.To != access.ToSession && op.rule.To != access.ToOffice || path == "" || strings.HasPrefix(path, "/backoffice/") {
			continue
		}
		found := false
		for _, k := range known {
			found = found || k == path
		}
		if !found {
			t.Errorf("%s: nobody decided who sees %s", op.id, path)
		}
	}
}
