package otp_test

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

// door is a purpose with tries, bound parts and a table of its own.
var door = otp.Purpose{
	Kind: "door", Label: "door code", Digits: true, Length: 6, Life: day, Tries: 3,
	Table: &otp.Table{Name: "door_codes", Subject: "door_id", Made: "told_at"},
}

// openDoors makes the table of the purpose.
func openDoors(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := open(t, d)
	table := `CREATE TABLE door_codes (id uuid PRIMARY KEY, door_id uuid NOT NULL, told_to text NOT NULL, mac_key text NOT NULL,
		mac text NOT NULL,
		tries integer NOT NULL, told_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, used_at timestamptz, ended_at timestamptz)`
	if d.Dialect() == db.SQLite {
		table = strings.NewReplacer("uuid", "text", "timestamptz", "timestamp").Replace(table)
	}
	w.exec(t, table)
	w.exec(t, "CREATE UNIQUE INDEX door_codes_live ON door_codes (door_id) WHERE used_at IS NULL AND ended_at IS NULL")
	return w
}

func (w *world) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if err := w.db.InTx(context.Background(), func(ctx context.Context) error {
		return w.db.From(ctx).Exec(statement, args...).Error
	}); err != nil {
		t.Fatal(err)
	}
}

// tell makes a code of the door for a colour.
func (w *world) tell(t *testing.T, colour string) (code secret.Text) {
	t.Helper()
	err := w.db.InTx(context.Background(), func(ctx context.Context) (err error) {
		code, err = w.codes.Make(ctx, otp.Issue{
			Purpose: door, SubjectID: w.who, Bound: [][]byte{[]byte(colour), w.who[:]}, Columns: map[string]any{"told_to": "Mario"},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enter tries a code at the door, which is red; effect is what happens behind it.
func (w *world) enter(code secret.Text, change func(*otp.Redemption), effect error) error {
	colour := ""
	r := otp.Redemption{
		Purpose: door, Name: "Mario", SubjectID: w.who, Code: code,
		Before: func(context.Context) error { colour = "red"; return nil },
		Bound:  func() [][]byte { return [][]byte{[]byte(colour), w.who[:]} },
	}
	if change != nil {
		change(&r)
	}
	return w.codes.Redeem(context.Background(), r, func(context.Context) error { return effect })
}

// left checks that a code was wrong, and how many tries there are.
func left(t *testing.T, err error, tries int) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.OTPInvalid || f.TriesLeft == nil || *f.TriesLeft != tries {
		t.Errorf("got %v, want %d tries left", err, tries)
	}
}

// other is another code than the right one.
func other(code secret.Text) secret.Text {
	b := []byte(code.Reveal())
	b[0] = '0' + (b[0]-'0'+1)%10
	return secret.Text(b)
}

func TestTries_EndACode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openDoors(t, d)
		if err := w.enter("000000", nil, nil); !errors.Is(err, otp.ErrNoCode) {
			t.Errorf("before there is a code: %v", err)
		}
		code := w.tell(t, "red")
		if strings.Trim(code.Reveal(), "0123456789") != "" || len(code) != 6 {
			t.Error("not six digits")
		}
		for _, tries := range []int{2, 1, 0} {
			left(t, w.enter(other(code), nil, nil), tries)
		}
		if err := w.enter(code, nil, nil); !fault.Is(err, fault.OTPExhausted) {
			t.Errorf("the fourth: %v", err)
		}
		code = w.tell(t, "red")
		if err := w.enter(code, nil, nil); err != nil {
			t.Errorf("a new one: %v", err)
		}
		if err := w.enter(code, nil, nil); !errors.Is(err, otp.ErrNoCode) {
			t.Errorf("used twice: %v", err)
		}
		code = w.tell(t, "red")
		w.clock.Advance(day)
		if err := w.enter(code, nil, nil); !fault.Is(err, fault.OTPExpired) {
			t.Errorf("at its instant: %v", err)
		}
	})
}

// What was not compared, or had no effect for another reason, costs neither the code nor the name a
// try.
func TestTries_CountWhatWasComparedAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openDoors(t, d)
		code := w.tell(t, "red")
		boom := errors.New("boom")
		fails := func(context.Context) error { return boom }
		for range throttle.MaxFailures + 1 {
			if err := w.enter(code, nil, boom); !errors.Is(err, boom) {
				t.Fatalf("the effect fails: %v", err)
			}
			if err := w.enter(code, func(r *otp.Redemption) { r.Before = fails }, nil); !errors.Is(err, boom) {
				t.Fatalf("what comes before fails: %v", err)
			}
			if err := w.enter(other(code), func(r *otp.Redemption) { r.Wrong = fails }, nil); !errors.Is(err, boom) {
				t.Fatalf("what goes with a wrong one fails: %v", err)
			}
		}
		left(t, w.enter(other(code), nil, nil), 2)
		if err := w.enter(code, nil, nil); err != nil {
			t.Errorf("the right one: %v", err)
		}
	})
}

func TestTries_AreNotSpentWhileTheNameWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openDoors(t, d)
		var code secret.Text
		for i := range throttle.MaxFailures {
			if i%2 == 0 {
				code = w.tell(t, "red")
			}
			left(t, w.enter(other(code), nil, nil), 2-i%2)
		}
		for range 5 {
			if err := w.enter(code, nil, nil); !fault.Is(err, fault.RateLimited) {
				t.Errorf("during the wait: %v", err)
			}
		}
		w.clock.Advance(throttle.Lockout)
		left(t, w.enter(other(code), nil, nil), 0)
	})
}

// A code is good for what it was made for, even where everything else is right.
func TestBoundParts_MakeACodeGoodForNothingElse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := openDoors(t, d)
		left(t, w.enter(w.tell(t, "green"), nil, nil), 2)
		left(t, w.enter(w.tell(t, "red"), func(r *otp.Redemption) { r.Bound = nil }, nil), 2)
		if err := w.enter(w.tell(t, "red"), nil, nil); err != nil {
			t.Errorf("the red one: %v", err)
		}
		// So it is without tries.
		for bound, want := range map[string]fault.Code{"green": fault.CodeInvalid, "red": ""} {
			var code secret.Text
			err := d.InTx(context.Background(), func(ctx context.Context) (err error) {
				code, err = w.codes.Make(ctx, otp.Issue{Purpose: recovery, SubjectID: w.who, Bound: [][]byte{[]byte("red")}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			err = w.codes.Redeem(context.Background(), otp.Redemption{
				Purpose: recovery, Name: "Mario", SubjectID: w.who, Code: code, Bound: func() [][]byte { return [][]byte{[]byte(bound)} },
			}, func(context.Context) error { return nil })
			if want == "" && err != nil || want != "" && !fault.Is(err, want) {
				t.Errorf("%s: %v", bound, err)
			}
		}
	})
}

// The test spells out the digest as earlier releases made it, from the data key on. Codes that are
// on their way outlive an upgrade.
func TestCode_OfAnEarlierReleaseIsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		id := uuid.MustParse("0195a0c8-6f00-7000-8000-000000000001")
		key, err := hkdf.Key(sha256.New, make([]byte, 32), nil, "diresco one-time code recovery-code", 32)
		if err != nil {
			t.Fatal(err)
		}
		sum := hmac.New(sha256.New, key)
		for _, part := range [][]byte{id[:], []byte("K7Q3W9ZP")} {
			sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			sum.Write(part)
		}
		w.exec(t, `INSERT INTO one_time_codes (id, purpose, subject_id, mac_key, mac, created_at, expires_at, used_at, ended_at)
			VALUES (?, 'recovery-code', ?, 'k1', ?, ?, ?, NULL, NULL)`, id, w.who, base64.RawURLEncoding.EncodeToString(sum.Sum(nil)),
			w.clock.Now(), w.clock.Now().Add(day))
		if err := w.try("K7Q3W9ZQ", nil); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("a wrong one: %v", err)
		}
		if err := w.try("K7Q3W9ZP", nil); err != nil {
			t.Errorf("the right one: %v", err)
		}
	})
}
