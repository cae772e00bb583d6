package access

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
)

var selectMemberships = `SELECT h.id, h.id AS delegate_id, h.kind, h.legal_name,
	CASE WHEN ` + OnRegister("h") + ` THEN 1 ELSE 0 END AS listed, 'intermediary' AS role, '["*"]' AS services
	FROM delegates h JOIN people p ON p.tax_code = h.tax_code WHERE p.id = ? AND h.kind = 'professional'
	UNION ALL SELECT u.id, h.id, h.kind, h.legal_name, CASE WHEN ` + OnRegister("h") + ` THEN 1 ELSE 0 END, u.role, u.services
	FROM delegate_roles u JOIN delegates h ON h.id = u.delegate_id WHERE u.person_id = ? AND ` + LiveRole("u") + `
	ORDER BY 4, 2, 6`

// Memberships returns what the actor is at intermediaries, those that left their register included.
// An application has those that manage delegations, where it may read these, and no others.
func (r *Repository) Memberships(ctx context.Context, by Actor) ([]Membership, error) {
	var rows []struct {
		ID         uuid.UUID
		DelegateID uuid.UUID
		Kind       string
		LegalName  string
		Listed     int
		Role       string
		Services   ServiceSet
	}
	err := r.db.From(ctx).Raw(selectMemberships, by.PersonID, by.PersonID).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	memberships := make([]Membership, 0, len(rows))
	for _, row := range rows {
		services, left := by.limitedAtIntermediary(row.Services)
		if !left {
			continue
		}
		memberships = append(memberships, Membership{
			ID: row.ID, DelegateID: row.DelegateID, Kind: row.Kind, LegalName: row.LegalName, Listed: row.Listed == 1,
			ActingAs: ActingAs(row.Role), Services: services,
		})
	}
	return memberships, nil
}

var selectDelegation = "SELECT delegate_id, contributor_id, CASE WHEN " + OfferedDelegation("") +
	" THEN 1 ELSE 0 END AS offered, " + excluded("?", "delegations.contributor_id") + " AS excluded FROM delegations WHERE id = ?"

// RequireDelegation returns the fault by which the guard keeps somebody from what is done with a
// delegation, and nil where the service lets them in.
func (r *Repository) RequireDelegation(ctx context.Context, by Actor, delegationID uuid.UUID, s Service) error {
	return r.admit(ctx, &by, Rule{To: ToDelegation, Service: s}, Target{DelegationID: delegationID})
}

// admit lets the actor in to an intermediary or a delegation. The actor is one of the
// intermediary's people or, at a delegation, one of the contributor's. It returns fault.NotFound
// for anybody else and fault.ServiceNotDelegated where no right covers the service.
func (r *Repository) admit(ctx context.Context, actor *Actor, rule Rule, target Target) error {
	delegateID := target.DelegateID
	if rule.To == ToDelegation {
		var rows []struct {
			DelegateID, ContributorID uuid.UUID
			Offered, Excluded         int
		}
		if err := r.db.From(ctx).Raw(selectDelegation, actor.ConsentID(), target.DelegationID).Scan(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound)
		}
		delegateID, actor.ContributorID = rows[0].DelegateID, rows[0].ContributorID
		if actor.Grant != nil && (rows[0].Excluded == 1 || !actor.Grant.IsAbout(actor.ContributorID)) {
			return fault.New(fault.NotFound)
		}
		rights, err := r.Rights(ctx, *actor, []uuid.UUID{actor.ContributorID})
		if err != nil {
			return err
		}
		// Whoever acts for the contributor by a delegation is not the contributor. To the
		// contributor the delegation is nothing until a code was sent.
		actor.Rights = slices.DeleteFunc(rights[actor.ContributorID], func(r Right) bool {
			return r.Positions != nil || rows[0].Offered == 0
		})
	}
	memberships, err := r.Memberships(ctx, *actor)
	if err != nil {
		return err
	}
	actor.Memberships = slices.DeleteFunc(memberships, func(s Membership) bool { return s.DelegateID != delegateID })
	if len(actor.Memberships) == 0 && len(actor.Rights) == 0 {
		return fault.New(fault.NotFound)
	}
	if rule.Service != "" && !slices.ContainsFunc(actor.Memberships, func(s Membership) bool { return s.Covers(rule.Service) }) &&
		!slices.ContainsFunc(actor.Rights, func(r Right) bool { return r.Covers(rule.Service) }) {
		return fault.New(fault.ServiceNotDelegated)
	}
	return nil
}
