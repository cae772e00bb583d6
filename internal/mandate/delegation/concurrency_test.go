package delegation_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestDelegation_Exclusive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		other, otherDelegate := w.consulente()
		rome := func(exclusive bool) func(*delegation.Input) {
			return func(in *delegation.Input) {
				in.PositionIDs, in.Exclusive = []uuid.UUID{w.company.Positions[0].ID}, exclusive
			}
		}
		try := func(session uuid.UUID, change func(*delegation.Input)) (delegation.View, error) {
			draft := w.draft(session, change)
			return w.activate(session, draft.ID, w.send(session, draft.ID))
		}
		held := w.active(other, rome(true))
		_, err := try(w.professional, rome(false))
		refused(t, "beside another's exclusive one", err, fault.ExclusiveExists)
		if _, err := try(w.professional, func(in *delegation.Input) {
			in.PositionIDs = []uuid.UUID{w.company.Positions[1].ID}
		}); err != nil {
			t.Errorf("of another position: %v", err)
		}
		if _, err := try(other, rome(true)); err != nil {
			t.Errorf("its own: %v", err)
		}
		// A suspended one comes back, so it stands in the way too.
		w.StrikeOff(t, otherDelegate)
		_, err = try(w.professional, rome(false))
		refused(t, "beside a suspended one", err, fault.ExclusiveExists)
		if w.state(held.ID) != delegation.Suspended {
			t.Error("it is not suspended")
		}
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = updated_at WHERE delegate_id = ?", otherDelegate)
		if _, err := try(w.professional, rome(false)); err != nil {
			t.Errorf("after its end: %v", err)
		}
		third, _ := w.consulente()
		_, err = try(third, rome(true))
		refused(t, "an exclusive one beside another", err, fault.ExclusiveExists)
	})
}

func TestDelegation_AHouseholdHasOneIntermediary(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.household()
		employer := w.Person(t, nil)
		w.contact(employer.ID, "email", true)
		w.Role(t, employer.ID, w.company.ID, access.Employer)
		by := func(in *delegation.Input) { in.SignatoryID = employer.ID }
		other, otherDelegate := w.consulente()
		third, _ := w.consulente()
		one := w.active(other, func(in *delegation.Input) { by(in); in.Exclusive = true })
		two := w.active(third, by)
		w.StrikeOff(t, otherDelegate)
		pending := w.draft(third, by)
		w.send(third, pending.ID)
		three := w.active(w.professional, by)
		for _, id := range []uuid.UUID{one.ID, two.ID} {
			ended, err := w.service.Show(ctx, id)
			if err != nil || ended.State != delegation.Revoked || ended.EndReason != nil ||
				*ended.EndCause != delegation.ByReplacement {
				t.Errorf("the earlier one is %s, %v", ended.State, err)
			}
		}
		if w.state(three.ID) != delegation.Active || w.state(pending.ID) != delegation.Pending {
			t.Error("the newer one is not active, or one that waits has ended")
		}
		if n := w.Count(t, "outbox WHERE kind = 'delegation.revoked'"); n == 0 {
			t.Error("nobody was told")
		}
	})
}

func TestDelegation_TwoActivationsTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 10 {
			w.professional, w.delegate = w.consulente()
			w.company = w.Company(t, world.Rome)
			w.signatory, _ = w.representativeOf(w.company)
			draft := w.draft(w.professional, nil)
			otp := w.send(w.professional, draft.ID)
			by := w.at(w.professional, draft.ID)
			var done atomic.Int64
			world.Parallel(2, func(int) {
				_, err := w.service.Activate(ctx, by, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
				if err == nil {
					done.Add(1)
				} else {
					conflict(t, "the other", err, "delegation-state")
				}
			})
			if done.Load() != 1 || w.state(draft.ID) != delegation.Active {
				t.Fatalf("%d activations", done.Load())
			}
			if n := w.Count(t, "audit_records WHERE subject_id = ?", draft.ID.String()); n != 3 {
				t.Errorf("%d audit records of draft, sending and activation", n)
			}
		}
	})
}

// One intent is one activation, and all who asked for it are answered alike.
func TestDelegation_OneKeyManyActivationsTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		by := w.at(w.professional, draft.ID)
		answers := make([]delegation.View, 50)
		world.Parallel(len(answers), func(i int) {
			var err error
			answers[i], err = w.service.Activate(requested("activateDelegation", "key-0001"), by, draft.ID, delegation.Activation{
				OTP: otp, SignatureDeclared: true,
			})
			if err != nil {
				t.Error(err)
			}
		})
		for _, got := range answers {
			if diff := cmp.Diff(answers[0], got, cmpopts.EquateComparable(taxcode.Code{})); diff != "" || got.State != delegation.Active {
				t.Fatalf("it is %s; two twins got different answers:\n%s", got.State, diff)
			}
		}
		if w.Count(t, "audit_records WHERE operation = 'activateDelegation'") != 1 || w.Count(t, "delegation_otps WHERE tries > 1") != 0 {
			t.Error("not activated once, with one try")
		}
	})
}

func TestDelegation_ManyWrongCodesTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		draft := w.draft(w.professional, nil)
		otp := w.send(w.professional, draft.ID)
		by := w.at(w.professional, draft.ID)
		var compared atomic.Int64
		world.Parallel(20, func(i int) {
			_, err := w.service.Activate(requested("activateDelegation", fmt.Sprintf("key-%04d", i)), by, draft.ID, delegation.Activation{
				OTP: wrong(otp), SignatureDeclared: true,
			})
			if fault.Is(err, fault.OTPInvalid) {
				compared.Add(1)
			} else if !fault.Is(err, fault.OTPExhausted) {
				t.Error(err)
			}
		})
		if compared.Load() != 5 {
			t.Errorf("%d codes were compared", compared.Load())
		}
		_, err := w.service.Activate(requested("activateDelegation", "key-0000"), by, draft.ID, delegation.Activation{
			OTP: otp, SignatureDeclared: true,
		})
		refused(t, "the right one, too late", err, fault.OTPExhausted)
		if n := w.Count(t, "idempotency_keys WHERE operation = 'activateDelegation'"); n != 0 {
			t.Errorf("%d keys of refused requests are remembered", n)
		}
	})
}

// Of two that are exclusive, activated together by different intermediaries, one gets through.
func TestDelegation_TwoExclusiveOnesTogether(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 5 {
			w.company = w.Company(t, world.Rome)
			w.signatory, _ = w.representativeOf(w.company)
			type side struct {
				by  access.Actor
				id  uuid.UUID
				otp delegation.Activation
			}
			var sides []side
			for range 2 {
				session, _ := w.consulente()
				draft := w.draft(session, func(in *delegation.Input) { in.Exclusive = true })
				sides = append(sides, side{
					w.at(session, draft.ID), draft.ID, delegation.Activation{OTP: w.send(session, draft.ID), SignatureDeclared: true},
				})
			}
			var done atomic.Int64
			world.Parallel(2, func(i int) {
				_, err := w.service.Activate(ctx, sides[i].by, sides[i].id, sides[i].otp)
				if err == nil {
					done.Add(1)
				} else if !fault.Is(err, fault.ExclusiveExists) {
					t.Error(err)
				}
			})
			if done.Load() != 1 {
				t.Errorf("%d of two exclusive ones are active", done.Load())
			}
		}
	})
}

// A revocation beside an activation comes before it or after it. Either way there is no delegation
// in the end.
func TestDelegation_ARevocationBesideAnActivation(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 15 {
			w.professional, w.delegate = w.consulente()
			w.company = w.Company(t, world.Rome)
			w.signatory, _ = w.representativeOf(w.company)
			w.representative = w.Session(t, w.signatory.ID, nil)
			draft := w.draft(w.professional, nil)
			otp := w.send(w.professional, draft.ID)
			mine, theirs := w.at(w.professional, draft.ID), w.at(w.representative, draft.ID)
			var activated bool
			world.Parallel(2, func(i int) {
				if i == 0 {
					_, err := w.service.Activate(ctx, mine, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
					if activated = err == nil; !activated {
						conflict(t, "after the revocation", err, "delegation-state")
					}
				} else if _, err := w.service.Revoke(ctx, theirs, draft.ID, ""); err != nil {
					t.Error(err)
				}
			})
			d, err := w.service.Show(ctx, draft.ID)
			if err != nil {
				t.Fatal(err)
			}
			if d.State != delegation.Revoked || (d.ActivatedAt != nil) != activated || *d.EndCause != delegation.ByContributor {
				t.Errorf("activated %t: %s by the %s", activated, d.State, *d.EndCause)
			}
			if n := w.Count(t, "delegation_otps WHERE delegation_id = ? AND used_at IS NULL AND ended_at IS NULL", draft.ID); n != 0 {
				t.Error("the code lives on")
			}
		}
	})
}

// What an intermediary files while its delegation is revoked is filed before that, or not at all.
// Nobody waits in a circle.
func TestDelegation_ARevocationBesideAFiling(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for range 5 {
			w.professional, w.delegate = w.consulente()
			active := w.active(w.professional, nil)
			filer, theirs := w.Enter(t, w.professional, w.company.ID), w.at(w.representative, active.ID)
			var filed atomic.Int64
			world.Parallel(9, func(i int) {
				if i == 4 {
					if _, err := w.service.Revoke(ctx, theirs, active.ID, ""); err != nil {
						t.Error(err)
					}
					return
				}
				declared, err := w.Declarations.Draft(ctx, filer, w.company.ID, w.company.Input(true))
				switch {
				case err == nil && (declared.RightID != active.ID || declared.ActingAs != access.Intermediary):
					t.Errorf("filed as %s", declared.ActingAs)
				case err == nil:
					filed.Add(1)
				case !fault.Is(err, fault.NotFound):
					t.Error(err)
				}
			})
			if n := w.Count(t, "declarations WHERE right_id = ? AND state = 'submitted'", active.ID); int64(n) != filed.Load() {
				t.Errorf("%d are filed, %d were answered", n, filed.Load())
			}
		}
	})
}

// waits returns once somebody waits for their turn.
func waits(t *testing.T, d *db.DB) {
	t.Helper()
	world.Eventually(t, "somebody waits for their turn", func() bool {
		var waiting int
		err := d.From(context.Background()).Raw(
			"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
		).Scan(&waiting).Error
		return err == nil && waiting > 0
	})
}

// A newer code that is sent while the earlier one is being entered wins. The earlier one activates
// nothing.
func TestDelegation_ANewerCodeBesideAnActivation(t *testing.T) {
	// On SQLite the one writer puts the two in order before either looks.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	draft := w.draft(w.professional, nil)
	otp := w.send(w.professional, draft.ID)
	by := w.at(w.professional, draft.ID)
	outcome := make(chan error, 1)
	err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.LockName(ctx, "delegations of "+w.company.ID.String()); err != nil {
			return err
		}
		go func() {
			_, err := w.service.Activate(context.Background(), by, draft.ID, delegation.Activation{OTP: otp, SignatureDeclared: true})
			outcome <- err
		}()
		waits(t, d)
		return d.From(ctx).Exec("UPDATE delegation_otps SET ended_at = ? WHERE delegation_id = ?", w.Clock.Now(), draft.ID).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	conflict(t, "by the earlier code", <-outcome, "delegation-state")
	if w.state(draft.ID) != delegation.Pending {
		t.Errorf("it is %s", w.state(draft.ID))
	}
}

// Whoever goes away while a wrong code is being entered has used up a try all the same.
func TestDelegation_AWrongCodeOfSomebodyWhoGoesAway(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	draft := w.draft(w.professional, nil)
	otp := w.send(w.professional, draft.ID)
	by := w.at(w.professional, draft.ID)
	outcome := make(chan error, 1)
	err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.LockName(ctx, "delegations of "+w.company.ID.String()); err != nil {
			return err
		}
		leaving, leave := context.WithCancel(context.Background())
		defer leave()
		go func() {
			_, err := w.service.Activate(leaving, by, draft.ID, delegation.Activation{OTP: wrong(otp), SignatureDeclared: true})
			outcome <- err
		}()
		waits(t, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "the wrong code", <-outcome, fault.OTPInvalid)
	if shown, err := w.service.Show(ctx, draft.ID); err != nil || shown.OTP == nil || shown.OTP.TriesLeft != 4 {
		t.Errorf("left are %+v, %v", shown.OTP, err)
	}
}

// Nobody waits for an import of registers. It may have written the contributor, its positions and
// the intermediary, and take long.
func TestDelegation_NobodyWaitsForAnImport(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	err := d.InTx(ctx, func(importing context.Context) error {
		for _, written := range []string{
			"contributors SET legal_name = legal_name", "positions SET scheme = scheme", "delegates SET legal_name = legal_name",
		} {
			if err := d.From(importing).Exec("UPDATE " + written).Error; err != nil {
				return err
			}
		}
		if _, err := w.service.Candidates(ctx, w.in(w.professional), w.company.TaxCode.Clear(), nil); err != nil {
			return err
		}
		active := w.active(w.professional, nil)
		if _, err := w.service.Revoke(ctx, w.at(w.representative, active.ID), active.ID, ""); err != nil {
			return err
		}
		pending := w.draft(w.professional, nil)
		w.send(w.professional, pending.ID)
		_, err := w.service.Change(
			ctx, w.at(w.professional, pending.ID), pending.ID, pending.Version+1, delegation.Change{Exclusive: new(true)},
		)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Whoever files under a delegation holds it until the end of the group. So what is filed comes
// before the instant at which the delegation ended.
func TestDelegation_EndsAtAnInstantAfterWhatItLetIn(t *testing.T) {
	for name, ending := range map[string]func(w *fixture, old, next delegation.View) func() error{
		"revocation": func(w *fixture, old, _ delegation.View) func() error {
			by := w.at(w.representative, old.ID)
			return func() error {
				_, err := w.service.Revoke(context.Background(), by, old.ID, "")
				return err
			}
		},
		"replacement": func(w *fixture, _, next delegation.View) func() error {
			code, by := w.send(w.professional, next.ID), w.at(w.professional, next.ID)
			return func() error {
				_, err := w.service.Activate(context.Background(), by, next.ID, delegation.Activation{OTP: code, SignatureDeclared: true})
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Open(t, dbtest.Postgres(t))
			w := newWorld(t, d)
			w.household()
			old := w.active(w.professional, nil)
			next := w.draft(w.professional, nil)
			released := world.EndBeside(t, d, w.Clock, ending(w, old, next), "SELECT 1 FROM delegations WHERE id = ? FOR SHARE", old.ID)
			if n := w.Count(t, "delegations WHERE id = ? AND ended_at >= ?", old.ID, released); n != 1 {
				t.Error("it ended before what it let in")
			}
			if name == "replacement" && w.Count(t, "delegations WHERE id = ? AND activated_at >= ?", next.ID, released) != 1 {
				t.Error("both were active for a while")
			}
		})
	}
}
