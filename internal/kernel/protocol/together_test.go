package protocol_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// codes are why the entries of a group were refused, in their order.
func codes(entries []*protocol.Entry[slip]) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		var f *fault.Fault
		if errors.As(e.Err, &f) {
			all[i] = string(f.Code) + " " + f.Reason
		}
	}
	return all
}

func TestTogether_FilesTheGoodOnesInOneTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegister(t), nil)
		var ended []string
		group := protocol.Group[slip]{
			Filings: []protocol.Filing[slip]{
				who.filing(world.Rome, slip{}), who.filing(world.Milan, slip{}), who.filing(world.Rome, slip{refused: true}),
				who.filing(world.Rome, slip{}),
			},
			Begin: func(_ context.Context, entries []*protocol.Entry[slip]) error {
				entries[1].Refuse(fault.Because(fault.Conflict, "begin"))
				return nil
			},
			End: func(_ context.Context, entries []*protocol.Entry[slip]) error {
				ended = codes(entries)
				return nil
			},
		}
		entries, err := r.FileTogether(context.Background(), group)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"", "conflict begin", "conflict slip-refused", ""}
		if diff := cmp.Diff(want, codes(entries)); diff != "" || !cmp.Equal(want, ended) {
			t.Errorf("%v %s", ended, diff)
		}
		if entries[0].Number.Serial != 1 || entries[3].Number.Serial != 2 || a.Count(t, "protocol_entries") != 2 {
			t.Error("numbers are given otherwise")
		}
		if n := a.Count(t, "audit_records"); n != 2 {
			t.Errorf("%d traces", n)
		}
		checkOrder(t, lines(t, a, world.Rome))
	})
}

func TestTogether_AWholeIsFiledOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegister(t), nil)
		ended := 0
		group := protocol.Group[slip]{
			Whole: true, Other: fault.Because(fault.Conflict, "whole"),
			Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{}), who.filing(world.Rome, slip{refused: true})},
			End:     func(context.Context, []*protocol.Entry[slip]) error { ended++; return nil },
		}
		entries, err := r.FileTogether(context.Background(), group)
		if diff := cmp.Diff([]string{"conflict whole", "conflict slip-refused"}, codes(entries)); err != nil || diff != "" || ended != 1 {
			t.Errorf("%v, ended %d times %s", err, ended, diff)
		}
		if n := a.Count(t, "protocol_entries") + a.Count(t, "audit_records"); n != 0 {
			t.Errorf("%d rows", n)
		}
		if got := mustFile(t, r, who.filing(world.Rome, slip{})); got.Number.Serial != 1 {
			t.Errorf("the next number is %s", got.Number)
		}
	})
}

// What fails undoes all of its group, and nothing of another.
func TestTogether_AnErrorUndoesTheGroup(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegister(t), nil)
		boom := errors.New("boom")
		fails := func(context.Context, []*protocol.Entry[slip]) error { return boom }
		for what, g := range map[string]protocol.Group[slip]{
			"begin": {Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{})}, Begin: fails},
			"end":   {Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{})}, End: fails},
			"store": {Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{}), who.filing(world.Rome, slip{failing: true})}},
		} {
			if _, err := r.FileTogether(context.Background(), g); err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		if n := a.Count(t, "protocol_entries"); n != 0 {
			t.Errorf("%d entries", n)
		}
		mustFile(t, r, who.filing(world.Rome, slip{}))
		checkOrder(t, lines(t, a, world.Rome))
	})
}

// Who files without a session files while they are not suspended and the right lasts.
func TestTogether_LooksAtWhoFilesWithoutASession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		who.actor.SessionID = uuid.Nil
		r := newLane(a.NewRegister(t), nil)
		file := func() []string {
			entries, err := r.FileTogether(context.Background(), protocol.Group[slip]{
				Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{})},
			})
			if err != nil {
				t.Fatal(err)
			}
			return codes(entries)
		}
		if got := file(); got[0] != "" {
			t.Error(got)
		}
		a.Exec(t, "UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?", a.Clock.Now(), who.actor.PersonID)
		if got := file(); got[0] != "not-found " {
			t.Error("suspended", got)
		}
		a.Exec(t, "UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?", who.actor.PersonID)
		a.WithdrawRole(t, who.right.ID)
		if got := file(); got[0] != "not-found " {
			t.Error("without a right", got)
		}
	})
}

func TestTogether_ARegisterThatIsClosedTakesNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		r := newLane(a.NewRegister(t), nil)
		r.register.Close()
		_, err := r.FileTogether(context.Background(), protocol.Group[slip]{Filings: []protocol.Filing[slip]{who.filing(world.Rome, slip{})}})
		if !fault.Is(err, fault.Unavailable) {
			t.Error(err)
		}
	})
}
