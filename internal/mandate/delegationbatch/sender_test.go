package delegationbatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/mandate/delegationbatch"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Whoever names a signatory is not told by the reason whether there is such a position.
func TestDelegationBatch_TheReasonTellsOfNoPosition(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		nobody := uuid.Must(uuid.NewV7())
		_, other := w.Employer(t)
		ceased := w.Company(t, world.Rome)
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE contributor_id = ?", ceased.ID)
		in := numbers(
			total, w.company.Positions[0].Number, w.company.Positions[1].Number, ceased.Positions[0].Number, "0000000000", "1111111111",
		)
		for i := range in.Entries {
			in.Entries[i].SignatoryID = []*uuid.UUID{&nobody, &other.PersonID}[i%2]
		}
		b := w.taken(in)
		w.drain()
		for _, i := range w.shown(b.ID).Items {
			if i.State != delegationbatch.Refused || *i.Reason != "unknown-position" {
				t.Errorf("%s is %s %v", i.PositionNumber, i.State, i.Reason)
			}
		}
		// The contributors that were found see it all the same.
		if n := w.Count(t, "delegation_lookups WHERE contributor_id IN ? AND delegate_id = ? AND person_id = ?", []uuid.UUID{
			w.company.ID, ceased.ID,
		}, w.delegate, w.by.PersonID); n != 2 || w.Count(t, "delegation_lookups") != 4 {
			t.Errorf("%d look-ups noted", n)
		}
	})
}

// A list looks contributors up, each once, within what a person may look up in a day. What it asks
// in vain counts as well.
func TestDelegationBatch_AListCountsAsLookUps(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		for range 198 {
			w.Exec(
				t, "INSERT INTO delegation_lookups (id, delegate_id, person_id, at) VALUES (?, ?, ?, ?)", uuid.Must(uuid.NewV7()),
				w.delegate, w.by.PersonID, w.Clock.Now(),
			)
		}
		second, _ := w.Employer(t)
		rome, milan, other := w.company.Positions[0].Number, w.company.Positions[1].Number, second.Positions[0].Number
		later := w.Clock.Now().Add(time.Hour)
		in := numbers(total, "0000000000", rome, other, "1111111111", milan)
		in.Entries[4].Terms.ValidUntil = &later
		b := w.taken(in)
		w.drain()
		want(t, w.shown(b.ID), "1 0000000000 refused unknown-position", "2 "+rome+" filed", "3 "+other+" refused too-many-lookups",
			"4 1111111111 refused too-many-lookups", "5 "+milan+" filed")
		if _, err := w.service.Delegations().Candidates(ctx, w.by, second.TaxCode.Clear(), nil); !fault.Is(err, fault.RateLimited) {
			t.Errorf("a search beyond: %v", err)
		}
		if n := w.Count(t, "delegation_lookups WHERE contributor_id = ?", w.company.ID); n != 1 ||
			w.Count(t, "delegation_lookups WHERE contributor_id IS NULL") != 199 || w.Count(t, "delegation_lookups") != 200 {
			t.Errorf("%d look-ups of the contributor", n)
		}
		// The next day, another list is another look.
		w.Clock.Advance(24 * time.Hour)
		w.by = w.enterAs(w.by.PersonID)
		b = w.taken(numbers(total, other, rome))
		w.drain()
		want(t, w.shown(b.ID), "1 "+other+" filed", "2 "+rome+" filed")
		if n := w.Count(t, "delegation_lookups"); n != 202 {
			t.Errorf("%d look-ups", n)
		}
	})
}

// One contributor is asked for one code: what is on the same terms is one delegation.
func TestDelegationBatch_PositionsOfOneContributorGoTogether(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		offices := make([]string, 5)
		for i := range offices {
			offices[i] = world.Rome
		}
		c, rep := w.Employer(t, offices...)
		other, _ := w.Employer(t)
		w.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", c.Positions[4].ID)
		n := func(i int) string { return c.Positions[i].Number }
		in := numbers(total, n(0), other.Positions[0].Number, n(1), n(2), n(3), n(4))
		in.Entries[3].Terms.Exclusive = true
		in.Entries[4].SignatoryID = &rep.PersonID
		b := w.taken(in)
		w.drain()
		b = w.shown(b.ID)
		want(
			t, b, "1 "+n(0)+" filed", "2 "+other.Positions[0].Number+" filed", "3 "+n(1)+" filed", "4 "+n(2)+" filed", "5 "+n(3)+" filed",
			"6 "+n(4)+" refused position-ceased",
		)
		shared := *b.Items[0].DelegationID
		if *b.Items[2].DelegationID != shared || *b.Items[1].DelegationID == shared || *b.Items[3].DelegationID == shared ||
			*b.Items[4].DelegationID == shared {
			t.Errorf("%+v", b.Items)
		}
		if n := w.Count(t, "delegation_positions WHERE delegation_id = ? AND position_id IN ?", shared, []uuid.UUID{
			c.Positions[0].ID, c.Positions[1].ID,
		}); n != 2 || w.Count(t, "delegations") != 4 {
			t.Errorf("%d positions, %d delegations", n, w.Count(t, "delegations"))
		}
		if b.State != delegationbatch.Done || b.ItemsDone != 6 {
			t.Errorf("%+v", b)
		}
		unsigned, err := w.service.Delegations().Unsigned(ctx, []uuid.UUID{shared})
		if err != nil || len(unsigned) != 1 || len(unsigned[0].Positions) != 2 {
			t.Errorf("%+v, %v", unsigned, err)
		}
		if _, err := w.service.Forms(ctx, w.by, b.ID); err != nil {
			t.Error(err)
		}
	})
}

// Who sent a list may have logged out when its turn comes, and may not have lost the membership.
func TestDelegationBatch_TheSeatAndNotTheSessionIsLookedAtLater(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		rome, milan := w.company.Positions[0].Number, w.company.Positions[1].Number
		caf := w.Association(t)
		p := w.Person(t, nil)
		role := w.DelegateRole(t, p.ID, caf, access.EmployeeDelegate, access.Delegations)
		w.by = w.enter(p)
		first := w.taken(numbers(total, rome))
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.by.SessionID)
		w.drain()
		done := w.shown(first.ID)
		want(t, done, "1 "+rome+" filed")
		if n := w.Count(t, "audit_records WHERE subject_id = ? AND person_id = ? AND session_id = ? AND right_id = ? AND "+
			"contributor_id = ?",
			done.Items[0].DelegationID.String(), p.ID, w.by.SessionID, role, w.company.ID); n != 1 {
			t.Errorf("%d records of the draft", n)
		}
		if n := w.Count(
			t, "audit_records WHERE operation = 'draftDelegationBatch' AND acting_as = 'employee_delegate' AND right_id = ?", role,
		); n != 1 {
			t.Errorf("%d records of the list say by which right", n)
		}
		lookUps := w.Count(t, "delegation_lookups")
		w.by = w.enter(p)
		second := w.taken(numbers(total, milan))
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		w.drain()
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = NULL WHERE id = ?", role)
		want(t, w.shown(second.ID), "1 "+milan+" refused forbidden")
		third := w.taken(numbers(total, milan))
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		// A membership elsewhere is none here.
		w.DelegateRole(t, p.ID, w.Association(t), access.EmployeeDelegate, access.Delegations)
		w.drain()
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = NULL WHERE id = ?", role)
		want(t, w.shown(third.ID), "1 "+milan+" refused unknown-delegate")
		if w.Count(t, "delegations") != 1 || w.Count(t, "delegation_lookups") != lookUps {
			t.Error("it did something without a membership")
		}
	})
}

// A repeat is answered to who may still see the list. What ended after the actor was let in is
// seen.
func TestDelegationBatch_ARepeatedListGoesRoundNoLostSeat(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.Person(t, nil)
		role := w.DelegateRole(t, p.ID, w.Association(t), access.EmployeeDelegate, access.Delegations)
		w.by = w.enter(p)
		in := numbers(total, w.company.Positions[0].Number)
		if _, err := w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in); err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(), role)
		_, err := w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		refused(t, "without a membership", err, fault.Forbidden)
		w.DelegateRole(t, p.ID, w.Association(t), access.EmployeeDelegate, access.Delegations)
		_, err = w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		refused(t, "with another membership", err, fault.NotFound)
		w.Exec(t, "UPDATE idempotency_keys SET status = 202, headers = '{}', body = ?", []byte("{}"))
		_, err = w.service.Draft(world.WithKey(ctx, w.by, "key-1"), w.by, in)
		refused(t, "with another membership, where the answer was kept", err, fault.NotFound)
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), w.by.SessionID)
		_, err = w.service.Draft(ctx, w.by, in)
		refused(t, "in a session that ended", err, fault.SessionEnded)
		if n := w.Count(t, "delegation_batches"); n != 1 {
			t.Errorf("%d lists", n)
		}
	})
}

// What ends the membership or the person while an item is under way comes before it.
func TestDelegationBatch_TheSeatEndsBesideAnItem(t *testing.T) {
	// On SQLite the one writer puts the two in order before either looks.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	p := w.Person(t, nil)
	role := w.DelegateRole(t, p.ID, w.Association(t), access.EmployeeDelegate, access.Delegations)
	w.by = w.enter(p)
	number := w.company.Positions[0].Number
	for what, c := range map[string]struct {
		end, mend string
		id        uuid.UUID
	}{
		"the role": {
			"UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", "UPDATE delegate_roles SET withdrawn_at = NULL WHERE id = ?", role,
		},
		"the person": {
			"UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?",
			"UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?", p.ID,
		},
	} {
		b := w.taken(numbers(total, number))
		drained := make(chan error, 1)
		err := d.InTx(ctx, func(ctx context.Context) error {
			if err := d.From(ctx).Exec(c.end, w.Clock.Now(), c.id).Error; err != nil {
				return err
			}
			go func() { drained <- w.service.Drain(context.Background()) }()
			world.Eventually(t, "the item waits", func() bool {
				return w.Count(t, "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-drained; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		w.Exec(t, c.mend, c.id)
		want(t, w.shown(b.ID), "1 "+number+" refused forbidden")
	}
	if n := w.Count(t, "delegations"); n != 0 {
		t.Errorf("%d delegations", n)
	}
}

// A list from a session that a national identity began is as good as with a dispositive PIN, when
// its turn comes too.
func TestDelegationBatch_OfANationalIdentity(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		number := w.company.Positions[0].Number
		w.Exec(t, "UPDATE people SET credential_level = 'ordinary' WHERE id = ?", w.by.PersonID)
		byPIN := w.taken(numbers(total, number))
		w.drain()
		if i := w.shown(byPIN.ID).Items[0]; i.State != delegationbatch.Refused {
			t.Errorf("with an ordinary PIN it is %s", i.State)
		}
		w.Exec(t, "UPDATE sessions SET login_method = 'spid' WHERE id = ?", w.by.SessionID)
		bySPID := w.taken(numbers(total, number))
		w.drain()
		want(t, w.shown(bySPID.ID), "1 "+number+" filed")
	})
}
