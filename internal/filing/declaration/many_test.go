package declaration_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// The right may end between the look at it and the transaction: the transaction looks again.
func TestMany_TheRightIsLookedAtInTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, rep := a.Employer(t)
		by, err := a.Rights.Delayed(ctx, access.Later{PersonID: rep.PersonID, ContributorID: c.ID})
		if err != nil || by.SessionID != uuid.Nil || len(by.Rights) != 1 || by.TaxCode != rep.TaxCode || by.CredentialLevel != rep.CredentialLevel {
			t.Fatalf("%+v, %v", by, err)
		}
		var outcomes []declaration.Outcome
		file := func() {
			err := a.Declarations.FileMany(ctx, declaration.Many{
				By: by, ContributorID: c.ID, Inputs: []declaration.Input{c.Input(true), {Type: "RIOX", PositionID: c.Positions[0].ID}},
				Begin: func(context.Context) (map[int]error, error) { return nil, nil },
				End: func(_ context.Context, all []declaration.Outcome) error {
					outcomes = all
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		file()
		if outcomes[0].Err != nil || a.Count(t, "declarations") != 1 || a.Count(t, "outbox") != 0 {
			t.Errorf("%+v", outcomes)
		}
		refused(t, "an unknown type", outcomes[1].Err, fault.Invalid, "/type", fault.FieldUnknownType)
		if d := show(t, a, rep, outcomes[0].ID); d.State != declaration.Submitted || d.JWS == "" {
			t.Errorf("%+v", d)
		}
		a.WithdrawRole(t, by.Rights[0].ID)
		file()
		refused(t, "a right that has ended", outcomes[0].Err, fault.NotFound)
		if n := a.Count(t, "declarations"); n != 1 {
			t.Errorf("%d declarations", n)
		}
	})
}

// A draft of many may be superseded once, by the first of two in one group.
func TestMany_OneDeclarationIsSupersededOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, rep := a.Employer(t)
		old := a.Submit(t, rep, c)
		by, err := a.Rights.Delayed(ctx, access.Later{PersonID: rep.PersonID, ContributorID: c.ID})
		if err != nil {
			t.Fatal(err)
		}
		in := c.Input(true)
		in.SupersedesID = &old.ID
		err = a.Declarations.FileMany(ctx, declaration.Many{
			By: by, ContributorID: c.ID, Inputs: []declaration.Input{in, in},
			Begin: func(context.Context) (map[int]error, error) { return nil, nil },
			End: func(_ context.Context, all []declaration.Outcome) error {
				if all[0].Err != nil {
					t.Error(all[0].Err)
				}
				conflict(t, "the second", all[1].Err, "supersedes-not-possible")
				return nil
			},
		})
		if err != nil || show(t, a, rep, old.ID).State != declaration.Superseded {
			t.Error(err)
		}
	})
}
