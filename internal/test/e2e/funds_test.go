package e2e

import (
	"net/http"
	"strings"
	"testing"

	"diresco/api/client"
)

// TestFund_TheOfficeSetsABudget: made once, changed by who has read it, never below what is
// committed, and read by operators.
func TestFund_TheOfficeSetsABudget(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		admin := w.administrator().AccessToken
		operator := w.loginAs(w.person(ofClass(client.UserClassOperator))).AccessToken
		const path = "/v1/backoffice/funds/PROVA-2026"
		budget := func(amount string) map[string]any { return map[string]any{"budget": amount, "currency": "EUR"} }
		set := func(token string, body map[string]any, headers ...header) answer {
			return w.do(http.MethodPut, path, token, body, headers...)
		}
		anew := header{"If-None-Match", "*"}

		set(admin, budget("100.00")).want(t, http.StatusPreconditionRequired, "precondition-required")
		set(admin, budget("100.00"), header{"If-Match", `"1"`}).want(t, http.StatusNotFound, "not-found")
		set(operator, budget("100.00"), anew).want(t, http.StatusForbidden, "forbidden")
		for _, wrong := range []map[string]any{
			budget("100.001"), budget("-1.00"), budget("1e3"),
			{"budget": "100.00", "currency": "USD"},
			{"currency": "EUR"},
			{"budget": "1.00", "currency": "EUR", "reserved": "0.00"},
		} {
			a := set(admin, wrong, anew).want(t, http.StatusUnprocessableEntity, "validation-failed")
			if wrong["budget"] == "100.001" && !strings.Contains(string(a.body), `"/budget"`) {
				t.Errorf("a budget with three decimals answers %s", a.body)
			}
		}
		w.do(http.MethodGet, path, admin, nil).want(t, http.StatusNotFound, "not-found")

		made := set(admin, map[string]any{"budget": "100.00", "currency": "EUR", "title": "Prova"}, anew).want(t, http.StatusCreated, "")
		if made.header.Get("Location") != path || made.field("available") != "100.00" || made.field("title") != "Prova" {
			t.Errorf("made %s at %s", made.body, made.header.Get("Location"))
		}
		set(admin, budget("200.00"), anew).want(t, http.StatusPreconditionFailed, "precondition-failed")
		read := w.do(http.MethodGet, path, operator, nil).want(t, http.StatusOK, "")
		tag := read.header.Get("ETag")
		w.do(http.MethodGet, path, operator, nil, header{"If-None-Match", tag}).want(t, http.StatusNotModified, "")
		changed := set(admin, budget("250.50"), header{"If-Match", tag}).want(t, http.StatusOK, "")
		if changed.field("budget") != "250.50" || changed.field("title") != "Prova" {
			t.Errorf("changed to %s", changed.body)
		}
		set(admin, budget("1.00"), header{"If-Match", tag}).want(t, http.StatusPreconditionFailed, "precondition-failed")

		if list := w.do(http.MethodGet, "/v1/backoffice/funds?limit=100", operator, nil).want(t, http.StatusOK, ""); !strings.Contains(
			string(list.body), "PROVA-2026",
		) {
			t.Errorf("funds: %s", list.body)
		}
		first := w.do(http.MethodGet, path+"/entries?limit=2", operator, nil).want(t, http.StatusOK, "")
		second := w.do(http.MethodGet, path+"/entries?limit=2&cursor="+first.field("next_cursor").(string), operator, nil)
		if n := len(second.want(t, http.StatusOK, "").field("items").([]any)); n != 1 {
			t.Errorf("%d entries on the second page: %s", n, second.body)
		}
		ledger := w.do(http.MethodGet, path+"/entries", operator, nil, header{"Accept", "text/csv"}).want(t, http.StatusOK, "")
		lines := strings.Split(strings.TrimSpace(string(ledger.body)), "\n")
		if len(lines) != 4 || !strings.Contains(lines[3], ";budget;;250.50;250.50;0.00;0.00;250.50;EUR;") {
			t.Errorf("the ledger is %s", ledger.body)
		}
		w.do(http.MethodGet, path+"/queue", operator, nil).want(t, http.StatusOK, "")
		w.do(http.MethodGet, "/v1/backoffice/funds/KEINER/queue", operator, nil).want(t, http.StatusNotFound, "not-found")
		citizen := w.filer().token
		w.do(http.MethodGet, path, citizen, nil).want(t, http.StatusForbidden, "forbidden")
		if w.auditRecords("replaceFund") != 2 {
			t.Error("not every budget left a record")
		}
	})
}
