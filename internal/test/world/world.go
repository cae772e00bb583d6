// Package world puts the core together for tests: an application without its HTTP edge. It stands
// on a given database, with a clock that stands still and keys that live as long as the test. It
// has people, contributors and rights to try it with.
package world

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/look"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/recheck"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/clock"
)

// Start is where the clock of a new App stands: a Monday morning in March.
var Start = time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC)

// The offices that a new App has.
const (
	Rome  = "7000"
	Milan = "4900"
)

// PublicURL is what receipts name as their issuer.
const PublicURL = "https://diresco.test"

// App is the core of one process.
type App struct {
	DB       *db.DB
	Clock    *clock.Manual
	Keys     *idempotency.Store
	Runner   *operation.Runner
	Rights   *access.Repository
	Recheck  *recheck.Checker
	Sessions *Sessions
	Guard    *access.Guard
	Outbox   *outbox.Outbox
	Signer   *Signer
	Blobs    *blob.Bucket
	Types    *declaration.Types
	Funds    *fund.Service
	// Contributors, Register and Declarations are what the edge calls.
	Contributors *contributor.Service
	Register     *protocol.Register
	Declarations *declaration.Service
	Topics       *ticket.Topics
	Tickets      *ticket.Service
}

// New puts an App together on an empty, migrated database. It has two offices and the declaration
// types that come with the program. Its register is closed when the test ends.
func New(t testing.TB, d *db.DB) *App {
	t.Helper()
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	a := assemble(t, d, clock.NewManual(Start), NewSigner(t), bucket)
	a.Must(t, func(ctx context.Context) error {
		for _, o := range []contributor.Office{{Code: Rome, Title: "Roma"}, {Code: Milan, Title: "Milano"}} {
			if err := a.Contributors.PutOffice(ctx, o); err != nil {
				return err
			}
		}
		if err := a.Topics.Install(ctx); err != nil {
			return err
		}
		return a.Types.Install(ctx)
	})
	return a
}

// Twin is another process on the same database, reached through d. It shares clock, keys and blobs
// with a and nothing else. After a was closed it is the same process started again.
func (a *App) Twin(t testing.TB, d *db.DB) *App {
	t.Helper()
	return assemble(t, d, a.Clock, a.Signer, a.Blobs)
}

func assemble(t testing.TB, d *db.DB, c *clock.Manual, signer *Signer, bucket *blob.Bucket) *App {
	t.Helper()
	a := &App{
		DB: d, Clock: c, Keys: idempotency.NewStore(d, c, nil), Rights: access.NewRepository(d, c), Recheck: recheck.New(d, c),
		Sessions: &Sessions{}, Outbox: outbox.New(d),
		Signer: signer, Blobs: bucket, Types: declaration.NewTypes(d, c),
	}
	a.Runner = &operation.Runner{DB: d, Clock: c, Keys: a.Keys, Trail: audit.NewTrail(d), Recheck: a.Recheck}
	a.Guard = access.NewGuard(a.Rights, a.Sessions, c, false)
	a.Contributors = contributor.NewService(contributor.Deps{DB: d, Rights: a.Rights})
	a.Register = a.NewRegister(t)
	a.Funds = fund.NewService(fund.Deps{Runner: a.Runner})
	a.Declarations = declaration.NewService(declaration.Deps{
		Runner: a.Runner, Types: a.Types, Contributors: a.Contributors, Register: a.Register, Rights: a.Rights, Outbox: a.Outbox,
		Funds:  a.Funds,
		Signer: signer, Blobs: bucket, Random: rand.Reader, PublicURL: PublicURL,
	})
	a.Topics = ticket.NewTopics(d)
	a.Tickets = ticket.NewService(ticket.Deps{
		Runner: a.Runner, Register: a.Register, Outbox: a.Outbox, Rights: a.Rights, Contributors: a.Contributors, Topics: a.Topics,
		Blobs: bucket, Log: slog.New(slog.DiscardHandler),
		Looks: look.NewService(look.Deps{
			DB: d, Clock: c, Trail: a.Runner.Trail, Staff: person.NewService(person.Deps{Runner: a.Runner}), Outbox: a.Outbox,
		}),
	})
	return a
}

// NewRegister starts another register on the App's database and clock, and closes it when the test
// ends.
func (a *App) NewRegister(t testing.TB) *protocol.Register {
	t.Helper()
	return a.NewRegisterAt(t, a.Clock)
}

// NewRegisterAt is NewRegister with another clock, which is the database's too.
func (a *App) NewRegisterAt(t testing.TB, c clock.Clock) *protocol.Register {
	t.Helper()
	reach := notification.NewRouter(a.DB, c, person.NewService(person.Deps{Runner: a.Runner}))
	r := protocol.NewRegister(a.DB, protocol.Time{Process: c, Database: c}, a.Keys, a.Recheck, reach, slog.New(slog.DiscardHandler))
	t.Cleanup(r.Close)
	return r
}

// Must runs fn in a transaction and ends the test when it fails.
func (a *App) Must(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := a.DB.InTx(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// Exec runs one statement in a transaction of its own and ends the test when it fails.
func (a *App) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	a.Must(t, func(ctx context.Context) error { return a.DB.From(ctx).Exec(statement, args...).Error })
}

// Count returns how many rows a query selects: table and condition, as in "outbox WHERE kind = ?".
func (a *App) Count(t testing.TB, from string, args ...any) int {
	t.Helper()
	var n int
	if err := a.DB.From(context.Background()).Raw("SELECT COUNT(*) FROM "+from, args...).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
