package world

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// RandomRights adds a person with rights of every kind over some of the companies. They are live
// ones and ended ones, for all services or few, over all positions or some. draw chooses a number
// from 0 to most.
func (a *App) RandomRights(t testing.TB, companies []Company, draw func(most int) int) access.Actor {
	t.Helper()
	p, own := a.Professional(t)
	service := func() access.Service {
		return []access.Service{access.AllServices, access.Declarations, access.ViewPayments}[draw(2)]
	}
	role := func() access.ActingAs {
		return []access.ActingAs{access.LegalRepresentative, access.EmployeeDelegate, access.UserAdministrator}[draw(2)]
	}
	now := a.Clock.Now()
	until := []*time.Time{nil, &now, new(now.Add(time.Hour))}
	employer, hirer := a.Association(t), a.Association(t)
	var hired []uuid.UUID
	for _, c := range companies {
		if draw(3) == 0 {
			id := a.Role(t, p.ID, c.ID, role(), service())
			if draw(3) == 0 {
				a.WithdrawRole(t, id)
			}
		}
		for _, delegate := range []uuid.UUID{own, employer, hirer} {
			if draw(2) > 0 {
				continue
			}
			var positions []uuid.UUID
			for _, x := range c.Positions[draw(len(c.Positions)-1):] {
				positions = append(positions, x.ID)
			}
			id := a.Delegation(t, delegate, c, func(d *Delegation) {
				if s := service(); s != access.AllServices {
					d.Scope, d.Services = "partial", Services(s)
				}
				d.ValidUntil = until[draw(2)]
				if draw(4) == 0 {
					d.State, d.EndedAt = "revoked", &now
				}
			}, positions...)
			if delegate == hirer && draw(1) == 0 {
				hired = append(hired, id)
			}
		}
	}
	if draw(1) == 0 {
		a.DelegateRole(t, p.ID, employer, role(), service())
	}
	if draw(1) == 0 {
		a.SubDelegation(t, hirer, p.ID, func(s *SubDelegation) { s.Services, s.ValidUntil = Services(service()), until[draw(2)] }, hired...)
	}
	if draw(5) == 0 {
		a.StrikeOff(t, []uuid.UUID{own, employer, hirer}[draw(2)])
	}
	return access.Actor{PersonID: p.ID, TaxCode: p.TaxCode}
}
