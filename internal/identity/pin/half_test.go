package pin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

const day = 24 * time.Hour

var (
	toMobile = pin.Half{Channel: outbox.SMS, To: "+393331234567"}
	byLetter = pin.Half{Channel: outbox.Letter, To: "Mario Rossi\nVia Roma 1\n00100 Roma RM"}
)

// give gives the person an initial PIN in halves. It returns the PIN as it was sent, with the ids
// of its messages.
func give(t *testing.T, w *pintest.World, personID uuid.UUID, first, second pin.Half) (whole secret.Text, ids [2]uuid.UUID) {
	t.Helper()
	initial, err := w.PINs.NewInitial(ctx)
	want(t, err, "")
	w.Must(t, func(ctx context.Context) (err error) {
		ids[0], ids[1], err = w.PINs.GiveInHalves(ctx, personID, initial, first, second)
		return err
	})
	for i, id := range ids {
		whole += secret.Text(half(t, w, id, [2]string{"first", "second"}[i]).Reveal())
	}
	return whole, ids
}

// half returns the half of a PIN that a promised message carries.
func half(t *testing.T, w *pintest.World, id uuid.UUID, which string) secret.Text {
	t.Helper()
	m := w.Message(t, "id = ?", id)
	if m.Kind != "pin.half" || m.Data != fmt.Sprintf(`{"which":%q}`, which) {
		t.Errorf("message %s %s", m.Kind, m.Data)
	}
	secrets, err := m.Open(w.DataKeys)
	want(t, err, "")
	if len(secrets["half"]) != 8 || strings.Contains(*m.Sealed, secrets["half"].Reveal()) {
		t.Errorf("the half has %d characters", len(secrets["half"]))
	}
	return secrets["half"]
}

func TestHalf_Halves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, old := w.Person(t, pintest.Mario, access.Citizen, false)
		var shown secret.Text
		w.OnChange = func(_ context.Context, id uuid.UUID, text secret.Text) error {
			if id != p.ID {
				t.Error("another's PIN")
			}
			shown = text
			return nil
		}
		s := w.Login(t, pintest.Mario, old)
		_, err := w.PINs.Rotate(ctx, w.MustActor(t, s))
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Codes.Make(ctx, otp.Issue{Purpose: pin.RecoveryCode, SubjectID: p.ID})
			return err
		})

		whole, ids := give(t, w, p.ID, toMobile, byLetter)
		if shown != whole || len(whole) != 16 {
			t.Error("the halves are not the PIN")
		}
		first, second := w.Message(t, "id = ?", ids[0]), w.Message(t, "id = ?", ids[1])
		if *first.Recipient != toMobile.To || *first.Channel != outbox.SMS || *second.Recipient != byLetter.To ||
			*second.Channel != outbox.Letter {
			t.Error("sent elsewhere")
		}
		if !first.DeadlineAt.Equal(w.Clock.Now().Add(7*day)) || !second.DeadlineAt.Equal(w.Clock.Now().Add(30*day)) {
			t.Errorf("deadlines %v, %v", first.DeadlineAt, second.DeadlineAt)
		}
		_, err = w.Actor(t, s)
		want(t, err, fault.SessionEnded)
		if w.Count(t, "pin_rotations") != 0 || w.Count(t, "one_time_codes WHERE ended_at IS NULL") != 0 {
			t.Error("what waited for the old PIN is still there")
		}
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), old, "")
		want(t, err, fault.InvalidCredentials)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), whole[:8], "")
		want(t, err, fault.InvalidCredentials)
		if s := w.Login(t, pintest.Mario, whole); !s.PINChangeRequired {
			t.Error("the initial PIN need not be changed")
		}
	})
}

func TestHalf_HalvesNeedTwoWays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, right := w.Person(t, pintest.Mario, access.Citizen, false)
		initial, err := w.PINs.NewInitial(ctx)
		want(t, err, "")
		if text := fmt.Sprintf(
			"%v %+v %#v %s", initial, initial, &initial, initial,
		); text != "[redacted] [redacted] [redacted] [redacted]" {
			t.Errorf("printed as %s", text)
		}
		for name, tt := range map[string]struct {
			person        uuid.UUID
			initial       pin.Initial
			first, second pin.Half
		}{
			"one recipient": {p.ID, initial, toMobile, toMobile},
			"no PIN":        {p.ID, pin.Initial{}, toMobile, byLetter},
			"a stranger":    {uuid.New(), initial, toMobile, byLetter},
		} {
			err := w.DB.InTx(ctx, func(ctx context.Context) error {
				_, _, err := w.PINs.GiveInHalves(ctx, tt.person, tt.initial, tt.first, tt.second)
				return err
			})
			if err == nil {
				t.Errorf("%s: given", name)
			}
		}
		w.Login(t, pintest.Mario, right)
	})
}

// The 60 days of an unused PIN begin when its second half was sent. They do not begin before, not
// again, and not by another PIN's half.
func TestHalf_UnusedPINExpiresAfterTheSecondHalf(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		_, old := give(t, w, p.ID, toMobile, byLetter)
		whole, ids := give(t, w, p.ID, toMobile, byLetter)
		handed := func(id uuid.UUID, state outbox.DeliveryState) {
			t.Helper()
			w.Must(t, func(ctx context.Context) error {
				return w.PINs.HandedOver(ctx, outbox.Delivery{MessageID: new(id), PersonID: &p.ID, Kind: pin.HalfKind.Name, State: state})
			})
		}
		started := func() bool { return w.Count(t, "pins WHERE unused_expires_at IS NOT NULL") == 1 }
		w.Clock.Advance(90 * day)
		handed(old[1], outbox.HandedOver)
		handed(ids[0], outbox.Sent)
		handed(ids[1], outbox.Queued)
		if started() {
			t.Fatal("the second half was not sent yet")
		}
		w.Login(t, pintest.Mario, whole)
		handed(ids[1], outbox.HandedOver)
		if !started() {
			t.Fatal("the second half was sent")
		}
		w.Clock.Advance(59 * day)
		handed(ids[1], outbox.Delivered)
		w.Clock.Advance(day - time.Second)
		w.Login(t, pintest.Mario, whole)
		w.Clock.Advance(time.Second)
		_, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), whole, "")
		want(t, err, fault.PINExpired)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), wrongPIN, "")
		want(t, err, fault.InvalidCredentials)
	})
}

// Nobody can use a PIN of which a half cannot arrive any more. It expires at once, so that another
// can be requested.
func TestHalf_APINWithALostHalfExpires(t *testing.T) {
	for name, lost := range map[string]struct {
		half  int
		state outbox.DeliveryState
	}{
		"first refused": {0, outbox.Failed}, "first not sent in time": {0, outbox.Dead}, "second refused": {1, outbox.Failed},
		"second not sent in time": {1, outbox.Dead},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := pintest.New(t, d, pintest.Cheap)
				p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
				handed := func(id uuid.UUID, state outbox.DeliveryState) {
					t.Helper()
					w.Must(t, func(ctx context.Context) error {
						return w.PINs.HandedOver(ctx, outbox.Delivery{
							MessageID: new(id), PersonID: &p.ID, Kind: pin.HalfKind.Name, State: state,
							CreatedAt: w.Message(t, "id = ?", id).CreatedAt,
						})
					})
				}
				state := func() pin.State {
					t.Helper()
					state, err := w.PINs.State(ctx, p.ID)
					want(t, err, "")
					return state
				}
				_, old := give(t, w, p.ID, toMobile, byLetter)
				w.Clock.Advance(time.Hour)
				whole, ids := give(t, w, p.ID, toMobile, byLetter)
				w.Clock.Advance(time.Hour)
				handed(old[lost.half], lost.state)
				if state() != pin.StateInitial {
					t.Fatal("what became of another PIN's half counts")
				}
				handed(ids[1-lost.half], outbox.Sent)
				handed(ids[lost.half], lost.state)
				handed(ids[1-lost.half], outbox.Delivered)
				if state() != pin.StateExpired {
					t.Errorf("the PIN is %s", state())
				}
				_, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), whole, "")
				want(t, err, fault.PINExpired)
			})
		})
	}
}

// A report that comes after the first access changes nothing.
func TestHalf_ALostHalfOfAUsedPIN(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		whole, ids := give(t, w, p.ID, toMobile, byLetter)
		created := w.Message(t, "id = ?", ids[0]).CreatedAt
		by := w.MustActor(t, w.Login(t, pintest.Mario, whole))
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			return w.PINs.HandedOver(ctx, outbox.Delivery{
				MessageID: new(ids[0]), PersonID: &p.ID, Kind: pin.HalfKind.Name, State: outbox.Failed, CreatedAt: created,
			})
		})
		w.Login(t, pintest.Mario, r.PIN)
	})
}

func TestHalf_AUsedPINDoesNotExpireUnused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, false)
		whole, ids := give(t, w, p.ID, toMobile, byLetter)
		by := w.MustActor(t, w.Login(t, pintest.Mario, whole))
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			return w.PINs.HandedOver(ctx, outbox.Delivery{
				MessageID: new(ids[1]), PersonID: &p.ID, Kind: pin.HalfKind.Name, State: outbox.HandedOver,
			})
		})
		if w.Count(t, "pins WHERE unused_expires_at IS NOT NULL") != 0 {
			t.Error("a letter that came late made the new PIN expire")
		}
	})
}

func TestHalf_Revocation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, right := w.Person(t, pintest.Mario, access.Citizen, false)
		first, second := w.Login(t, pintest.Mario, right), w.Login(t, pintest.Mario, right)
		by := w.MustActor(t, first)
		r, err := w.PINs.Rotate(ctx, by)
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			_, err := w.Codes.Make(ctx, otp.Issue{Purpose: pin.RevocationCode, SubjectID: p.ID})
			return err
		})
		records := w.Count(t, "audit_records")
		want(t, w.PINs.Revoke(ctx, by), "")
		if n := w.Count(t, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
		if n := w.Count(t, "outbox WHERE kind = 'pin.revoked' AND person_id = ? AND recipient IS NULL", p.ID); n != 1 {
			t.Errorf("%d messages, want 1", n)
		}
		for _, s := range []secret.Text{first.RefreshToken, second.RefreshToken} {
			_, err := w.Sessions.Renew(ctx, s, "")
			want(t, err, fault.SessionEnded)
		}
		if w.Count(t, "pin_rotations") != 0 || w.Count(t, "one_time_codes WHERE ended_at IS NULL") != 0 {
			t.Error("what waited for the PIN is still there")
		}
		_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
		want(t, err, fault.NotFound)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), right, "")
		want(t, err, fault.InvalidCredentials)
		want(t, w.PINs.Revoke(ctx, by), fault.SessionEnded)
		if at, err := w.PINs.ExpiresAt(ctx, p.ID); err != nil || at != nil {
			t.Errorf("a revoked PIN expires at %v, %v", at, err)
		}
		// A new one works again.
		whole, _ := give(t, w, p.ID, toMobile, byLetter)
		w.Login(t, pintest.Mario, whole)
	})
}

func TestHalf_Standing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, _ := w.Person(t, pintest.Mario, access.Citizen, true)
		standing := func(id uuid.UUID, revocable, recoverable bool) {
			t.Helper()
			w.Must(t, func(ctx context.Context) error {
				got, err := w.PINs.Hold(ctx, id)
				if got != (pin.Standing{Revocable: revocable, Recoverable: recoverable}) {
					t.Errorf("got %+v", got)
				}
				return err
			})
		}
		recoverPIN := func(code fault.Code) {
			t.Helper()
			initial, err := w.PINs.NewInitial(ctx)
			want(t, err, "")
			want(t, w.DB.InTx(ctx, func(ctx context.Context) error { return w.PINs.Recover(ctx, p.ID, initial, toMobile, byLetter) }), code)
		}
		standing(uuid.New(), false, false)
		standing(p.ID, true, false)
		recoverPIN(fault.NotFound)
		w.Exec(t, "UPDATE pins SET first_access_at = changed_at")
		standing(p.ID, true, true)
		recoverPIN("")
		// Whoever loses the new halves may recover again.
		standing(p.ID, true, true)
		recoverPIN("")
		give(t, w, p.ID, toMobile, byLetter)
		standing(p.ID, true, false)
		w.Exec(t, "UPDATE pins SET first_access_at = changed_at, revoked_at = changed_at")
		standing(p.ID, false, false)
		recoverPIN(fault.NotFound)
	})
}
