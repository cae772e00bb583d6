package throttle_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"diresco/db"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func limiter(t testing.TB, d *db.DB, c clock.Clock) *throttle.Limiter {
	t.Helper()
	keys, err := keyring.ParseDataKeys(secret.Text("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))))
	if err != nil {
		t.Fatal(err)
	}
	return throttle.NewLimiter(d, c, keys, outbox.New(d))
}

func subject(name string) throttle.Subject { return throttle.Subject{Name: secret.Text(name)} }

func reserve(t *testing.T, l *throttle.Limiter, s throttle.Subject) *throttle.Attempt {
	t.Helper()
	a, err := l.Reserve(context.Background(), throttle.PIN, s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// patiently is Reserve for a test that runs on a busy machine: it comes again when waiting took too
// long.
func patiently(l *throttle.Limiter, s throttle.Subject) (*throttle.Attempt, error) {
	for try := 0; ; try++ {
		a, err := l.Reserve(context.Background(), throttle.PIN, s)
		if !fault.Is(err, fault.Busy) || try == 20 {
			return a, err
		}
	}
}

func settle(t *testing.T, a *throttle.Attempt, o throttle.Outcome) throttle.Counter {
	t.Helper()
	counter, err := a.Settle(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return counter
}

func lockedFor(t *testing.T, l *throttle.Limiter, s throttle.Subject, want time.Duration) {
	t.Helper()
	_, err := l.Reserve(context.Background(), throttle.PIN, s)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.PINLocked || f.RetryAfter != want {
		t.Errorf("got %v, want locked for %v", err, want)
	}
}

func count(t *testing.T, d *db.DB, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := d.From(context.Background()).Table(table).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestThrottle_ParallelWrongOnes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := limiter(t, d, clock.NewManual(start))
		var evaluated, together, most, locked, other atomic.Int64
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				a, err := patiently(l, subject("RSSMRA80A01H501U"))
				switch {
				case fault.Is(err, fault.PINLocked):
					locked.Add(1)
				case err != nil:
					other.Add(1)
				default:
					evaluated.Add(1)
					for n := together.Add(1); ; {
						if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
							break
						}
					}
					together.Add(-1)
					if _, err := a.Settle(context.Background(), throttle.Wrong, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if evaluated.Load() != 10 || most.Load() > 10 || locked.Load() != 30 {
			t.Errorf("%d evaluated (%d together), %d locked, %d else", evaluated.Load(), most.Load(), locked.Load(), other.Load())
		}
	})
}

func TestThrottle_ParallelRightOnesAreNeverLocked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := limiter(t, d, clock.NewManual(start))
		s := subject("RSSMRA80A01H501U")
		for range 9 {
			settle(t, reserve(t, l, s), throttle.Wrong)
		}
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				a, err := patiently(l, s)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := a.Settle(context.Background(), throttle.Right, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := count(t, d, "attempts", "failures = 0 AND in_flight = 0"); n != 1 {
			t.Error("the counter does not stand at zero")
		}
	})
}

func TestThrottle_WaitingEndsWithPatienceOrTheRequest(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	l := limiter(t, d, clock.NewManual(start))
	s := subject("RSSMRA80A01H501U")
	for range throttle.MaxFailures {
		reserve(t, l, s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancelled := make(chan error)
	go func() {
		_, err := l.Reserve(ctx, throttle.PIN, s)
		cancelled <- err
	}()
	_, err := l.Reserve(context.Background(), throttle.PIN, s)
	if !fault.Is(err, fault.Busy) {
		t.Errorf("after waiting in vain: %v", err)
	}
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) && !fault.Is(err, fault.Busy) {
		t.Errorf("after cancelling: %v", err)
	}
	if n := count(t, d, "attempts", "failures = 0 AND in_flight = 10"); n != 1 {
		t.Error("those that waited must not count")
	}
}

func TestThrottle_CancelledRequestSettles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := limiter(t, d, clock.NewManual(start))
		a := reserve(t, l, subject("RSSMRA80A01H501U"))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		counter, err := a.Settle(ctx, throttle.Wrong, func(ctx context.Context) error {
			ran = true
			return ctx.Err()
		})
		if err != nil || counter.Failures != 1 || !ran {
			t.Errorf("%+v, %v", counter, err)
		}
	})
}

func TestThrottle_LostAttemptInTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(start)
		l := limiter(t, d, c)
		s := subject("RSSMRA80A01H501U")
		var lost *throttle.Attempt
		for range throttle.MaxFailures {
			lost = reserve(t, l, s)
		}
		c.Advance(throttle.Lease)
		lockedFor(t, l, s, 5*time.Minute)
		c.Advance(5 * time.Minute)
		now := reserve(t, l, s)
		if _, err := lost.Settle(context.Background(), throttle.Right, nil); !fault.Is(err, fault.Busy) {
			t.Errorf("a right one that was given up: %v", err)
		}
		if counter := settle(t, now, throttle.Wrong); counter.Failures != 11 {
			t.Errorf("%d failures, want 11", counter.Failures)
		}
	})
}

// The SQL and the pure rules decide and count the same.
func TestThrottle_StatementsFollowTheRules(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(start)
		l := limiter(t, d, c)
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			s := subject(fmt.Sprintf("subject %d", n))
			var state throttle.State
			type open struct {
				attempt *throttle.Attempt
				epoch   int
			}
			var flying []open
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				switch rapid.SampledFrom([]string{
					"reserve", "reserve", "reserve", "settle", "settle", "lose", "advance",
				}).Draw(rt, "step") {
				case "reserve":
					next, verdict, wait := state.Reserve(c.Now())
					ctx, cancel := context.WithCancel(context.Background())
					if verdict == throttle.Occupied {
						// It would wait for what this test does next.
						cancel()
						continue
					}
					a, err := l.Reserve(ctx, throttle.PIN, s)
					cancel()
					var f *fault.Fault
					switch {
					case verdict == throttle.Granted && err != nil:
						rt.Fatalf("granted by the rules, got %v at %+v", err, state)
					case verdict == throttle.Locked && (!errors.As(err, &f) || f.Code != fault.PINLocked || f.RetryAfter != wait):
						rt.Fatalf("locked for %v by the rules, got %v at %+v", wait, err, state)
					}
					if state = next; err == nil {
						flying = append(flying, open{a, next.Epoch})
					}
				case "settle":
					if len(flying) == 0 {
						continue
					}
					i := rapid.IntRange(0, len(flying)-1).Draw(rt, "which")
					outcome := throttle.Outcome(rapid.IntRange(0, 2).Draw(rt, "outcome"))
					next, settled := state.Settle(flying[i].epoch, outcome, c.Now())
					counter, err := flying[i].attempt.Settle(context.Background(), outcome, nil)
					switch {
					case settled && (err != nil || counter.Failures != next.Failures || !same(counter.LockedUntil, next.LockedUntil)):
						rt.Fatalf("rules say %+v, got %+v, %v", next, counter, err)
					case !settled && outcome == throttle.Right && !fault.Is(err, fault.Busy), !settled && outcome != throttle.Right &&
						err != nil:
						rt.Fatalf("rules say it is lost, got %+v, %v", counter, err)
					}
					state = next
					flying = append(flying[:i:i], flying[i+1:]...)
				case "lose":
					if len(flying) > 0 {
						flying = flying[1:]
					}
				default:
					c.Advance(time.Duration(rapid.SampledFrom([]int{
						1, 10, 29, 30, 31, 270, 299, 300, 301, 330,
					}).Draw(rt, "seconds")) * time.Second)
				}
			}
		})
	})
}

func same(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

func TestThrottle_KindsAndSubjectsDoNotShareACounter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := limiter(t, d, clock.NewManual(start))
		s := subject("RSSMRA80A01H501U")
		for range throttle.MaxFailures {
			settle(t, reserve(t, l, s), throttle.Wrong)
		}
		lockedFor(t, l, s, 5*time.Minute)
		settle(t, reserve(t, l, subject("RSSMRA80A01H50MM")), throttle.Right)
		if _, err := l.Reserve(context.Background(), "otp", s); err != nil {
			t.Errorf("another kind: %v", err)
		}
		if n := count(t, d, "attempts", "subject LIKE ?", "%RSSMRA%"); n != 0 {
			t.Error("a tax code stands in the table")
		}
	})
}

func TestThrottle_PersonIsToldAtEveryHundred(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := clock.NewManual(start)
		l := limiter(t, d, c)
		known := throttle.Subject{Name: "RSSMRA80A01H501U", PersonID: uuid.Must(uuid.NewV7())}
		stranger := subject("MKJRLA80A01L407X")
		for i := range 200 {
			for _, s := range []throttle.Subject{known, stranger} {
				settle(t, reserve(t, l, s), throttle.Wrong)
			}
			if want := int64((i + 1) / 100); count(
				t, d, "outbox", "kind = ? AND person_id = ?", "pin.many_wrong_tries", known.PersonID,
			) != want {
				t.Fatalf("after %d wrong ones there are not %d messages", i+1, want)
			}
			c.Advance(throttle.Lockout)
		}
		if n := count(t, d, "outbox", "1 = 1"); n != 2 {
			t.Errorf("%d messages, want 2", n)
		}
	})
}

func TestThrottle_PurgeForgetsStrangers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		c := clock.NewManual(start)
		l := limiter(t, d, c)
		known := throttle.Subject{Name: "RSSMRA80A01H501U", PersonID: uuid.Must(uuid.NewV7())}
		for range 3 {
			settle(t, reserve(t, l, known), throttle.Wrong)
			settle(t, reserve(t, l, subject("MKJRLA80A01L407X")), throttle.Wrong)
		}
		settle(t, reserve(t, l, throttle.Subject{Name: "VRDLGU70B02F205X", PersonID: uuid.Must(uuid.NewV7())}), throttle.Right)
		c.Advance(30*24*time.Hour - time.Second)
		if err := l.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, "attempts", "1 = 1"); n != 3 {
			t.Errorf("%d rows before 30 days, want 3", n)
		}
		c.Advance(time.Second)
		if err := l.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if counter := settle(t, reserve(t, l, known), throttle.Wrong); counter.Failures != 4 {
			t.Errorf("the person's counter stands at %d, want 4", counter.Failures)
		}
		if n := count(t, d, "attempts", "1 = 1"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestThrottle_AddressLimit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		c := clock.NewManual(start)
		limit := throttle.NewAddressLimit(d, c, true)
		record := func(address string) {
			t.Helper()
			if err := d.InTx(ctx, func(ctx context.Context) error { return limit.Record(ctx, address) }); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 30 {
			if err := limit.Check(ctx, "192.0.2.7"); err != nil {
				t.Fatalf("after %d: %v", i, err)
			}
			record("192.0.2.7")
			record(fmt.Sprintf("2001:db8:1:2::%x", i+1))
			c.Advance(time.Second)
		}
		for address, limited := range map[string]bool{
			"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.2.8": false,
			"2001:db8:1:2:ffff::1": true, "2001:db8:1:2::1%eth0": true, "2001:db8:1:3::1": false, "": false, "not an address": false,
		} {
			if err := limit.Check(ctx, address); fault.Is(err, fault.RateLimited) != limited || (err != nil) != limited {
				t.Errorf("%q: %v", address, err)
			}
		}
		var f *fault.Fault
		if err := limit.Check(ctx, "192.0.2.7"); !errors.As(err, &f) || f.RetryAfter != 10*time.Minute-30*time.Second {
			t.Errorf("wait %v", f)
		}
		if err := throttle.NewAddressLimit(d, c, false).Check(ctx, "192.0.2.7"); err != nil {
			t.Errorf("switched off: %v", err)
		}
		c.Advance(10*time.Minute - 30*time.Second)
		if err := limit.Check(ctx, "192.0.2.7"); err != nil {
			t.Errorf("after ten minutes: %v", err)
		}
		c.Advance(time.Minute)
		if err := limit.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, "address_failures", "1 = 1"); n != 0 {
			t.Errorf("%d old rows left", n)
		}
	})
}
