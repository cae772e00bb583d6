package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What the filer has of smart tasks in the access table.
const (
	filersSmartTask            = "019d0000-0000-7000-8000-0000000000f1"
	filersRectificationContact = "019d0000-0000-7000-8000-0000000000f2"
)

// smartTaskOf adds a smart task of the filer's about the filer's position, and a contact there.
func (w *fixture) smartTaskOf(f filer) {
	w.t.Helper()
	now := w.clock.Now()
	office := w.positions(f)[0].OfficeCode
	w.execute(`INSERT INTO tickets (id, kind, contributor_id, position_id, office_code, topic, subject, text, person_id, right_id, acting_as,
		attachments, protocol_number, digest, opened_at, state, outcome, closing_text, closed_at, version, updated_at)
		VALUES (?, 'smart_task', ?, ?, ?, 'debit-notes-contacts', 'marker-7f3a9c', 'marker-7f3a9c', ?, ?, 'legal_representative', '[]',
		'INPS.0000.01/01/2026.0000001', 'x', ?, 'closed', 'accepted', 'marker-7f3a9c', ?, 2, ?)`,
		filersSmartTask, f.contributor, f.position, office, f.person.PersonId, uuid.New(), now, now, now)
	w.execute(`INSERT INTO smart_tasks (id, contributor_id, type, content, state, person_id, right_id, session_id, request_id, address,
		submitted_at, decided_at, checks, reasons, failures)
		VALUES (?, ?, 'delete-rectification-contacts', ?, 'accepted', ?, ?, ?, 'request', '192.0.2.1', ?, ?, '[]', '[]', 0)`,
		filersSmartTask, f.contributor, `{"position_id":"`+f.position.String()+`","contact_ids":["`+filersRectificationContact+`"]}`,
		f.person.PersonId, uuid.New(), uuid.New(), now, now)
	w.execute(`INSERT INTO rectification_contacts (id, position_id, kind, value, state, updated_at)
		VALUES (?, ?, 'email', 'marker-7f3a9c@posta.example', 'bounced', ?)`, filersRectificationContact, f.position, now)
}

// deletionOfFilers asks to delete the contact of the filer's position.
func deletionOfFilers(f filer) any {
	return map[string]any{
		"type":    "delete-rectification-contacts",
		"content": map[string]any{"position_id": f.position, "contact_ids": []string{filersRectificationContact}},
	}
}

// contactsOf are the contacts for notices of a position, by their values.
func (w *fixture) contactsOf(token, position string) map[string]string {
	w.t.Helper()
	var page struct {
		Items []struct {
			ContactID string `json:"contact_id"`
			Value     string `json:"value"`
			Unusable  bool   `json:"unusable"`
		} `json:"items"`
	}
	w.do(http.MethodGet, "/v1/positions/"+position+"/rectification-contacts", token, nil).want(w.t, http.StatusOK, "").decode(w.t, &page)
	found := map[string]string{}
	for _, c := range page.Items {
		found[c.Value] = c.ContactID
	}
	return found
}

// outcome is what became of a smart task: its state, and the codes of its reasons.
func (w *fixture) outcome(token, location string, headers ...header) string {
	w.t.Helper()
	var shown struct {
		State   string
		Reasons []struct{ Code, Text string }
		Checks  []struct{ Check, Title, Result string }
		History []struct{ State, At string }
	}
	w.do(http.MethodGet, location, token, nil, headers...).want(w.t, http.StatusOK, "").decode(w.t, &shown)
	outcome := shown.State
	for _, r := range shown.Reasons {
		outcome += " " + r.Code
		if r.Text == "" {
			w.t.Errorf("a reason without words: %+v", shown)
		}
	}
	if len(shown.Checks) != 4 || len(shown.History) != 4 || shown.History[3].State != shown.State {
		w.t.Errorf("shown as %+v", shown)
	}
	return outcome
}

// An employer has contacts deleted that nothing reaches, and follows what becomes of it.
func TestSmartTasks_AnEmployerDeletesUnusableContacts(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rep := w.sandboxLogin("rep-rome")
		contributor, position := w.firstPosition(rep)
		path := "/v1/contributors/" + contributor + "/smart-tasks"
		before := w.contactsOf(rep, position)
		ask := func(headers []header, values ...string) answer {
			ids := make([]string, len(values))
			for i, value := range values {
				ids[i] = before[value]
			}
			return w.do(http.MethodPost, path, rep, map[string]any{
				"type": "delete-rectification-contacts", "email": "ufficio@tiberine.example",
				"content": map[string]any{"position_id": position, "contact_ids": ids},
			}, headers...)
		}
		same := key()
		filed := ask([]header{same}, "paghe@officine-tiberine.example", "+393331200001").want(t, http.StatusAccepted, "")
		number, _ := filed.field("protocol_number").(string)
		if filed.field("state") != "submitted" || number == "" {
			t.Errorf("filed as %s", filed.body)
		}
		if again := ask([]header{same}, "paghe@officine-tiberine.example", "+393331200001"); string(again.body) != string(filed.body) {
			t.Errorf("a repeat answers %s", again.body)
		}
		if got := w.outcome(rep, filed.header.Get("Location")); got != "accepted" {
			t.Error(got)
		}
		if left := w.contactsOf(rep, position); len(left) != 1 || left["officine.tiberine@pec.example"] == "" {
			t.Errorf("left are %v", left)
		}
		if !w.told("ufficio@tiberine.example", number, "esito positivo dal sistema") {
			t.Errorf("told %+v", w.sent("ufficio@tiberine.example"))
		}
		refused := ask([]header{key()}, "officine.tiberine@pec.example").want(t, http.StatusAccepted, "")
		if got := w.outcome(rep, refused.header.Get("Location"), header{"Accept-Language", "en"}); got != "not_accepted contact-usable" {
			t.Error(got)
		}
		var page struct {
			Items []struct {
				ID    string `json:"smart_task_id"`
				State string `json:"state"`
			} `json:"items"`
		}
		w.do(http.MethodGet, path, rep, nil).want(t, http.StatusOK, "").decode(t, &page)
		if len(page.Items) < 2 || page.Items[0].State != "not_accepted" || page.Items[1].State != "accepted" {
			t.Errorf("listed as %+v", page)
		}
		// The feed and the trail know of it.
		if n := w.rows("audit_records", "operation = 'requestSmartTask' AND subject_kind = 'rectification-contacts' AND outcome = 'deleted' AND "+
			"subject_id = ?", position); n != 1 {
			t.Errorf("%d traces of the effect", n)
		}
	})
}

// A contributor takes its CAF's delegation away, and the CAF hears of it.
func TestSmartTasks_AContributorRevokesADelegation(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rep := w.sandboxLogin("rep-milan")
		contributor, _ := w.firstPosition(rep)
		// A new sandbox has one of each outcome.
		seeded := w.do(http.MethodGet, "/v1/contributors/"+contributor+"/smart-tasks", rep, nil).want(t, http.StatusOK, "")
		for _, want := range []string{`"state":"accepted"`, `"state":"not_accepted"`, `"code":"contact-usable"`} {
			if !strings.Contains(string(seeded.body), want) {
				t.Errorf("%s is not in %s", want, seeded.body)
			}
		}
		var given struct {
			Items []struct {
				ID    string `json:"delegation_id"`
				State string `json:"state"`
			} `json:"items"`
		}
		w.do(http.MethodGet, "/v1/contributors/"+contributor+"/delegations", rep, nil).want(t, http.StatusOK, "").decode(t, &given)
		id := given.Items[0].ID
		send := func(kind string, content map[string]any) string {
			content["delegation_id"] = id
			filed := w.do(http.MethodPost, "/v1/contributors/"+contributor+"/smart-tasks", rep, map[string]any{
				"type": kind, "content": content,
			}, key()).want(t, http.StatusAccepted, "")
			return w.outcome(rep, filed.header.Get("Location"))
		}
		if got := send("change-intermediary-contacts", map[string]any{"contact_phone": "091 555 0100"}); got != "accepted" {
			t.Error(got)
		}
		shown := w.do(http.MethodGet, "/v1/delegations/"+id, rep, nil).want(t, http.StatusOK, "")
		if shown.field("contact_phone") != "+390915550100" || shown.field("contact_email") != nil {
			t.Errorf("shown as %s", shown.body)
		}
		if got := send("revoke-intermediary-delegation", map[string]any{"reason": "Fine dell'incarico"}); got != "accepted" {
			t.Error(got)
		}
		if got := send("revoke-intermediary-delegation", map[string]any{}); got != "not_accepted delegation-ended" {
			t.Error(got)
		}
		shown = w.do(http.MethodGet, "/v1/delegations/"+id, rep, nil).want(t, http.StatusOK, "")
		if shown.field("state") != "revoked" || shown.field("end_reason") != "Fine dell'incarico" {
			t.Errorf("shown as %s", shown.body)
		}
		if !w.told("luca.conti@posta.example", "Fine dell'incarico") && !w.told("antonio.caruso@posta.example", "Fine dell'incarico") {
			t.Error("the CAF is not told")
		}
	})
}

// What is wrong is named at once, in the language that was asked for.
func TestSmartTasks_WhatIsWrongWithTheRequestIsNamed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rep, ordinary := w.sandboxLogin("rep-rome"), w.sandboxLogin("ordinary-pin")
		contributor, _ := w.firstPosition(rep)
		path := "/v1/contributors/" + contributor + "/smart-tasks"
		some := uuid.NewString()
		for _, tt := range []struct {
			body    map[string]any
			pointer string
			code    string
		}{
			{map[string]any{"type": "make-coffee", "content": map[string]any{}}, "/type", "unknown-type"},
			{map[string]any{"type": "revoke-employee-delegation", "content": map[string]any{}}, "/content/grant_id", "required"},
			{map[string]any{"type": "revoke-employee-delegation", "content": map[string]any{"grant_id": some, "x": 1}}, "/content/x", "unknown-field"},
			{map[string]any{"type": "revoke-employee-delegation", "content": map[string]any{"grant_id": some}, "state": "accepted"}, "/state", "unknown-field"},
			{map[string]any{"type": "revoke-employee-delegation", "content": map[string]any{"grant_id": some}, "email": "nobody"}, "/email", "format"},
		} {
			a := w.do(http.MethodPost, path, rep, tt.body, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if !strings.Contains(string(a.body), `"pointer":"`+tt.pointer+`"`) || !strings.Contains(string(a.body), `"code":"`+tt.code+`"`) {
				t.Errorf("%v answers %s", tt.body, a.body)
			}
		}
		own, _ := w.firstPosition(ordinary)
		w.do(http.MethodPost, "/v1/contributors/"+own+"/smart-tasks", ordinary, map[string]any{
			"type": "revoke-employee-delegation", "content": map[string]any{"grant_id": some},
		}, key()).want(t, http.StatusForbidden, "dispositive-credentials-required")
		types := w.do(http.MethodGet, "/v1/smart-task-types", rep, nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		if n := strings.Count(string(types.body), `"content_schema"`); n != 5 || !strings.Contains(string(types.body), "Revoke an employee's delegation") {
			t.Errorf("%d types: %s", n, types.body)
		}
		// Tried out with a group, a type is there for nobody else.
		access := "/v1/backoffice/smart-task-types/revoke-employee-delegation/access"
		admin := w.administrator().AccessToken
		tag := w.do(http.MethodGet, access, admin, nil).want(t, http.StatusOK, "").header.Get("ETag")
		w.do(http.MethodPut, access, admin, map[string]any{"open_to": "group", "tax_codes": []string{w.createPerson(map[string]any{}).TaxCode}}, header{"If-Match", tag}).
			want(t, http.StatusOK, "")
		w.do(http.MethodPut, access, admin, map[string]any{"open_to": "everybody"}, header{"If-Match", tag}).
			want(t, http.StatusPreconditionFailed, "precondition-failed")
		w.do(http.MethodGet, "/v1/smart-task-types/revoke-employee-delegation", rep, nil).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, access, rep, nil).want(t, http.StatusForbidden, "forbidden")
	})
}

// sandboxLogin is the token of a test person.
func (w *fixture) sandboxLogin(name string) string {
	w.t.Helper()
	token, _ := w.do(http.MethodPost, "/v1/sandbox/people/"+name+"/sessions", "", nil).want(w.t, http.StatusCreated, "").
		field("access_token").(string)
	return token
}

// firstPosition is the first contributor of somebody with its first position.
func (w *fixture) firstPosition(token string) (contributor, position string) {
	w.t.Helper()
	var mine struct {
		Items []struct {
			ID string `json:"contributor_id"`
		} `json:"items"`
	}
	w.do(http.MethodGet, "/v1/contributors", token, nil).want(w.t, http.StatusOK, "").decode(w.t, &mine)
	var positions struct {
		Items []struct {
			ID string `json:"position_id"`
		} `json:"items"`
	}
	contributor = mine.Items[0].ID
	w.do(http.MethodGet, "/v1/contributors/"+contributor+"/positions", token, nil).want(w.t, http.StatusOK, "").decode(w.t, &positions)
	return contributor, positions.Items[0].ID
}
