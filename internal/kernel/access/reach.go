package access

import (
	"context"
	"strings"
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

// The same for an application: each part is about contributors c, and ends with a condition.
var selectGrantedReach = strings.ReplaceAll(selectReach, "\n\tUNION", " AND "+Consented("c.id")+"\n\tUNION") + " AND " + Consented("c.id")

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
	query, args := selectReach, []any{by.PersonID, now, by.TaxCode.Clear(), now, by.PersonID, now, by.PersonID, now}
	if by.Grant != nil {
		consent := by.Grant.ConsentID
		query = selectGrantedReach
		args = []any{by.PersonID, consent, now, by.TaxCode.Clear(), consent, now, by.PersonID, consent, now, by.PersonID, now, consent}
	}
	if err := r.db.From(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	reaches := make([]Reach, 0, len(rows))
	for _, row := range rows {
		reach := Reach{Kind: row.Kind, ActingAs: ActingAs(row.Role), Services: row.Services}
		if row.OwnServices != nil {
			reach.Services = row.Services.Intersect(*row.OwnServices)
		}
		if by.Grant != nil {
			// Which contributors these are the statement has seen to.
			reach.Services = reach.Services.Intersect(by.Grant.Services)
			if len(reach.Services) == 0 {
				continue
			}
		}
		reaches = append(reaches, reach)
	}
	return reaches, nil
}
