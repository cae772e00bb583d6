package delegation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// Whoever is refused at an intermediary learns what is missing.
func TestDelegation_WhyNoDelegationIsManagedFromASeat(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		caf, gone := w.Association(t), w.Association(t)
		declaring, _ := w.worker(caf, access.EmployeeDelegate, access.Declarations)
		administering, _ := w.worker(caf, access.UserAdministrator, access.AllServices)
		struckOff, _ := w.worker(gone, access.EmployeeDelegate, access.AllServices)
		both, _ := w.worker(gone, access.EmployeeDelegate, access.AllServices)
		w.DelegateRole(t, w.in(both).PersonID, caf, access.EmployeeDelegate, access.AllServices)
		pending := w.draft(both, of(gone))
		w.StrikeOff(t, gone)
		for _, c := range []struct {
			name    string
			session uuid.UUID
			wanted  *uuid.UUID
			code    fault.Code
			reason  string
		}{
			{"a citizen", w.representative, nil, fault.Forbidden, "no-intermediary"},
			{"without the service", declaring, nil, fault.ServiceNotDelegated, ""},
			{"a user administrator", administering, nil, fault.ServiceNotDelegated, ""},
			{"off the register", struckOff, nil, fault.Forbidden, "delegate-not-listed"},
			{"off the register, and named", both, &gone, fault.Forbidden, "delegate-not-listed"},
			{"somebody else's", both, &w.delegate, fault.Invalid, ""},
			{"on the register, and named", both, &caf, "", ""},
			{"on one register", both, nil, "", ""},
		} {
			in := input(w.company, w.signatory)
			in.DelegateID = c.wanted
			_, drafted := w.service.Draft(ctx, w.in(c.session), in)
			_, looked := w.service.Candidates(ctx, w.in(c.session), w.company.TaxCode.Clear(), c.wanted)
			for what, err := range map[string]error{"draft": drafted, "look-up": looked} {
				var f *fault.Fault
				if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &f) || f.Code != c.code || f.Reason != c.reason) {
					t.Errorf("%s, %s: %v, want %s %s", c.name, what, err, c.code, c.reason)
				}
			}
		}
		var f *fault.Fault
		if _, err := w.service.Send(ctx, w.at(both, pending.ID), pending.ID); !errors.As(err, &f) || f.Code != fault.Forbidden ||
			f.Reason != "delegate-not-listed" {
			t.Errorf("sent: %v", err)
		}
	})
}

// Whoever works for several intermediaries says for which they look, and the contributor sees that
// one.
func TestDelegation_ForWhichIntermediarySomebodyLooks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		first, second := w.Association(t), w.Association(t)
		session, _ := w.worker(first, access.EmployeeDelegate, access.AllServices)
		by := w.in(session)
		w.DelegateRole(t, by.PersonID, second, access.EmployeeDelegate, access.AllServices)
		for _, wanted := range []uuid.UUID{first, second} {
			if found, err := w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), &wanted); err != nil || len(found) != 1 {
				t.Fatalf("%d found, %v", len(found), err)
			}
			w.Clock.Advance(time.Second)
			looks, err := w.service.LookUps(ctx, w.Enter(t, w.representative, w.company.ID), w.company.ID, page.Request{})
			if err != nil || looks.Items[0].DelegateID != wanted {
				t.Errorf("seen are %+v, %v", looks.Items, err)
			}
		}
		if _, err := w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), nil); err != nil {
			t.Errorf("for any: %v", err)
		}
		_, err := w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), &w.delegate)
		refused(t, "for another's", err, fault.Invalid, "/delegate_id", "unknown-delegate")
		firm := w.Association(t)
		w.Exec(t, "UPDATE delegates SET kind = ? WHERE id = ?", intermediary.Firm, firm)
		_, err = w.service.Candidates(ctx, by, w.company.TaxCode.Clear(), &firm)
		refused(t, "for a firm", err, fault.DelegateMustBePerson)
	})
}
