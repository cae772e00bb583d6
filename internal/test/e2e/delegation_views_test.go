package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestDelegation_AsItIsShown: its tag follows what is shown, who sees the signatory, who activated
// it and who ended it.
func TestDelegation_AsItIsShown(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		login := func() string { return w.loginAs(w.person(described(consulente))).AccessToken }
		token := login()
		company := w.do(http.MethodGet, "/v1/contributors/"+f.contributor.String(), f.token, nil).want(t, http.StatusOK, "")
		draft := func(until time.Time) string {
			t.Helper()
			body := map[string]any{
				"contributor_tax_code": company.field("tax_code"), "position_ids": []uuid.UUID{f.position}, "scope": "total",
				"signatory_id": f.person.PersonId, "valid_until": until,
			}
			drafted := w.do(http.MethodPost, "/v1/delegations", token, body, key()).want(t, http.StatusCreated, "")
			if drafted.field("signatory", "family_initial") != f.person.FamilyName[:1] || drafted.field("signatory", "family_name") != nil {
				t.Errorf("drafted %s", drafted.body)
			}
			return drafted.header.Get("Location")
		}
		activate := func(path string) {
			t.Helper()
			w.do(http.MethodPost, path+"/otp-deliveries", token, nil, key()).want(t, http.StatusAccepted, "")
			w.do(http.MethodPost, path+"/activation", token, map[string]any{
				"otp": w.otpTo(signatorysPEC), "signature_declared": true,
			}, key()).want(t, http.StatusOK, "")
		}
		show := func(path, token string, tag string) answer {
			t.Helper()
			if tag == "" {
				return w.do(http.MethodGet, path, token, nil).want(t, http.StatusOK, "")
			}
			return w.do(http.MethodGet, path, token, nil, header{"If-None-Match", tag})
		}
		unchanged := func(path, tag string) {
			t.Helper()
			if a := show(path, token, tag); a.status != http.StatusNotModified {
				t.Errorf("unchanged, and %d %s", a.status, a.body)
			}
		}
		until := w.clock.Now().Add(time.Hour)
		path := draft(until)

		// A wrong code changes what is shown, and no version.
		w.do(http.MethodPost, path+"/otp-deliveries", token, nil, key()).want(t, http.StatusAccepted, "")
		pending := show(path, token, "")
		unchanged(path, pending.header.Get("ETag"))
		otp := w.otpTo(signatorysPEC)
		w.do(http.MethodPost, path+"/activation", token, map[string]any{
			"otp": otp[1:] + string('0'+(otp[0]-'0'+1)%10), "signature_declared": true,
		}, key()).want(
			t, http.StatusUnprocessableEntity, "otp-invalid",
		)
		tried := show(path, token, pending.header.Get("ETag")).want(t, http.StatusOK, "")
		if tried.field("otp", "tries_left") != 4.0 {
			t.Errorf("after a wrong code: %s", tried.body)
		}
		if theirs := show(path, f.token, ""); theirs.field("signatory", "family_name") != f.person.FamilyName ||
			tried.field("signatory", "family_name") != nil {
			t.Errorf("the contributor sees %s, the intermediary %s", theirs.body, tried.body)
		}
		// With either tag it can be changed, since nobody changed it.
		merge := header{"Content-Type", "application/merge-patch+json"}
		same := w.do(http.MethodPatch, path, token, map[string]any{}, header{
			"If-Match", pending.header.Get("ETag"),
		}, merge).want(t, http.StatusOK, "")
		if same.field("state") != "pending" || same.header.Get("ETag") != tried.header.Get("ETag") {
			t.Errorf("nothing was changed: %s", same.body)
		}
		w.do(http.MethodPatch, path, token, map[string]any{"exclusive": true}, header{
			"If-Match", tried.header.Get("ETag"),
		}, merge).want(t, http.StatusOK, "")
		w.do(http.MethodPatch, path, token, map[string]any{"exclusive": false}, header{"If-Match", tried.header.Get("ETag")}, merge).want(
			t, http.StatusPreconditionFailed, "",
		)

		activate(path)
		active := show(path, token, "")
		tag := active.header.Get("ETag")
		if active.field("activated_by", "family_name") != "Ricci" || active.field("signatory", "family_name") != f.person.FamilyName ||
			active.field("end_cause") != nil || active.field("workers") != nil {
			t.Errorf("active: %s", active.body)
		}
		if theirs := show(path, f.token, ""); theirs.field("workers") == nil {
			t.Errorf("the contributor sees %s", theirs.body)
		}
		unchanged(path, tag)
		w.execute("UPDATE delegates SET struck_off_at = ? WHERE id = ?", w.clock.Now(), active.field("delegate", "delegate_id"))
		suspended := show(path, token, tag).want(t, http.StatusOK, "")
		if suspended.field("state") != "suspended" {
			t.Errorf("off the register: %s", suspended.body)
		}
		if a := w.do(http.MethodPost, path+"/otp-deliveries", token, nil, key()).want(
			t, http.StatusForbidden, "forbidden",
		); a.field("detail") != "L'intermediario non è più iscritto al proprio albo o censimento." {
			t.Errorf("off the register: %s", a.body)
		}
		w.execute("UPDATE delegates SET struck_off_at = NULL")
		unchanged(path, tag)
		w.clock.Advance(time.Hour)
		token = login()
		expired := show(path, token, tag).want(t, http.StatusOK, "")
		if expired.field("state") != "expired" || expired.field("end_cause") != "expiry" || expired.field("end_reason") != nil {
			t.Errorf("after its end: %s", expired.body)
		}

		second := draft(w.clock.Now().Add(time.Hour))
		activate(second)
		revoked := w.do(http.MethodPost, second+"/revocation", token, nil, key()).want(t, http.StatusOK, "")
		if revoked.field("end_cause") != "intermediary" || revoked.field("end_reason") != nil {
			t.Errorf("revoked: %s", revoked.body)
		}
	})
}
