package publicbody_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App with a public body, and somebody who compiles its lists.
type fixture struct {
	*world.App
	t       *testing.T
	people  *person.Service
	service *publicbody.Service
	body    world.Company
	by      access.Actor
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	a := world.New(t, d)
	w := &fixture{App: a, t: t, people: person.NewService(person.Deps{Runner: a.Runner})}
	catalogue := servicecatalog.New(servicecatalog.Deps{Runner: a.Runner})
	a.Must(t, catalogue.Install)
	w.service = publicbody.NewService(publicbody.Deps{
		Runner: a.Runner, Register: a.Register, Outbox: a.Outbox, Contributors: a.Contributors, Channels: catalogue, Blobs: a.Blobs,
		CatchUp: a.Funds.CatchUp, Log: slog.New(slog.DiscardHandler),
	})
	w.body = a.Company(t, world.Rome, world.Rome)
	a.Exec(t, "UPDATE contributors SET kind = 'public_body', legal_name = 'Comune di Castel Mugello' WHERE id = ?", w.body.ID)
	w.by = w.colleague(access.Dispositive, access.PublicBodyServices()...)
	return w
}

// colleague is an employee of the body who is let in to its first position.
func (w *fixture) colleague(level access.CredentialLevel, services ...access.Service) access.Actor {
	w.t.Helper()
	p := w.Person(w.t, func(p *world.Person) { p.CredentialLevel = level })
	w.Role(w.t, p.ID, w.body.ID, access.EmployeeDelegate, services...)
	return w.enter(w.Session(w.t, p.ID, nil), access.ToPosition, w.position())
}

func (w *fixture) position() uuid.UUID { return w.body.Positions[0].ID }

func (w *fixture) enter(session uuid.UUID, to access.To, id uuid.UUID) access.Actor {
	w.t.Helper()
	by, err := w.Guard.Enter(ctx, session, access.Rule{To: to}, access.Target{AffairID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}

// list is one that is right for the month.
func list(period string) dma.List {
	pension := &dma.Pension{Code: "2", Taxable: dma.Euros(185000), Contribution: dma.Euros(44030), Additional: dma.Euros(185)}
	return dma.List{
		Header: dma.Header{
			Period:     period,
			Sender:     dma.Sender{PersonTaxCode: "RSSMRA80A01H501U", LegalName: "Comune di Castel Mugello", TaxCode: "80039510484"},
			BodyNumber: "00000", SignatoryTaxCode: "RSSMRA80A01H501U", ActivityCode: "84111", LegalForm: "2430",
		},
		Workers: []dma.Worker{{
			TaxCode: "MKJRLA80A01L407X", FamilyName: "D'Alò", GivenName: "Niccolò",
			Workplace: dma.Workplace{MunicipalityCode: "B406", PostalCode: "50033"},
			Periods: []dma.Period{{
				StartDay: period + "-01", EndDay: period + "-28",
				Framing: &dma.Framing{EmploymentType: "1", ServiceType: "4", Contract: "RALN", Qualification: "042000", SeveranceScheme: "3"},
				Funds:   &dma.Funds{Pension: pension},
			}},
		}},
	}
}

// variations is a list of variations alone.
func variations(period string) dma.List {
	l := list(period)
	l.VariationsOnly = true
	l.Workers[0].Periods, l.Workers[0].Variations = nil, []dma.Variation{{
		Cause: "6", Period: dma.Period{StartDay: "2025-12-01", EndDay: "2025-12-31"},
	}}
	return l
}

func (w *fixture) xml(l dma.List) string {
	w.t.Helper()
	var file bytes.Buffer
	l.BodyTaxCode, l.BodyName = w.body.TaxCode.Clear(), "Comune di Castel Mugello"
	if err := l.WriteXML(&file); err != nil {
		w.t.Fatal(err)
	}
	return file.String()
}

func (w *fixture) fileXML(ctx context.Context, by access.Actor, file string, supersedes *uuid.UUID) (publicbody.View, error) {
	w.t.Helper()
	upload, err := attachment.Spool(strings.NewReader(file), "", w.t.TempDir(), 64<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = upload.Close() }()
	return w.service.FileXML(ctx, by, w.position(), supersedes, upload)
}

// file files a list that was compiled by hand.
func (w *fixture) file(by access.Actor, l dma.List, supersedes *uuid.UUID) (publicbody.View, error) {
	w.t.Helper()
	w.Clock.Advance(time.Second)
	return w.service.FileCompiled(asked(), by, w.position(), supersedes, l)
}

func (w *fixture) filed(by access.Actor, l dma.List, supersedes *uuid.UUID) publicbody.View {
	w.t.Helper()
	v, err := w.file(by, l, supersedes)
	if err != nil {
		w.t.Fatalf("%+v", err)
	}
	return v
}

// becomesDispositive makes somebody's credentials dispositive, as an office does.
func (w *fixture) becomesDispositive(by access.Actor) {
	w.t.Helper()
	w.Clock.Advance(time.Second)
	w.Must(w.t, func(ctx context.Context) error {
		if _, err := w.people.MakeDispositive(ctx, by.PersonID); err != nil {
			return err
		}
		return w.service.CompleteFor(ctx, by.PersonID)
	})
}

func (w *fixture) state(id uuid.UUID) publicbody.State {
	w.t.Helper()
	v, err := w.service.Show(ctx, w.by, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.State
}

// states checks how submissions stand.
func (w *fixture) states(what string, want map[uuid.UUID]publicbody.State) {
	w.t.Helper()
	for id, state := range want {
		if got := w.state(id); got != state {
			w.t.Errorf("%s: %s, want %s", what, got, state)
		}
	}
}

func (w *fixture) all(f publicbody.Filter) []publicbody.View {
	w.t.Helper()
	found, err := w.service.OfPosition(ctx, w.position(), f, page.Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// content is the file of a submission.
func (w *fixture) content(v publicbody.View) string {
	w.t.Helper()
	file, err := w.service.File(ctx, v)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// blobs counts the files that are kept.
func (w *fixture) blobs() int {
	w.t.Helper()
	n := 0
	for objects := w.Blobs.List(nil); ; n++ {
		if _, err := objects.Next(ctx); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			w.t.Fatal(err)
		}
	}
}

// asked returns a context as the edge makes it.
func asked() context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: "fileDmaSubmission", RequestID: "request-1", Address: "192.0.2.1"})
}

// refused checks that an error is a fault of the kind with the reason or, of what is invalid, the
// first field.
func refused(t *testing.T, what string, err error, code fault.Code, reason string) {
	t.Helper()
	_ = refusal(t, what, err, code, reason)
}

// refusal is refused, and returns the fault.
func refusal(t *testing.T, what string, err error, code fault.Code, reason string) *fault.Fault {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code || code != fault.Invalid && f.Reason != reason ||
		code == fault.Invalid && (len(f.Fields) == 0 || f.Fields[0].Code != reason) {
		t.Errorf("%s: %v %+v, want %s (%s)", what, err, f, code, reason)
		return &fault.Fault{}
	}
	return f
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kinds lists what was promised to a person, in order.
func (w *fixture) kinds(personID uuid.UUID) string {
	w.t.Helper()
	var kinds []string
	if err := w.DB.From(ctx).Raw("SELECT kind FROM outbox WHERE person_id = ? ORDER BY created_at, id", personID).Scan(&kinds).Error; err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(kinds, " ")
}

// trail lists what the audit trail has of a submission, in order.
func (w *fixture) trail(id uuid.UUID) string {
	w.t.Helper()
	var records []string
	if err := w.DB.From(ctx).Raw(
		"SELECT operation || ' ' || detail FROM audit_records WHERE subject_kind = 'dma-submission' AND subject_id = ? ORDER BY id", id.String(),
	).Scan(&records).Error; err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(records, "; ")
}
