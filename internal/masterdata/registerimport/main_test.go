package registerimport_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the core with imports.
type fixture struct {
	*world.App
	t       *testing.T
	service *registerimport.Service
	worker  *registerimport.Worker
	admin   access.Actor
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	w := &fixture{App: world.New(t, d), t: t}
	if _, err := installation.Claim(context.Background(), d, installation.Production, w.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.service = registerimport.NewService(registerimport.Deps{Runner: w.Runner, Blobs: w.Blobs})
	w.worker = w.newWorker()
	w.admin = access.Actor{PersonID: w.Person(t, func(p *world.Person) { p.UserClass = access.Administrator }).ID}
	return w
}

// newWorker is that of another process.
func (w *fixture) newWorker() *registerimport.Worker { return w.newWorkerWith(w.Clock) }

func (w *fixture) newWorkerWith(c clock.Clock) *registerimport.Worker {
	return registerimport.NewWorker(registerimport.WorkerOptions{
		DB: w.DB, Clock: c, Blobs: w.Blobs, Outbox: w.Outbox, Log: slog.New(slog.DiscardHandler),
	})
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newWorld(t, d)) })
}

func fileOf(r registerimport.Register, f registerimport.Format, content string) registerimport.File {
	sum := sha256.Sum256([]byte(content))
	return registerimport.File{Register: r, Format: f, Digest: "sha-256:" + hex.EncodeToString(sum[:]), Open: func() io.Reader {
		return strings.NewReader(content)
	}}
}

// send takes a file without working it off.
func (w *fixture) send(r registerimport.Register, f registerimport.Format, content string) registerimport.Import {
	w.t.Helper()
	w.Clock.Advance(time.Second)
	i, err := w.service.Take(context.Background(), w.admin, fileOf(r, f, content))
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *fixture) drain() {
	w.t.Helper()
	if err := w.worker.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) show(id uuid.UUID) registerimport.Import {
	w.t.Helper()
	i, err := w.service.Show(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

// bring imports lines as CSV and expects that they count.
func (w *fixture) bring(r registerimport.Register, header string, lines ...string) registerimport.Import {
	w.t.Helper()
	i := w.send(r, registerimport.CSV, header+"\n"+strings.Join(lines, "\n")+"\n")
	w.drain()
	if i = w.show(i.ID); i.State != registerimport.Done || *i.LinesTotal != len(lines) || i.LinesDone != len(lines) || i.FinishedAt == nil {
		w.t.Fatalf("imported as %+v", i)
	}
	return i
}

// wrong imports a file that must fail, and returns what is wrong with it.
func (w *fixture) wrong(r registerimport.Register, f registerimport.Format, content string) string {
	w.t.Helper()
	i := w.send(r, f, content)
	w.drain()
	if i = w.show(i.ID); i.State != registerimport.Failed || i.LinesDone != 0 {
		w.t.Fatalf("imported as %+v", i)
	}
	errors, err := i.Wrong()
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range errors {
		all = append(all, fmt.Sprintf("%d %s %s", e.Line, e.Pointer, e.Code))
	}
	return strings.Join(all, "; ")
}

// one returns a single text.
func (w *fixture) one(query string, args ...any) string {
	w.t.Helper()
	var found []string
	if err := w.DB.From(context.Background()).Raw(query, args...).Scan(&found).Error; err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(found, ",")
}

// code is the tax code of the n-th person.
func code(t testing.TB, n int) string {
	t.Helper()
	c, err := taxcode.Compose(taxcode.Birth{
		FamilyName: "Verdi", GivenName: "Ugo", Sex: taxcode.Male, Date: time.Date(1930, 1, 1+n%25_000, 0, 0, 0, 0, time.UTC),
		Place: fmt.Sprintf("H%03d", 500+n/25_000),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.Clear()
}

const (
	peopleHeader       = "tax_code;given_name;family_name;birth_date;birth_place;street;postal_code;town;province;office_code"
	albiHeader         = "tax_code;given_name;family_name;register_code;registration_number"
	associationHeader  = "tax_code;legal_name;kind;register_code;registration_number"
	contributorsHeader = "tax_code;legal_name;kind;legal_representative_tax_code;enabled_2023"
	positionsHeader    = "number;contributor_tax_code;scheme;office_code;state"
	publicHeader       = "position_number;kind;reference;date;amount;currency;description"
)
