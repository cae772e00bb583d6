package access

import (
	"context"
)

// Reach is what somebody may do at contributors of one kind, whichever these are.
type Reach struct {
	// Kind is the contributors' kind.
	Kind     string
	ActingAs ActingAs
	Services ServiceSet
}

var selectReach = `SELECT c.kind, r.role, r.services, NULL AS own_services FROM contributor_roles r JOIN contributors c
	ON c.id = r.contributor_id
	WHERE r.person_id = ? AND ` + LiveRole("r") + `
	UNION SELECT c.kind, 'intermediary', g.services, NULL FROM delegates h
	JOIN delegations g ON g.delegate_id = h.id AND ` + LiveDelegation("g") + `
	JOIN contributors c ON c.id = g.contributor_id WHERE h.tax_code = ? AND h.kind = 'professional' AND ` + OnRegister("h") + `
	UNION SELECT c.kind, 'intermediary', g.services, u.services FROM delegate_roles u
	JOIN delegates h ON h.id = u.delegate_id AND ` + OnRegister("h") + `
	JOIN delegations g ON g.delegate_id = h.id AND ` + LiveDelegation("g") + `
	JOIN contributors c ON c.id = g.contributor_id WHERE u.person_id = ? AND ` + LiveWorkerRole("u") + `
	UNION SELECT c.kind, 'sub_delegate', g.services, w.services FROM sub_delegations w
	JOIN delegates h ON h.id = w.delegate_id AND ` + OnRegister("h") + `
	JOIN delegations g ON g.delegate_id = h.id AND ` + LiveDelegation("g") + `
	JOIN contributors c ON c.id = g.contributor_id WHERE w.person_id = ? AND ` + LiveSubDelegation("w") + `
	AND ` + AboutDelegation("w", "g")

// Reach returns what the actor's rights over all contributors together allow, an operator's post
// aside. It has each kind of contributor with each kind of right and set of services once, however
// many contributors there are.
func (r *Repository) Reach(ctx context.Context, by Actor) ([]Reach, error) {
	now := r.clock.Now()
	var rows []struct {
		Kind        string
		Role        string
		Services    ServiceSet
		OwnServices *ServiceSet
	}
	if err := r.db.From(ctx).Raw(
		selectReach, by.PersonID, now, by.TaxCode.Clear(), now, by.PersonID, now, by.PersonID, now,
	).Scan(&rows).Error; err != nil {
		return nil, err
	}
	reaches := make([]Reach, len(rows))
	for i, row := range rows {
		reaches[i] = Reach{Kind: row.Kind, ActingAs: ActingAs(row.Role), Services: row.Services}
		if row.OwnServices != nil {
			reaches[i].Services = row.Services.Intersect(*row.OwnServices)
		}
	}
	return reaches, nil
}
