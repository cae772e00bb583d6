package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestDelegation_TheEndOfADelegationIsTold: on its way the sandbox's clock passes a reminder and
// the end, of which both sides are told. The message with the code says what it gives.
func TestDelegation_TheEndOfADelegationIsTold(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		token := w.loginAs(w.person(described(consulente))).AccessToken
		company := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), f.token, nil).want(t, http.StatusOK, "")
		end := w.clock.Now().AddDate(0, 0, 10).UTC().Truncate(time.Second)
		drafted := w.do(http.MethodPost, "/v1/delegations", token, map[string]any{
			"contributor_tax_code": company.field("tax_code"), "position_ids": []uuid.UUID{f.position}, "scope": "partial",
			"services": []string{"declarations"}, "exclusive": true,
			"signatory_id": f.person.PersonId, "valid_until": end,
		}, key()).want(t, http.StatusCreated, "")
		path := drafted.header.Get("Location")
		reference, _ := drafted.field("reference_code").(string)
		w.do(http.MethodPost, path+"/otp-deliveries", token, nil, key()).want(t, http.StatusAccepted, "")
		positions, _ := drafted.field("positions").([]any)
		number, _ := positions[0].(map[string]any)["number"].(string)
		if !w.told(
			signatorysPEC, reference, "Andrea Ricci, consulente del lavoro", "Posizioni: "+number,
			"Servizi: Dichiarazioni di responsabilità del contribuente", "Esclusiva: sì", "fino al",
		) {
			t.Errorf("with the code went %+v", w.sent(signatorysPEC))
		}
		w.do(http.MethodPost, path+"/activation", token, map[string]any{
			"otp": w.otpTo(signatorysPEC), "signature_declared": true,
		}, key()).want(t, http.StatusOK, "")

		w.do(http.MethodPost, "/v1/sandbox/clock", "", map[string]any{"advance": "P11D"}).want(t, http.StatusOK, "")
		for side, addresses := range map[string][]string{
			"contributor":  {"marco.bianchi@posta.example", signatorysPEC},
			"intermediary": {"studio.ricci@pec.example", "andrea.ricci@posta.example"},
		} {
			reminders, ends := 0, 0
			for _, address := range addresses {
				for _, m := range w.sent(address) {
					switch {
					case !strings.Contains(m.Subject, reference):
					case strings.Contains(m.Subject, "in scadenza"):
						reminders++
					case strings.Contains(m.Subject, "scaduta"):
						ends++
					}
				}
			}
			if reminders != 1 || ends != 1 {
				t.Errorf("the %s got %d reminders and %d messages of the end", side, reminders, ends)
			}
		}
		if shown := w.do(
			http.MethodGet, path, w.loginAs(f.person).AccessToken, nil,
		).want(t, http.StatusOK, ""); shown.field("state") != "expired" {
			t.Errorf("it is %s", shown.body)
		}
	})
}
