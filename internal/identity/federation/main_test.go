package federation_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/url"
	"testing"

	"diresco/db"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/federationtest"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	verifier  = secret.Text("0123456789-0123456789-0123456789-0123456789")
	returnURL = "https://app.example/callback"
)

// fixture is a service with two providers.
type fixture struct {
	*pintest.World
	t         *testing.T
	spid, cie *federationtest.Provider
	logins    *federation.Service
	residents *residents.Register
}

func begin(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	f := &fixture{World: pintest.New(t, d, pintest.Cheap), t: t, spid: federationtest.SPID(), cie: federationtest.CIE()}
	f.residents = residents.New(d, f.Clock)
	f.logins = f.serve(false)
	return f
}

// serve is another process of the service.
func (f *fixture) serve(loopback bool) *federation.Service {
	return federation.NewService(federation.Deps{
		Runner: f.Runner, Sessions: f.Sessions, People: f.People,
		Contacts: person.NewAddressBook(person.Deps{
			Runner: f.Runner, Codes: f.Codes, Outbox: outbox.New(f.DB), Keys: f.DataKeys,
		}),
		Residents: f.residents, Sources: []federation.Source{f.spid, f.cie}, Keys: f.DataKeys, PublicURL: pintest.PublicURL + "/",
		Origins: []string{"https://app.example"}, Loopback: loopback,
		Registered: func(_ context.Context, uri string) (bool, error) { return uri == "com.example.app:/callback", nil },
		Log:        slog.New(slog.DiscardHandler),
	})
}

func (f *fixture) context() context.Context {
	return audit.WithOrigin(f.t.Context(), audit.Origin{Operation: "startFederatedSession", RequestID: "request-1", Address: "192.0.2.7"})
}

func challenge(v secret.Text) string {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asks is a login that may begin.
func asks() federation.Request {
	return federation.Request{ProviderID: "spid-prova", Level: 2, ReturnURL: returnURL, CodeChallenge: challenge(verifier)}
}

// start begins a login and returns its state.
func (f *fixture) start(in federation.Request) secret.Text {
	f.t.Helper()
	if _, err := f.logins.Begin(f.context(), in); err != nil {
		f.t.Fatal(err)
	}
	p := f.spid
	if in.ProviderID == f.cie.Described.ID {
		p = f.cie
	}
	all := p.Attempts()
	return all[len(all)-1].State
}

// answer is an answer to the login with a state.
func (f *fixture) answer(state secret.Text) (url.Values, error) {
	f.t.Helper()
	returnTo, err := f.logins.Answer(f.context(), federation.SAML, state, url.Values{"SAMLResponse": {"x"}})
	u, broken := url.Parse(returnTo)
	if broken != nil {
		f.t.Fatal(broken)
	}
	return u.Query(), err
}

// code goes through a login and returns the code.
func (f *fixture) code() secret.Text {
	f.t.Helper()
	values, err := f.answer(f.start(asks()))
	if err != nil || values.Get("code") == "" {
		f.t.Fatalf("%v %v", values, err)
	}
	return secret.Text(values.Get("code"))
}

// login goes through a login.
func (f *fixture) login() session.Session {
	f.t.Helper()
	s, err := f.logins.Redeem(f.context(), f.code(), verifier)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// mario adds the person whom the providers tell of, with a PIN.
func (f *fixture) mario(level access.CredentialLevel) (person.Person, secret.Text) {
	f.t.Helper()
	p, pin := f.Person(f.t, pintest.Mario, access.Citizen, false)
	f.Exec(f.t, "UPDATE people SET credential_level = ? WHERE id = ?", level, p.ID)
	return p, pin
}

func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("got %v, want %q", err, code)
	}
}

// refused ends the test unless a login did not succeed for the reason.
func refused(t *testing.T, err error, outcome federation.Outcome, rule string) {
	t.Helper()
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) || refusal.Outcome != outcome || rule != "" && refusal.Rule != rule {
		t.Fatalf("got %v, want %s: %s", err, outcome, rule)
	}
}
