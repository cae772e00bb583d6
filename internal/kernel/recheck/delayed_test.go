package recheck_test

import (
	"context"
	"testing"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// What is done later asks for the person and the membership, and not for the session.
func TestRecheck_WhoActsLaterStillMay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p, caf := w.Person(t, nil), w.Association(t)
		role := w.DelegateRole(t, p.ID, caf, access.EmployeeDelegate, access.Delegations)
		w.Session(t, p.ID, func(s *world.Session) { s.EndedAt = &s.CreatedAt })
		memberships, err := w.Rights.Memberships(context.Background(), access.Actor{PersonID: p.ID})
		if err != nil || len(memberships) != 1 {
			t.Fatalf("%v, %v", memberships, err)
		}
		may := func() error {
			return d.InTx(context.Background(), func(ctx context.Context) error {
				return w.Recheck.Standing(ctx, p.ID, memberships[0].Right())
			})
		}
		for what, change := range map[string][2]string{
			"suspended": {
				"UPDATE people SET suspended_at = ?, suspension_reason = 'x' WHERE id = ?",
				"UPDATE people SET suspended_at = NULL, suspension_reason = NULL WHERE id = ?",
			},
			"the role is gone": {
				"UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", "UPDATE delegate_roles SET withdrawn_at = NULL WHERE id = ?",
			},
			"off the register": {
				"UPDATE delegates SET struck_off_at = ? WHERE id = ?", "UPDATE delegates SET struck_off_at = NULL WHERE id = ?",
			},
		} {
			if err := may(); err != nil {
				t.Errorf("before %s: %v", what, err)
			}
			id := map[string]any{"suspended": p.ID, "the role is gone": role, "off the register": caf}[what]
			w.Exec(t, change[0], w.Clock.Now(), id)
			if err := may(); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", what, err)
			}
			w.Exec(t, change[1], id)
		}
	})
}
