package delegation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestOTP_FiveWrongCodesAndThenTheRightOneIsTooLate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		for left := 4; left >= 0; left-- {
			_, err := w.activate(w.professional, draft.ID, wrong(otp))
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.OTPInvalid || f.TriesLeft == nil || *f.TriesLeft != left {
				t.Fatalf("with %d left: %v", left, err)
			}
		}
		for range 7 { // those that are not looked at do not count for the wait either
			_, err := w.activate(w.professional, draft.ID, otp)
			refused(t, "the sixth", err, fault.OTPExhausted)
		}
		w.Clock.Advance(8 * 24 * time.Hour)
		w.professional = w.relogin(w.delegate)
		_, err := w.activate(w.professional, draft.ID, otp)
		refused(t, "a week later", err, fault.OTPExhausted)
		if _, err := w.activate(w.professional, draft.ID, w.send(w.professional, draft.ID)); err != nil {
			t.Errorf("a new code: %v", err)
		}
	})
}

func TestOTP_WhatCostsNoTry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		_, err := w.activate(w.professional, draft.ID, "00000000")
		conflict(t, "no code was sent", err, "delegation-state")
		otp := w.send(w.professional, draft.ID)
		by := w.at(w.professional, draft.ID)
		for range 12 {
			_, err := w.service.Activate(ctx, by, draft.ID, delegation.Activation{OTP: wrong(otp)})
			refused(t, "not declared", err, fault.Invalid, "/signature_declared", "not-declared")
		}
		// What stands in the way of a right code is no wrong try.
		other, _ := w.consulente()
		w.active(other, func(in *delegation.Input) { in.Exclusive = true })
		for range 12 {
			_, err := w.activate(w.professional, draft.ID, otp)
			refused(t, "beside an exclusive one", err, fault.ExclusiveExists)
		}
		if shown, err := w.service.Show(ctx, draft.ID); err != nil || shown.State != delegation.Pending || shown.OTP == nil ||
			shown.OTP.TriesLeft != 5 {
			t.Errorf("it is %s with %+v, %v", shown.State, shown.OTP, err)
		}
	})
}

func TestOTP_ARepeatOfTheActivationCostsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		by := w.at(w.professional, draft.ID)
		enter := func(key string) (delegation.View, error) {
			return w.service.Activate(requested("activateDelegation", key), by, draft.ID, delegation.Activation{
				OTP: otp, SignatureDeclared: true,
			})
		}
		for range 15 {
			if got, err := enter("key-0001"); err != nil || got.State != delegation.Active {
				t.Fatalf("%s, %v", got.State, err)
			}
		}
		_, err := enter("key-0002")
		conflict(t, "with another key", err, "delegation-state")
		if n := w.Count(t, "audit_records WHERE operation = 'activateDelegation'"); n != 1 {
			t.Errorf("%d audit records", n)
		}
		if n := w.Count(t, "delegation_otps WHERE tries > 1"); n != 0 {
			t.Error("repeats cost tries")
		}
	})
}

func TestOTP_TheCodeIsGoodForSevenDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for late, want := range map[time.Duration]fault.Code{-time.Microsecond: "", 0: fault.OTPExpired} {
			w := newWorld(t, dbtest.Open(t, fresh(t, d)))
			draft := w.draft(w.professional, nil)
			otp := w.send(w.professional, draft.ID)
			w.Clock.Advance(7*24*time.Hour + late)
			w.professional = w.relogin(w.delegate)
			_, err := w.activate(w.professional, draft.ID, otp)
			if want == "" && err != nil || want != "" && !fault.Is(err, want) {
				t.Errorf("%s after 7 days: %v", late, err)
			}
		}
	})
}

// fresh is an empty database of the same kind.
func fresh(t *testing.T, d *db.DB) string {
	t.Helper()
	if d.Dialect() == db.Postgres {
		return dbtest.Postgres(t)
	}
	return dbtest.SQLite(t)
}

// relogin begins a new session of the professional.
func (w *fixture) relogin(delegate uuid.UUID) uuid.UUID {
	w.t.Helper()
	var ids []uuid.UUID
	if err := w.DB.From(ctx).Raw(
		"SELECT p.id FROM people p JOIN delegates h ON h.tax_code = p.tax_code WHERE h.id = ?", delegate,
	).Scan(&ids).Error; err != nil {
		w.t.Fatal(err)
	}
	return w.Session(w.t, ids[0], nil)
}

func TestOTP_HowOftenACodeIsSent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		for range 3 {
			w.send(w.professional, draft.ID)
			w.Clock.Advance(time.Minute)
		}
		_, err := w.service.Send(ctx, w.at(w.professional, draft.ID), draft.ID)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour-3*time.Minute {
			t.Errorf("the fourth: %v, %v", err, f)
		}
		// Ten a day go to one contributor, whoever has them sent.
		sent := 3
		for sent < 10 {
			session, _ := w.consulente()
			one := w.draft(session, nil)
			for range min(3, 10-sent) {
				w.send(session, one.ID)
				sent++
			}
		}
		last, _ := w.consulente()
		one := w.draft(last, nil)
		_, err = w.service.Send(ctx, w.at(last, one.ID), one.ID)
		refused(t, "the eleventh to the contributor", err, fault.RateLimited)
		if w.state(one.ID) != delegation.Draft || w.Count(t, "outbox WHERE kind = 'delegation.otp'") != 10 {
			t.Error("a refused one had an effect")
		}
		other := w.Company(t, world.Rome)
		signatory, _ := w.representativeOf(other)
		elsewhere, err := w.service.Draft(ctx, w.in(last), input(other, signatory))
		if err != nil {
			t.Fatal(err)
		}
		w.send(last, elsewhere.ID)
		w.Clock.Advance(24*time.Hour - 3*time.Minute)
		w.professional = w.relogin(w.delegate)
		w.send(w.professional, draft.ID)
	})
}

func TestOTP_TenWrongCodesInARowAndThenAWait(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		one, two, three := w.draft(w.professional, nil), w.draft(w.professional, nil), w.draft(w.professional, nil)
		good := w.send(w.professional, three.ID)
		for _, id := range []uuid.UUID{one.ID, two.ID} {
			otp := w.send(w.professional, id)
			for range 5 {
				_, err := w.activate(w.professional, id, wrong(otp))
				refused(t, "a wrong one", err, fault.OTPInvalid)
			}
		}
		_, err := w.activate(w.professional, three.ID, good)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 5*time.Minute {
			t.Errorf("the eleventh: %v", err)
		}
		// Another intermediary, and the same one for another contributor, do not wait.
		other, _ := w.consulente()
		w.active(other, nil)
		company := w.Company(t, world.Rome)
		signatory, _ := w.representativeOf(company)
		w.active(w.professional, func(in *delegation.Input) { *in = input(company, signatory) })
		w.Clock.Advance(5 * time.Minute)
		if got, err := w.activate(w.professional, three.ID, good); err != nil || got.State != delegation.Active {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// A code is good for its delegation as it stands and for nothing else, even where the database says
// otherwise.
func TestOTP_WhatACodeIsBoundTo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, other := w.Professional(t)
		company := w.Company(t, world.Rome)
		for name, change := range map[string]func(id uuid.UUID){
			"the intermediary": func(id uuid.UUID) { w.Exec(t, "UPDATE delegations SET delegate_id = ? WHERE id = ?", other, id) },
			"a position": func(id uuid.UUID) {
				w.Exec(t, "DELETE FROM delegation_positions WHERE delegation_id = ? AND position_id = ?", id, w.company.Positions[0].ID)
			},
			"the contributor": func(id uuid.UUID) {
				w.Exec(t, "DELETE FROM delegation_positions WHERE delegation_id = ?", id)
				w.Exec(t, "UPDATE delegations SET contributor_id = ? WHERE id = ?", company.ID, id)
			},
		} {
			draft := w.draft(w.professional, nil)
			otp := w.send(w.professional, draft.ID)
			by := w.at(w.professional, draft.ID)
			change(draft.ID)
			_, err := w.service.Activate(ctx, by, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
			refused(t, name, err, fault.OTPInvalid)
		}
		// Nor is the code of one delegation good for its twin.
		one, two := w.draft(w.professional, nil), w.draft(w.professional, nil)
		first, second := w.send(w.professional, one.ID), w.send(w.professional, two.ID)
		if first != second {
			_, err := w.activate(w.professional, two.ID, first)
			refused(t, "its twin", err, fault.OTPInvalid)
		}
	})
}

func TestOTP_WhereTheCodeGoes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		sentTo := func(channel, to string) {
			t.Helper()
			d, err := w.service.Send(ctx, w.at(w.professional, draft.ID), draft.ID)
			if err != nil || d.OTP.Channel != channel || d.OTP.Recipient != to {
				t.Errorf("sent by %+v, %v; want %s to %s", d.OTP, err, channel, to)
			}
		}
		w.contact(w.signatory.ID, "pec", false) // not verified
		sentTo("email", "email-"+w.signatory.ID.String()[24:]+"@posta.example")
		w.Exec(t, "UPDATE contacts SET verified_at = created_at WHERE kind = 'pec'")
		sentTo("pec", "pec-"+w.signatory.ID.String()[24:]+"@posta.example")
		w.Exec(t, "UPDATE contributors SET pec = 'azienda@pec.example' WHERE id = ?", w.company.ID)
		sentTo("pec", "azienda@pec.example")

		w.professional, w.delegate = w.consulente()
		another := w.draft(w.professional, nil)
		w.Exec(t, "UPDATE contributors SET pec = NULL")
		// What came back from there does not go there again.
		w.Exec(t, "UPDATE contacts SET bounced_at = created_at WHERE kind = 'pec'")
		draft = another
		sentTo("email", "email-"+w.signatory.ID.String()[24:]+"@posta.example")
		w.Exec(t, "UPDATE contacts SET verified_at = NULL")
		_, err := w.service.Send(ctx, w.at(w.professional, another.ID), another.ID)
		conflict(t, "nowhere to send it", err, "no-verified-contact")
		w.Exec(t, "UPDATE contributors SET pec = 'azienda@pec.example' WHERE id = ?", w.company.ID)
		w.WithdrawRole(t, w.rep)
		_, err = w.service.Send(ctx, w.at(w.professional, another.ID), another.ID)
		conflict(t, "the signatory has left", err, "signatory-gone")
	})
}

func TestOTP_WhatHasNoFutureIsNotSentNorActivated(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		until := w.Clock.Now().Add(20 * time.Minute)
		short := func(in *delegation.Input) { in.ValidUntil = &until }
		pending, active := w.draft(w.professional, short), w.active(w.professional, short)
		otp := w.send(w.professional, pending.ID)
		w.Clock.Advance(20*time.Minute - time.Microsecond)
		if w.state(active.ID) != delegation.Active {
			t.Error("it expired before its time")
		}
		w.Enter(t, w.professional, w.company.ID)
		w.Clock.Advance(time.Microsecond)
		if w.state(active.ID) != delegation.Expired {
			t.Error("it did not expire at its time")
		}
		if _, err := w.Guard.Enter(
			ctx, w.professional, access.Rule{To: access.ToContributor}, access.Target{ContributorID: w.company.ID},
		); !fault.Is(err, fault.NotFound) {
			t.Errorf("it still lets in: %v", err)
		}
		_, err := w.activate(w.professional, pending.ID, otp)
		conflict(t, "activated", err, "delegation-over")
		_, err = w.service.Send(ctx, w.at(w.professional, pending.ID), pending.ID)
		conflict(t, "sent", err, "delegation-over")
		_, err = w.service.Revoke(ctx, w.at(w.representative, active.ID), active.ID, "")
		conflict(t, "revoked", err, "delegation-state")
	})
}

// Of the ten codes that a contributor gets in a day one intermediary sends four. So others need not
// wait for it.
func TestOTP_FourOfTenAreOneIntermediarys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		one, two := w.draft(w.professional, nil), w.draft(w.professional, nil)
		for _, id := range []uuid.UUID{one.ID, one.ID, two.ID, two.ID} {
			w.send(w.professional, id)
			w.Clock.Advance(time.Minute)
		}
		_, err := w.service.Send(ctx, w.at(w.professional, two.ID), two.ID)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.RateLimited || f.RetryAfter != 24*time.Hour-4*time.Minute {
			t.Errorf("the fifth: %v", err)
		}
		// Another intermediary is not held up, and this one may ask other contributors.
		other, _ := w.consulente()
		w.send(other, w.draft(other, nil).ID)
		company := w.Company(t, world.Rome)
		signatory, _ := w.representativeOf(company)
		w.send(w.professional, w.draft(w.professional, func(in *delegation.Input) { *in = input(company, signatory) }).ID)
		w.Clock.Advance(24*time.Hour - 4*time.Minute)
		w.professional = w.relogin(w.delegate)
		w.send(w.professional, two.ID)
	})
}
