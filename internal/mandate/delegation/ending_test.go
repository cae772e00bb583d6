package delegation_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// worker adds somebody with a role at an intermediary, logged in.
func (w *fixture) worker(delegate uuid.UUID, role access.ActingAs, services ...access.Service) (session, roleID uuid.UUID) {
	w.t.Helper()
	p := w.Person(w.t, nil)
	roleID = w.DelegateRole(w.t, p.ID, delegate, role, services...)
	return w.Session(w.t, p.ID, nil), roleID
}

func of(delegate uuid.UUID) func(*delegation.Input) {
	return func(in *delegation.Input) { in.DelegateID = &delegate }
}

// Somebody was let in; what they were let in by ends before the effect.
func TestDelegation_WhatEndsBeforeTheEffect(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		caf := w.Association(t)
		type scene struct {
			session, role uuid.UUID
			id            uuid.UUID
			otp           secret.Text
		}
		for name, end := range map[string]func(scene) fault.Code{
			"the role": func(s scene) fault.Code {
				w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), s.role)
				return fault.NotFound
			},
			"the session": func(s scene) fault.Code {
				w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), s.session)
				return fault.SessionEnded
			},
			"the place on the register": func(scene) fault.Code {
				w.StrikeOff(t, caf)
				return fault.NotFound
			},
		} {
			for operation, do := range map[string]func(access.Actor, scene) error{
				"change": func(by access.Actor, s scene) error {
					_, err := w.service.Change(ctx, by, s.id, fault.AnyVersion, delegation.Change{Exclusive: new(true)})
					return err
				},
				"send": func(by access.Actor, s scene) error {
					_, err := w.service.Send(ctx, by, s.id)
					return err
				},
				"activate": func(by access.Actor, s scene) error {
					_, err := w.service.Activate(ctx, by, s.id, delegation.Activation{OTP: s.otp, SignatureDeclared: true})
					return err
				},
				"enter a wrong code": func(by access.Actor, s scene) error {
					_, err := w.service.Activate(ctx, by, s.id, delegation.Activation{OTP: wrong(s.otp), SignatureDeclared: true})
					return err
				},
				"revoke": func(by access.Actor, s scene) error {
					_, err := w.service.Revoke(ctx, by, s.id, "")
					return err
				},
			} {
				var s scene
				s.session, s.role = w.worker(caf, access.EmployeeDelegate, access.AllServices)
				s.id = w.draft(s.session, of(caf)).ID
				s.otp = w.send(s.session, s.id)
				before, err := w.service.Show(ctx, s.id)
				if err != nil {
					t.Fatal(err)
				}
				by := w.at(s.session, s.id)
				want := end(s)
				err = do(by, s)
				switch {
				case operation == "revoke" && name == "the place on the register":
					if err != nil {
						t.Errorf("given back: %v", err)
					}
					w.Exec(t, "UPDATE delegates SET struck_off_at = NULL")
					continue
				case operation == "activate" && name == "the place on the register":
					conflict(t, operation, err, "delegate-not-listed")
				default:
					refused(t, operation+" without "+name, err, want)
				}
				w.Exec(t, "UPDATE delegates SET struck_off_at = NULL")
				after, err := w.service.Show(ctx, s.id)
				if err != nil || after.Version != before.Version || after.State != delegation.Pending || after.OTP == nil ||
					after.OTP.TriesLeft != 5 {
					t.Errorf("%s without %s had an effect: %s, %+v, %v", operation, name, after.State, after.OTP, err)
				}
				w.Clock.Advance(25 * time.Hour) // codes are counted for a day
			}
		}
	})
}

// The contributor's side acts by its role.
func TestDelegation_TheContributorsRoleEndsBeforeTheRevocation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		active := w.active(w.professional, nil)
		by := w.at(w.representative, active.ID)
		w.WithdrawRole(t, w.rep)
		_, err := w.service.Revoke(ctx, by, active.ID, "")
		refused(t, "revoked by who represents it no more", err, fault.NotFound)
		if w.state(active.ID) != delegation.Active {
			t.Errorf("it is %s", w.state(active.ID))
		}
	})
}

// The role ends while the activation waits for its turn.
func TestDelegation_TheRoleEndsDuringTheActivation(t *testing.T) {
	// On SQLite the one writer puts the two in order before either looks.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	caf := w.Association(t)
	session, role := w.worker(caf, access.EmployeeDelegate, access.AllServices)
	draft := w.draft(session, of(caf))
	otp := w.send(session, draft.ID)
	by := w.at(session, draft.ID)
	outcome := make(chan error, 1)
	err := d.InTx(ctx, func(held context.Context) error {
		if err := d.LockName(held, "delegations of "+w.company.ID.String()); err != nil {
			return err
		}
		go func() {
			_, err := w.service.Activate(context.Background(), by, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
			outcome <- err
		}()
		waits(t, d)
		return d.From(held).Exec("UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "activated after the role had ended", <-outcome, fault.NotFound)
	if w.state(draft.ID) != delegation.Pending {
		t.Errorf("it is %s", w.state(draft.ID))
	}
}

// A delegation may be given back by who is not on the register any more.
func TestDelegation_AStruckOffIntermediaryRevokes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		active := w.active(w.professional, nil)
		w.StrikeOff(t, w.delegate)
		if _, err := w.service.Revoke(ctx, w.at(w.professional, active.ID), active.ID, ""); err != nil {
			t.Error(err)
		}
	})
}

// The records name the right by which each step was done.
func TestDelegation_RecordsSayByWhichRight(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		caf := w.Association(t)
		session, role := w.worker(caf, access.EmployeeDelegate, access.AllServices)
		by := w.in(session)
		if _, err := w.service.Candidates(
			requested("searchDelegationCandidates", "key-0000"), by, w.company.TaxCode.Clear(), nil,
		); err != nil {
			t.Fatal(err)
		}
		in := input(w.company, w.signatory)
		draft, err := w.service.Draft(requested("draftDelegation", "key-0001"), by, in)
		if err != nil {
			t.Fatal(err)
		}
		by = w.at(session, draft.ID)
		if _, err := w.service.Change(
			requested("changeDelegation", "key-0002"), by, draft.ID, draft.Version, delegation.Change{Exclusive: new(true)},
		); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Send(requested("sendDelegationOtp", "key-0003"), by, draft.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Activate(requested("activateDelegation", "key-0004"), by, draft.ID, delegation.Activation{
			OTP: w.otp(), SignatureDeclared: true,
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Revoke(
			requested("revokeDelegation", "key-0005"), w.at(w.representative, draft.ID), draft.ID, "",
		); err != nil {
			t.Fatal(err)
		}
		for operation, want := range map[string]struct {
			as    access.ActingAs
			right uuid.UUID
		}{
			"searchDelegationCandidates": {access.EmployeeDelegate, role}, "draftDelegation": {access.EmployeeDelegate, role},
			"changeDelegation":  {access.EmployeeDelegate, role},
			"sendDelegationOtp": {access.EmployeeDelegate, role}, "activateDelegation": {access.EmployeeDelegate, role},
			"revokeDelegation": {access.LegalRepresentative, w.rep},
		} {
			if n := w.Count(
				t, "audit_records WHERE operation = ? AND acting_as = ? AND right_id = ?", operation, want.as, want.right,
			); n != 1 {
				t.Errorf("%s: %d records name the right", operation, n)
			}
		}
	})
}

// A repeat does not show what was drafted for an intermediary where the actor has no role any more.
func TestDelegation_ADraftIsNotShownAgainAfterTheRoleEnded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		first, second := w.Association(t), w.Association(t)
		session, role := w.worker(first, access.EmployeeDelegate, access.AllServices)
		do := func() (delegation.View, error) {
			by := w.in(session)
			return w.service.Draft(idempotency.WithClaim(ctx, world.Claim(by, "key-0001")), by, input(w.company, w.signatory))
		}
		drafted, err := do()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := do(); err != nil || again.ID != drafted.ID {
			t.Errorf("a repeat: %v", err)
		}
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		_, err = do()
		refused(t, "without any role", err, fault.Forbidden)
		w.DelegateRole(t, w.in(session).PersonID, second, access.EmployeeDelegate, access.AllServices)
		_, err = do()
		refused(t, "with a role elsewhere", err, fault.NotFound)
		w.Exec(t, "UPDATE idempotency_keys SET status = 201, headers = '{}', body = ?", []byte("{}"))
		_, err = do()
		refused(t, "with a role elsewhere, where the answer was kept", err, fault.NotFound)
	})
}

// The signatory who got the code may have left before it is entered.
func TestDelegation_TheSignatoryLeftBeforeTheActivation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		w.representativeOf(w.company)
		w.WithdrawRole(t, w.rep)
		_, err := w.activate(w.professional, draft.ID, otp)
		conflict(t, "the signatory has left", err, "signatory-gone")
		if shown, err := w.service.Show(ctx, draft.ID); err != nil || shown.State != delegation.Pending || shown.OTP.TriesLeft != 5 {
			t.Errorf("it is %s, %v", shown.State, err)
		}
	})
}

// The trail tells who activated a delegation, which side ended it and why. The message tells the
// side.
func TestDelegation_WhoEndsIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		until := w.Clock.Now().Add(time.Hour)
		for _, c := range []struct {
			name    string
			session uuid.UUID
			words   string
			want    delegation.EndCause
		}{
			{"the contributor", w.representative, "Fine dell'incarico", delegation.ByContributor},
			{"the contributor, without words", w.representative, "", delegation.ByContributor},
			{"the intermediary", w.professional, "", delegation.ByIntermediary},
			{"the clock", uuid.Nil, "", delegation.ByExpiry},
		} {
			active := w.active(w.professional, func(in *delegation.Input) { in.ValidUntil = &until })
			if by := w.in(w.professional); active.ActivatorGivenName != by.GivenName || active.ActivatorFamilyName != by.FamilyName ||
				*active.ActivatedBy != by.PersonID || active.EndCause != nil {
				t.Errorf("activated by %s %s", active.ActivatorGivenName, active.ActivatorFamilyName)
			}
			if c.session == uuid.Nil {
				w.Clock.Advance(time.Hour)
			} else if _, err := w.service.Revoke(ctx, w.at(c.session, active.ID), active.ID, c.words); err != nil {
				t.Fatal(err)
			}
			ended, err := w.service.Show(ctx, active.ID)
			if err != nil || *ended.EndCause != c.want || (ended.EndReason != nil) != (c.words != "") ||
				c.words != "" && *ended.EndReason != c.words {
				t.Errorf("%s: %+v, %v", c.name, ended.Delegation, err)
			}
		}
		for side, want := range map[delegation.EndCause]int{delegation.ByContributor: 4, delegation.ByIntermediary: 2} {
			if n := w.Count(t, "outbox WHERE kind = 'delegation.revoked' AND data LIKE ?", `%"end_cause":"`+string(side)+`"%`); n != want {
				t.Errorf("%d messages name the %s", n, side)
			}
		}
	})
}
