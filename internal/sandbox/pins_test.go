package sandbox_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// pins are the real ones with cheap hashes.
type pins struct {
	*pin.Service
	verifier *pin.Verifier
	hashed   atomic.Int64
	// broken makes Set fail.
	broken atomic.Bool
}

var _ sandbox.PINs = (*pin.Service)(nil)

func newPINs(t testing.TB, run *operation.Runner, c clock.Clock) *pins {
	t.Helper()
	hasher, err := pin.NewHasher(pin.HasherOptions{Memory: 64, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	limiter := throttle.NewLimiter(run.DB, c, dataKeys(t), outbox.New(run.DB))
	p := &pins{verifier: pin.NewVerifier(run.DB, c, hasher, limiter, throttle.NewAddressLimit(run.DB, c, false))}
	p.Service = pin.NewService(pin.Deps{
		Runner: run, Verifier: p.verifier, Sessions: noSessions{}, Outbox: outbox.New(run.DB), Random: rand.Reader,
		OnChange: sandbox.PINChanged(run.DB, c),
	})
	return p
}

func (p *pins) HashPublic(pin secret.Text) (string, error) {
	p.hashed.Add(1)
	return p.Service.HashPublic(pin)
}

func (p *pins) Set(ctx context.Context, personID uuid.UUID, hash string, initial bool) error {
	if p.broken.Load() {
		return errors.New("broken on purpose")
	}
	return p.Service.Set(ctx, personID, hash, initial)
}

// works reports whether the person can log in with the listed PIN. An initial one must be changed,
// and no other.
func (w *fixture) works(p sandbox.Person, initial bool) bool {
	w.t.Helper()
	verified, err := w.pins.verifier.Verify(context.Background(), p.TaxCode.Clear(), p.PIN, "192.0.2.1")
	if err != nil {
		w.t.Logf("login: %v", err)
	}
	return err == nil && verified.PersonID == p.ID && verified.PINChangeRequired == initial
}

type noSessions struct{}

func (noSessions) Replace(context.Context, access.Actor, string) (session.Session, error) {
	return session.Session{}, nil
}

func (noSessions) EndAllOf(context.Context, uuid.UUID, string) error { return nil }

func TestSandbox_ListedPINIsTheCurrentOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		ctx := context.Background()
		p := w.who("16 characters")
		by := access.Actor{
			PersonID: p.ID, SessionID: (&world.App{DB: d, Clock: clock.NewManual(w.clock.Now())}).Session(t, p.ID, nil),
			UserClass: p.UserClass, TaxCode: p.TaxCode, PINChangeRequired: true,
		}
		rotation, err := w.pins.Rotate(ctx, by)
		if err != nil {
			t.Fatal(err)
		}
		if now := w.who("16 characters"); now.PIN != p.PIN || !w.works(now, true) {
			t.Error("the PIN changed before it was confirmed")
		}
		if _, err := w.pins.Confirm(ctx, by, rotation.ID, rotation.PIN); err != nil {
			t.Fatal(err)
		}
		if now := w.who("16 characters"); now.PIN != rotation.PIN || !w.works(now, false) {
			t.Error("the changed PIN is not listed")
		}
		if got := w.messages(sandbox.MessageFilter{To: p.Contacts[0].Value}); len(got) != 1 ||
			strings.Contains(got[0].Subject+got[0].Text, rotation.PIN.Reveal()) {
			t.Errorf("told of the change: %d messages", len(got))
		}
	})
}

func TestSandbox_SomebodyWhoCameByAnotherDoorIsListed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		newcomer := w.register()
		issued, err := w.pins.Issue(context.Background(), newcomer.ID)
		if err != nil {
			t.Fatal(err)
		}
		if last := w.people()[len(w.people())-1]; last.ID != newcomer.ID || last.PIN != issued || last.Description == "" ||
			!w.works(last, true) {
			t.Error("the newcomer is not listed last")
		}
	})
}
