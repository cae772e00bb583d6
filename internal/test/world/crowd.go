package world

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/taxcode"
)

// Crowd adds 2,000 contributors with a position each. The first 1,200 give the intermediary a
// delegation, and each gives one to four of forty others. The ids of contributors and positions
// grow.
func (a *App) Crowd(t testing.TB, delegateID uuid.UUID) {
	t.Helper()
	const all, held = 2000, 1200
	signatory := a.Person(t, nil)
	others := make([]uuid.UUID, 40)
	for i := range others {
		_, others[i] = a.Professional(t)
	}
	var contributors []contributor.Contributor
	var positions []contributor.Position
	var delegations []Delegation
	now := a.Clock.Now()
	for i := range all {
		n := serial.Add(1)
		code, err := taxcode.ComposeOrganisation(fmt.Sprintf("%010d", n))
		if err != nil {
			t.Fatal(err)
		}
		c := contributor.Contributor{
			ID: uuid.Must(uuid.NewV7()), TaxCode: code, LegalName: fmt.Sprintf("%03d Officine %d", i%1000, i), Kind: contributor.Company,
			CreatedAt: now,
		}
		contributors = append(contributors, c)
		positions = append(positions, contributor.Position{
			ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: fmt.Sprintf("%010d", n), Scheme: "aziende", OfficeCode: Rome,
			State: contributor.PositionActive, CreatedAt: now,
		})
		delegates := slices.Clone(others[i%10*4 : i%10*4+4])
		if i < held {
			delegates = append(delegates, delegateID)
		}
		for _, delegate := range delegates {
			id := uuid.Must(uuid.NewV7())
			delegations = append(delegations, Delegation{
				ID: id, DelegateID: delegate, ContributorID: c.ID, ReferenceCode: id.String(), Scope: "total",
				Services: Services(access.AllServices), SignatoryID: signatory.ID,
				State: "active", DraftedBy: signatory.ID, DraftedAt: now, ActivatedAt: &now, Version: 1, UpdatedAt: now,
			})
		}
	}
	a.Must(t, func(ctx context.Context) error {
		for _, rows := range []any{contributors, positions, delegations} {
			if err := a.DB.From(ctx).CreateInBatches(rows, 500).Error; err != nil {
				return err
			}
		}
		return a.DB.From(ctx).Exec(
			"INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) SELECT g.id, g.contributor_id, x.id FROM " +
				"delegations g JOIN positions x ON x.contributor_id = g.contributor_id",
		).Error
	})
}
