package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"diresco/api/client"
)

// sandboxSurvey is the survey that a sandbox begins with.
const sandboxSurvey = "019d0000-0000-7000-8000-00000000005a"

// trialSurvey is a survey of a later year.
func trialSurvey() map[string]any {
	words := map[string]any{"it": "Come va?", "en": "How is it?"}
	return map[string]any{
		"title": words, "opens_at": "2027-11-01T00:00:00Z", "closes_at": "2027-12-01T00:00:00Z",
		"questions": []any{map[string]any{"question_id": "overall", "text": words}},
	}
}

// oneAnswer answers the sandbox's survey.
func oneAnswer(value int) map[string]any {
	return map[string]any{"answers": []any{
		map[string]any{"question_id": "overall", "value": value}, map[string]any{"question_id": "channel", "option": "software"},
	}}
}

// A consulente takes part in the survey that is open; administrators see counts.
func TestSurvey_IsAnsweredAndCounted(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.administrator().AccessToken
		professional := w.loginAs(w.person(ofClass(client.UserClassInstitutionalIntermediary))).AccessToken
		citizen := w.filer().token
		const current, answers, results = "/v1/surveys/current", "/v1/surveys/" + sandboxSurvey + "/answers", "/v1/backoffice/surveys/" + sandboxSurvey + "/results"

		w.do(http.MethodGet, current, citizen, nil).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodPost, answers, citizen, oneAnswer(5), key()).want(t, http.StatusForbidden, "forbidden")
		shown := w.do(http.MethodGet, current, professional, nil, header{"Accept-Language", "en"}).want(t, http.StatusOK, "")
		if shown.field("survey_id") != sandboxSurvey || shown.field("answered") != false || len(shown.field("questions").([]any)) != 2 ||
			!strings.Contains(string(shown.body), "How satisfied are you") {
			t.Errorf("the survey is %s", shown.body)
		}
		before := w.do(http.MethodGet, results, admin, nil).want(t, http.StatusOK, "")
		if before.field("participants") != 5.0 {
			t.Errorf("before: %s", before.body)
		}
		for _, wrong := range []map[string]any{
			{"answers": []any{}},
			{"answers": []any{map[string]any{"question_id": "overall", "value": 6}}},
			{"answers": []any{map[string]any{"question_id": "overall", "value": 3}}},
			{"answers": oneAnswer(1)["answers"], "text": "molto bene"},
			{},
		} {
			w.do(http.MethodPost, answers, professional, wrong, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
		}
		k := key()
		w.do(http.MethodPost, answers, professional, oneAnswer(5), k).want(t, http.StatusNoContent, "")
		again := w.do(http.MethodPost, answers, professional, oneAnswer(5), k).want(t, http.StatusConflict, "conflict")
		if !strings.Contains(string(again.body), "Hai già risposto") {
			t.Errorf("again: %s", again.body)
		}
		w.do(http.MethodPost, "/v1/surveys/019d0000-0000-7000-8000-00000000005b/answers", professional, oneAnswer(5), key()).
			want(t, http.StatusNotFound, "not-found")
		if shown = w.do(http.MethodGet, current, professional, nil).want(t, http.StatusOK, ""); shown.field("answered") != true {
			t.Errorf("afterwards %s", shown.body)
		}
		// Seven answered: the sixth and seventh wait for three more.
		after := w.do(http.MethodGet, results, admin, nil).want(t, http.StatusOK, "")
		if string(after.body) != string(before.body) {
			t.Errorf("one answer shows: %s", after.body)
		}
		chart := w.do(http.MethodGet, results+"/chart", admin, nil, header{"Accept", "image/svg+xml"}).want(t, http.StatusOK, "")
		if chart.header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(string(chart.body), `role="img"`) {
			t.Errorf("the chart is %s %s", chart.header, chart.body)
		}
		w.do(http.MethodGet, results, professional, nil).want(t, http.StatusForbidden, "forbidden")
		closed := w.do(http.MethodPost, "/v1/backoffice/surveys/"+sandboxSurvey+"/closure", admin, nil, key()).want(t, http.StatusOK, "")
		if closed.field("state") != "closed" {
			t.Errorf("closed: %s", closed.body)
		}
		w.do(http.MethodGet, current, professional, nil).want(t, http.StatusNotFound, "not-found")
		if n := w.auditRecords("answerSurvey"); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestSurvey_IsPublishedByAdministrators(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.administrator().AccessToken
		const path = "/v1/backoffice/surveys"
		for what, change := range map[string]func(s map[string]any){
			"closes_at":   func(s map[string]any) { s["closes_at"] = s["opens_at"] },
			"opens_at":    func(s map[string]any) { s["opens_at"] = "tomorrow" },
			"questions":   func(s map[string]any) { s["questions"] = []any{} },
			"title":       func(s map[string]any) { s["title"] = map[string]any{"it": "Sì"} },
			"counts":      func(s map[string]any) { s["counts"] = 7 },
			"questions/0": func(s map[string]any) { s["questions"].([]any)[0].(map[string]any)["question_id"] = "A B" },
		} {
			s := trialSurvey()
			change(s)
			a := w.do(http.MethodPost, path, admin, s, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if !strings.Contains(string(a.body), `"/`+what) {
				t.Errorf("%s: %s", what, a.body)
			}
		}
		k := key()
		made := w.do(http.MethodPost, path, admin, trialSurvey(), k).want(t, http.StatusCreated, "")
		id, _ := made.field("survey_id").(string)
		if made.field("state") != "planned" || made.header.Get("Location") != path+"/"+id {
			t.Errorf("made %s at %s", made.body, made.header.Get("Location"))
		}
		if again := w.do(http.MethodPost, path, admin, trialSurvey(), k).want(t, http.StatusCreated, ""); again.field("survey_id") != id {
			t.Errorf("again %s", again.body)
		}
		w.do(http.MethodPost, path, admin, trialSurvey(), key()).want(t, http.StatusConflict, "conflict")
		w.do(http.MethodGet, path+"/"+id, admin, nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, path+"/"+id+"/results", admin, nil).want(t, http.StatusConflict, "conflict")
		var list struct{ Items []map[string]any }
		if err := json.Unmarshal(w.do(http.MethodGet, path, admin, nil).want(t, http.StatusOK, "").body, &list); err != nil || len(list.Items) != 2 ||
			list.Items[0]["survey_id"] != id {
			t.Errorf("%+v, %v", list.Items, err)
		}
	})
}

// The session of who answers is not marked: an answer leaves nothing of its moment with the person.
func TestSurvey_AnAnswerIsNoActivity(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.person(ofClass(client.UserClassInstitutionalIntermediary))
		session := w.loginAs(p)
		w.clock.Advance(14 * time.Minute)
		w.do(http.MethodPost, "/v1/surveys/"+sandboxSurvey+"/answers", session.AccessToken, oneAnswer(2), key()).want(t, http.StatusNoContent, "")
		w.clock.Advance(16 * time.Minute)
		w.do(http.MethodPost, "/v1/sessions/current/tokens", "", map[string]any{"refresh_token": session.RefreshToken}).
			want(t, http.StatusUnauthorized, "")
	})
}
