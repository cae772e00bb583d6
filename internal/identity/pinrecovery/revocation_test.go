package pinrecovery_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// This is the way out of an initial PIN that was lost. Its holder has nothing but a contact that
// was never verified.
func TestPINRecovery_RevocationWithoutALogin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.forget(t)
		initial, err := w.PINs.NewInitial(ctx)
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			if err := w.People.AddUnverified(ctx, w.who.ID, mobile); err != nil {
				return err
			}
			_, _, err := w.PINs.GiveInHalves(ctx, w.who.ID, initial, pin.Half{
				Channel: outbox.SMS, To: mobile.Value,
			}, pin.Half{Channel: outbox.Letter, To: "Via Roma 1\n00100 Roma RM"})
			return err
		})
		whole, _ := w.newPIN(t)
		s := w.Login(t, pintest.Mario, whole)
		records := w.Count(t, "audit_records")
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, person.NewContact{Kind: person.Mobile, Value: "333 1234567"}), "")
		code, to := w.code(t, pinrecovery.RevocationCode.Name)
		if m := w.Message(t, "kind = ?", pinrecovery.RevocationCode.Name); to != mobile.Value || *m.Channel != outbox.SMS {
			t.Errorf("the code goes to %s", to)
		}
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
		want(t, err, fault.CodeInvalid)
		revoked, err := w.recovery.ConfirmRevocation(ctx, pintest.Mario, code)
		want(t, err, "")
		if !revoked.Equal(w.Clock.Now()) || w.Count(t, "audit_records")-records != 2 {
			t.Errorf("revoked at %v", revoked)
		}
		if w.Count(t, "outbox WHERE kind = 'pin.revoked' AND person_id = ?", w.who.ID) != 1 {
			t.Error("nobody is told")
		}
		_, err = w.Actor(t, s)
		want(t, err, fault.SessionEnded)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), whole, "")
		want(t, err, fault.InvalidCredentials)
		_, err = w.recovery.ConfirmRevocation(ctx, pintest.Mario, code)
		want(t, err, fault.CodeInvalid)
		// There is nothing more to be revoked.
		sent := w.messages(t)
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, mobile), "")
		if w.messages(t) != sent {
			t.Error("a code for a PIN that is revoked")
		}
	})
}

func TestPINRecovery_WhoMayRevoke(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile, person.NewContact{Kind: person.Postal, Value: "Via Roma 1\n00100 Roma RM"})
		sent := w.messages(t)
		for name, tt := range map[string]struct {
			stranger bool
			given    person.NewContact
			refused  fault.Code
		}{
			"another's contact": {given: thief},
			"another kind":      {given: person.NewContact{Kind: person.PEC, Value: email.Value}},
			"a stranger":        {stranger: true, given: email},
			"by letter": {
				given: person.NewContact{Kind: person.Postal, Value: "Via Roma 1\n00100 Roma RM"}, refused: fault.Invalid,
			},
			"no contact": {
				given:   person.NewContact{Kind: person.Email, Value: "mario.rossi@posta.example,thief@posta.example"},
				refused: fault.Invalid,
			},
		} {
			code := pintest.Mario
			if tt.stranger {
				code = pintest.Stranger
			}
			if err := w.recovery.StartRevocation(ctx, code, tt.given); tt.refused == "" && err != nil ||
				tt.refused != "" && !fault.Is(err, tt.refused) {
				t.Errorf("%s: %v", name, err)
			}
			if w.messages(t) != sent {
				t.Errorf("%s: something was sent", name)
			}
		}
		for i := range 5 {
			want(t, w.recovery.StartRevocation(ctx, pintest.Mario, email), "")
			if got := w.messages(t) - sent; got != min(i+1, 3) {
				t.Errorf("%d codes after %d requests", got, i+1)
			}
		}
		if got := w.recipients(t); len(got) != 1 || got[0] != email.Value {
			t.Errorf("sent to %v", got)
		}
		w.Exec(t, "UPDATE people SET suspended_at = created_at")
		code, _ := w.code(t, pinrecovery.RevocationCode.Name)
		_, err := w.recovery.ConfirmRevocation(ctx, pintest.Mario, code)
		want(t, err, fault.CodeInvalid)
	})
}

// A contact that nobody verified must not be a weapon against a PIN that is in use. Anybody may
// once have named it in a request.
func TestPINRecovery_AnUnverifiedContactRevokesNoPINInUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		w.Must(t, func(ctx context.Context) error { return w.People.AddUnverified(ctx, w.who.ID, thief) })
		sent := w.messages(t)
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, thief), "")
		w.Exec(t, "UPDATE contacts SET bounced_at = created_at WHERE kind = 'mobile'")
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, mobile), "")
		if w.messages(t) != sent {
			t.Errorf("a code was sent to %v", w.recipients(t))
		}
		w.Exec(t, "UPDATE pins SET first_access_at = NULL")
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, thief), "")
		if w.messages(t) != sent+1 {
			t.Error("no way out of an initial PIN")
		}
	})
}

// A login of the holder's, and whatever else gives them a PIN, makes an older code worthless.
func TestPINRecovery_ANewPINEndsTheCodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		want(t, w.recovery.StartRevocation(ctx, pintest.Mario, mobile), "")
		revocation, _ := w.code(t, pinrecovery.RevocationCode.Name)
		recovery := w.start(t)
		initial, err := w.PINs.NewInitial(ctx)
		want(t, err, "")
		w.Must(t, func(ctx context.Context) error {
			_, err := w.PINs.GiveInPerson(ctx, w.who.ID, uuid.New(), initial)
			return err
		})
		_, err = w.recovery.ConfirmRevocation(ctx, pintest.Mario, revocation)
		want(t, err, fault.CodeInvalid)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, recovery)
		want(t, err, fault.CodeInvalid)
	})
}
