package pinrequest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{Operation: "requestPin", RequestID: "r", Address: "192.0.2.1"})

var mario = residents.Identity{
	GivenName: "Mario", FamilyName: "Rossi", BirthDate: "1980-01-01", BirthPlace: "Roma", Street: "Via Nazionale 10", PostalCode: "00184",
	Town: "Roma", Province: "RM",
}

// desk is a world with a register in which Mario stands, and somebody of the contact centre.
type desk struct {
	*pintest.World
	*pinrequest.Service
	Outbox *outbox.Outbox
	Clerk  access.Actor
}

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	return openWith(t, pintest.New(t, d, pintest.Cheap), nil)
}

// openWith puts the service on a world; change may give it other parts.
func openWith(t *testing.T, w *pintest.World, change func(*pinrequest.Deps)) *desk {
	t.Helper()
	r := residents.New(w.DB, w.Clock)
	deps := pinrequest.Deps{
		Runner: w.Runner, People: w.People, Register: r, PINs: w.PINs, Outbox: outbox.New(w.DB), Random: rand.Reader,
		Looks: look.NewService(look.Deps{DB: w.DB, Clock: w.Clock, Trail: w.Runner.Trail, Staff: w.People, Outbox: outbox.New(w.DB)}),
	}
	if change != nil {
		change(&deps)
	}
	s := &desk{World: w, Service: pinrequest.NewService(deps), Outbox: outbox.New(w.DB)}
	clerk, err := w.People.ByTaxCode(ctx, pintest.Giulia)
	if fault.Is(err, fault.NotFound) {
		w.Must(t, func(ctx context.Context) error {
			return r.Put(ctx, residents.Entry{TaxCode: pintest.Mario, Identity: mario})
		})
		clerk, err = w.People.Create(ctx, person.New{
			TaxCode: pintest.Giulia, GivenName: "Giulia", FamilyName: "Conti", UserClass: access.ContactCentre,
			CredentialLevel: access.Dispositive,
		}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Clerk = access.Actor{PersonID: clerk.ID, UserClass: access.ContactCentre}
	return s
}

// application is Mario's, as he writes it.
func application(change func(*pinrequest.Application)) pinrequest.Application {
	a := pinrequest.Application{
		TaxCode: pintest.Mario, Identity: mario, Phone: "+39 06 12345678",
		Contacts: []person.NewContact{{Kind: person.Email, Value: "mario@posta.example"}, {Kind: person.Mobile, Value: "333 1112233"}},
	}
	a.GivenName, a.Street = "MARIO", "V. Nazionale, 10"
	if change != nil {
		change(&a)
	}
	return a
}

func (s *desk) ask(t *testing.T, change func(*pinrequest.Application)) pinrequest.View {
	t.Helper()
	r, err := s.Request(ctx, application(change))
	want(t, err, "")
	return r
}

// want ends the test when the error is not a fault of that kind; "" stands for none.
func want(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if code == "" && err != nil || code != "" && !fault.Is(err, code) {
		t.Fatalf("got %v, want %q", err, code)
	}
}

// conflict ends the test when the error is not a conflict for that reason.
func conflict(t *testing.T, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Fatalf("got %v, want a conflict: %s", err, reason)
	}
}

// message is a promised one.
func (s *desk) message(t *testing.T, id *uuid.UUID) outbox.Message {
	t.Helper()
	var m outbox.Message
	if err := s.DB.From(ctx).Take(&m, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	return m
}

// pinOf joins the halves that a request sent out.
func (s *desk) pinOf(t *testing.T, r pinrequest.View) secret.Text {
	t.Helper()
	joined := ""
	for _, id := range []*uuid.UUID{r.FirstMessageID, r.SecondMessageID} {
		m := s.message(t, id)
		if m.Kind != pin.HalfKind.Name || m.PersonID == nil || *m.PersonID != *r.PersonID {
			t.Fatalf("message %s to %v", m.Kind, m.PersonID)
		}
		secrets, err := m.Open(s.DataKeys)
		want(t, err, "")
		if len(secrets["half"]) != 8 {
			t.Fatalf("a half of %d characters", len(secrets["half"]))
		}
		joined += secrets["half"].Reveal()
	}
	return secret.Text(joined)
}

// marioWithPIN registers Mario, with a PIN in use or with one as issued.
func (s *desk) marioWithPIN(t *testing.T, initial bool) (person.Person, secret.Text) {
	t.Helper()
	return s.Person(t, pintest.Mario, access.Citizen, initial)
}

const unused = 60 * 24 * time.Hour

// another adds somebody else of the contact centre.
func (s *desk) another(t *testing.T) access.Actor {
	t.Helper()
	p, err := s.People.Create(ctx, person.New{
		TaxCode: taxcode.MustParse("GLLSRA92A70A944S"), GivenName: "Sara", FamilyName: "Galli", UserClass: access.ContactCentre,
		CredentialLevel: access.Dispositive,
	}, nil)
	want(t, err, "")
	return access.Actor{PersonID: p.ID, UserClass: access.ContactCentre}
}
