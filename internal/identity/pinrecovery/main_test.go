package pinrecovery_test

import (
	"context"
	"testing"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{Operation: "pinRecovery", RequestID: "request-1", Address: "192.0.2.1"})

var (
	mobile = person.NewContact{Kind: person.Mobile, Value: "+393331234567"}
	email  = person.NewContact{Kind: person.Email, Value: "mario.rossi@posta.example"}
	pec    = person.NewContact{Kind: person.PEC, Value: "mario.rossi@pec.example"}
	// thief is nobody's stored contact.
	thief       = person.NewContact{Kind: person.Email, Value: "thief@posta.example"}
	thiefMobile = person.NewContact{Kind: person.Mobile, Value: "+393339999999"}
)

// fixture is a person with a PIN that works, and what helps them when they lost it.
type fixture struct {
	*pintest.World
	recovery *pinrecovery.Service
	who      person.Person
	pin      secret.Text
	session  session.Session
}

// open makes a world in which Mario is logged in; his e-mail address and further contacts count for
// recovery.
func open(t *testing.T, d *db.DB, contacts ...person.NewContact) *fixture {
	t.Helper()
	w := &fixture{World: pintest.New(t, d, pintest.Cheap)}
	w.recovery = pinrecovery.NewService(pinrecovery.Deps{
		Runner: w.Runner, People: w.People, PINs: w.PINs, Codes: w.Codes, Outbox: outbox.New(d), Keys: w.DataKeys,
	})
	w.who, w.pin = w.Person(t, pintest.Mario, access.Citizen, false)
	w.Must(t, func(ctx context.Context) error { return w.People.AddVerified(ctx, w.who.ID, contacts...) })
	w.session = w.Login(t, pintest.Mario, w.pin)
	return w
}

// forget takes all contacts of Mario away.
func (w *fixture) forget(t *testing.T) {
	t.Helper()
	w.Exec(t, "DELETE FROM contacts WHERE person_id = ?", w.who.ID)
}

func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("got %v, want %q", err, code)
	}
}

// code returns the code that the newest message of the kind carries, and where it goes.
func (w *fixture) code(t *testing.T, kind string) (secret.Text, string) {
	t.Helper()
	m := w.Message(t, "kind = ?", kind)
	if m.PersonID == nil || *m.PersonID != w.who.ID || m.Recipient == nil || !m.DeadlineAt.Equal(m.CreatedAt.Add(day)) {
		t.Errorf("message %+v", m)
	}
	secrets, err := m.Open(w.DataKeys)
	want(t, err, "")
	if len(secrets["code"]) != 8 {
		t.Errorf("the code has %d characters", len(secrets["code"]))
	}
	return secrets["code"], *m.Recipient
}

// newPIN returns the PIN whose halves were promised last.
func (w *fixture) newPIN(t *testing.T) (whole secret.Text, recipients [2]string) {
	t.Helper()
	for i, which := range []string{`{"which":"first"}`, `{"which":"second"}`} {
		m := w.Message(t, "kind = 'pin.half' AND data = ?", which)
		secrets, err := m.Open(w.DataKeys)
		want(t, err, "")
		whole += secret.Text(secrets["half"].Reveal())
		recipients[i] = *m.Recipient
	}
	return whole, recipients
}

// recipients lists where explicit messages go.
func (w *fixture) recipients(t *testing.T) []string {
	t.Helper()
	var all []string
	if err := w.DB.From(ctx).Raw("SELECT DISTINCT recipient FROM outbox WHERE recipient IS NOT NULL " +
		"ORDER BY recipient").Scan(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func (w *fixture) messages(t *testing.T) int { t.Helper(); return w.Count(t, "outbox") }

// start starts a recovery with two contacts and returns the code.
func (w *fixture) start(t *testing.T) secret.Text {
	t.Helper()
	want(t, w.recovery.StartRecovery(ctx, pintest.Mario, []person.NewContact{mobile, email}), "")
	code, _ := w.code(t, pinrecovery.RecoveryCode.Name)
	return code
}
