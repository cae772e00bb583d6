package e2e

import (
	"net/http"
	"strings"
	"testing"

	"diresco/api/client"
)

// TestStaff_NobodyMakesThemselvesAnAdministrator: the contact centre cannot end the PIN of an
// administrator. Nor can it have a new PIN of somebody who works here sent to itself.
func TestStaff_NobodyMakesThemselvesAnAdministrator(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		centre, admin := w.contactCentre(), w.person(ofClass(client.UserClassAdministrator))
		pinOf := func(p client.SandboxPerson) string {
			return "/v1/backoffice/people/" + p.PersonId.String() + "/pin?reason=lost"
		}
		w.do(http.MethodDelete, pinOf(admin), centre.AccessToken, nil).want(t, http.StatusForbidden, "forbidden")
		operator := w.person(ofClass(client.UserClassOperator))
		w.do(http.MethodDelete, pinOf(operator), w.loginAs(operator).AccessToken, nil).want(t, http.StatusNoContent, "")
		w.do(
			http.MethodPost, "/v1/pin-requests", "", elenaWith(map[string]any{"tax_code": operator.TaxCode}), key(),
		).want(t, http.StatusAccepted, "")
		filed := w.do(
			http.MethodPost, "/v1/backoffice/pin-requests", centre.AccessToken, elenaWith(map[string]any{"tax_code": operator.TaxCode}),
			key(),
		).want(t, http.StatusAccepted, "")
		if filed.field("state") != "waiting" {
			t.Fatalf("%s", filed.body)
		}
		decide := func(token string) answer {
			return w.do(http.MethodPost, filed.header.Get("Location")+"/decision", token, map[string]any{
				"outcome": "served", "reason": "prova",
			}, key())
		}
		// Who filed it does not decide about it.
		a := decide(centre.AccessToken).want(t, http.StatusForbidden, "forbidden")
		if detail, _ := a.field("detail").(string); !strings.Contains(detail, "un'altra persona") {
			t.Errorf("not told why: %s", detail)
		}
		a = decide(w.loginAs(admin).AccessToken).want(t, http.StatusForbidden, "forbidden")
		if detail, _ := a.field("detail").(string); !strings.Contains(detail, "incarico") {
			t.Errorf("not told why: %s", detail)
		}
		if n := len(w.sent(elenaMobile)) + len(w.letters()); n != 0 {
			t.Errorf("%d halves were sent", n)
		}
	})
}
