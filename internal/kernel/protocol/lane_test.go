package protocol_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/kernel/protocol"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// tally is another thing that can be filed. Its handler counts how often each one was checked, and
// fails a group of several.
type tally struct {
	name   string
	checks int
}

type tallies struct{}

func (tallies) Check(_ context.Context, entries []*protocol.Entry[tally]) error {
	for _, e := range entries {
		e.Content.checks++
	}
	return nil
}

func (tallies) Store(_ context.Context, entries []*protocol.Entry[tally]) error {
	if len(entries) > 1 {
		return errors.New("one at a time")
	}
	return nil
}

func (f filer) tally(name string) protocol.Filing[tally] {
	return protocol.Filing[tally]{Header: f.filing(world.Rome, slip{}).Header, Content: tally{name: name}}
}

// Kinds share a register: each has its own handler, and numbers follow the arrival of all.
func TestLane_SharesTheOrderOfItsRegister(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		slips := newLane(a.NewRegister(t), gate)
		counted := protocol.NewLane(slips.register, "tally", tallies{})
		held := later(slips, who.filing(world.Rome, slip{}))
		gate.Reached()
		first := later(slips, who.filing(world.Rome, slip{}))
		world.Eventually(t, "the slip waits", func() bool { return slips.register.Waiting() == 1 })
		between := make(chan protocol.Entry[tally], 1)
		go func() {
			entry, err := counted.File(context.Background(), who.tally("between"))
			if err != nil {
				t.Error(err)
			}
			between <- entry
		}()
		world.Eventually(t, "the tally waits", func() bool { return slips.register.Waiting() == 2 })
		last := later(slips, who.filing(world.Rome, slip{}))
		world.Eventually(t, "the last slip waits", func() bool { return slips.register.Waiting() == 3 })
		gate.Open()
		<-held
		serials := []int{(<-first).entry.Number.Serial, (<-between).Number.Serial, (<-last).entry.Number.Serial}
		if diff := cmp.Diff([]int{2, 3, 4}, serials); diff != "" {
			t.Error(diff)
		}
		var kinds []string
		if err := d.From(context.Background()).Raw("SELECT kind FROM protocol_entries ORDER BY number").Scan(&kinds).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{kind, kind, "tally", kind}, kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// A group that fails is filed one by one, each from what came in.
func TestLane_BeginsEachAttemptWithWhatWasFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		who := newFiler(t, a)
		gate := world.NewGate()
		slips := newLane(a.NewRegister(t), gate)
		counted := protocol.NewLane(slips.register, "tally", tallies{})
		held := later(slips, who.filing(world.Rome, slip{}))
		gate.Reached()
		filed := make(chan protocol.Entry[tally], 3)
		for i := range cap(filed) {
			go func() {
				entry, err := counted.File(context.Background(), who.tally("one"))
				if err != nil {
					t.Error(err)
				}
				filed <- entry
			}()
			world.Eventually(t, "the tally waits", func() bool { return slips.register.Waiting() == i+1 })
		}
		gate.Open()
		<-held
		for range cap(filed) {
			if entry := <-filed; entry.Content != (tally{name: "one", checks: 1}) {
				t.Errorf("filed as %+v", entry.Content)
			}
		}
		checkOrder(t, lines(t, a, world.Rome))
	})
}
