package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/platform/config"
	"diresco/internal/test/dbtest"
)

// managingDelegations are the operations that a service may want a login with SPID, CIE or CNS for;
// looking stays free.
var managingDelegations = []string{
	"activateDelegation", "changeDelegation", "draftDelegation", "draftDelegationBatch", "grantSubDelegation", "requestSmartTask",
	"revokeDelegation", "revokeSubDelegation", "sendDelegationOtp",
}

// TestDelegation_TheContractSaysWhereALoginMustBeStrong looks at all operations, while the next
// test calls none that deletes something.
func TestDelegation_TheContractSaysWhereALoginMustBeStrong(t *testing.T) {
	var strong []string
	for id, o := range operations(t) {
		if o.strong {
			strong = append(strong, id)
		}
	}
	slices.Sort(strong)
	if !slices.Equal(strong, managingDelegations) {
		t.Errorf("a strong login is asked for at %v", strong)
	}
}

// TestDelegation_WithAStrongLogin: a service that asks for it refuses a PIN wherever delegations
// are managed, and nowhere else.
func TestDelegation_WithAStrongLogin(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w := startWith(t, rawURL, cheapPINs, func(c *config.Config) { c.DelegationLogin = config.StrongLogin })
		f := w.filer()
		w.caf(f.person.PersonId)
		w.delegationToCAF(f)
		w.workOfCAF(f)
		mine := w.loginAs(f.person)
		skip := []string{"endSession", "revokePin", "reauthenticate"}
		refused := func() []string {
			var ids []string
			for id, o := range operations(t) {
				if o.to == "anyone" || slices.Contains(skip, id) || o.method == http.MethodDelete {
					continue
				}
				a := w.call(o, accessTable[id], f, uuid.NewString(), mine.AccessToken)
				if a.problem() == "strong-login-required" {
					if a.status != http.StatusForbidden || a.field("detail") == "" {
						t.Errorf("%s answered %s", id, a.body)
					}
					ids = append(ids, id)
				}
			}
			slices.Sort(ids)
			return ids
		}
		if got := refused(); !slices.Equal(got, managingDelegations) {
			t.Errorf("a PIN is refused at %v", got)
		}
		shown := w.do(http.MethodGet, "/v1/delegations/"+filersDelegation, mine.AccessToken, nil).want(t, http.StatusOK, "")
		if shown.field("state") != "active" {
			t.Errorf("%s", shown.body)
		}

		w.execute("UPDATE sessions SET login_method = 'spid' WHERE id = ?", mine.SessionId)
		if a := w.do(
			http.MethodGet, "/v1/sessions/current", mine.AccessToken, nil,
		).want(t, http.StatusOK, ""); a.field("login_method") != "spid" {
			t.Errorf("%s", a.body)
		}
		revoked := w.do(
			http.MethodPost, "/v1/delegations/"+filersDelegation+"/revocation", mine.AccessToken, map[string]any{}, key(),
		).want(t, http.StatusOK, "")
		if revoked.field("state") != "revoked" {
			t.Errorf("%s", revoked.body)
		}
		if got := refused(); len(got) != 0 {
			t.Errorf("SPID is refused at %v", got)
		}
	})
}
