package pinupgrade_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/review"
	"diresco/internal/kernel/scan"
	"diresco/internal/masterdata/residents"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// The beginnings of files.
const (
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
)

// fixture is an App in which people ask for a dispositive PIN.
type fixture struct {
	*world.App
	t         *testing.T
	service   *pinupgrade.Service
	residents *residents.Register
	scans     *scan.Service
}

// finder is a scanner that finds something in what has a word in it.
type finder struct{}

func (finder) Scan(_ context.Context, content io.Reader) (string, error) {
	read, err := io.ReadAll(content)
	if strings.Contains(string(read), "malicious") {
		return "Test.Finding", err
	}
	return "", err
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	return inApp(t, world.New(t, d))
}

// inApp is a process's part of a world.
func inApp(t *testing.T, a *world.App) *fixture {
	t.Helper()
	w := &fixture{App: a, t: t, residents: residents.New(a.DB, a.Clock)}
	w.scans = scan.NewService(scan.Deps{Runner: a.Runner, Bucket: a.Blobs, Scanner: finder{}, Log: slog.New(slog.DiscardHandler)})
	people := person.NewService(person.Deps{Runner: a.Runner})
	w.service = pinupgrade.NewService(pinupgrade.Deps{
		Runner: a.Runner, Register: a.NewRegister(t),
		Outbox: a.Outbox, Files: attachment.NewStore(a.Blobs), Offices: a.Contributors, Residents: w.residents,
		People: people, Declarations: a.Declarations, Log: slog.New(slog.DiscardHandler), Scans: w.scans,
		Looks: look.NewService(look.Deps{DB: a.DB, Clock: a.Clock, Trail: a.Runner.Trail, Staff: people, Outbox: a.Outbox}),
	})
	return w
}

// citizen is somebody with an ordinary PIN and no contributor.
func (w *fixture) citizen() access.Actor {
	w.t.Helper()
	return w.enter(w.Person(w.t, func(p *world.Person) { p.CredentialLevel = access.Ordinary }).ID)
}

// operator works at the office.
func (w *fixture) operator(office string) access.Actor {
	w.t.Helper()
	return w.enter(w.Operator(w.t, office).ID)
}

func (w *fixture) enter(personID uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, w.Session(w.t, personID, nil), access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// again lets the holder of a session in anew, as the next request does.
func (w *fixture) again(by access.Actor) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, by.SessionID, access.Rule{To: access.ToSession}, access.Target{})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

func (w *fixture) upload(name, content string) *attachment.Upload {
	w.t.Helper()
	u, err := attachment.Spool(strings.NewReader(content), name, w.t.TempDir(), attachment.MaxSize)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = u.Close() })
	return u
}

// input is a complete request at the office of Rome.
func (w *fixture) input() pinupgrade.Input {
	w.t.Helper()
	return pinupgrade.Input{
		DocumentKind: pinupgrade.IdentityCard, DocumentNumber: "CA12345AB", IssuedBy: "Comune di Forlì", IssuedOn: "2021-05-10",
		ExpiresOn: "2031-05-10", OfficeCode: world.Rome,
		Files: []*attachment.Upload{w.upload("../fronte.png", png+strings.Repeat("x", 50_000)), w.upload("retro.jpg", jpeg)},
	}
}

func (w *fixture) request(by access.Actor) pinupgrade.Upgrade {
	w.t.Helper()
	u, err := w.service.Request(ctx, by, w.input())
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *fixture) decide(by access.Actor, id uuid.UUID, outcome review.Outcome) pinupgrade.Details {
	w.t.Helper()
	h, err := w.service.Decide(ctx, by, id, review.Decision{Outcome: outcome, Reason: "Documento leggibile e valido"})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// blobs lists what is stored.
func (w *fixture) blobs() []string {
	w.t.Helper()
	var keys []string
	list := w.Blobs.List(nil)
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
}

// messages lists what was promised to a person, in order.
func (w *fixture) messages(personID uuid.UUID) []string {
	w.t.Helper()
	var kinds []string
	if err := w.DB.From(ctx).Raw(
		"SELECT kind FROM outbox WHERE person_id = ? ORDER BY created_at, id", personID,
	).Scan(&kinds).Error; err != nil {
		w.t.Fatal(err)
	}
	return kinds
}

// asked returns a context as the edge makes it for an operation of the contract.
func asked(operation string) context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}

// refused checks that an error is a fault of the kind, with these fields (pointer and code in
// turn).
func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
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

func conflict(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Errorf("%s: %v, want a conflict: %s", what, err, reason)
	}
}

func state(t *testing.T, w *fixture, id uuid.UUID) declaration.State {
	t.Helper()
	var s declaration.State
	if err := w.DB.From(ctx).Raw("SELECT state FROM declarations WHERE id = ?", id).Scan(&s).Error; err != nil {
		t.Fatal(err)
	}
	return s
}
