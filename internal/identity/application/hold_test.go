package application_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// What an application does while it is suspended or removed is done before that or not at all, also
// by a consent that ends later.
func TestApplication_SuspensionAndRemovalWaitForWhatItDoes(t *testing.T) {
	w := newFixture(t, dbtest.Open(t, dbtest.Postgres(t)), false)
	company := w.Company(t, world.Rome)
	w.Role(t, w.owner.PersonID, company.ID, access.LegalRepresentative)
	for what, end := range map[string]func(id uuid.UUID) error{
		"suspension": func(id uuid.UUID) error { _, err := w.service.Suspend(ctx, w.admin, id, "x"); return err },
		"removal":    func(id uuid.UUID) error { return w.service.Remove(ctx, w.owner, id) },
	} {
		s := w.Software(t, w.owner.PersonID, nil)
		by := w.LetIn(t, s, company.ID)
		outcome := func(ctx context.Context) error {
			outcomes, err := w.Recheck.All(ctx, []recheck.Claim{recheck.ClaimOf(by, by.Rights[0])})
			if err != nil {
				t.Fatal(err)
			}
			return outcomes[0]
		}
		var ended error
		world.Beside(t, w.DB, outcome, func() { ended = end(s.ID) })
		if ended != nil {
			t.Fatalf("%s: %v", what, ended)
		}
		w.Must(t, func(ctx context.Context) error {
			if err := outcome(ctx); !fault.Is(err, fault.NotFound) {
				t.Errorf("after the %s: %v", what, err)
			}
			return nil
		})
	}
}

// Whoever works on something of an application, such as its webhooks, holds up nothing that it does.
func TestApplication_ManagingWhatItHasHoldsUpNothing(t *testing.T) {
	w := newFixture(t, dbtest.Open(t, dbtest.Postgres(t)), false)
	company := w.Company(t, world.Rome)
	w.Role(t, w.owner.PersonID, company.ID, access.LegalRepresentative)
	s := w.Software(t, w.owner.PersonID, nil)
	by := w.LetIn(t, s, company.ID)
	w.Must(t, func(ctx context.Context) error {
		if _, err := w.service.Manage(ctx, w.owner, s.ID, &operation.Trace{}); err != nil {
			return err
		}
		return w.DB.InTx(context.Background(), func(beside context.Context) error {
			outcomes, err := w.Recheck.All(beside, []recheck.Claim{recheck.ClaimOf(by, by.Rights[0])})
			if err != nil {
				return err
			}
			return outcomes[0]
		})
	})
}
