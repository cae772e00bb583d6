package declaration

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration/catalogue"
	"diresco/internal/platform/taxcode"
)

// The reasons for what is decided by itself.
const (
	ReasonFundExhausted        ReasonCode = "fund-exhausted"
	ReasonAgeAtHire            ReasonCode = "age-at-hire"
	ReasonHireDateWindow       ReasonCode = "hire-date-window"
	ReasonContributorIrregular ReasonCode = "contributor-irregular"
	ReasonOtherLive            ReasonCode = "other-live-declaration"
	ReasonReservationGone      ReasonCode = "reservation-gone"
)

// standing is what the register and the other declarations say that requirements look at.
type standing struct {
	irregular map[uuid.UUID]bool
	live      map[workerKey][]liveRow
}

type workerKey struct{ typ, worker string }

// liveRow is a declaration that counts as live for its worker and type.
type liveRow struct {
	ID            uuid.UUID
	Type          string
	WorkerTaxCode string
	ReservationID *uuid.UUID
}

// unmet returns the reasons for which a declaration may not be accepted. What it supersedes, and
// the reservation that it confirms, do not stand in its way. A hire that is not dated yet is looked
// at in the confirmation.
func (s standing) unmet(d Declaration, a *asked) []ReasonCode {
	var reasons []ReasonCode
	for _, r := range a.step.Requirements {
		switch r.Name {
		case catalogue.AgeAtHire:
			if a.hire != "" && a.worker != "" && !ageFits(r, a.worker, a.hire) {
				reasons = append(reasons, ReasonAgeAtHire)
			}
		case catalogue.HireDateWindow:
			if a.hire != "" && (r.From != "" && a.hire < r.From || r.To != "" && a.hire > r.To) {
				reasons = append(reasons, ReasonHireDateWindow)
			}
		case catalogue.ContributorRegular:
			if s.irregular[d.ContributorID] {
				reasons = append(reasons, ReasonContributorIrregular)
			}
		case catalogue.NoOtherLive:
			if slices.ContainsFunc(s.live[workerKey{d.Type, a.worker}], func(l liveRow) bool { return !related(d, l) }) {
				reasons = append(reasons, ReasonOtherLive)
			}
		}
	}
	return reasons
}

// related reports whether a live declaration is the same matter: itself, what it supersedes, or its
// reservation with that one's confirmations.
func related(d Declaration, l liveRow) bool {
	if l.ID == d.ID || d.SupersedesID != nil && *d.SupersedesID == l.ID {
		return true
	}
	if d.ReservationID == nil {
		return l.ReservationID != nil && *l.ReservationID == d.ID
	}
	return l.ID == *d.ReservationID || l.ReservationID != nil && *l.ReservationID == *d.ReservationID
}

// ageFits reports whether a worker has the age on the day of hire. Whole years count: one is a year
// older from the birthday on.
func ageFits(r catalogue.Requirement, worker, hire string) bool {
	day, err := time.Parse(time.DateOnly, hire)
	if err != nil {
		return false
	}
	born, known := taxcode.BornOn(worker, day)
	if !known {
		return false
	}
	age := day.Year() - born.Year()
	if day.Month() < born.Month() || day.Month() == born.Month() && day.Day() < born.Day() {
		age--
	}
	return (r.Min == nil || age >= *r.Min) && (r.Max == nil || age <= *r.Max)
}

// add notes that a declaration is live now.
func (s standing) add(d Declaration, a *asked) {
	if a.worker == "" || s.live == nil {
		return
	}
	key := workerKey{d.Type, a.worker}
	s.live[key] = append(s.live[key], liveRow{ID: d.ID, Type: d.Type, WorkerTaxCode: a.worker, ReservationID: d.ReservationID})
}

// end notes that a declaration is live no more.
func (s standing) end(id uuid.UUID) {
	for key, rows := range s.live {
		s.live[key] = slices.DeleteFunc(rows, func(l liveRow) bool { return l.ID == id })
	}
}

// wants reports whether a step has a requirement.
func wants(s catalogue.Step, name catalogue.RequirementName) bool {
	return slices.ContainsFunc(s.Requirements, func(r catalogue.Requirement) bool { return r.Name == name })
}

// matter is a declaration whose requirements are to be looked at.
type matter struct {
	declaration Declaration
	asked       *asked
}

// standing reads what the requirements of these declarations look at, with a statement for each
// kind. Two that are filed at once for one worker come one after the other.
func (r *repository) standing(ctx context.Context, matters []matter) (standing, error) {
	s := standing{irregular: map[uuid.UUID]bool{}, live: map[workerKey][]liveRow{}}
	var contributors []uuid.UUID
	var types, workers []string
	for _, m := range matters {
		if wants(m.asked.step, catalogue.ContributorRegular) && !slices.Contains(contributors, m.declaration.ContributorID) {
			contributors = append(contributors, m.declaration.ContributorID)
		}
		if wants(m.asked.step, catalogue.NoOtherLive) && m.asked.worker != "" {
			types, workers = append(types, m.declaration.Type), append(workers, m.asked.worker)
		}
	}
	if len(contributors) > 0 {
		var found []uuid.UUID
		err := r.db.From(ctx).Raw("SELECT id FROM contributors WHERE id IN ? AND irregular", contributors).Scan(&found).Error
		if err != nil {
			return s, err
		}
		for _, id := range found {
			s.irregular[id] = true
		}
	}
	if len(workers) == 0 {
		return s, nil
	}
	slices.Sort(types)
	types = slices.Compact(types)
	for _, typ := range types {
		if err := r.db.LockName(ctx, "live declarations of "+typ); err != nil {
			return s, err
		}
	}
	var rows []liveRow
	err := r.db.From(ctx).Raw(`SELECT id, type, worker_tax_code, reservation_id FROM declarations WHERE worker_tax_code IN ? AND type IN ?
		AND state IN ('submitted', 'in_charge', 'accepted', 'provisionally_not_accepted', 'confirmed')`, workers, types).Scan(&rows).Error
	for _, l := range rows {
		key := workerKey{l.Type, l.WorkerTaxCode}
		s.live[key] = append(s.live[key], l)
	}
	return s, err
}
