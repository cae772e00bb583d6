package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// TestSandbox_TestersMakeTheirWorld: people, contributors, roles, time and a new beginning.
func TestSandbox_TestersMakeTheirWorld(t *testing.T) {
	eachAsOwner(t, func(t *testing.T, w *fixture) {
		made := w.do(
			http.MethodPost, "/v1/sandbox/contributors", "", map[string]any{"legal_name": "Prova S.p.A."},
		).want(t, http.StatusCreated, "")
		id, _ := made.field("contributor_id").(string)
		roles := func(services any) []map[string]any {
			role := map[string]any{"contributor_id": id, "role": "employee_delegate"}
			if services != nil {
				role["services"] = services
			}
			return []map[string]any{role}
		}
		// A role without a list covers every service; one with an empty list covers none.
		f := w.filerAs(w.createPerson(map[string]any{"roles": roles(nil)}))
		w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		limited := w.loginAs(w.createPerson(map[string]any{"roles": roles([]string{})}))
		w.do(http.MethodGet, f.path, limited.AccessToken, nil).want(t, http.StatusForbidden, "service-not-delegated")

		// The same key gives the same person, and the PIN is not kept with the answer.
		once := header{"Idempotency-Key", uuid.NewString()}
		first := w.do(http.MethodPost, "/v1/sandbox/people", "", map[string]any{}, once).want(t, http.StatusCreated, "")
		again := w.do(http.MethodPost, "/v1/sandbox/people", "", map[string]any{}, once).want(t, http.StatusCreated, "")
		if first.field("person_id") != again.field("person_id") || first.field("pin") != again.field("pin") {
			t.Error("the same key made two people")
		}
		w.do(http.MethodPost, "/v1/sandbox/people", "", map[string]any{"tax_code": first.field("tax_code")}).want(
			t, http.StatusConflict, "conflict",
		)

		before := w.do(http.MethodGet, "/v1/sandbox/clock", "", nil).want(t, http.StatusOK, "")
		moved := w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P1M"}).want(t, http.StatusOK, "")
		from, _ := time.Parse(time.RFC3339, before.field("now").(string))
		to, _ := time.Parse(time.RFC3339, moved.field("now").(string))
		if days := to.Sub(from).Hours() / 24; days < 27 || days > 32 {
			t.Errorf("a month was %v days", days)
		}
		backwards := w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"now": before.field("now")}).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		if !strings.Contains(string(backwards.body), `"/now"`) {
			t.Errorf("the field is not named: %s", backwards.body)
		}
		w.do(http.MethodPost, "/v1/sandbox/reset", "", nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, "/v1/me", f.token, nil).want(t, http.StatusUnauthorized, "")
		w.do(http.MethodGet, "/v1/sandbox/people", "", nil).want(t, http.StatusOK, "")
		w.filer()
	})
}

// TestSandbox_PeopleHaveStableKeys: a key finds a person in every sandbox, and opens a session
// without a PIN.
func TestSandbox_PeopleHaveStableKeys(t *testing.T) {
	eachAsOwner(t, func(t *testing.T, w *fixture) {
		found := func(key string) client.SandboxPersonList {
			var people client.SandboxPersonList
			w.do(http.MethodGet, "/v1/sandbox/people?key="+key, "", nil).want(t, http.StatusOK, "").decode(t, &people)
			return people
		}
		log := func(key string) client.Session {
			var s client.Session
			w.do(http.MethodPost, "/v1/sandbox/people/"+key+"/sessions", "", nil).want(t, http.StatusCreated, "").decode(t, &s)
			return s
		}
		var all client.SandboxPersonList
		w.do(http.MethodGet, "/v1/sandbox/people?limit=100", "", nil).want(t, http.StatusOK, "").decode(t, &all)
		seen := map[string]bool{}
		for _, p := range all.Items {
			if seen[p.Key] || uuid.Validate(p.Key) == nil {
				t.Errorf("%s %s has the key %q", p.GivenName, p.FamilyName, p.Key)
			}
			seen[p.Key] = true
			if one := found(p.Key).Items; len(one) != 1 || one[0].PersonId != p.PersonId {
				t.Errorf("%s finds %+v", p.Key, one)
			}
		}
		for range 2 {
			rep := found("rep-rome").Items[0]
			me := w.do(http.MethodGet, "/v1/me", log("rep-rome").AccessToken, nil).want(t, http.StatusOK, "")
			if me.field("person_id") != rep.PersonId.String() || rep.FamilyName != "Bianchi" {
				t.Errorf("rep-rome is %s, the session is that of %s", rep.FamilyName, me.field("family_name"))
			}
			w.do(http.MethodPost, "/v1/sandbox/reset", "", nil).want(t, http.StatusNoContent, "")
		}
		if !log("fresh-pin").PinChangeRequired {
			t.Error("a PIN of 16 characters need not be changed")
		}
		made := w.createPerson(map[string]any{})
		if made.Key != made.PersonId.String() {
			t.Errorf("who was made has the key %q", made.Key)
		}
		w.do(http.MethodGet, "/v1/me", log(made.Key).AccessToken, nil).want(t, http.StatusOK, "")
		if none := found("nobody"); len(none.Items) != 0 {
			t.Errorf("nobody is %+v", none.Items)
		}
		for _, nobody := range []string{"nobody", uuid.NewString()} {
			w.do(http.MethodPost, "/v1/sandbox/people/"+nobody+"/sessions", "", nil).want(t, http.StatusNotFound, "not-found")
		}
		w.do(http.MethodGet, "/v1/sandbox/people?key=%27x", "", nil).want(t, http.StatusBadRequest, "")
	})
}
