package federation_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestLogin_OpensASession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		p, _ := f.mario(access.Ordinary)
		s := f.login()
		if s.LoginMethod != session.BySPID || s.LoginLevel == nil || *s.LoginLevel != 2 || *s.LoginProvider != "spid-prova" ||
			s.CredentialLevel != access.Dispositive || s.PINChangeRequired {
			t.Errorf("session %+v", s)
		}
		by := f.MustActor(t, s)
		if by.PersonID != p.ID || by.CredentialLevel != access.Dispositive || by.ByPIN || by.Login.Method != "spid" {
			t.Errorf("actor %+v", by)
		}
		// The credentials of the PIN stay what they are; the person counts as one with a national identity.
		stored, err := f.People.ByID(t.Context(), p.ID)
		want(t, err, "")
		if stored.CredentialLevel != access.Ordinary || stored.DigitalIdentityAt == nil || !stored.Dispositive() ||
			stored.IdentityConfirmedAt != nil {
			t.Errorf("person %+v", stored)
		}
		if n := f.Count(t, "audit_records WHERE operation = 'startFederatedSession' AND subject_kind = 'session' AND person_id = ? AND "+
			"session_id = ? AND login_method = 'spid' AND login_level = 2 AND login_provider = 'spid-prova'", p.ID, s.SessionID); n != 1 {
			t.Errorf("%d audit records of the login", n)
		}
		if n := f.Count(t, "federated_logins WHERE person_id = ? AND redeemed_at IS NOT NULL AND sealed_claims IS NULL", p.ID); n != 1 {
			t.Error("the login is not kept as redeemed, or what the provider said is")
		}
		renewed, err := f.Sessions.Renew(t.Context(), s.RefreshToken, "")
		want(t, err, "")
		if renewed.LoginMethod != session.BySPID || renewed.CredentialLevel != access.Dispositive {
			t.Errorf("renewed %+v", renewed)
		}
		info, err := f.Sessions.Show(t.Context(), by, s.SessionID)
		if err != nil || info.LoginMethod != session.BySPID || *info.LoginLevel != 2 || *info.LoginProvider != "spid-prova" {
			t.Errorf("shown %+v %v", info, err)
		}
	})
}

func TestLogin_EndsAsAnyOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.mario(access.Dispositive)
		s := f.login()
		f.Clock.Advance(session.IdleAfter - time.Second)
		s, err := f.Sessions.Renew(t.Context(), s.RefreshToken, "")
		want(t, err, "")
		f.Clock.Advance(time.Second)
		_, err = f.Sessions.Renew(t.Context(), s.RefreshToken, "")
		want(t, err, fault.SessionEnded)
		s = f.login()
		want(t, f.Sessions.End(t.Context(), f.MustActor(t, s), s.SessionID), "")
		_, err = f.Actor(t, s)
		want(t, err, fault.SessionEnded)
		// The eleventh ends the first.
		first := f.login()
		for range session.MostAtOnce {
			f.Clock.Advance(time.Second)
			f.login()
		}
		_, err = f.Actor(t, first)
		want(t, err, fault.SessionEnded)
	})
}

func TestLogin_NeedsNoPINThatIsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.mario(access.Ordinary)
		f.Exec(t, "UPDATE pins SET change_due_at = ?", f.Clock.Now().Add(-time.Hour))
		if s := f.login(); s.PINChangeRequired || f.MustActor(t, s).PINChangeRequired {
			t.Error("a PIN that is due keeps a national identity out")
		}
		f.Exec(t, "UPDATE pins SET revoked_at = ?", f.Clock.Now())
		f.login()
	})
}

func TestLogin_BeginRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		for name, tt := range map[string]struct {
			change  func(*federation.Request)
			pointer string
		}{
			"provider":   {func(r *federation.Request) { r.ProviderID = "other" }, "/provider_id"},
			"level":      {func(r *federation.Request) { r.Level = 1 }, "/level"},
			"level 0":    {func(r *federation.Request) { r.Level = 0 }, "/level"},
			"challenge":  {func(r *federation.Request) { r.CodeChallenge = strings.Repeat("=", 43) }, "/code_challenge"},
			"short":      {func(r *federation.Request) { r.CodeChallenge = challenge(verifier)[:42] }, "/code_challenge"},
			"elsewhere":  {func(r *federation.Request) { r.ReturnURL = "https://evil.example/callback" }, "/return_url"},
			"longer":     {func(r *federation.Request) { r.ReturnURL = "https://app.example.evil.example/" }, "/return_url"},
			"port":       {func(r *federation.Request) { r.ReturnURL = "https://app.example:444/" }, "/return_url"},
			"user":       {func(r *federation.Request) { r.ReturnURL = "https://app.example@evil.example/" }, "/return_url"},
			"backslash":  {func(r *federation.Request) { r.ReturnURL = `https://app.example\@evil.example/` }, "/return_url"},
			"a code":     {func(r *federation.Request) { r.ReturnURL = returnURL + "?code=x" }, "/return_url"},
			"an error":   {func(r *federation.Request) { r.ReturnURL = returnURL + "?a=b&error=x" }, "/return_url"},
			"semicolon":  {func(r *federation.Request) { r.ReturnURL = returnURL + "?a=1;b" }, "/return_url"},
			"fragment":   {func(r *federation.Request) { r.ReturnURL = returnURL + "#x" }, "/return_url"},
			"plain http": {func(r *federation.Request) { r.ReturnURL = "http://app.example/callback" }, "/return_url"},
			"script":     {func(r *federation.Request) { r.ReturnURL = "javascript:alert(1)" }, "/return_url"},
			"line":       {func(r *federation.Request) { r.ReturnURL = returnURL + "\r\nX: y" }, "/return_url"},
			"loopback":   {func(r *federation.Request) { r.ReturnURL = "http://127.0.0.1:8000/" }, "/return_url"},
			"none":       {func(r *federation.Request) { r.ReturnURL = "" }, "/return_url"},
			"near":       {func(r *federation.Request) { r.ReturnURL = "com.example.app:/callback2" }, "/return_url"},
		} {
			in := asks()
			tt.change(&in)
			_, err := f.logins.Begin(f.context(), in)
			var refusal *fault.Fault
			if !errors.As(err, &refusal) || refusal.Code != fault.Invalid || len(refusal.Fields) != 1 || refusal.Fields[0].Pointer != tt.pointer {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := f.Count(t, "federated_logins"); n != 0 || len(f.spid.Attempts()) != 0 {
			t.Errorf("%d logins have begun all the same", n)
		}
		for _, good := range []string{
			pintest.PublicURL + "/oauth2/login", "com.example.app:/callback", "https://app.example/", "https://app.example/a?b=c",
		} {
			in := asks()
			in.ReturnURL = good
			_, err := f.logins.Begin(f.context(), in)
			want(t, err, "")
		}
		in := asks()
		for _, good := range []string{"http://127.0.0.1:8000/callback", "http://localhost:3000/", "http://[::1]:8000/"} {
			in.ReturnURL = good
			_, err := f.serve(true).Begin(f.context(), in)
			want(t, err, "")
		}
	})
}

func TestLogin_KeepsNoSecretInTheClear(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		state := f.start(asks())
		a := f.spid.Attempts()[0]
		if len(state) != 48 || len(a.Nonce) != 48 || len(a.Verifier) != 64 || a.BegunAt.Nanosecond() != 0 || state == a.Nonce {
			t.Errorf("attempt %d %d %d", len(state), len(a.Nonce), len(a.Verifier))
		}
		values, err := f.answer(state)
		want(t, err, "")
		for name, text := range map[string]string{
			"state": state.Reveal(), "nonce": a.Nonce.Reveal(), "verifier": a.Verifier.Reveal(), "code": values.Get("code"),
			"tax code": "RSSMRA80A01H501U",
		} {
			like := "%" + text + "%"
			if n := f.Count(t, "federated_logins WHERE state_hash LIKE ? OR sealed_attempt LIKE ? OR sealed_claims LIKE ? OR code_hash LIKE ?",
				like, like, like, like); n != 0 {
				t.Errorf("the %s stands in the table", name)
			}
		}
		// The provider is given back what it wanted remembered.
		finished := f.spid.Finished()[0]
		if string(finished.Kept) != `{"request":"_`+a.ID.String()+`"}` || finished.ID != a.ID || finished.State != state ||
			finished.Nonce != a.Nonce || finished.Verifier != a.Verifier || !finished.BegunAt.Equal(a.BegunAt) || finished.Level != 2 {
			t.Errorf("given back %s", finished.Kept)
		}
	})
}

func TestLogin_IsAnsweredOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.mario(access.Dispositive)
		state := f.start(asks())
		errs := make([]error, 20)
		codes := make([]string, 20)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() {
				var returnTo string
				returnTo, errs[i] = f.logins.Answer(f.context(), federation.SAML, state, nil)
				if u, err := url.Parse(returnTo); err == nil {
					codes[i] = u.Query().Get("code")
				}
			})
		}
		group.Wait()
		good, code := 0, ""
		for i, err := range errs {
			switch {
			case err == nil && codes[i] != "":
				good, code = good+1, codes[i]
			case !errors.Is(err, federation.ErrUnknown) || codes[i] != "":
				t.Errorf("%v %q", err, codes[i])
			}
		}
		if good != 1 || len(f.spid.Finished()) != 1 {
			t.Fatalf("%d of 20 answers were taken, %d shown to the provider", good, len(f.spid.Finished()))
		}
		// So is the code.
		redeemed := make([]error, 20)
		for i := range redeemed {
			group.Go(func() { _, redeemed[i] = f.logins.Redeem(f.context(), secret.Text(code), verifier) })
		}
		group.Wait()
		good = 0
		for _, err := range redeemed {
			if err == nil {
				good++
			} else if !fault.Is(err, fault.InvalidCredentials) {
				t.Error(err)
			}
		}
		if n := f.Count(t, "sessions"); good != 1 || n != 1 {
			t.Errorf("%d of 20 redeemed, %d sessions", good, n)
		}
	})
}

func TestLogin_IsNotKnown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		state := f.start(asks())
		for name, try := range map[string]func() (string, error){
			"another state": func() (string, error) { return f.logins.Answer(f.context(), federation.SAML, state[1:], nil) },
			"none":          func() (string, error) { return f.logins.Answer(f.context(), federation.SAML, "", nil) },
			"endless": func() (string, error) {
				return f.logins.Answer(f.context(), federation.SAML, secret.Text(strings.Repeat("x", 1<<20)), nil)
			},
			"another protocol": func() (string, error) { return f.logins.Answer(f.context(), federation.OpenIDConnect, state, nil) },
			"too late": func() (string, error) {
				f.Clock.Advance(federation.LoginLife)
				defer f.Clock.Advance(-federation.LoginLife)
				return f.logins.Answer(f.context(), federation.SAML, state, nil)
			},
		} {
			if returnTo, err := try(); !errors.Is(err, federation.ErrUnknown) || returnTo != "" {
				t.Errorf("%s: %q %v", name, returnTo, err)
			}
		}
		if len(f.spid.Finished()) != 0 {
			t.Error("the provider was shown one of them")
		}
		_, err := f.answer(state)
		want(t, err, "")
	})
}

func TestLogin_DoesNotSucceed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.FinishFails = &federation.Refusal{Outcome: federation.Denied, Number: 25, Rule: "broken off"}
		values, err := f.answer(f.start(asks()))
		refused(t, err, federation.Denied, "broken off")
		if values.Get("error") != "access_denied" || values.Get("error_code") != "25" || values.Has("code") {
			t.Errorf("came back with %v", values)
		}
		f.spid.FinishFails = errors.New("defect")
		values, err = f.answer(f.start(asks()))
		refused(t, err, federation.Unavailable, "")
		if values.Get("error") != "temporarily_unavailable" || values.Has("error_code") || values.Has("code") {
			t.Errorf("came back with %v", values)
		}
		f.spid.FinishFails = nil
		for name, tt := range map[string]struct {
			change func(*federation.Claims)
			rule   string
		}{
			"below what was asked for": {func(c *federation.Claims) { c.Level = 1 }, "level"},
			"no level":                 {func(c *federation.Claims) { c.Level = 4 }, "level"},
			"prefix":                   {func(c *federation.Claims) { c.TaxCode = "TINIT-RSSMRA80A01H501U" }, "tax code"},
			"check letter":             {func(c *federation.Claims) { c.TaxCode = "RSSMRA80A01H501V" }, "tax code"},
			"lower case":               {func(c *federation.Claims) { c.TaxCode = "rssmra80a01h501u" }, "tax code"},
			"organisation":             {func(c *federation.Claims) { c.TaxCode = "01234567897" }, "tax code"},
			"no name":                  {func(c *federation.Claims) { c.FamilyName = " " }, "name"},
		} {
			f.spid.Says(func(c *federation.Claims) {
				*c = federation.Claims{TaxCode: "RSSMRA80A01H501U", GivenName: "Mario", FamilyName: "Rossi", Level: 2}
				tt.change(c)
			})
			values, err := f.answer(f.start(asks()))
			var refusal *federation.Refusal
			if !errors.As(err, &refusal) || refusal.Outcome != federation.Invalid || refusal.Rule != tt.rule ||
				values.Get("error") != "invalid_answer" || values.Has("code") {
				t.Errorf("%s: %v %v", name, values, err)
			}
		}
		if n := f.Count(t, "federated_logins WHERE code_hash IS NOT NULL"); n != 0 {
			t.Errorf("%d codes", n)
		}
	})
}

func TestLogin_HigherIsAsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Says(func(c *federation.Claims) { c.Level = 3 })
		if s := f.login(); *s.LoginLevel != 3 {
			t.Errorf("level %d", *s.LoginLevel)
		}
	})
}

func TestLogin_AnAnswerIsNoAnswerTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Says(func(c *federation.Claims) { c.Once = []string{"_response", "_assertion"} })
		f.code()
		f.spid.Says(func(c *federation.Claims) { c.Once = []string{"_other", "_assertion"} })
		_, err := f.answer(f.start(asks()))
		refused(t, err, federation.Invalid, "the answer was used before")
		// What came beside the one that was seen is as new as before.
		f.spid.Says(func(c *federation.Claims) { c.Once = []string{"_other"} })
		f.code()
	})
}

func TestLogin_OneProviderIsDown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.BeginFails = &federation.Refusal{Outcome: federation.Unavailable, Rule: "no answer"}
		_, err := f.logins.Begin(f.context(), asks())
		want(t, err, fault.Unavailable)
		in := asks()
		in.ProviderID = "cie"
		state := f.start(in)
		returnTo, err := f.logins.Answer(f.context(), federation.OpenIDConnect, state, nil)
		if err != nil || !strings.HasPrefix(returnTo, returnURL+"?code=") {
			t.Errorf("the other one: %q %v", returnTo, err)
		}
		if n := f.Count(t, "federated_logins"); n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestLogin_Form(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Form = []federation.Field{{Name: "SAMLRequest", Value: "PHNhbWw+"}, {Name: "RelayState", Value: "x"}}
		begun, err := f.logins.Begin(f.context(), asks())
		want(t, err, "")
		ticket, ours := strings.CutPrefix(begun.URL, pintest.PublicURL+federation.FormPath)
		if !ours || len(ticket) != 43 {
			t.Fatalf("leads to %s", begun.URL)
		}
		departure, err := f.logins.Form(t.Context(), secret.Text(ticket))
		if err != nil || departure.URL != "https://idp.example/sso" || len(departure.Form) != 2 || departure.Form[0] != f.spid.Form[0] {
			t.Errorf("form %+v %v", departure, err)
		}
		for _, other := range []string{"", ticket[1:], strings.Repeat("x", 1<<20)} {
			if _, err := f.logins.Form(t.Context(), secret.Text(other)); !errors.Is(err, federation.ErrUnknown) {
				t.Errorf("another ticket: %v", err)
			}
		}
		_, err = f.answer(f.spid.Attempts()[0].State)
		want(t, err, "")
		if _, err := f.logins.Form(t.Context(), secret.Text(ticket)); !errors.Is(err, federation.ErrUnknown) {
			t.Errorf("after the answer: %v", err)
		}
	})
}

func TestLogin_IsForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := begin(t, d)
		f.spid.Says(func(c *federation.Claims) { c.Once = []string{"_response"} })
		f.login()
		f.spid.Says(func(c *federation.Claims) { c.Once = []string{"_another"} })
		f.code() // nobody comes for it
		f.start(asks())
		f.Clock.Advance(federation.LoginLife)
		want(t, f.logins.Purge(t.Context()), "")
		if n := f.Count(t, "federated_logins WHERE sealed_claims IS NOT NULL OR sealed_attempt <> ''"); n != 0 {
			t.Errorf("what a provider told is kept of %d logins that are over", n)
		}
		f.Clock.Advance(24*time.Hour - federation.LoginLife)
		want(t, f.logins.Purge(t.Context()), "")
		if n := f.Count(t, "federated_logins"); n != 3 {
			t.Errorf("%d logins after a day", n)
		}
		f.Clock.Advance(federation.LoginLife + time.Second)
		want(t, f.logins.Purge(t.Context()), "")
		if n, m := f.Count(t, "federated_logins"), f.Count(t, "federated_answers"); n != 0 || m != 0 {
			t.Errorf("%d logins and %d answers are left", n, m)
		}
	})
}
