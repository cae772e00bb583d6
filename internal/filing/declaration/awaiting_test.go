package declaration_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/due"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// becomeDispositive is what whoever raises credentials does.
func becomeDispositive(t *testing.T, a *world.App, personID uuid.UUID) {
	t.Helper()
	a.Must(t, func(ctx context.Context) error {
		if err := a.DB.From(ctx).Exec("UPDATE people SET credential_level = 'dispositive' WHERE id = ?", personID).Error; err != nil {
			return err
		}
		return a.Declarations.CompleteFor(ctx, personID)
	})
}

func kinds(t *testing.T, a *world.App, personID uuid.UUID) []string {
	t.Helper()
	var all []string
	for _, p := range promises(t, a) {
		if p.PersonID == personID {
			all = append(all, p.Kind)
		}
	}
	return all
}

func TestDeclaration_WhatWaitedIsCompletedAtItsNumber(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, other := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		another := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		first, between, second := a.Submit(t, ordinary, c), a.Submit(t, other, c), a.Submit(t, ordinary, c)
		theirs, draft := a.Submit(t, another, c), a.Draft(t, ordinary, c, c.Input(false))
		withdrawn := a.Submit(t, ordinary, c)
		if _, err := a.Declarations.Withdraw(ctx, ordinary, withdrawn.ID); err != nil {
			t.Fatal(err)
		}
		a.Clock.Advance(time.Hour)
		becomeDispositive(t, a, ordinary.PersonID)
		for _, was := range []declaration.View{first, second} {
			want := was
			want.State, want.Version, want.UpdatedAt = declaration.Submitted, was.Version+1, a.Clock.Now()
			if diff := cmp.Diff(want, show(t, a, ordinary, was.ID)); diff != "" {
				t.Errorf("more than its state changed:\n%s", diff)
			}
			receipt, err := a.Declarations.Receipt(ctx, ordinary, was.ID)
			if err != nil || receipt.JWS != was.JWS {
				t.Errorf("the receipt changed: %v", err)
			}
			if n := a.Count(
				t, "audit_records WHERE operation = 'completeDeclaration' AND subject_id = ? AND contributor_id = ?", was.ID.String(), c.ID,
			); n != 1 {
				t.Errorf("%d audit records", n)
			}
		}
		for _, same := range []declaration.View{between, theirs, draft} {
			if got := show(t, a, map[bool]access.Actor{
				true: ordinary, false: other,
			}[same.ID == draft.ID], same.ID); got.State != same.State || got.Version != same.Version {
				t.Errorf("%s became %s", same.State, got.State)
			}
		}
		if got := show(t, a, ordinary, withdrawn.ID).State; got != declaration.Withdrawn {
			t.Errorf("what was withdrawn is %s", got)
		}
		all := promises(t, a)
		var completed []string
		for _, p := range all {
			if p.Kind == "declaration.completed" && p.PersonID == ordinary.PersonID {
				completed = append(completed, p.Data)
			}
		}
		if len(completed) != 2 || a.Count(t, "outbox WHERE kind = 'declaration.completed'") != 2 || a.Count(t, "protocol_entries") != 5 {
			t.Errorf("%d messages, %d numbers", len(completed), a.Count(t, "protocol_entries"))
		}
		// Once more changes nothing.
		becomeDispositive(t, a, ordinary.PersonID)
		if n := a.Count(t, "outbox"); n != len(all) {
			t.Errorf("%d messages more", n-len(all))
		}
	})
}

func TestDeclaration_CompletionSupersedesWhatStillCanBe(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		able := []declaration.State{
			declaration.Submitted, declaration.InCharge, declaration.AwaitingCredentials, declaration.Accepted,
			declaration.ProvisionallyNotAccepted, declaration.NotAccepted, declaration.Confirmed,
		}
		for _, state := range states {
			ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
			old := a.Submit(t, by, c)
			waiting := a.Draft(t, ordinary, c, replacing(c, old.ID, true))
			setState(t, a, old.ID, state)
			becomeDispositive(t, a, ordinary.PersonID)
			want := state
			if slices.Contains(able, state) {
				want = declaration.Superseded
			}
			if got := show(t, a, by, old.ID); got.State != want || got.JWS != old.JWS {
				t.Errorf("%s: what is to be superseded is %s", state, got.State)
			}
			if got := show(t, a, by, waiting.ID); got.State != declaration.Submitted || *got.ProtocolNumber != *waiting.ProtocolNumber {
				t.Errorf("%s: what waited is %s", state, got.State)
			}
		}
	})
}

// What waits may supersede what waits: the outcome is that of dispositive credentials from the
// start.
func TestDeclaration_AChainOfWhatWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		old := a.Submit(t, by, c)
		first := a.Draft(t, ordinary, c, replacing(c, old.ID, true))
		second := a.Draft(t, ordinary, c, replacing(c, first.ID, true))
		// Somebody else was quicker with the old one's other successor.
		late := a.Draft(t, ordinary, c, replacing(c, old.ID, true))
		becomeDispositive(t, a, ordinary.PersonID)
		for _, x := range []struct {
			what string
			id   uuid.UUID
			want declaration.State
		}{
			{"the old one", old.ID, declaration.Superseded},
			{"its successor", first.ID, declaration.Superseded},
			{"the last", second.ID, declaration.Submitted},
			{"one that comes too late to supersede", late.ID, declaration.Submitted},
		} {
			if got := show(t, a, by, x.id); got.State != x.want || got.Version != 2 {
				t.Errorf("%s is %s in version %d", x.what, got.State, got.Version)
			}
		}
		if n := a.Count(t, "outbox WHERE kind = 'declaration.completed'"); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

// Two people whose declarations supersede each other's become dispositive at once.
func TestDeclaration_TwoCompletionsDoNotWaitForEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		for range 5 {
			one := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
			two := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
			mine, yours := a.Submit(t, one, c), a.Submit(t, two, c)
			a.Draft(t, one, c, replacing(c, yours.ID, true))
			a.Draft(t, two, c, replacing(c, mine.ID, true))
			world.Parallel(2, func(i int) { becomeDispositive(t, a, []uuid.UUID{one.PersonID, two.PersonID}[i]) })
			for _, id := range []uuid.UUID{mine.ID, yours.ID} {
				if got := show(t, a, by, id).State; got != declaration.Superseded {
					t.Errorf("superseded in both ways, one is %s", got)
				}
			}
		}
	})
}

func TestDeclaration_WhatWaitsLapsesAfterThirtyDays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		// The filing is of the 16th of March, and the clocks go forward on the 29th. So the 15th of
		// April ends at 22:00 UTC.
		end := time.Date(2026, 4, 15, 22, 0, 0, 0, time.UTC)
		early, done := a.Submit(t, ordinary, c), a.Submit(t, by, c)
		a.Clock.Advance(15*time.Hour + 44*time.Minute) // 23:59 UTC is the 17th in Rome
		later := a.Submit(t, ordinary, c)
		next := func(until time.Time) (time.Time, bool) {
			t.Helper()
			at, found, err := a.Declarations.Lapses().Next(ctx, due.Through(world.Start), until)
			if err != nil {
				t.Fatal(err)
			}
			return at, found
		}
		if _, found := next(end.Add(-time.Microsecond)); found {
			t.Error("something lapses too early")
		}
		if at, found := next(end.AddDate(0, 1, 0)); !found || !at.Equal(end) {
			t.Errorf("the first lapses at %v", at)
		}
		lapse := func(until time.Time, want int) {
			t.Helper()
			before := a.Count(t, "declarations WHERE state = 'lapsed'")
			a.Must(t, func(ctx context.Context) error {
				done, err := a.Declarations.Lapses().Do(ctx, due.Through(world.Start), until)
				if done != due.Through(until) {
					t.Errorf("done as far as %v", done)
				}
				return err
			})
			if n := a.Count(t, "declarations WHERE state = 'lapsed'") - before; n != want {
				t.Errorf("%d lapsed by %s, want %d", n, until, want)
			}
		}
		lapse(end.Add(-time.Microsecond), 0)
		a.Clock.Advance(30 * 24 * time.Hour)
		lapse(end, 1)
		lapse(end, 0)
		want := early
		want.State, want.Version, want.UpdatedAt = declaration.Lapsed, 2, end
		if diff := cmp.Diff(want, show(t, a, by, early.ID)); diff != "" {
			t.Errorf("dated at its instant:\n%s", diff)
		}
		if got := show(t, a, by, later.ID).State; got != declaration.AwaitingCredentials {
			t.Errorf("one filed a day later is %s", got)
		}
		// Late is as good as in time: each at its own instant.
		lapse(end.AddDate(1, 0, 0), 1)
		if got := show(t, a, by, later.ID); got.State != declaration.Lapsed || !got.UpdatedAt.Equal(end.AddDate(0, 0, 1)) {
			t.Errorf("it is %s since %s", got.State, got.UpdatedAt)
		}
		if got := show(t, a, by, done.ID).State; got != declaration.Submitted {
			t.Errorf("what never waited is %s", got)
		}
		if diff := cmp.Diff([]string{
			"declaration.awaiting_credentials", "declaration.awaiting_credentials", "declaration.lapsed", "declaration.lapsed",
		}, kinds(t, a, ordinary.PersonID)); diff != "" {
			t.Error(diff)
		}
		if n := a.Count(t, "audit_records WHERE operation = 'lapseDeclaration'"); n != 2 {
			t.Errorf("%d audit records", n)
		}
		becomeDispositive(t, a, ordinary.PersonID)
		if got := show(t, a, by, early.ID).State; got != declaration.Lapsed {
			t.Errorf("what had lapsed is %s", got)
		}
	})
}

// Whoever comes before the clean-up finds the same: what is past its term is neither completed nor
// withdrawn.
func TestDeclaration_WhatIsPastItsTermHasLapsed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, _ := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		past := a.Submit(t, ordinary, c)
		end := time.Date(2026, 4, 15, 22, 0, 0, 0, time.UTC)
		a.Clock.Advance(end.Sub(a.Clock.Now()) - time.Microsecond)
		fresh := a.Submit(t, ordinary, c)
		a.Clock.Advance(time.Microsecond)
		_, err := a.Declarations.Withdraw(ctx, ordinary, past.ID)
		conflict(t, "withdrawn late", err, "declaration-not-withdrawable")
		becomeDispositive(t, a, ordinary.PersonID)
		if got := show(t, a, ordinary, past.ID); got.State != declaration.Lapsed || !got.UpdatedAt.Equal(end) {
			t.Errorf("it is %s since %s", got.State, got.UpdatedAt)
		}
		if got := show(t, a, ordinary, fresh.ID).State; got != declaration.Submitted {
			t.Errorf("what was in time is %s", got)
		}
	})
}

// The credential level at the time of the number counts, not the one that the request came in with.
func TestDeclaration_CredentialsThatWereRaisedSinceCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		stale := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		becomeDispositive(t, a, stale.PersonID)
		old := a.Submit(t, by, c)
		got := a.Draft(t, stale, c, replacing(c, old.ID, true))
		if got.State != declaration.Submitted || show(t, a, by, old.ID).State != declaration.Superseded {
			t.Errorf("filed with credentials that were raised since, it is %s", got.State)
		}
		if diff := cmp.Diff([]string{"declaration.received"}, kinds(t, a, stale.PersonID)); diff != "" {
			t.Error(diff)
		}
	})
}
