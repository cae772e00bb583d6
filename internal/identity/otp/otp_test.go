package otp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const day = 24 * time.Hour

var recovery = otp.Purpose{Kind: throttle.RecoveryCode, Label: "one-time code recovery-code", Length: 8, Life: day}

type world struct {
	db    *db.DB
	clock *clock.Manual
	codes *otp.Codes
	who   uuid.UUID
}

func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	keys, err := keyring.ParseDataKeys("k1:" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(time.Date(2026, 3, 16, 8, 15, 0, 0, time.UTC))
	limiter := throttle.NewLimiter(d, c, keys, outbox.New(d))
	return &world{d, c, otp.New(d, c, keys, limiter, throttle.NewAddressLimit(d, c, false), rand.Reader), uuid.Must(uuid.NewV7())}
}

func (w *world) make(t *testing.T) secret.Text {
	t.Helper()
	var code secret.Text
	err := w.db.InTx(context.Background(), func(ctx context.Context) (err error) {
		code, err = w.codes.Make(ctx, otp.Issue{Purpose: recovery, SubjectID: w.who})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func (w *world) try(code secret.Text, effect func(context.Context) error) error {
	if effect == nil {
		effect = func(context.Context) error { return nil }
	}
	return w.codes.Redeem(context.Background(), otp.Redemption{
		Purpose: recovery, Name: "RSSMRA80A01H501U", PersonID: w.who, SubjectID: w.who, Code: code, Address: "192.0.2.1",
	}, effect)
}

func TestOTP_ACodeIsGoodOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		old := w.make(t)
		code := w.make(t)
		if len(code.Reveal()) != recovery.Length {
			t.Errorf("%d characters", len(code.Reveal()))
		}
		if err := w.try(old, nil); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("a newer code did not end the old one: %v", err)
		}
		boom := errors.New("boom")
		if err := w.try(code, func(context.Context) error { return boom }); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		typed := secret.Text(" " + code.Reveal()[:4] + "-" + code.Reveal()[4:])
		if err := w.try(typed, nil); err != nil {
			t.Errorf("after an effect that failed: %v", err)
		}
		if err := w.try(code, nil); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("used twice: %v", err)
		}
		w.clock.Advance(day)
		if n, err := w.codes.Made(context.Background(), recovery, w.who, w.clock.Now().Add(-day)); err != nil || n != 0 {
			t.Errorf("%d codes in the last day, %v", n, err)
		}
	})
}

func TestOTP_ACodeExpires(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.make(t)
		w.clock.Advance(day)
		if err := w.try(code, nil); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("at its instant: %v", err)
		}
		if err := w.codes.Forget(context.Background(), -time.Second); err != nil {
			t.Fatal(err)
		}
		if n, err := w.codes.Made(context.Background(), recovery, w.who, time.Time{}); err != nil || n != 0 {
			t.Errorf("%d codes left, %v", n, err)
		}
	})
}

func TestOTP_ParallelGuessesAreBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.make(t)
		var wrong, refused atomic.Int32
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				switch err := w.try("22222222", nil); {
				case fault.Is(err, fault.CodeInvalid):
					wrong.Add(1)
				case fault.Is(err, fault.RateLimited), fault.Is(err, fault.Busy):
					refused.Add(1)
				default:
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if wrong.Load() > throttle.MaxFailures || refused.Load() == 0 {
			t.Errorf("%d evaluated, %d refused", wrong.Load(), refused.Load())
		}
		if err := w.try(code, nil); !fault.Is(err, fault.RateLimited) {
			t.Errorf("the right code during the wait: %v", err)
		}
		w.clock.Advance(throttle.Lockout)
		if err := w.try(code, nil); err != nil {
			t.Errorf("the right code after the wait: %v", err)
		}
	})
}

func TestOTP_OneCodeUsedByManyAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		code := w.make(t)
		var done atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if w.try(code, nil) == nil {
					done.Add(1)
				}
			})
		}
		all.Wait()
		if done.Load() != 1 {
			t.Errorf("%d effects", done.Load())
		}
	})
}

func TestOTP_AStrangerHasNoRightCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for _, code := range []secret.Text{"", "nobody's", "NOBODY'S", "22222222"} {
			err := w.codes.Redeem(context.Background(), otp.Redemption{
				Purpose: recovery, Name: "VRDLGI80A01H501N", Code: code, Address: "192.0.2.1",
			}, func(context.Context) error {
				t.Error("an effect for nobody")
				return nil
			})
			if !fault.Is(err, fault.CodeInvalid) {
				t.Errorf("%q: %v", code.Reveal(), err)
			}
		}
	})
}
