package pin_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestRotation_GivesANewPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, initial := w.Person(t, pintest.Mario, access.Citizen, true)
		shown := map[uuid.UUID]secret.Text{}
		w.OnChange = func(_ context.Context, id uuid.UUID, text secret.Text) error {
			shown[id] = text
			return nil
		}
		first, elsewhere := w.Login(t, pintest.Mario, initial), w.Login(t, pintest.Mario, initial)
		by := w.MustActor(t, first)
		if !by.PINChangeRequired {
			t.Fatal("the initial PIN need not be changed")
		}
		records := w.Count(t, "audit_records")
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		if len(r.PIN) != 8 || !r.ExpiresAt.Equal(w.Clock.Now().Add(15*time.Minute)) {
			t.Errorf("%d characters, void at %v", len(r.PIN), r.ExpiresAt)
		}
		if n := w.Count(t, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records of the rotation, want 1", n)
		}
		if len(shown) != 0 {
			t.Error("shown before it works")
		}
		w.Login(t, pintest.Mario, initial) // the old one still works
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), r.PIN, "")
		want(t, err, fault.InvalidCredentials)

		ctx := audit.WithOrigin(ctx, audit.Origin{Operation: "confirmPinRotation", Address: "192.0.2.1"})
		_, err = w.PINs.Confirm(ctx, by, r.ID, wrongPIN)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.Invalid || len(f.Fields) != 1 ||
			f.Fields[0] != (fault.Field{Pointer: "/pin", Code: "wrong-pin"}) {
			t.Errorf("wrong PIN: %v", err)
		}
		if w.Count(t, "attempts WHERE failures = 2") != 1 || w.Count(t, "address_failures") != 1 {
			t.Error("a wrong entry must count as a try")
		}
		records = w.Count(t, "audit_records")
		s, err := w.PINs.Confirm(ctx, by, r.ID, secret.Text(r.PIN.Reveal()[:4]+" "+r.PIN.Reveal()[4:]))
		want(t, err, "")
		if s.SessionID == first.SessionID || s.PINChangeRequired || s.CredentialLevel != access.Dispositive {
			t.Errorf("session %+v", s)
		}
		if n := w.Count(t, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records of the confirmation, want 1", n)
		}
		if n := w.Count(t, "outbox WHERE kind = 'pin.changed' AND person_id = ?", p.ID); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
		if shown[p.ID] != r.PIN {
			t.Error("the hook was not told the new PIN")
		}
		if w.Count(t, "pin_rotations") != 0 || w.Count(t, "pins WHERE first_access_at IS NOT NULL AND unused_expires_at IS NULL") != 1 {
			t.Error("the rotation must be gone and the first access noted")
		}
		for name, old := range map[string]secret.Text{"first": first.RefreshToken, "elsewhere": elsewhere.RefreshToken} {
			if _, err := w.Sessions.Renew(ctx, old, ""); !fault.Is(err, fault.SessionEnded) {
				t.Errorf("%s: the refresh token: %v", name, err)
			}
		}
		_, err = w.Actor(t, first)
		want(t, err, fault.SessionEnded)
		_, err = w.Actor(t, elsewhere)
		want(t, err, fault.SessionEnded)
		w.MustActor(t, s)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), initial, "")
		want(t, err, fault.InvalidCredentials)
		if again := w.Login(t, pintest.Mario, r.PIN); again.PINChangeRequired {
			t.Error("the new PIN must be changed again")
		}
	})
}

func TestRotation_NeedsAFreshPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, right)
		w.Clock.Advance(5 * time.Minute)
		_, err := w.PINs.Rotate(ctx, w.MustActor(t, s))
		want(t, err, "")
		w.Clock.Advance(time.Second)
		_, err = w.PINs.Rotate(ctx, w.MustActor(t, s))
		want(t, err, fault.Reauthenticate)
		s, err = w.Sessions.Reauthenticate(ctx, w.MustActor(t, s), right)
		want(t, err, "")
		_, err = w.PINs.Rotate(ctx, w.MustActor(t, s))
		want(t, err, "")
		// Who must change it anyway need not enter it again.
		forced := w.MustActor(t, s)
		forced.PINChangeRequired = true
		w.Clock.Advance(20 * time.Minute)
		_, err = w.PINs.Rotate(ctx, forced)
		want(t, err, "")
	})
}

func TestRotation_VoidRotations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		_, foreignPIN := w.Person(t, pintest.Giulia, access.Citizen, false)
		by := w.MustActor(t, w.Login(t, pintest.Mario, right))
		otherSession := w.MustActor(t, w.Login(t, pintest.Mario, right))
		foreign := w.MustActor(t, w.Login(t, pintest.Giulia, foreignPIN))

		first, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		second, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		if first.ID == second.ID || first.PIN == second.PIN {
			t.Error("a repeat must give another")
		}
		hashes := w.Hasher.Hashes()
		for name, confirm := range map[string]func() error{
			"replaced":        func() error { _, err := w.PINs.Confirm(ctx, by, first.ID, first.PIN); return err },
			"unknown":         func() error { _, err := w.PINs.Confirm(ctx, by, uuid.New(), second.PIN); return err },
			"another's":       func() error { _, err := w.PINs.Confirm(ctx, foreign, second.ID, second.PIN); return err },
			"another session": func() error { _, err := w.PINs.Confirm(ctx, otherSession, second.ID, second.PIN); return err },
		} {
			if err := confirm(); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if w.Hasher.Hashes() != hashes || w.Count(t, "attempts WHERE failures > 0") != 0 {
			t.Error("what is not found counts nothing")
		}
		w.Clock.Advance(15 * time.Minute)
		_, err = w.PINs.Confirm(ctx, by, second.ID, second.PIN)
		want(t, err, fault.NotFound)
		w.Login(t, pintest.Mario, right)
		if n := w.Count(t, "outbox"); n != 0 {
			t.Errorf("%d messages though nothing changed", n)
		}
	})
}

func TestRotation_ConfirmationSharesTheCounter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		by := w.MustActor(t, w.Login(t, pintest.Mario, right))
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		before := w.Hasher.Hashes()
		o := together(t, 100, patiently(func(i int) error {
			var err error
			switch i % 3 {
			case 0:
				_, err = w.PINs.Confirm(ctx, by, r.ID, wrongPIN)
				if fault.Is(err, fault.Invalid) {
					err = fault.New(fault.InvalidCredentials)
				}
			case 1:
				_, err = w.Sessions.Reauthenticate(ctx, by, wrongPIN)
			default:
				_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), wrongPIN, "")
			}
			return err
		}))
		if n := w.Hasher.Hashes() - before; n != 10 || o.wrong.Load() != 10 || o.locked.Load() != 90 {
			t.Errorf("%d hashes; %s", n, o)
		}
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, fault.PINLocked)
		w.Clock.Advance(5 * time.Minute)
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, "")
	})
}

func TestRotation_ParallelConfirmations(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		by := w.MustActor(t, w.Login(t, pintest.Mario, right))
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		var confirmed, gone atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := w.PINs.Confirm(ctx, by, r.ID, r.PIN)
				switch {
				case err == nil:
					confirmed.Add(1)
				case fault.Is(err, fault.NotFound):
					gone.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if confirmed.Load() != 1 || gone.Load() != 7 {
			t.Errorf("%d confirmed, %d not found", confirmed.Load(), gone.Load())
		}
		if w.Count(t, "outbox") != 1 || w.Count(t, "sessions WHERE ended_at IS NULL") != 1 {
			t.Error("the change must have happened once")
		}
	})
}

// What fails changes nothing, and a session that ended meanwhile changes no PIN.
func TestRotation_ConfirmationIsOneTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, right)
		by := w.MustActor(t, s)
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		boom := errors.New("boom")
		w.OnChange = func(context.Context, uuid.UUID, secret.Text) error { return boom }
		if _, err := w.PINs.Confirm(ctx, by, r.ID, r.PIN); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		w.OnChange = nil
		w.MustActor(t, s)
		w.Login(t, pintest.Mario, right)
		if n := w.Count(t, "outbox"); n != 0 {
			t.Errorf("%d messages", n)
		}
		want(t, w.Sessions.End(ctx, by, by.SessionID), "")
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, fault.SessionEnded)
		w.Login(t, pintest.Mario, right)
	})
}

// A login holds the PIN that it was made with. So it comes before the instant at which that PIN is
// revoked or replaced.
func TestPIN_EndsAtAnInstantAfterWhatItLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := pintest.New(t, d, pintest.Cheap)
	p, text := w.Person(t, pintest.Mario, access.Citizen, false)
	inTx := func(end func(ctx context.Context) error) func() error {
		return func() error { return d.InTx(context.Background(), end) }
	}
	ended := func(name, column string, end func() error) {
		t.Helper()
		released := world.EndBeside(t, d, w.Clock, end, "SELECT 1 FROM pins WHERE person_id = ? FOR SHARE", p.ID)
		if n := w.Count(t, "pins WHERE person_id = ? AND "+column+" >= ?", p.ID, released); n != 1 {
			t.Errorf("%s: the PIN ended before what it let in", name)
		}
	}
	by := w.MustActor(t, w.Login(t, pintest.Mario, text))
	r, err := w.PINs.Rotate(ctx, by)
	want(t, err, "")
	ended("rotation", "changed_at", func() error {
		_, err := w.PINs.Confirm(context.Background(), by, r.ID, r.PIN)
		return err
	})
	ended("another PIN", "changed_at", inTx(func(ctx context.Context) error {
		_, err := w.PINs.Issue(ctx, p.ID)
		return err
	}))
	ended("revocation", "revoked_at", inTx(func(ctx context.Context) error {
		_, err := w.PINs.RevokeFor(ctx, p.ID)
		return err
	}))
}
