package federation_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"diresco/db"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestRedeem_Refusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		p, _ := f.mario(access.Dispositive)
		code := f.code()
		for name, try := range map[string][2]secret.Text{
			"another code": {code[1:], verifier}, "no code": {"", verifier}, "another verifier": {code, verifier + "x"},
			"no verifier": {code, ""}, "the challenge": {code, secret.Text(challenge(verifier))},
		} {
			if _, err := f.logins.Redeem(f.context(), try[0], try[1]); !fault.Is(err, fault.InvalidCredentials) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A state, or what was not answered yet, is no code.
		state := f.start(asks())
		_, err := f.logins.Redeem(f.context(), state, verifier)
		want(t, err, fault.InvalidCredentials)
		f.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = ?", f.Clock.Now(), p.ID)
		_, err = f.logins.Redeem(f.context(), code, verifier)
		want(t, err, fault.InvalidCredentials)
		f.Exec(t, "UPDATE people SET suspended_at = NULL WHERE id = ?", p.ID)
		// None of these has used the code up: who holds the verifier can still come.
		_, err = f.logins.Redeem(f.context(), code, verifier)
		want(t, err, "")
		code = f.code()
		f.Clock.Advance(federation.CodeLife)
		_, err = f.logins.Redeem(f.context(), code, verifier)
		want(t, err, fault.InvalidCredentials)
		if n := f.Count(t, "sessions"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

func TestRedeem_MakesAnAccount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Says(func(c *federation.Claims) {
			c.GivenName, c.FamilyName, c.Email, c.Mobile = "MARIO", "D`ROSSI", "mario@posta.example", "no number"
		})
		code := f.code()
		// Nobody is made of an answer whose code nobody redeems.
		if n := f.Count(t, "people"); n != 0 {
			t.Fatalf("%d people before the code", n)
		}
		s, err := f.logins.Redeem(f.context(), code, verifier)
		want(t, err, "")
		by := f.MustActor(t, s)
		p, err := f.People.ByTaxCode(t.Context(), pintest.Mario)
		want(t, err, "")
		if p.ID != by.PersonID || p.UserClass != access.Citizen || p.CredentialLevel != access.Ordinary || p.FamilyName != "D'ROSSI" ||
			p.IdentityConfirmedAt != nil || p.DigitalIdentityAt == nil || by.CredentialLevel != access.Dispositive {
			t.Errorf("person %+v", p)
		}
		if n := f.Count(t, "pins"); n != 0 {
			t.Error("there is a PIN")
		}
		// So none is shown that would never count.
		_, err = f.PINs.Rotate(f.context(), by)
		want(t, err, fault.Conflict)
		contacts, err := f.People.Contacts(t.Context(), p.ID)
		if err != nil || len(contacts) != 1 || contacts[0].Value != "mario@posta.example" || contacts[0].VerifiedAt != nil {
			t.Errorf("contacts %+v %v", contacts, err)
		}
		f.Message(t, "kind = 'contact.code' AND person_id = ? AND recipient = 'mario@posta.example'", p.ID)
		const made = "audit_records WHERE subject_kind = 'person' AND subject_id = ? AND login_provider = 'spid-prova'"
		if n := f.Count(t, made, p.ID.String()); n != 1 {
			t.Errorf("%d records of the account", n)
		}
		// The second login is to the same account.
		if again := f.MustActor(t, f.login()); again.PersonID != p.ID {
			t.Error("another account")
		}
	})
}

func TestRedeem_MakesOneAccountOfManyLogins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Says(func(c *federation.Claims) { c.Email = "mario@posta.example" })
		codes := make([]secret.Text, 8)
		for i := range codes {
			codes[i] = f.code()
		}
		errs := make([]error, len(codes))
		var group sync.WaitGroup
		for i, code := range codes {
			group.Go(func() { _, errs[i] = f.logins.Redeem(f.context(), code, verifier) })
		}
		group.Wait()
		for _, err := range errs {
			want(t, err, "")
		}
		if n, m := f.Count(t, "people"), f.Count(t, "sessions"); n != 1 || m != len(codes) {
			t.Errorf("%d people and %d sessions", n, m)
		}
	})
}

func TestRedeem_AnotherNameIsNotedForTheOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		p, _ := f.mario(access.Dispositive)
		const noted = "audit_records WHERE operation = 'noteIdentityMismatch' AND person_id IS NULL AND subject_id = ? AND " +
			"outcome = 'name-differs'"
		f.spid.Says(func(c *federation.Claims) { c.FamilyName = "ROSSI" })
		f.login()
		if n := f.Count(t, noted, p.ID.String()); n != 0 {
			t.Errorf("%d notes of a name that is written otherwise", n)
		}
		f.spid.Says(func(c *federation.Claims) { c.FamilyName = "Bianchi" })
		f.login()
		if n := f.Count(t, noted+" AND detail = '{\"name_differs_from\":[\"account\"]}'", p.ID.String()); n != 1 {
			t.Errorf("%d notes of another name", n)
		}
		f.spid.Says(func(c *federation.Claims) { c.FamilyName = "Rossi" })
		f.Must(t, func(ctx context.Context) error {
			return f.residents.Put(ctx, residents.Entry{TaxCode: pintest.Mario, Identity: residents.Identity{
				GivenName: "Mario", FamilyName: "Neri", BirthDate: "1980-01-01", BirthPlace: "Roma",
			}})
		})
		f.login()
		if n := f.Count(t, noted+" AND detail = '{\"name_differs_from\":[\"register\"]}'", p.ID.String()); n != 1 {
			t.Errorf("%d notes of another name in the register", n)
		}
		// The office reads both, the latest first.
		first, err := f.logins.Mismatches(t.Context(), page.Request{Limit: 1})
		want(t, err, "")
		second, err := f.logins.Mismatches(t.Context(), page.Request{Limit: 1, Cursor: first.Next})
		want(t, err, "")
		if len(first.Items) != 1 || len(second.Items) != 1 || second.Next != "" {
			t.Fatalf("listed %+v, then %+v", first, second)
		}
		for place, m := range map[federation.Place]federation.Mismatch{
			federation.InRegister: first.Items[0], federation.InAccount: second.Items[0],
		} {
			if m.PersonID != p.ID || m.Method != "spid" || m.Provider != "spid-prova" || !slices.Equal(m.DiffersFrom, []federation.Place{place}) {
				t.Errorf("%s: %+v", place, m)
			}
		}
	})
}

func TestReauthenticate_RaisesASession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		p, pin := f.mario(access.Ordinary)
		s := f.Login(t, pintest.Mario, pin)
		by := f.MustActor(t, s)
		if by.CredentialLevel != access.Ordinary {
			t.Fatal("the PIN is dispositive")
		}
		f.Clock.Advance(access.FreshFor + 1)
		raised, err := f.logins.Reauthenticate(f.context(), by, f.code(), verifier)
		want(t, err, "")
		if raised.SessionID != s.SessionID || raised.LoginMethod != session.BySPID || *raised.LoginLevel != 2 ||
			raised.CredentialLevel != access.Dispositive || raised.RefreshToken == s.RefreshToken {
			t.Errorf("raised %+v", raised)
		}
		by = f.MustActor(t, raised)
		if by.CredentialLevel != access.Dispositive || by.ByPIN || !by.AuthenticatedAt.Equal(f.Clock.Now()) {
			t.Errorf("actor %+v", by)
		}
		const traced = "audit_records WHERE session_id = ? AND login_method = 'spid' AND subject_id = ?"
		if n := f.Count(t, traced, s.SessionID, s.SessionID.String()); n != 1 {
			t.Errorf("%d records", n)
		}
		// The PIN, entered again, does not lower it.
		again, err := f.Sessions.Reauthenticate(f.context(), by, pin)
		if err != nil || again.LoginMethod != session.BySPID || again.CredentialLevel != access.Dispositive {
			t.Errorf("with the PIN: %+v %v", again, err)
		}
		// Nor does a login of a lower level lower one of level 3.
		f.spid.Says(func(c *federation.Claims) { c.Level = 3 })
		high, err := f.logins.Reauthenticate(f.context(), by, f.code(), verifier)
		if err != nil || *high.LoginLevel != 3 {
			t.Fatalf("raised to 3: %+v %v", high, err)
		}
		f.spid.Says(func(c *federation.Claims) { c.Level = 2 })
		if low, err := f.logins.Reauthenticate(f.context(), f.MustActor(t, high), f.code(), verifier); err != nil || *low.LoginLevel != 3 {
			t.Errorf("then by level 2: %+v %v", low, err)
		}
		stored, err := f.People.ByID(t.Context(), p.ID)
		if err != nil || stored.DigitalIdentityAt == nil || stored.CredentialLevel != access.Ordinary {
			t.Errorf("person %+v %v", stored, err)
		}
	})
}

func TestReauthenticate_Refusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		_, pin := f.mario(access.Ordinary)
		_, other := f.Person(t, pintest.Giulia, access.Citizen, false)
		giulia := f.MustActor(t, f.Login(t, pintest.Giulia, other))
		mario := f.MustActor(t, f.Login(t, pintest.Mario, pin))
		code := f.code()
		_, err := f.logins.Reauthenticate(f.context(), giulia, code, verifier)
		want(t, err, fault.InvalidCredentials)
		_, err = f.logins.Reauthenticate(f.context(), mario, code, verifier+"x")
		want(t, err, fault.InvalidCredentials)
		_, err = f.logins.Reauthenticate(f.context(), mario, code, verifier)
		want(t, err, "")
		_, err = f.logins.Reauthenticate(f.context(), mario, code, verifier)
		want(t, err, fault.InvalidCredentials)
		if n := f.Count(t, "sessions WHERE person_id = ? AND login_method = 'pin'", giulia.PersonID); n != 1 {
			t.Error("the session of another person was raised")
		}
	})
}

func TestStartSession_ByClaims(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		about := federation.About{ID: "cns", Method: session.ByCNS}
		claims := federation.Claims{TaxCode: "RSSMRA80A01H501U", GivenName: "Mario", FamilyName: "Rossi", Level: 3, Once: []string{"once"}}
		s, err := f.logins.StartSession(f.context(), about, claims)
		want(t, err, "")
		if s.LoginMethod != session.ByCNS || *s.LoginProvider != "cns" || *s.LoginLevel != 3 || s.CredentialLevel != access.Dispositive {
			t.Errorf("session %+v", s)
		}
		_, err = f.logins.StartSession(f.context(), about, claims)
		refused(t, err, federation.Invalid, "the answer was used before")
		claims.Once, claims.TaxCode = nil, "RSSMRA80A01H501V"
		_, err = f.logins.StartSession(f.context(), about, claims)
		refused(t, err, federation.Invalid, "tax code")
		claims.TaxCode = "RSSMRA80A01H501U"
		f.Exec(t, "UPDATE people SET suspended_at = ?", f.Clock.Now())
		_, err = f.logins.StartSession(f.context(), about, claims)
		want(t, err, fault.InvalidCredentials)
		if n := f.Count(t, "sessions"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}
