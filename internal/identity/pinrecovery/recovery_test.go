package pinrecovery_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/pinrecovery"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

const day = 24 * time.Hour

func TestPINRecovery_Recovery(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile, pec)
		records := w.Count(t, "audit_records")
		code := w.start(t)
		if _, to := w.code(t, pinrecovery.RecoveryCode.Name); to != email.Value {
			t.Errorf("the code goes to %s", to)
		}
		if data := w.Message(t, "kind = ?", pinrecovery.RecoveryCode.Name).Data; strings.Contains(data, pintest.PublicURL) ||
			!strings.Contains(data, "expires_at") || strings.Contains(data, code.Reveal()) {
			t.Errorf("data %s", data)
		}
		if n := w.Count(t, "audit_records") - records; n != 1 {
			t.Errorf("%d audit records of the request, want 1", n)
		}
		w.MustActor(t, w.session) // nothing has changed yet
		w.Login(t, pintest.Mario, w.pin)

		records = w.Count(t, "audit_records")
		halves, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, secret.Text(strings.ToLower(code.Reveal()[:4])+"-"+code.Reveal()[4:]))
		want(t, err, "")
		if !slices.Equal(halves, []pin.Half{{Channel: outbox.SMS, To: mobile.Value}, {Channel: outbox.Email, To: email.Value}}) {
			t.Errorf("halves %v", halves)
		}
		if n := w.Count(t, "audit_records") - records; n != 1 ||
			w.Count(
				t, "audit_records WHERE person_id = ? AND subject_kind = 'pin' AND outcome = 'done' AND operation = 'pinRecovery'",
				w.who.ID,
			) != 1 {
			t.Errorf("%d audit records of the confirmation", n)
		}
		if w.Count(t, "outbox WHERE kind = ? AND person_id = ? AND recipient IS NULL", pinrecovery.Recovered.Name, w.who.ID) != 1 {
			t.Error("the contacts are not told")
		}
		_, err = w.Actor(t, w.session)
		want(t, err, fault.SessionEnded)
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, "")
		want(t, err, fault.InvalidCredentials)
		whole, recipients := w.newPIN(t)
		if recipients != [2]string{mobile.Value, email.Value} {
			t.Errorf("the halves go to %v", recipients)
		}
		for _, useless := range []secret.Text{whole[:8], whole[8:], whole[:8] + whole[:8]} {
			_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), useless, "")
			want(t, err, fault.InvalidCredentials)
		}
		s := w.Login(t, pintest.Mario, whole)
		if !s.PINChangeRequired || s.CredentialLevel != access.Dispositive {
			t.Errorf("session %+v", s)
		}
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
		want(t, err, fault.CodeInvalid)

		// Who loses the halves before the first login with them recovers again.
		again := w.start(t)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, again)
		want(t, err, "")
		_, err = w.Sessions.Start(ctx, pintest.Mario.Clear(), whole, "")
		want(t, err, fault.InvalidCredentials)
	})
}

// Whatever is asked, and by whomever, what is sent goes to stored contacts that count.
func TestPINRecovery_WhoIsServed(t *testing.T) {
	unverified := func(t *testing.T, w *fixture) {
		w.forget(t)
		w.Must(t, func(ctx context.Context) error { return w.People.AddUnverified(ctx, w.who.ID, mobile, email) })
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for name, tt := range map[string]struct {
			stored  []person.NewContact
			change  func(t *testing.T, w *fixture)
			code    taxcode.Code
			given   []person.NewContact
			refused fault.Code
			kind    string
			to      string
		}{
			"mobile and e-mail": {
				stored: []person.NewContact{mobile, email}, given: []person.NewContact{mobile, email}, kind: pinrecovery.RecoveryCode.Name,
				to: email.Value,
			},
			"mobile and PEC": {
				stored: []person.NewContact{mobile, pec}, given: []person.NewContact{mobile, pec}, kind: pinrecovery.RecoveryCode.Name,
				to: pec.Value,
			},
			"not the stored mailbox": {
				stored: []person.NewContact{mobile, email, pec}, given: []person.NewContact{mobile, pec},
				kind: pinrecovery.RecoveryCode.Name, to: email.Value,
			},
			"all three": {
				stored: []person.NewContact{mobile, email, pec}, given: []person.NewContact{pec, email, mobile},
				kind: pinrecovery.RecoveryCode.Name, to: email.Value,
			},
			"written otherwise": {
				stored: []person.NewContact{mobile, email},
				given: []person.NewContact{
					{Kind: person.Mobile, Value: "333 123 4567"}, {Kind: person.Email, Value: "Mario.Rossi@POSTA.example"},
				},
				kind: pinrecovery.RecoveryCode.Name, to: email.Value,
			},
			"two right, one wrong": {
				stored: []person.NewContact{mobile, email, pec}, given: []person.NewContact{thief, mobile, pec},
				kind: pinrecovery.RecoveryCode.Name, to: email.Value,
			},
			"one right, one wrong": {stored: []person.NewContact{mobile, email}, given: []person.NewContact{mobile, thief}},
			"none right":           {stored: []person.NewContact{mobile, email}, given: []person.NewContact{thiefMobile, thief}},
			"right values, wrong kinds": {
				stored: []person.NewContact{mobile, email}, given: []person.NewContact{mobile, {Kind: person.PEC, Value: email.Value}},
			},
			"another's tax code": {
				stored: []person.NewContact{mobile, email}, code: pintest.Stranger, given: []person.NewContact{mobile, email},
			},
			"one kind twice": {
				stored: []person.NewContact{mobile, email}, given: []person.NewContact{email, thief}, refused: fault.Invalid,
			},
			"one contact": {
				stored: []person.NewContact{mobile, email}, given: []person.NewContact{email}, refused: fault.Invalid,
			},
			"no contact of its kind": {
				stored:  []person.NewContact{mobile, email},
				given:   []person.NewContact{mobile, {Kind: person.Email, Value: "a@b.example\r\nBcc: thief@posta.example"}},
				refused: fault.Invalid,
			},
			"postal": {
				stored: []person.NewContact{mobile, email}, given: []person.NewContact{mobile, {Kind: person.Postal, Value: "Via Roma 1"}},
				refused: fault.Invalid,
			},
			"one mailbox of two kinds": {
				stored: []person.NewContact{mobile, email, {Kind: person.PEC, Value: "Mario.Rossi@posta.example"}},
				given:  []person.NewContact{email, {Kind: person.PEC, Value: email.Value}},
			},
			"never verified": {change: unverified, given: []person.NewContact{mobile, email}},
			"bounced": {stored: []person.NewContact{
				mobile, email,
			}, given: []person.NewContact{mobile, email}, change: func(t *testing.T, w *fixture) {
				w.Exec(t, "UPDATE contacts SET bounced_at = created_at WHERE kind = 'mobile'")
			}},
			"verified 24 hours ago": {
				stored: []person.NewContact{
					mobile, email,
				}, given: []person.NewContact{mobile, email}, kind: pinrecovery.RecoveryCode.Name, to: email.Value,
				change: func(t *testing.T, w *fixture) {
					w.Exec(t, "UPDATE contacts SET recovery_from = ? WHERE kind = 'email'", w.Clock.Now())
				},
			},
			"verified less than 24 hours ago": {stored: []person.NewContact{
				mobile, email,
			}, given: []person.NewContact{mobile, email}, change: func(t *testing.T, w *fixture) {
				w.Exec(t, "UPDATE contacts SET recovery_from = ? WHERE kind = 'email'", w.Clock.Now().Add(time.Second))
			}},
			"suspended": {stored: []person.NewContact{
				mobile, email,
			}, given: []person.NewContact{mobile, email}, change: func(t *testing.T, w *fixture) {
				w.Exec(t, "UPDATE people SET suspended_at = created_at")
			}},
			"no first access": {
				stored: []person.NewContact{
					mobile, email,
				}, given: []person.NewContact{mobile, email}, kind: pinrecovery.RecoveryImpossible.Name, to: email.Value,
				change: func(t *testing.T, w *fixture) {
					w.Exec(t, "UPDATE pins SET first_access_at = NULL")
				},
			},
			"no first access, contacts as they were declared": {given: []person.NewContact{
				mobile, email,
			}, kind: pinrecovery.RecoveryImpossible.Name, to: email.Value, change: func(t *testing.T, w *fixture) {
				unverified(t, w)
				w.Exec(t, "UPDATE pins SET first_access_at = NULL")
			}},
			"no first access, other contacts": {stored: []person.NewContact{
				mobile, email,
			}, given: []person.NewContact{mobile, thief}, change: func(t *testing.T, w *fixture) {
				w.Exec(t, "UPDATE pins SET first_access_at = NULL")
			}},
			"revoked": {
				stored: []person.NewContact{
					mobile, email,
				}, given: []person.NewContact{mobile, email}, kind: pinrecovery.RecoveryImpossible.Name, to: email.Value,
				change: func(t *testing.T, w *fixture) {
					w.Exec(t, "UPDATE pins SET revoked_at = changed_at")
				},
			},
		} {
			w.forget(t)
			w.Exec(t, "DELETE FROM outbox")
			w.Exec(t, "DELETE FROM one_time_codes")
			w.Exec(t, "UPDATE pins SET revoked_at = NULL, first_access_at = changed_at")
			w.Exec(t, "UPDATE people SET suspended_at = NULL")
			w.Must(t, func(ctx context.Context) error { return w.People.AddVerified(ctx, w.who.ID, tt.stored...) })
			if tt.change != nil {
				tt.change(t, w)
			}
			code := tt.code
			if code.IsZero() {
				code = pintest.Mario
			}
			err := w.recovery.StartRecovery(ctx, code, tt.given)
			if tt.refused == "" && err != nil || tt.refused != "" && !fault.Is(err, tt.refused) {
				t.Errorf("%s: %v", name, err)
			}
			var sent []outbox.Message
			if err := d.From(ctx).Find(&sent).Error; err != nil {
				t.Fatal(err)
			}
			if tt.kind == "" {
				if len(sent) != 0 {
					t.Errorf("%s: sent %s", name, sent[0].Kind)
				}
				continue
			}
			if len(sent) != 1 || sent[0].Kind != tt.kind || *sent[0].Recipient != tt.to ||
				(sent[0].Sealed == nil) != (tt.kind == pinrecovery.RecoveryImpossible.Name) {
				t.Errorf("%s: sent %+v", name, sent)
			}
		}
	})
}

func TestPINRecovery_ThreeRequestsADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		first := w.start(t)
		w.Clock.Advance(time.Hour)
		second := w.start(t)
		_, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, first)
		want(t, err, fault.CodeInvalid)
		third := w.start(t)
		sent := w.messages(t)
		want(t, w.recovery.StartRecovery(ctx, pintest.Mario, []person.NewContact{mobile, email}), "")
		if w.messages(t) != sent {
			t.Error("a fourth was served")
		}
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, second)
		want(t, err, fault.CodeInvalid)
		// The first is a day old, so one more is served, and that ends the third.
		w.Clock.Advance(23 * time.Hour)
		w.start(t)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, third)
		want(t, err, fault.CodeInvalid)
		w.Clock.Advance(day)
		last := w.start(t)
		w.Clock.Advance(day)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, last)
		want(t, err, fault.CodeInvalid)
		w.MustStillWork(t)
	})
}

// MustStillWork ends the test when Mario's PIN does not let him in.
func (w *fixture) MustStillWork(t *testing.T) { t.Helper(); w.Login(t, pintest.Mario, w.pin) }

// What was right when the code was sent must still be so when it is used.
func TestPINRecovery_RecoveryIsCheckedAgain(t *testing.T) {
	for name, change := range map[string]string{
		"contact removed":   "DELETE FROM contacts WHERE kind = 'mobile'",
		"contact bounced":   "UPDATE contacts SET bounced_at = created_at WHERE kind = 'email'",
		"contact changed":   "UPDATE contacts SET recovery_from = NULL, verified_at = NULL WHERE kind = 'mobile'",
		"no first access":   "UPDATE pins SET first_access_at = NULL",
		"PIN revoked":       "UPDATE pins SET revoked_at = changed_at",
		"suspended":         "UPDATE people SET suspended_at = created_at",
		"mobile both times": "UPDATE contacts SET kind = 'postal' WHERE kind = 'email'",
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := open(t, d, mobile)
				code := w.start(t)
				w.Exec(t, change)
				sent, records := w.messages(t), w.Count(t, "audit_records")
				_, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
				want(t, err, fault.CodeInvalid)
				if w.messages(t) != sent || w.Count(t, "audit_records") != records || w.Count(t, "sessions WHERE ended_at IS NULL") != 1 {
					t.Error("something was done")
				}
			})
		})
	}
}

// The halves never go to one contact, nor to one mailbox under two kinds.
func TestPINRecovery_WhereHalvesGo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		for name, tt := range map[string]struct {
			stored []person.NewContact
			want   [2]string
		}{
			"mobile and e-mail": {[]person.NewContact{email, mobile}, [2]string{mobile.Value, email.Value}},
			"all three":         {[]person.NewContact{pec, email, mobile}, [2]string{mobile.Value, email.Value}},
			"mobile and PEC":    {[]person.NewContact{pec, mobile}, [2]string{mobile.Value, pec.Value}},
			"e-mail and PEC":    {[]person.NewContact{pec, email}, [2]string{email.Value, pec.Value}},
		} {
			w.forget(t)
			w.Exec(t, "DELETE FROM one_time_codes")
			w.Must(t, func(ctx context.Context) error { return w.People.AddVerified(ctx, w.who.ID, tt.stored...) })
			want(t, w.recovery.StartRecovery(ctx, pintest.Mario, tt.stored), "")
			code, _ := w.code(t, pinrecovery.RecoveryCode.Name)
			halves, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
			want(t, err, "")
			if _, got := w.newPIN(t); got != tt.want || halves[0].To != got[0] || halves[1].To != got[1] {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

// The holder recovers a new PIN that nobody used. One half, or guesses at the code, are useless to
// a thief.
func TestPINRecovery_HundredFlowsOfFiveGuesses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		var evaluated, refused atomic.Int32
		hashes := w.Hasher.Hashes()
		for range 100 {
			want(t, w.recovery.StartRecovery(ctx, pintest.Mario, []person.NewContact{mobile, email}), "")
			world.Parallel(5, func(int) {
				switch _, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, "22222222"); {
				case fault.Is(err, fault.CodeInvalid):
					evaluated.Add(1)
				case fault.Is(err, fault.RateLimited), fault.Is(err, fault.Busy):
					refused.Add(1)
				default:
					t.Errorf("got %v", err)
				}
			})
		}
		if evaluated.Load() > throttle.MaxFailures || refused.Load() != 500-evaluated.Load() {
			t.Errorf("%d guesses evaluated, %d refused", evaluated.Load(), refused.Load())
		}
		if n := w.Hasher.Hashes() - hashes; n != 500 {
			t.Errorf("%d hashes", n)
		}
		code, _ := w.code(t, pinrecovery.RecoveryCode.Name)
		_, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
		want(t, err, fault.RateLimited)
		w.MustStillWork(t) // the counter of codes is not that of PINs
		w.Clock.Advance(throttle.Lockout)
		_, err = w.recovery.ConfirmRecovery(ctx, pintest.Mario, code)
		want(t, err, "")
	})
}

func TestPINRecovery_ManyConfirmationsAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		code := w.start(t)
		records := w.Count(t, "audit_records")
		var done atomic.Int32
		world.Parallel(20, func(int) {
			switch _, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, code); {
			case err == nil:
				done.Add(1)
			case fault.Is(err, fault.CodeInvalid), fault.Is(err, fault.RateLimited), fault.Is(err, fault.Busy):
			default:
				t.Errorf("got %v", err)
			}
		})
		if done.Load() != 1 || w.Count(t, "outbox WHERE kind = 'pin.half'") != 2 || w.Count(t, "audit_records")-records != 1 {
			t.Errorf("%d recoveries", done.Load())
		}
		whole, _ := w.newPIN(t)
		w.Login(t, pintest.Mario, whole)
	})
}

// Everything that changes a PIN at the same time: whatever comes first, nobody waits for ever and
// nothing breaks.
func TestPINRecovery_RecoveryAmongOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		by := w.MustActor(t, w.session)
		for range 5 {
			w.Exec(t, "DELETE FROM one_time_codes")
			w.Exec(t, "UPDATE sessions SET ended_at = NULL, end_reason = NULL WHERE id = ?", by.SessionID)
			code := w.start(t)
			want(t, w.recovery.StartRevocation(ctx, pintest.Mario, email), "")
			revocation, _ := w.code(t, pinrecovery.RevocationCode.Name)
			initial, err := w.PINs.NewInitial(ctx)
			want(t, err, "")
			works := []func() error{
				func() error { _, err := w.recovery.ConfirmRecovery(ctx, pintest.Mario, code); return err },
				func() error { _, err := w.recovery.ConfirmRevocation(ctx, pintest.Mario, revocation); return err },
				func() error { return w.recovery.StartRecovery(ctx, pintest.Mario, []person.NewContact{mobile, email}) },
				func() error { return w.PINs.Revoke(ctx, by) },
				func() error { _, err := w.Sessions.Start(ctx, pintest.Mario.Clear(), w.pin, ""); return err },
				func() error {
					return d.InTx(ctx, func(ctx context.Context) error {
						_, _, err := w.PINs.GiveInHalves(ctx, w.who.ID, initial, pin.Half{
							Channel: outbox.SMS, To: mobile.Value,
						}, pin.Half{Channel: outbox.Email, To: email.Value})
						return err
					})
				},
			}
			world.Parallel(len(works), func(i int) {
				if err := works[i](); err != nil && !fault.Is(err, fault.CodeInvalid) && !fault.Is(err, fault.NotFound) &&
					!fault.Is(err, fault.InvalidCredentials) && !fault.Is(err, fault.SessionEnded) {
					t.Errorf("%d: %v", i, err)
				}
			})
			w.Exec(t, "UPDATE pins SET revoked_at = NULL, first_access_at = changed_at")
		}
	})
}

// A repeat of the request gets the first answer: its code is used up, and that counts as no try.
func TestPINRecovery_RepeatedConfirmation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d, mobile)
		code := w.start(t)
		repeat := func() error {
			claimed := idempotency.WithClaim(ctx, &idempotency.Claim{
				Scope: "request:1", Key: "key-00000001", Operation: "confirmPinRecovery", RequestMAC: "1",
			})
			_, err := w.recovery.ConfirmRecovery(claimed, pintest.Mario, code)
			return err
		}
		want(t, repeat(), "")
		if _, isReplay := repeat().(*idempotency.Replay); !isReplay { //nolint:errorlint // the type itself
			t.Error("no replay")
		}
		if w.Count(t, "attempts WHERE failures > 0") != 0 {
			t.Error("the repeat counts as a try")
		}
	})
}
