package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

const other access.Service = "payments"

// A delegation lets an intermediary and its people do nothing before it is active or after it has
// ended. It lets them do nothing on another position and with another service than it names. One
// statement says so, whatever the person is.
func TestAccess_WhatADelegationLetsOneDo(t *testing.T) {
	inRome := func(w fixture) uuid.UUID { return w.company.Positions[0].ID }
	inMilan := func(w fixture) uuid.UUID { return w.company.Positions[1].ID }
	partial := func(services ...access.Service) func(*world.Delegation) {
		return func(d *world.Delegation) { d.Scope, d.Services = "partial", world.Services(services...) }
	}
	professional := func(t *testing.T, w fixture, change func(*world.Delegation), positions ...uuid.UUID) (session, right uuid.UUID) {
		p, delegate := w.Professional(t)
		return w.Session(t, p.ID, nil), w.Delegation(t, delegate, w.company, change, positions...)
	}
	worker := func(
		t *testing.T, w fixture, change func(*world.SubDelegation), delegation func(*world.Delegation), listed bool,
	) (session, right uuid.UUID) {
		_, delegate := w.Professional(t)
		d := w.Delegation(t, delegate, w.company, delegation)
		p := w.Person(t, nil)
		var only []uuid.UUID
		if listed {
			only = []uuid.UUID{d}
		}
		return w.Session(t, p.ID, nil), w.SubDelegation(t, delegate, p.ID, change, only...)
	}
	for _, c := range []struct {
		name string
		who  func(t *testing.T, w fixture) (session, right uuid.UUID)
		want wants
		as   access.ActingAs
	}{
		{"a delegate", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, nil)
		}, entitled, access.Intermediary},
		{"a delegate for declarations", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, partial(access.Declarations), inRome(w))
		}, entitled, access.Intermediary},
		{"a delegate for another service", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, partial(other))
		}, undelegated, access.Intermediary},
		{"a delegate for another position", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, nil, inMilan(w))
		}, elsewhere, access.Intermediary},
		{"a draft", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, func(d *world.Delegation) { d.State, d.ActivatedAt = "draft", nil })
		}, stranger, ""},
		{"a pending one", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, func(d *world.Delegation) { d.State, d.ActivatedAt = "pending", nil })
		}, stranger, ""},
		{"a revoked one", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, func(d *world.Delegation) { d.State, d.EndedAt = "revoked", &d.DraftedAt })
		}, stranger, ""},
		{"one that ends now", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return professional(t, w, func(d *world.Delegation) { d.ValidUntil = &d.DraftedAt })
		}, stranger, ""},
		{"one that ends soon", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			soon := w.Clock.Now().Add(time.Microsecond)
			return professional(t, w, func(d *world.Delegation) { d.ValidUntil = &soon })
		}, entitled, access.Intermediary},
		{"of one that left its register", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			p, delegate := w.Professional(t)
			id := w.Delegation(t, delegate, w.company, nil)
			w.StrikeOff(t, delegate)
			return w.Session(t, p.ID, nil), id
		}, stranger, ""},
		{"with a role at an association", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			delegate, p := w.Association(t), w.Person(t, nil)
			w.DelegateRole(t, p.ID, delegate, access.EmployeeDelegate, access.Declarations)
			return w.Session(t, p.ID, nil), w.Delegation(t, delegate, w.company, nil)
		}, entitled, access.Intermediary},
		{"with a role there for another service", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			delegate, p := w.Association(t), w.Person(t, nil)
			w.DelegateRole(t, p.ID, delegate, access.EmployeeDelegate, other)
			return w.Session(t, p.ID, nil), w.Delegation(t, delegate, w.company, partial(access.Declarations, other))
		}, undelegated, access.Intermediary},
		{"a user administrator there", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			delegate, p := w.Association(t), w.Person(t, nil)
			w.DelegateRole(t, p.ID, delegate, access.UserAdministrator, access.AllServices)
			return w.Session(t, p.ID, nil), w.Delegation(t, delegate, w.company, nil)
		}, stranger, ""},
		{"with a role there that was withdrawn", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			delegate, p := w.Association(t), w.Person(t, nil)
			w.Exec(
				t, "UPDATE delegate_roles SET withdrawn_at = ? WHERE id = ?", w.Clock.Now(),
				w.DelegateRole(t, p.ID, delegate, access.EmployeeDelegate, access.AllServices),
			)
			return w.Session(t, p.ID, nil), w.Delegation(t, delegate, w.company, nil)
		}, stranger, ""},
		{"a sub-delegate for all", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, nil, nil, false)
		}, entitled, access.SubDelegate},
		{"a sub-delegate for this one", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, nil, nil, true)
		}, entitled, access.SubDelegate},
		{"a sub-delegate for another one", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			_, delegate := w.Professional(t)
			w.Delegation(t, delegate, w.company, nil)
			p := w.Person(t, nil)
			return w.Session(t, p.ID, nil), w.SubDelegation(
				t, delegate, p.ID, nil, w.Delegation(t, delegate, w.Company(t, world.Rome), nil),
			)
		}, stranger, ""},
		{"a sub-delegate for more than was delegated", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, func(s *world.SubDelegation) { s.Services = world.Services(access.Declarations) }, partial(other), true)
		}, undelegated, access.SubDelegate},
		{"a sub-delegate revoked", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, func(s *world.SubDelegation) { s.RevokedAt = &s.GrantedAt }, nil, false)
		}, stranger, ""},
		{"a sub-delegate until now", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, func(s *world.SubDelegation) { s.ValidUntil = &s.GrantedAt }, nil, false)
		}, stranger, ""},
		{"a sub-delegate of a revoked delegation", func(t *testing.T, w fixture) (uuid.UUID, uuid.UUID) {
			return worker(t, w, nil, func(d *world.Delegation) { d.State, d.EndedAt = "revoked", &d.DraftedAt }, true)
		}, stranger, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				w := newWorld(t, d)
				session, right := c.who(t, w)
				asked := world.Statements(t, d)
				for name, e := range c.want.each() {
					before := asked()
					actor, err := w.Guard.Enter(context.Background(), session, e.rule, access.Target{
						ContributorID: w.company.ID, DeclarationID: w.filed,
					})
					switch {
					case e.want == granted && err != nil, e.want != granted && !fault.Is(err, e.want):
						t.Errorf("%s: %v, want %q", name, err, e.want)
					case err == nil && (e.rule.To == access.ToContributor || e.rule.To == access.ToDeclaration) && c.as != "" &&
						(len(actor.Rights) != 1 || actor.Rights[0].ID != right || actor.Rights[0].ActingAs != c.as):
						t.Errorf("%s: entered with %+v", name, actor.Rights)
					}
					if n := asked() - before; n != 1 {
						t.Errorf("%s: %d statements", name, n)
					}
				}
			})
		})
	}
}

// An intermediary sees what was declared for the positions that it was given, and no other.
func TestAccess_AnIntermediarySeesItsPositionsOnly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		milan := w.company.Input(true)
		milan.PositionID = w.company.Positions[1].ID
		inMilan, err := w.Declarations.Draft(context.Background(), w.rep, w.company.ID, milan)
		if err != nil {
			t.Fatal(err)
		}
		p, delegate := w.Professional(t)
		delegation := w.Delegation(t, delegate, w.company, nil, w.company.Positions[1].ID)
		by := w.Enter(t, w.Session(t, p.ID, nil), w.company.ID)

		for name, list := range map[string]func() (page.Page[declaration.View], error){
			"the contributor's": func() (page.Page[declaration.View], error) {
				return w.Declarations.OfContributor(context.Background(), by, declaration.Filter{}, page.Request{})
			},
			"mine": func() (page.Page[declaration.View], error) {
				return w.Declarations.Mine(context.Background(), by, declaration.Filter{}, page.Request{})
			},
		} {
			found, err := list()
			if err != nil || len(found.Items) != 1 || found.Items[0].ID != inMilan.ID {
				t.Errorf("%s: %d declarations, %v", name, len(found.Items), err)
			}
		}
		positions, err := w.Contributors.Positions(context.Background(), by, w.company.ID, page.Request{})
		if err != nil || len(positions.Items) != 1 || positions.Items[0].ID != w.company.Positions[1].ID {
			t.Errorf("positions %+v, %v", positions.Items, err)
		}
		mine, err := w.Contributors.Mine(context.Background(), by, contributor.Search{}, page.Request{})
		if err != nil || len(mine.Items) != 1 || len(mine.Items[0].Rights) != 1 || mine.Items[0].Rights[0].ID != delegation ||
			mine.Items[0].Rights[0].ActingAs != access.Intermediary {
			t.Errorf("contributors %+v, %v", mine.Items, err)
		}
		if _, err := w.Declarations.Draft(context.Background(), by, w.company.ID, w.company.Input(true)); !fault.Is(err, fault.Invalid) {
			t.Errorf("declared for a position that was not delegated: %v", err)
		}
		filed, err := w.Declarations.Draft(context.Background(), by, w.company.ID, milan)
		if err != nil || filed.ActingAs != access.Intermediary || filed.RightID != delegation {
			t.Errorf("filed as %s by %s: %v", filed.ActingAs, filed.RightID, err)
		}
		// It goes on saying so after the right has ended.
		w.Exec(t, "UPDATE delegations SET state = 'revoked', ended_at = ? WHERE id = ?", w.Clock.Now(), delegation)
		shown, err := w.Declarations.Show(context.Background(), w.rep, filed.ID)
		if err != nil || shown.ActingAs != access.Intermediary || shown.RightID != delegation {
			t.Errorf("afterwards: %+v, %v", shown.ActingAs, err)
		}
		if _, err := w.Declarations.Draft(context.Background(), by, w.company.ID, milan); !fault.Is(err, fault.NotFound) {
			t.Errorf("a request that was let in before the revocation: %v", err)
		}
	})
}
