package pin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

const wrongPIN = secret.Text("23456789")

// outcomes are how many of some parallel logins ended how.
type outcomes struct{ ok, wrong, locked, busy, other atomic.Int64 }

func (o *outcomes) String() string {
	return fmt.Sprintf(
		"%d let in, %d wrong, %d locked, %d busy, %d else", o.ok.Load(), o.wrong.Load(), o.locked.Load(), o.busy.Load(), o.other.Load(),
	)
}

func together(t *testing.T, n int, login func(i int) error) *outcomes {
	t.Helper()
	var o outcomes
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := login(i)
			switch {
			case err == nil:
				o.ok.Add(1)
			case fault.Is(err, fault.InvalidCredentials):
				o.wrong.Add(1)
			case fault.Is(err, fault.PINLocked):
				o.locked.Add(1)
			case fault.Is(err, fault.Busy):
				o.busy.Add(1)
			default:
				o.other.Add(1)
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return &o
}

// patiently comes again when the machine of the test was too busy.
func patiently(login func(i int) error) func(i int) error {
	return func(i int) error {
		for try := 0; ; try++ {
			if err := login(i); !fault.Is(err, fault.Busy) || try == 20 {
				return err
			}
		}
	}
}

func TestLogin_TwoHundredParallelWrongPINs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		before := w.Hasher.Hashes()
		o := together(t, 200, patiently(func(int) error {
			_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), wrongPIN, "")
			return err
		}))
		if n := w.Hasher.Hashes() - before; n > 10 || o.wrong.Load() != n || o.locked.Load() != 200-n {
			t.Errorf("%d hashes; %s", n, o)
		}
		// The five minutes, with the right PIN as bad as any until they are over.
		before = w.Hasher.Hashes()
		var f *fault.Fault
		_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "")
		if !errors.As(err, &f) || f.Code != fault.PINLocked || f.RetryAfter != 5*time.Minute {
			t.Errorf("the right PIN during the wait: %v", err)
		}
		w.Clock.Advance(5*time.Minute - time.Second)
		if _, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, ""); !errors.As(err, &f) || f.RetryAfter != time.Second {
			t.Errorf("a second before its end: %v", err)
		}
		if n := w.Hasher.Hashes() - before; n != 0 {
			t.Errorf("%d hashes during the wait", n)
		}
		w.Clock.Advance(time.Second)
		_, err = w.Verifier.Verify(ctx, pintest.Mario.Clear(), wrongPIN, "")
		want(t, err, fault.InvalidCredentials)
		_, err = w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "")
		want(t, err, fault.PINLocked)
		w.Clock.Advance(5 * time.Minute)
		// Once the wait is over, 50 together are one at a time: the first wrong one locks the rest
		// out.
		before = w.Hasher.Hashes()
		o = together(t, 50, patiently(func(int) error {
			_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), wrongPIN, "")
			return err
		}))
		if n := w.Hasher.Hashes() - before; n != 1 || o.wrong.Load() != 1 {
			t.Errorf("%d hashes after the wait; %s", n, o)
		}
		w.Clock.Advance(5 * time.Minute)
		_, err = w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "")
		want(t, err, "")
		if n := w.Count(t, "attempts WHERE failures = 0 AND in_flight = 0 AND locked_until IS NULL"); n != 1 {
			t.Error("the right PIN does not set the counter to zero")
		}
	})
}

func TestLogin_ParallelRightPINs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		other := w.Twin(t)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		for range 9 {
			_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), wrongPIN, "")
			want(t, err, fault.InvalidCredentials)
		}
		o := together(t, 64, patiently(func(i int) error {
			at := w
			if i%2 == 1 {
				at = other
			}
			_, err := at.Sessions.Start(ctx, pintest.Mario.Clear(), right, "")
			return err
		}))
		if o.ok.Load() != 64 {
			t.Error(o)
		}
		if n := w.Count(t, "attempts WHERE failures = 0 AND in_flight = 0"); n != 1 {
			t.Error("the counter does not stand at zero")
		}
	})
}

func TestLogin_OverloadCountsNoTry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pin.HasherOptions{Memory: 8, Time: 1, Slots: 1, Queue: 1, Wait: time.Minute, Hold: time.Millisecond})
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		for range 5 {
			o := together(t, 64, func(int) error {
				_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "")
				return err
			})
			if o.ok.Load() == 0 || o.busy.Load() == 0 || o.ok.Load()+o.busy.Load() != 64 {
				t.Error(o)
			}
		}
		if n := w.Count(t, "attempts WHERE failures = 0 AND in_flight = 0"); n != 1 {
			t.Error("turning callers away was counted")
		}
	})
}

func TestLogin_CancelledLoginCountsNoTry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		w.Person(t, pintest.Mario, access.Citizen, false)
		for range 20 {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), wrongPIN, ""); err == nil || fault.Is(err, fault.PINLocked) {
				t.Fatal(err)
			}
		}
		if n := w.Count(t, "attempts WHERE failures > 0 OR in_flight > 0"); n != 0 {
			t.Error("requests that went away were counted")
		}
	})
}

// Nobody learns from the work that is done, or its answer, whether somebody is registered.
func TestLogin_StrangersCostTheSame(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		w.Person(t, pintest.Mario, access.Citizen, false)
		revoked, _ := w.Person(t, pintest.Giulia, access.Citizen, false)
		w.Exec(t, "UPDATE pins SET revoked_at = ? WHERE person_id = ?", w.Clock.Now(), revoked.ID)
		statements := world.Statements(t, d)
		type cost struct {
			hashes     int64
			statements int
			answer     string
		}
		var first cost
		for i, code := range []string{
			pintest.Mario.Clear(), pintest.Stranger.Clear(), pintest.Giulia.Clear(), "no tax code",
			// Now that each has a counter, once more.
			pintest.Mario.Clear(), pintest.Stranger.Clear(), pintest.Giulia.Clear(), "no tax code",
		} {
			hashes, before := w.Hasher.Hashes(), statements()
			_, err := w.Sessions.Start(ctx, code, wrongPIN, "192.0.2.1")
			got := cost{w.Hasher.Hashes() - hashes, statements() - before, fmt.Sprintf("%#v", err)}
			if i == 0 {
				first = got
				var f *fault.Fault
				if !errors.As(err, &f) || f.Code != fault.InvalidCredentials || f.Err != nil {
					t.Errorf("answer %#v", err)
				}
			}
			if got.hashes != first.hashes || got.statements != first.statements || !fault.Is(err, fault.InvalidCredentials) {
				t.Errorf("login %d costs %+v, the first %+v", i, got, first)
			}
		}
		// The address, the person, the attempt, its outcome, the address again.
		if first.hashes != 1 || first.statements != 5 {
			t.Errorf("a wrong login costs %+v", first)
		}
		// And the lock comes to strangers in the same way.
		for range 8 {
			_, err := w.Sessions.Start(ctx, pintest.Stranger.Clear(), wrongPIN, "")
			want(t, err, fault.InvalidCredentials)
		}
		_, err := w.Sessions.Start(ctx, pintest.Stranger.Clear(), wrongPIN, "")
		want(t, err, fault.PINLocked)
	})
}

func TestLogin_AddressLimitComesBeforeTheCounter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		for i := range 30 {
			_, err := w.Verifier.Verify(ctx, fmt.Sprintf("stranger %d", i), wrongPIN, fmt.Sprintf("2001:db8:1:2::%x", i))
			want(t, err, fault.InvalidCredentials)
		}
		hashes := w.Hasher.Hashes()
		_, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "2001:db8:1:2:ffff::1")
		want(t, err, fault.RateLimited)
		if n := w.Hasher.Hashes() - hashes; n != 0 || w.Count(t, "attempts") != 30 {
			t.Error("a refused address moves counters")
		}
		_, err = w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "2001:db8:1:3::1")
		want(t, err, "")
		w.Clock.Advance(10 * time.Minute)
		_, err = w.Verifier.Verify(ctx, pintest.Mario.Clear(), right, "2001:db8:1:2:ffff::1")
		want(t, err, "")
	})
}

func TestLogin_MonthsUntilTheChange(t *testing.T) {
	for class, months := range map[access.UserClass]int{access.Citizen: 6, access.InstitutionalIntermediary: 3, access.Administrator: 3} {
		t.Run(string(class), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := pintest.New(t, d, pintest.Cheap)
				p, right := w.Person(t, pintest.Mario, class, false)
				// 16 March and 16 June or September are in the two halves of the year. The hour in
				// Rome stays, that in UTC does not.
				due := pintest.Start.AddDate(0, months, 0).Add(-time.Hour)
				expires, err := w.PINs.ExpiresAt(ctx, p.ID)
				want(t, err, "")
				if expires == nil || !expires.Equal(due) {
					t.Errorf("expires %v, want %v", expires, due)
				}
				w.Clock.Advance(due.Sub(w.Clock.Now()) - time.Second)
				if s := w.Login(t, pintest.Mario, right); s.PINChangeRequired {
					t.Error("must be changed a second too early")
				}
				w.Clock.Advance(time.Second)
				s := w.Login(t, pintest.Mario, right)
				if !s.PINChangeRequired {
					t.Error("need not be changed")
				}
				changed, err := rotate(t, w, s)
				want(t, err, "")
				if changed.PINChangeRequired {
					t.Error("must be changed again")
				}
			})
		})
	}
}

// rotate changes the PIN in a session.
func rotate(t *testing.T, w *pintest.World, s session.Session) (session.Session, error) {
	t.Helper()
	by := w.MustActor(t, s)
	r, err := w.PINs.Rotate(ctx, by)
	want(t, err, "")
	return w.PINs.Confirm(ctx, by, r.ID, r.PIN)
}

func TestLogin_InitialPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, initial := w.Person(t, pintest.Mario, access.Citizen, true)
		if len(initial) != 16 {
			t.Errorf("%d characters", len(initial))
		}
		w.Clock.Advance(60*24*time.Hour - time.Second)
		s := w.Login(t, pintest.Mario, initial)
		if !s.PINChangeRequired {
			t.Error("need not be changed")
		}
		w.Clock.Advance(time.Second)
		_, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), initial, "")
		want(t, err, fault.PINExpired)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), wrongPIN, "")
		want(t, err, fault.InvalidCredentials)
		// A new one in its place.
		again, err := w.PINs.Issue(ctx, p.ID)
		want(t, err, "")
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), initial, "")
		want(t, err, fault.InvalidCredentials)
		w.Login(t, pintest.Mario, again)
	})
}

func TestLogin_PINIsReadAsPeopleWriteIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, right := w.Person(t, pintest.Mario, access.Citizen, false)
		text := right.Reveal()
		for _, written := range []string{text, text[:4] + " " + text[4:], text[:4] + "-" + text[4:] + " "} {
			w.Login(t, pintest.Mario, secret.Text(written))
		}
	})
}

func TestLogin_HashIsUpgradedAtLogin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		cheap := pintest.New(t, d, pin.HasherOptions{Memory: 16, Time: 2})
		p, right := cheap.Person(t, pintest.Mario, access.Citizen, false)
		w := cheap.Twin(t) // at pintest.Cheap
		hash := func() (text string) {
			t.Helper()
			if err := d.From(ctx).Raw("SELECT hash FROM pins WHERE person_id = ?", p.ID).Scan(&text).Error; err != nil {
				t.Fatal(err)
			}
			return text
		}
		before := hash()
		_, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), wrongPIN, "")
		want(t, err, fault.InvalidCredentials)
		if hash() != before {
			t.Error("a wrong PIN replaces the hash")
		}
		w.Login(t, pintest.Mario, right)
		after := hash()
		if after == before {
			t.Error("the hash at another cost stays")
		}
		w.Login(t, pintest.Mario, right)
		if hash() != after {
			t.Error("the hash is replaced at each login")
		}
	})
}

// interrupted are PINs of which something happens right after they were verified.
type interrupted struct {
	*pin.Verifier
	then func()
}

func (i interrupted) Verify(ctx context.Context, taxCode string, text secret.Text, address string) (session.Verified, error) {
	v, err := i.Verifier.Verify(ctx, taxCode, text, address)
	i.then()
	return v, err
}

func (i interrupted) VerifyPerson(ctx context.Context, id uuid.UUID, text secret.Text, address string) (session.Verified, error) {
	v, err := i.Verifier.VerifyPerson(ctx, id, text, address)
	i.then()
	return v, err
}

// A PIN that is replaced while a login with it is under way opens no session.
func TestLogin_PINReplacedDuringLogin(t *testing.T) {
	for name, change := range map[string]string{
		"changed":   "UPDATE pins SET changed_at = ? WHERE person_id = ?",
		"suspended": "UPDATE people SET suspended_at = ? WHERE id = ?",
		"revoked":   "UPDATE pins SET revoked_at = ? WHERE person_id = ?",
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := pintest.New(t, d, pintest.Cheap)
				p, right := w.Person(t, pintest.Mario, access.Citizen, false)
				by := w.MustActor(t, w.Login(t, pintest.Mario, right))
				sessions := session.NewService(session.Deps{
					Runner: w.Runner, Keyring: w.Ring, Keys: w.DataKeys, PublicURL: pintest.PublicURL, Log: slog.New(slog.DiscardHandler),
					PINs: interrupted{w.Verifier, func() {
						w.Clock.Advance(time.Second)
						w.Exec(t, change, w.Clock.Now(), p.ID)
					}},
				})
				t.Cleanup(sessions.Close)
				before := w.Count(t, "audit_records")
				_, err := sessions.Start(ctx, pintest.Mario.Clear(), right, "")
				want(t, err, fault.InvalidCredentials)
				w.Exec(t, "UPDATE people SET suspended_at = NULL WHERE id = ?", p.ID)
				w.Exec(t, "UPDATE pins SET revoked_at = NULL WHERE person_id = ?", p.ID)
				_, err = sessions.Reauthenticate(ctx, by, right)
				want(t, err, fault.InvalidCredentials)
				if w.Count(t, "sessions") != 1 || w.Count(t, "audit_records") != before {
					t.Error("something was left behind")
				}
			})
		})
	}
}

// A hash that was cheap, since its PIN is no secret, is replaced at the first login.
func TestLogin_APublicPINIsHashedAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pin.HasherOptions{Memory: 16, Time: 2})
		mario, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		hash, err := w.PINs.HashPublic("AB2C D3EF")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.InTx(ctx, func(ctx context.Context) error { return w.PINs.Set(ctx, mario.ID, hash, false) }); err != nil {
			t.Fatal(err)
		}
		for _, hashes := range []int64{2, 1} {
			before := w.Hasher.Hashes()
			if _, err := w.Verifier.Verify(ctx, pintest.Mario.Clear(), "ab2cd3ef", ""); err != nil {
				t.Fatal(err)
			}
			if n := w.Hasher.Hashes() - before; n != hashes {
				t.Errorf("%d hashes, want %d", n, hashes)
			}
		}
		if n := w.Count(t, "pins WHERE hash LIKE '$argon2id$v=19$m=16,t=2,%'"); n != 1 {
			t.Error("its hash is the cheap one still")
		}
	})
}
