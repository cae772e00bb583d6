package declaration_test

import (
	"testing"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// What is filed in a session that a national identity began has its effect at once, whatever the
// PIN of its person is, and the receipt says so.
func TestDeclaration_FiledWithANationalIdentityDoesNotWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, _ := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		waits := a.Submit(t, ordinary, c)
		a.Exec(t, "UPDATE sessions SET login_method = 'spid', login_level = 2, login_provider = 'spid-prova' WHERE id = ?", ordinary.SessionID)
		filed := a.Submit(t, a.Enter(t, ordinary.SessionID, c.ID), c)
		if waits.State != declaration.AwaitingCredentials || filed.State != declaration.Submitted {
			t.Errorf("with the PIN %s, with SPID %s", waits.State, filed.State)
		}
		got, _ := opened(t, a, filed.JWS)
		if got.LoginMethod != "spid" || got.LoginLevel != 2 || got.LoginProvider != "spid-prova" {
			t.Errorf("the receipt says %+v", got)
		}
		if was, _ := opened(t, a, waits.JWS); was.LoginMethod != "pin" || was.LoginLevel != 0 || was.LoginProvider != "" {
			t.Errorf("the receipt with the PIN says %+v", was)
		}
		const said = "audit_records WHERE subject_id = ? AND session_id = ? AND login_method = ? AND COALESCE(login_provider, '') = ?"
		if a.Count(t, said, filed.ID.String(), ordinary.SessionID, "spid", "spid-prova") == 0 ||
			a.Count(t, said, waits.ID.String(), ordinary.SessionID, "pin", "") == 0 {
			t.Error("the trail does not say how they had logged in")
		}
	})
}
