package declaration_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

var states = []declaration.State{
	declaration.Submitted, declaration.InCharge, declaration.AwaitingCredentials, declaration.Accepted,
	declaration.ProvisionallyNotAccepted, declaration.NotAccepted,
	declaration.Confirmed, declaration.Lapsed, declaration.Withdrawn, declaration.Superseded,
}

func TestDeclaration_Withdrawing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		colleague := a.Colleague(t, c.ID, access.Employer, access.Dispositive)
		open := []declaration.State{declaration.Submitted, declaration.AwaitingCredentials, declaration.ProvisionallyNotAccepted}
		for _, state := range states {
			filed := a.Submit(t, by, c)
			setState(t, a, filed.ID, state)
			a.Clock.Advance(time.Minute)
			messages := a.Count(t, "outbox")
			got, err := a.Declarations.Withdraw(asked("withdrawDeclaration"), colleague, filed.ID)
			if !slices.Contains(open, state) {
				conflict(t, string(state), err, "declaration-not-withdrawable")
				if left := show(t, a, by, filed.ID); left.State != state || left.Version != filed.Version ||
					a.Count(t, "outbox") != messages {
					t.Errorf("a refused withdrawal left %+v", left)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", state, err)
				continue
			}
			// It keeps everything but its state: number, receipt, and who filed it.
			want := filed
			want.State, want.Version, want.UpdatedAt = declaration.Withdrawn, filed.Version+1, a.Clock.Now()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s:\n%s", state, diff)
			}
			if diff := cmp.Diff(got, show(t, a, by, filed.ID)); diff != "" {
				t.Errorf("%s, as it is stored:\n%s", state, diff)
			}
			all := promises(t, a)
			data, _ := json.Marshal(map[string]string{"protocol_number": *filed.ProtocolNumber, "type": world.Type})
			if diff := cmp.Diff(promise{"declaration.withdrawn", colleague.PersonID, string(data)}, all[len(all)-1]); diff != "" ||
				len(all) != messages+1 {
				t.Errorf("%s: %d messages more\n%s", state, len(all)-messages, diff)
			}
			if n := a.Count(t, "audit_records WHERE operation = 'withdrawDeclaration' AND subject_id = ?", filed.ID.String()); n != 1 {
				t.Errorf("%s: %d audit records", state, n)
			}
		}
	})
}

func TestDeclaration_WithdrawnOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		filed := a.Submit(t, by, c)
		var done atomic.Int64
		world.Parallel(10, func(int) {
			_, err := a.Declarations.Withdraw(ctx, by, filed.ID)
			if err == nil {
				done.Add(1)
			} else {
				conflict(t, "another withdrawal", err, "declaration-not-withdrawable")
			}
		})
		if done.Load() != 1 || a.Count(t, "outbox WHERE kind = 'declaration.withdrawn'") != 1 {
			t.Errorf("withdrawn %d times", done.Load())
		}
	})
}

// replacing is a complete declaration that supersedes another.
func replacing(c world.Company, old uuid.UUID, atOnce bool) declaration.Input {
	in := c.Input(atOnce)
	in.SupersedesID = &old
	return in
}

func TestDeclaration_Superseding(t *testing.T) {
	for name, atOnce := range map[string]bool{"a draft": false, "at once": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				c, by := a.Employer(t)
				able := []declaration.State{
					declaration.Submitted, declaration.InCharge, declaration.AwaitingCredentials, declaration.Accepted,
					declaration.ProvisionallyNotAccepted, declaration.NotAccepted, declaration.Confirmed,
				}
				for _, state := range states {
					old := a.Submit(t, by, c)
					setState(t, a, old.ID, state)
					a.Clock.Advance(time.Minute)
					got, err := a.Declarations.Draft(ctx, by, c.ID, replacing(c, old.ID, atOnce))
					if !slices.Contains(able, state) {
						conflict(t, string(state), err, "supersedes-not-possible")
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", state, err)
						continue
					}
					if !atOnce {
						if left := show(t, a, by, old.ID); left.State != state || left.Version != old.Version {
							t.Errorf("%s: a draft changed what it is going to supersede: %+v", state, left)
						}
						got = submit(t, a, by, got.ID)
					}
					if got.SupersedesID == nil || *got.SupersedesID != old.ID || got.State != declaration.Submitted ||
						*got.ProtocolNumber == *old.ProtocolNumber {
						t.Errorf("%s: superseded by %+v", state, got)
					}
					want := old
					want.State, want.Version, want.UpdatedAt, want.SupersededByID = declaration.Superseded, old.Version+1, a.Clock.Now(), &got.ID
					if diff := cmp.Diff(want, show(t, a, by, old.ID)); diff != "" {
						t.Errorf("%s: what was superseded lost more than its state:\n%s", state, diff)
					}
				}
			})
		})
	}
}

func TestDeclaration_WhatCannotBeSuperseded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t, world.Rome, world.Milan)
		other, stranger := a.Employer(t)
		position, kind := c.Input(true), c.Input(true)
		position.PositionID = c.Positions[1].ID
		kind.Type, kind.Content = "SRDC", exampleOf(t, a, "SRDC")
		for name, id := range map[string]uuid.UUID{
			"a draft":                             a.Draft(t, by, c, c.Input(false)).ID,
			"another contributor's":               a.Submit(t, stranger, other).ID,
			"one at another position":             a.Draft(t, by, c, position).ID,
			"one of another type":                 a.Draft(t, by, c, kind).ID,
			"one that does not exist":             uuid.Must(uuid.NewV7()),
			"a contributor, which is none at all": c.ID,
		} {
			for _, atOnce := range []bool{false, true} {
				_, err := a.Declarations.Draft(ctx, by, c.ID, replacing(c, id, atOnce))
				refused(t, name, err, fault.Invalid, "/supersedes_id", "unknown-declaration")
			}
		}
		// A draft that was right when it was made may be wrong when it is filed.
		old := a.Submit(t, by, c)
		moved, withdrawn := a.Draft(t, by, c, replacing(c, old.ID, false)), a.Draft(t, by, c, replacing(c, old.ID, false))
		if _, err := a.Declarations.Change(ctx, by, moved.ID, 1, declaration.Change{PositionID: &c.Positions[1].ID}); err != nil {
			t.Fatal(err)
		}
		_, err := a.Declarations.Submit(ctx, by, moved.ID)
		refused(t, "moved to another position since", err, fault.Invalid, "/supersedes_id", "unknown-declaration")
		if _, err := a.Declarations.Withdraw(ctx, by, old.ID); err != nil {
			t.Fatal(err)
		}
		_, err = a.Declarations.Submit(ctx, by, withdrawn.ID)
		conflict(t, "withdrawn since", err, "supersedes-not-possible")
	})
}

func exampleOf(t *testing.T, a *world.App, code string) json.RawMessage {
	t.Helper()
	typ, err := a.Types.Get(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	return typ.ContentExample
}

func TestDeclaration_IsSupersededOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		old := a.Submit(t, by, c)
		drafts := make([]uuid.UUID, 10)
		for i := range drafts {
			drafts[i] = a.Draft(t, by, c, replacing(c, old.ID, false)).ID
		}
		var done atomic.Int64
		world.Parallel(2*len(drafts), func(i int) {
			var err error
			if i < len(drafts) {
				_, err = a.Declarations.Submit(ctx, by, drafts[i])
			} else {
				_, err = a.Declarations.Draft(ctx, by, c.ID, replacing(c, old.ID, true))
			}
			if err == nil {
				done.Add(1)
			} else {
				conflict(t, "another that supersedes it", err, "supersedes-not-possible")
			}
		})
		if done.Load() != 1 || show(t, a, by, old.ID).Version != 2 || a.Count(t, "protocol_entries") != 2 {
			t.Errorf("superseded %d times, %d lines in the register", done.Load(), a.Count(t, "protocol_entries"))
		}
	})
}

func TestDeclaration_OneGroupSupersedesOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		old := a.Submit(t, by, c)
		typ, err := a.Types.Get(ctx, world.Type)
		if err != nil {
			t.Fatal(err)
		}
		entries := make([]*declaration.Entry, 3)
		for i := range entries {
			entries[i] = declaration.NewEntry(a.Draft(t, by, c, replacing(c, old.ID, false)).Declaration, typ, by, 1+i%2)
		}
		// The second is refused for its version: it supersedes nothing.
		entries[0], entries[1] = entries[1], entries[0]
		handler := declaration.NewHandler(d)
		if err := d.InTx(ctx, func(ctx context.Context) error { return handler.Check(ctx, entries) }); err != nil {
			t.Fatal(err)
		}
		conflict(t, "a changed draft", entries[0].Err, "declaration-changed")
		if entries[1].Err != nil {
			t.Errorf("the first that may: %v", entries[1].Err)
		}
		conflict(t, "the next", entries[2].Err, "supersedes-not-possible")
	})
}

// Ordinary credentials consult: what is filed with them waits, and until it is complete it takes
// nothing away.
func TestDeclaration_WhatWaitsForCredentialsSupersedesNothingYet(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		ordinary := a.Colleague(t, c.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
		old := a.Submit(t, by, c)
		for _, waiting := range []declaration.View{
			a.Draft(t, ordinary, c, replacing(c, old.ID, true)),
			submit(t, a, ordinary, a.Draft(t, ordinary, c, replacing(c, old.ID, false)).ID),
		} {
			if waiting.State != declaration.AwaitingCredentials || *waiting.SupersedesID != old.ID {
				t.Errorf("it is %s and supersedes %v", waiting.State, waiting.SupersedesID)
			}
		}
		if diff := cmp.Diff(old, show(t, a, by, old.ID)); diff != "" {
			t.Errorf("what would be superseded changed:\n%s", diff)
		}
		a.Draft(t, by, c, replacing(c, old.ID, true))
		if got := show(t, a, by, old.ID).State; got != declaration.Superseded {
			t.Errorf("superseded with dispositive credentials, it is %s", got)
		}
	})
}
