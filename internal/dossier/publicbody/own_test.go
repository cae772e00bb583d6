package publicbody_test

import (
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// Who compiles lists and views none reads back what they filed themselves.
func TestDMA_IsReadBackByWhoFiledIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		compiler, another := w.colleague(access.Dispositive, access.CompileDMA), w.colleague(access.Dispositive, access.CompileDMA)
		nothing := w.colleague(access.Dispositive, access.ViewPayments)
		own, others := w.filed(compiler, list("2026-01"), nil), w.filed(w.by, list("2026-02"), nil)
		for name, test := range map[string]struct {
			by          access.Actor
			own, others bool
		}{
			"who filed it": {compiler, true, false}, "another who compiles": {another, false, false}, "who views": {w.by, true, true},
			"who pays": {nothing, false, false},
		} {
			for id, sees := range map[uuid.UUID]bool{own.ID: test.own, others.ID: test.others} {
				by, err := w.Guard.Enter(ctx, test.by.SessionID, access.Rule{To: access.ToDMA, Service: access.ViewDMA}, access.Target{AffairID: id})
				if err == nil {
					_, err = w.service.Show(ctx, by, id)
				}
				if (err == nil) != sees || err != nil && !fault.Is(err, fault.ServiceNotDelegated) && !fault.Is(err, fault.NotFound) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		// Once the right is gone, so is the list.
		w.Exec(t, "UPDATE contributor_roles SET withdrawn_at = ? WHERE person_id = ?", w.Clock.Now(), compiler.PersonID)
		_, err := w.Guard.Enter(ctx, compiler.SessionID, access.Rule{To: access.ToDMA, Service: access.ViewDMA}, access.Target{AffairID: own.ID})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("without a right: %v", err)
		}
	})
}
