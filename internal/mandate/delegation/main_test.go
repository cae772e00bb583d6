package delegation_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App with a company, its legal representative and a consulente del lavoro. The
// latter has nothing from it yet.
type fixture struct {
	*world.App
	t       testing.TB
	keys    *keyring.DataKeys
	service *delegation.Service

	company   world.Company
	signatory world.Person
	rep       uuid.UUID
	delegate  uuid.UUID
	// professional and representative are sessions.
	professional   uuid.UUID
	representative uuid.UUID
}

func newWorld(t testing.TB, d *db.DB) *fixture {
	t.Helper()
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	w := &fixture{App: world.New(t, d), t: t, keys: keys}
	limiter := throttle.NewLimiter(d, w.Clock, keys, w.Outbox)
	w.service = delegation.NewService(delegation.Deps{
		Runner: w.Runner, Rights: w.Rights, Contributors: w.Contributors,
		People: person.NewService(person.Deps{Runner: w.Runner}), Outbox: w.Outbox, Keys: keys,
		Codes:     otp.New(d, w.Clock, keys, limiter, throttle.NewAddressLimit(d, w.Clock, false), rand.Reader),
		Catalogue: servicecatalog.New(servicecatalog.Deps{Runner: w.Runner}), Random: rand.Reader,
		Institution: institution.Institution{Name: institutionName, Address: "Via Roma 1", Telephone: "06 123456"},
	})
	w.company = w.App.Company(t, world.Rome, world.Milan)
	w.signatory, w.rep = w.representativeOf(w.company)
	w.representative = w.Session(t, w.signatory.ID, nil)
	w.professional, w.delegate = w.consulente()
	return w
}

// institutionName is who forms are for.
const institutionName = "Istituto Esempio"

// representativeOf adds a legal representative with a verified e-mail, and returns the role.
func (w *fixture) representativeOf(c world.Company) (world.Person, uuid.UUID) {
	w.t.Helper()
	p := w.Person(w.t, nil)
	w.contact(p.ID, "email", true)
	return p, w.Role(w.t, p.ID, c.ID, access.LegalRepresentative)
}

// contact adds a contact of a person's own.
func (w *fixture) contact(personID uuid.UUID, kind string, verified bool) string {
	w.t.Helper()
	value := kind + "-" + personID.String()[24:] + "@posta.example"
	w.Exec(
		w.t, "INSERT INTO contacts (id, person_id, kind, value, verified_at, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		uuid.Must(uuid.NewV7()), personID, kind, value, nil, w.Clock.Now(),
	)
	if verified {
		w.Exec(w.t, "UPDATE contacts SET verified_at = created_at WHERE person_id = ? AND kind = ?", personID, kind)
	}
	return value
}

// consulente adds a professional and logs them in.
func (w *fixture) consulente() (session, delegate uuid.UUID) {
	w.t.Helper()
	p, delegate := w.Professional(w.t)
	return w.Session(w.t, p.ID, nil), delegate
}

// at lets a session in to a delegation, as the edge does.
func (w *fixture) at(session, id uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, session, access.Rule{To: access.ToDelegation}, access.Target{DelegationID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// in lets a session in to what needs a session alone.
func (w *fixture) in(session uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, session, access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// input is a total delegation of all positions of a company.
func input(c world.Company, signatory world.Person) delegation.Input {
	in := delegation.Input{ContributorTaxCode: c.TaxCode.Clear(), Scope: delegation.Total, SignatoryID: signatory.ID}
	for _, p := range c.Positions {
		in.PositionIDs = append(in.PositionIDs, p.ID)
	}
	return in
}

// draft prepares a total delegation of the company; change may make it another.
func (w *fixture) draft(session uuid.UUID, change func(*delegation.Input)) delegation.View {
	w.t.Helper()
	in := input(w.company, w.signatory)
	if change != nil {
		change(&in)
	}
	d, err := w.service.Draft(ctx, w.in(session), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// send has the code sent and returns it.
func (w *fixture) send(session, id uuid.UUID) secret.Text {
	w.t.Helper()
	if _, err := w.service.Send(ctx, w.at(session, id), id); err != nil {
		w.t.Fatal(err)
	}
	return w.otp()
}

// otp is the code that was sent last.
func (w *fixture) otp() secret.Text {
	w.t.Helper()
	var m outbox.Message
	if err := w.DB.From(ctx).Where("kind = 'delegation.otp'").Order("created_at DESC, id DESC").Take(&m).Error; err != nil {
		w.t.Fatal(err)
	}
	opened, err := m.Open(w.keys)
	if err != nil || len(opened["otp"].Reveal()) != 8 {
		w.t.Fatalf("the code has %d characters, %v", len(opened["otp"].Reveal()), err)
	}
	return opened["otp"]
}

func (w *fixture) activate(session, id uuid.UUID, otp secret.Text) (delegation.View, error) {
	w.t.Helper()
	return w.service.Activate(ctx, w.at(session, id), id, delegation.Activation{OTP: otp, SignatureDeclared: true})
}

// active drafts, sends and activates.
func (w *fixture) active(session uuid.UUID, change func(*delegation.Input)) delegation.View {
	w.t.Helper()
	d := w.draft(session, change)
	d, err := w.activate(session, d.ID, w.send(session, d.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *fixture) state(id uuid.UUID) delegation.State {
	w.t.Helper()
	d, err := w.service.Show(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.State
}

// wrong is another code than the right one.
func wrong(otp secret.Text) secret.Text {
	b := []byte(otp.Reveal())
	b[0] = '0' + (b[0]-'0'+1)%10
	return secret.Text(b)
}

// household makes the company one that employs at home.
func (w *fixture) household() {
	w.t.Helper()
	w.Exec(w.t, "UPDATE contributors SET kind = ? WHERE id = ?", contributor.Household, w.company.ID)
}

// requested is a request with an idempotency key, as the edge makes it.
func requested(operation, key string) context.Context {
	c := idempotency.WithClaim(ctx, &idempotency.Claim{Scope: "person", Key: key, Operation: operation, RequestMAC: operation})
	return audit.WithOrigin(c, audit.Origin{Operation: operation, RequestID: key, Address: "192.0.2.1"})
}

// refused checks that an error is a fault of the kind, with these fields (pointer and code in
// turn).
func refused(t testing.TB, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var want []fault.Field
	for i := 0; i < len(fields); i += 2 {
		want = append(want, fault.Field{Pointer: fields[i], Code: fields[i+1]})
	}
	if diff := cmp.Diff(want, f.Fields, cmpopts.IgnoreFields(fault.Field{}, "Right")); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func conflict(t testing.TB, what string, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Errorf("%s: %v, want a conflict: %s", what, err, reason)
	}
}
