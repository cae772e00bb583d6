package sandbox_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// start is 10:00 in Rome.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// fixture is a sandbox and what the tests look at beside it.
type fixture struct {
	// forgot is how often the sandbox had forgotten what is kept in memory.
	forgot int
	*sandbox.Service
	t       *testing.T
	db      *db.DB
	machine *clock.Manual
	clock   *clock.Offset
	blobs   *blob.Bucket
	outbox  *outbox.Outbox
	pins    *pins
	persons *person.Service
}

// open makes the sandbox's service on a database, as a starting process does.
func open(t *testing.T, d *db.DB, change ...func(*sandbox.Deps)) *fixture {
	t.Helper()
	w := &fixture{t: t, db: d, machine: clock.NewManual(start), blobs: memblob.OpenBucket(nil), outbox: outbox.New(d)}
	t.Cleanup(func() { _ = w.blobs.Close() })
	offset, err := installation.Claim(context.Background(), d, installation.Sandbox, start)
	if err != nil {
		t.Fatal(err)
	}
	w.clock = clock.NewOffset(w.machine)
	w.clock.Set(offset)
	runner := &operation.Runner{
		DB: d, Clock: w.clock, Keys: idempotency.NewStore(d, w.clock, nil), Trail: audit.NewTrail(d), Recheck: recheck.New(d, w.clock),
	}
	w.pins, w.persons = newPINs(t, runner, w.clock), person.NewService(person.Deps{Runner: runner})
	worker := outbox.NewWorker(outbox.Options{
		DB: d, Clock: w.clock, Keys: dataKeys(t), Router: notification.NewRouter(d, w.clock, w.persons), Random: rand.Reader,
		Log:     slog.New(slog.DiscardHandler),
		Senders: sandbox.Senders(d, func(m channel.Outgoing) ([]byte, error) { return []byte("%PDF " + m.To + m.Text), nil }),
	})
	deps := sandbox.Deps{
		Runner: runner, Clock: w.clock, People: w.persons, Contributors: contributor.NewService(contributor.Deps{DB: d}),
		Types: declaration.NewTypes(d, w.clock), Messages: worker, PINs: w.pins, Blobs: w.blobs, Random: rand.Reader,
		Forget: func() { w.forgot++ },
	}
	deps.Due = due.NewScheduler(d, w.clock, slog.New(slog.DiscardHandler), w.pins.Reminders()...)
	if err := deps.Due.Begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&deps)
	}
	w.Service = sandbox.NewService(deps)
	return w
}

func dataKeys(t testing.TB) *keyring.DataKeys {
	t.Helper()
	keys, err := keyring.ParseDataKeys(secret.Text("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// seeded is open with the first test data.
func seeded(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	w := open(t, d)
	if err := w.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *fixture) people() []sandbox.Person {
	w.t.Helper()
	found, err := w.People(context.Background(), "", page.Request{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// who returns the first person whose description holds the text.
func (w *fixture) who(description string) sandbox.Person {
	w.t.Helper()
	for _, p := range w.people() {
		if strings.Contains(p.Description, description) {
			return p
		}
	}
	w.t.Fatalf("nobody is %q", description)
	return sandbox.Person{}
}

func (w *fixture) count(table string) int64 {
	w.t.Helper()
	var n int64
	if err := w.db.From(context.Background()).Table(table).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// promise puts a message into the outbox, as an operation does.
func (w *fixture) promise(kind string, to sandbox.Person, data any) {
	w.t.Helper()
	m, err := outbox.NewMessage(outbox.Kind{Name: kind}, to.ID, data, w.clock.Now())
	if err == nil {
		err = w.db.InTx(context.Background(), func(ctx context.Context) error { return w.outbox.Add(ctx, m) })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// request is the context of a request to an operation, with an idempotency key if there is one.
func request(operationID, key string) context.Context {
	ctx := audit.WithOrigin(context.Background(), audit.Origin{Operation: operationID, RequestID: "request-1", Address: "127.0.0.1"})
	if key != "" {
		ctx = idempotency.WithClaim(ctx, &idempotency.Claim{Scope: "public", Key: key, Operation: operationID, RequestMAC: "mac"})
	}
	return ctx
}

func wantField(t *testing.T, err error, pointer, code string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) != 1 || f.Fields[0] != (fault.Field{Pointer: pointer, Code: code}) {
		t.Errorf("got %+v, want %s at %s", err, code, pointer)
	}
}

func wantExists(t *testing.T, err error) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != "already-exists" {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestSandbox_SeedHasEveryKindOfPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		tests := []struct {
			description string
			class       access.UserClass
			level       access.CredentialLevel
			role        access.ActingAs
		}{
			{"Legal representative", access.Citizen, access.Dispositive, access.LegalRepresentative},
			{"another company", access.Citizen, access.Dispositive, access.LegalRepresentative},
			{"Consulente del lavoro", access.InstitutionalIntermediary, access.Dispositive, ""},
			{"Employee (dipendente) of the consulente", access.Citizen, access.Dispositive, ""},
			{"CAF worker", access.InstitutionalIntermediary, access.Dispositive, ""},
			{"16 characters", access.Citizen, access.Dispositive, ""},
			{"public body", access.Citizen, access.Dispositive, access.EmployeeDelegate},
			{"ordinary PIN", access.Citizen, access.Ordinary, access.LegalRepresentative},
			{"Household employer", access.Citizen, access.Dispositive, access.Employer},
			{"office of Rome", access.Citizen, access.Dispositive, access.LegalRepresentative},
			{"Operator (operatore di sede) of the office of Rome", access.Operator, access.Dispositive, ""},
			{"Operator (operatore di sede) of the office of Milan", access.Operator, access.Dispositive, ""},
			{"Contact-centre operator", access.ContactCentre, access.Dispositive, ""},
			{"Administrator", access.Administrator, access.Dispositive, ""},
			{
				"Legal representative (rappresentante legale) of the public body", access.Citizen, access.Dispositive,
				access.LegalRepresentative,
			},
			{"Representative of the CAF", access.InstitutionalIntermediary, access.Dispositive, ""},
		}
		for _, tt := range tests {
			p := w.who(tt.description)
			if p.UserClass != tt.class || p.CredentialLevel != tt.level || tt.role == "" && len(p.Roles) > 0 ||
				tt.role != "" && (len(p.Roles) != 1 || p.Roles[0].Role != tt.role) {
				t.Errorf("%s: %s, %s, %+v", tt.description, p.UserClass, p.CredentialLevel, p.Roles)
			}
		}
		rome, milan := w.who(
			"Operator (operatore di sede) of the office of Rome",
		), w.who("Operator (operatore di sede) of the office of Milan")
		if rome.Office() != "7000" || milan.Office() != "4900" {
			t.Errorf("operators at %q and %q", rome.Office(), milan.Office())
		}
		worker, boss := w.who("CAF worker").IntermediaryRoles, w.who("Representative of the CAF").IntermediaryRoles
		if len(worker) != 1 || worker[0].Role != access.EmployeeDelegate || len(boss) != 1 || boss[0].Role != access.LegalRepresentative ||
			worker[0].DelegateID != boss[0].DelegateID {
			t.Errorf("at the CAF: %+v and %+v", worker, boss)
		}
		pins := map[string]bool{}
		for _, p := range w.people() {
			fresh := strings.Contains(p.Description, "16 characters")
			pin := p.PIN.Reveal()
			if want := 8; fresh && len(pin) != 16 || !fresh && len(pin) != want ||
				strings.Trim(pin, "23456789ABCDEFGHJKMNPQRSTUVWXYZ") != "" || pins[pin] {
				t.Errorf("%s has a PIN of the wrong form or another's", p.Description)
			}
			pins[pin] = true
			if !w.works(p, fresh) {
				t.Errorf("the PIN of %s is not the one that is listed", p.Description)
			}
			if !fresh && len(p.Contacts) < 2 || !p.TaxCode.IsPerson() || p.GivenName == "" || p.FamilyName == "" {
				t.Errorf("%s: %d contacts", p.Description, len(p.Contacts))
			}
			if len(p.ContributorIDs()) != len(p.Roles) {
				t.Errorf("%s: contributors %v", p.Description, p.ContributorIDs())
			}
		}
		if n := w.count("positions"); n < 6 {
			t.Errorf("%d positions", n)
		}
		if w.count("offices") < 5 || w.count("declaration_types") == 0 {
			t.Error("offices or declaration types are missing")
		}
	})
}

func TestSandbox_SeedIsTheSameEverywhereAndDoneOnce(t *testing.T) {
	var before []string
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		if w.pins.hashed.Load() == 0 {
			t.Error("no PIN was hashed")
		}
		var codes []string
		for _, p := range w.people() {
			codes = append(codes, p.TaxCode.Clear()+" "+p.PIN.Reveal())
		}
		if before != nil && !slices.Equal(codes, before) {
			t.Errorf("people differ: %v, %v", codes, before)
		}
		before = codes
		again := open(t, d)
		if err := again.Seed(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := len(again.people()); n != len(codes) || again.pins.hashed.Load() != 0 {
			t.Errorf("%d people after the second start, %d PINs hashed", n, again.pins.hashed.Load())
		}
	})
}

func TestSandbox_PeopleInPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		var paged []string
		cursor := ""
		for {
			p, err := w.People(context.Background(), "", page.Request{Limit: 4, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range p.Items {
				paged = append(paged, item.Description)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		var whole []string
		for _, p := range w.people() {
			whole = append(whole, p.Description)
		}
		if !slices.Equal(paged, whole) {
			t.Errorf("pages give %v, want %v", paged, whole)
		}
		if _, err := w.People(context.Background(), "", page.Request{Cursor: "nonsense"}); !fault.Is(err, fault.Malformed) {
			t.Errorf("wrong cursor: %v", err)
		}
	})
}

// register makes a person who is no test person.
func (w *fixture) register() (made person.Person) {
	w.t.Helper()
	err := w.db.InTx(context.Background(), func(ctx context.Context) (err error) {
		made, err = w.persons.Add(ctx, person.New{
			TaxCode: taxcode.MustParse("RSSMRA80A01H501U"), GivenName: "Mario", FamilyName: "Rossi", UserClass: access.Citizen,
			CredentialLevel: access.Ordinary,
		})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}
