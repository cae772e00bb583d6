package oauth_test

import (
	"testing"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
)

// A consent is as good as the login in which it was given, whatever the PIN of its person is.
func TestCode_OfAConsentWithANationalIdentity(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", f.personID)
		c := f.register("web", nil)
		guard := access.NewGuard(access.NewRepository(f.DB, f.Clock), f.Sessions, f.Clock, false)
		enter := func() access.Actor {
			t.Helper()
			claims, err := f.Sessions.Parse(f.context(), f.tokens(c).AccessToken)
			f.must(err)
			rule := access.Rule{To: access.ToSession, Scopes: []string{access.ScopeDeclarations}}
			by, err := guard.EnterAs(f.context(), claims.Caller(), rule, access.Target{})
			f.must(err)
			return by
		}
		if by := enter(); by.CredentialLevel != access.Ordinary || by.Login.Method != "pin" {
			t.Errorf("given with a PIN: %+v", by)
		}
		level, provider := 2, "spid-prova"
		f.by.Login = access.Login{Method: "spid", Level: &level, Provider: &provider}
		by := enter()
		if by.CredentialLevel != access.Dispositive || by.Login.Method != "spid" || *by.Login.Level != 2 || *by.Login.Provider != provider {
			t.Errorf("given with SPID: %+v", by)
		}
		if n := f.Count(t, "consents WHERE login_method = 'spid' AND login_level = 2 AND login_provider = 'spid-prova'"); n != 1 {
			t.Errorf("%d consents say so", n)
		}
		if n := f.Count(t, "audit_records WHERE operation = 'issueTokens' AND login_method = 'spid' AND session_id = ?", by.SessionID); n != 1 {
			t.Errorf("%d records say so", n)
		}
	})
}
