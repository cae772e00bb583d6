package smarttask_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/smarttask"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/grant"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{
	Operation: "requestSmartTask", RequestID: "request-1", Address: "192.0.2.1",
})

// fixture is an App with a company of two positions, its legal representative, a professional with a
// delegation from it, and an employee who is its delegate.
type fixture struct {
	*world.App
	t       *testing.T
	service *smarttask.Service
	company world.Company
	rep     access.Actor
	// professional is who has the delegation.
	professional       access.Actor
	delegate, deleg    uuid.UUID
	employee           access.Actor
	employeeRole       uuid.UUID
	professionalPerson world.Person
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &fixture{App: world.New(t, d), t: t}
		w.service = process(t, w.App)
		w.company, w.rep = w.Employer(t, world.Rome, world.Milan)
		w.confirm(w.rep.PersonID)
		w.professionalPerson, w.delegate = w.Professional(t)
		w.deleg = w.Delegation(t, w.delegate, w.company, nil)
		w.professional = w.Enter(t, w.Session(t, w.professionalPerson.ID, nil), w.company.ID)
		p := w.Person(t, nil)
		w.employeeRole = w.Role(t, p.ID, w.company.ID, access.EmployeeDelegate, access.Dossier, access.Declarations)
		w.employee = w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)
		test(t, w)
	})
}

func (w *fixture) confirm(personID uuid.UUID) {
	w.t.Helper()
	w.Exec(w.t, "UPDATE people SET identity_confirmed_at = ? WHERE id = ?", w.Clock.Now(), personID)
}

// process is what decides tasks in one process on the database.
func process(t *testing.T, a *world.App) *smarttask.Service {
	t.Helper()
	keys, err := keyring.ParseDataKeys("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	people := person.NewService(person.Deps{Runner: a.Runner})
	limiter := throttle.NewLimiter(a.DB, a.Clock, keys, a.Outbox)
	return smarttask.NewService(smarttask.Deps{
		Runner: a.Runner, Tickets: a.Tickets, Contributors: a.Contributors, Rights: a.Rights, Log: slog.New(slog.DiscardHandler),
		Delegations: delegation.NewService(delegation.Deps{
			Runner: a.Runner, Rights: a.Rights, Contributors: a.Contributors, People: people, Outbox: a.Outbox, Keys: keys,
			Codes:     otp.New(a.DB, a.Clock, keys, limiter, throttle.NewAddressLimit(a.DB, a.Clock, false), rand.Reader),
			Catalogue: servicecatalog.New(servicecatalog.Deps{Runner: a.Runner}), Random: rand.Reader,
		}),
		Grants: grant.NewService(grant.Deps{Runner: a.Runner, People: people, Outbox: a.Outbox}),
	})
}

// ask is a request of a type.
func ask(kind string, content map[string]any) smarttask.Input {
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return smarttask.Input{Type: kind, Content: encoded, Email: new("m.rossi@officine.example")}
}

func (w *fixture) revocation() smarttask.Input {
	return ask("revoke-intermediary-delegation", map[string]any{"delegation_id": w.deleg, "reason": "Fine dell'incarico"})
}

func (w *fixture) withdrawal() smarttask.Input {
	return ask("revoke-employee-delegation", map[string]any{"grant_id": w.employeeRole, "reason": "Cambio di mansioni"})
}

func (w *fixture) requested(by access.Actor, in smarttask.Input) uuid.UUID {
	w.t.Helper()
	v, err := w.service.Request(ctx, by, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if v.State != smarttask.Submitted || v.ProtocolNumber == "" || len(v.History()) != 1 || v.DecidedAt != nil {
		w.t.Errorf("filed as %+v", v)
	}
	return v.ID
}

func (w *fixture) drain() {
	w.t.Helper()
	if err := w.service.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// decided files a task and has it decided.
func (w *fixture) decided(by access.Actor, in smarttask.Input) uuid.UUID {
	w.t.Helper()
	id := w.requested(by, in)
	w.drain()
	return id
}

// want checks what became of a task: its state with the reasons, the check that failed, and its
// ticket.
func (w *fixture) want(id uuid.UUID, state smarttask.State, failed smarttask.CheckCode, reasons ...smarttask.ReasonCode) {
	w.t.Helper()
	v, err := w.service.Show(ctx, w.rep, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []smarttask.ReasonCode
	for _, r := range v.Reasons {
		got = append(got, r.Code)
	}
	if v.State != state || !equal(got, reasons) {
		w.t.Errorf("%s %s, want %s %s", v.State, got, state, reasons)
	}
	for _, c := range v.Checks {
		if (c.Result == smarttask.Failed) != (c.Code == failed) {
			w.t.Errorf("check %s %s", c.Code, c.Result)
		}
	}
	var steps []string
	for _, s := range v.History() {
		steps = append(steps, string(s.State))
	}
	if h := strings.Join(steps, " "); h != "submitted taken_in_charge under_examination "+string(state) {
		w.t.Errorf("history %s", h)
	}
	shown, err := w.Tickets.Show(ctx, w.rep, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if shown.State != "closed" || string(*shown.Outcome) != string(state) || shown.ClosedBy != nil || *shown.ClosingText == "" {
		w.t.Errorf("the ticket is %+v", shown.Ticket)
	}
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// one reads a value as text.
func (w *fixture) one(query string, args ...any) string {
	w.t.Helper()
	var text *string
	w.Must(w.t, func(ctx context.Context) error { return w.DB.From(ctx).Raw(query, args...).Scan(&text).Error })
	if text == nil {
		return ""
	}
	return *text
}

func (w *fixture) state() string { return w.one("SELECT state FROM delegations WHERE id = ?", w.deleg) }

// contact adds a contact for notices of rectification to the first position.
func (w *fixture) contact(value string, state contributor.RectificationContactState) uuid.UUID {
	w.t.Helper()
	id := uuid.Must(uuid.NewV7())
	w.Must(w.t, func(ctx context.Context) error {
		return w.Contributors.PutRectificationContact(ctx, contributor.RectificationContact{
			ID: id, PositionID: w.company.Positions[0].ID, Kind: contributor.RectificationEmail, Value: value, State: state,
			UpdatedAt: w.Clock.Now(),
		})
	})
	return id
}

func (w *fixture) deletion(ids ...uuid.UUID) smarttask.Input {
	return ask("delete-rectification-contacts", map[string]any{"position_id": w.company.Positions[0].ID, "contact_ids": ids})
}

// refused checks the fault with the codes of its fields.
func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var got []string
	for _, field := range f.Fields {
		got = append(got, field.Pointer+" "+field.Code)
	}
	if !equal(got, fields) {
		t.Errorf("%s: %v, want %v", what, got, fields)
	}
}
