package subdelegation_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/subdelegation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

// Who lost the membership between two equal requests gets nothing again, also with a membership
// elsewhere.
func TestSubDelegation_ARepeatGoesRoundNoLostSeat(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		caf := w.Association(t)
		p := w.worker()
		role := w.DelegateRole(t, p.ID, caf, access.UserAdministrator)
		by := w.enter(p)
		in := subdelegation.Input{TaxCode: w.worker().TaxCode, All: true}
		if _, err := w.service.Grant(world.WithKey(ctx, by, "key-1"), by, in); err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		_, err := w.service.Grant(world.WithKey(ctx, by, "key-1"), by, in)
		refused(t, "without a membership", err, fault.Forbidden)
		w.DelegateRole(t, p.ID, w.Association(t), access.UserAdministrator)
		_, err = w.service.Grant(world.WithKey(ctx, by, "key-1"), by, in)
		refused(t, "with a membership elsewhere", err, fault.NotFound)
		w.Exec(t, "UPDATE idempotency_keys SET status = 201, headers = '{}', body = ?", []byte("{}"))
		_, err = w.service.Grant(world.WithKey(ctx, by, "key-1"), by, in)
		refused(t, "with a membership elsewhere, where the answer was kept", err, fault.NotFound)
	})
}

func TestSubDelegation_TheRecordSaysByWhichRight(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		other := w.Delegation(t, w.delegate, w.Company(t, world.Rome), nil)
		one, two := w.given(w.worker(), nil), w.given(w.worker(), func(in *subdelegation.Input) {
			in.DelegationIDs = append(in.DelegationIDs, other)
		})
		p := w.worker()
		every := w.given(p, func(in *subdelegation.Input) { in.DelegationIDs, in.All = nil, true })
		if _, err := w.service.Revoke(ctx, w.by, one.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Revoke(ctx, w.enter(p), every.ID); err != nil {
			t.Fatal(err)
		}
		const seated = "audit_records WHERE subject_id = ? AND acting_as = 'intermediary' AND right_id = ? AND contributor_id "
		if n := w.Count(t, seated+"= ?", one.ID.String(), w.delegate, w.company.ID); n != 2 {
			t.Errorf("%d records of granting and revoking for one contributor", n)
		}
		for _, s := range []subdelegation.View{two, every} {
			if n := w.Count(t, seated+"IS NULL", s.ID.String(), w.delegate); n != 1 {
				t.Errorf("%d records for several", n)
			}
		}
		if n := w.Count(t, "audit_records WHERE subject_id = ? AND acting_as IS NULL AND person_id = ?", every.ID.String(), p.ID); n != 1 {
			t.Errorf("%d records of giving it back", n)
		}
		national := w.confirm(w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary }))
		w.Exec(t, "UPDATE people SET digital_identity_at = ? WHERE id = ?", w.Clock.Now(), national.ID)
		w.given(national, nil)
		nobody := world.Person{TaxCode: w.Person(t, func(p *world.Person) { p.CredentialLevel = access.Ordinary }).TaxCode}
		_, err := w.grant(nobody, nil)
		refused(t, "nobody", err, fault.Invalid, "/tax_code", "unknown-person")
		if n := w.Count(t, "audit_records WHERE outcome = 'unknown-person' AND right_id = ?", w.delegate); n != 1 {
			t.Errorf("%d records of the try", n)
		}
	})
}

// What ended after the actor was let in is seen before anything has an effect.
func TestSubDelegation_WhoLostTheSessionOrSeatMeanwhileDoesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		made := w.given(w.worker(), nil)
		before := w.Count(t, "audit_records")
		for what, c := range map[string]struct{ end, mend string }{
			"a session that ended": {"UPDATE sessions SET ended_at = ? WHERE id = ?", "UPDATE sessions SET ended_at = NULL WHERE id = ?"},
			"who is suspended": {
				"UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?",
				"UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?",
			},
		} {
			id := w.by.SessionID
			if what == "who is suspended" {
				id = w.by.PersonID
			}
			w.Exec(t, c.end, w.Clock.Now(), id)
			_, err := w.grant(w.worker(), nil)
			refused(t, what+" gives", err, fault.SessionEnded)
			_, err = w.grant(world.Person{TaxCode: w.Person(t, nil).TaxCode}, nil)
			refused(t, what+" tries", err, fault.SessionEnded)
			_, err = w.service.Revoke(ctx, w.by, made.ID)
			refused(t, what+" revokes", err, fault.SessionEnded)
			w.Exec(t, c.mend, id)
		}
		if n := w.Count(t, "sub_delegations"); n != 1 || w.Count(t, "audit_records") != before {
			t.Errorf("%d sub-delegations", n)
		}
	})
}

func TestSubDelegation_ItSaysWhereItStands(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		end, later := w.Clock.Now().Add(time.Hour), w.Clock.Now().Add(2*time.Hour)
		second := w.Delegation(t, w.delegate, w.company, func(d *world.Delegation) { d.ValidUntil = &later })
		both := w.given(w.worker(), func(in *subdelegation.Input) { in.DelegationIDs = append(in.DelegationIDs, second) })
		every := w.given(w.worker(), func(in *subdelegation.Input) { in.DelegationIDs, in.All = nil, true })
		short := w.given(w.worker(), func(in *subdelegation.Input) { in.ValidUntil = &end })
		over := w.given(w.worker(), nil)
		if _, err := w.service.Revoke(ctx, w.by, over.ID); err != nil {
			t.Fatal(err)
		}
		stand := func(when string, wanted ...subdelegation.State) {
			t.Helper()
			by := w.enter(w.person)
			listed, err := w.service.List(ctx, by, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range []subdelegation.View{both, every, short, over} {
				shown, err := w.service.Show(ctx, by, s.ID)
				if err != nil || shown.State != wanted[i] {
					t.Errorf("%s: %d is %s, %v, want %s", when, i, shown.State, err, wanted[i])
				}
				if at := slices.IndexFunc(listed.Items, func(l subdelegation.View) bool {
					return l.ID == s.ID
				}); listed.Items[at].State != wanted[i] {
					t.Errorf("%s: %d is listed as %s", when, i, listed.Items[at].State)
				}
			}
		}
		stand("at first", subdelegation.Active, subdelegation.Active, subdelegation.Active, subdelegation.Revoked)
		w.StrikeOff(t, w.delegate)
		stand("off the register", subdelegation.Suspended, subdelegation.Suspended, subdelegation.Suspended, subdelegation.Revoked)
		w.Exec(t, "UPDATE delegates SET struck_off_at = NULL WHERE id = ?", w.delegate)
		w.Clock.Advance(time.Hour)
		stand("after an hour", subdelegation.Active, subdelegation.Active, subdelegation.Expired, subdelegation.Revoked)
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), w.delegation)
		stand("with one delegation left", subdelegation.Active, subdelegation.Active, subdelegation.Expired, subdelegation.Revoked)
		w.Clock.Advance(time.Hour)
		stand("with none left", subdelegation.Expired, subdelegation.Active, subdelegation.Expired, subdelegation.Revoked)
		_, err := w.service.Revoke(ctx, w.enter(w.person), both.ID)
		refused(t, "one whose delegations have ended", err, fault.Conflict)
	})
}

// What would add nothing is refused, with where the one is that gives it already.
func TestSubDelegation_NobodyGetsTheSameTwice(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		second := w.Delegation(t, w.delegate, w.Company(t, world.Rome), nil)
		end, later := w.Clock.Now().Add(time.Hour), w.Clock.Now().Add(2*time.Hour)
		p := w.worker()
		terms := func(until *time.Time, ids ...uuid.UUID) func(*subdelegation.Input) {
			return func(in *subdelegation.Input) {
				in.DelegationIDs, in.All, in.ValidUntil = ids, len(ids) == 0, until
				in.Services = []access.Service{access.Declarations, access.Delegations}
			}
		}
		first := w.given(p, terms(&end, w.delegation, second))
		same := func(what string, of uuid.UUID, change func(*subdelegation.Input)) {
			t.Helper()
			_, err := w.grant(p, change)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != "sub-delegation-exists" ||
				f.Href != "/v1/sub-delegations/"+of.String() {
				t.Errorf("%s: %v", what, err)
			}
		}
		same("in another order", first.ID, func(in *subdelegation.Input) {
			terms(&end, second, w.delegation)(in)
			slices.Reverse(in.Services)
		})
		longer := w.given(p, terms(&later, w.delegation, second))
		same("a part of it", longer.ID, func(in *subdelegation.Input) {
			terms(&later, second)(in)
			in.Services = []access.Service{access.Declarations}
		})
		services := w.given(p, func(in *subdelegation.Input) {
			terms(&later, second)(in)
			in.Services = append(in.Services, access.ViewPayments)
		})
		endless := w.given(p, terms(nil, w.delegation))
		every := w.given(p, terms(nil))
		same("all, for shorter", every.ID, terms(&end))
		everything := w.given(p, func(in *subdelegation.Input) { in.DelegationIDs, in.All = nil, true })
		same("some of all", everything.ID, func(in *subdelegation.Input) { in.ValidUntil = &later })
		// What has ended is in nobody's way.
		for _, s := range []subdelegation.View{first, longer, services, endless, every, everything} {
			if _, err := w.service.Revoke(ctx, w.by, s.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.given(p, terms(&end, w.delegation, second))

		// Of many at once one gives it.
		q := w.worker()
		var all sync.WaitGroup
		var given atomic.Int32
		for range 8 {
			all.Go(func() {
				if _, err := w.grant(q, nil); err == nil {
					given.Add(1)
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if given.Load() != 1 {
			t.Errorf("%d of the same", given.Load())
		}
	})
}
