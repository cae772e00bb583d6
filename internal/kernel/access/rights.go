package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// The rights of everybody who asks, for a table a of who asks (session_id, person_id, tax_code)
// about what (target_id, contributor_id). %s is the function that lists values, with its separator;
// each ? is the present.
var selectRights = `SELECT a.session_id, a.target_id, r.id AS right_id, r.role, r.services, NULL AS own_services,
		NULL AS positions, CAST(NULL AS uuid) AS delegation_id, CAST(NULL AS uuid) AS delegate_role_id,
		CAST(NULL AS uuid) AS sub_delegation_id
	FROM a JOIN contributor_roles r ON r.person_id = a.person_id AND r.contributor_id = a.contributor_id AND ` + LiveRole("r") + `
	UNION ALL
	SELECT a.session_id, a.target_id, g.id, 'intermediary', g.services, NULL, %[1]s, g.id, CAST(NULL AS uuid), CAST(NULL AS uuid)
	FROM a ` + joinDelegation + ` AND h.tax_code = a.tax_code AND h.kind = 'professional'
	UNION ALL
	SELECT a.session_id, a.target_id, g.id, 'intermediary', g.services, u.services, %[1]s, g.id, u.id, CAST(NULL AS uuid)
	FROM a ` + joinDelegation + ` JOIN delegate_roles u ON u.delegate_id = g.delegate_id AND u.person_id = a.person_id
		AND ` + LiveWorkerRole("u") + `
	UNION ALL
	SELECT a.session_id, a.target_id, w.id, 'sub_delegate', g.services, w.services, %[1]s, g.id, CAST(NULL AS uuid), w.id
	FROM a ` + joinDelegation + ` JOIN sub_delegations w ON w.delegate_id = g.delegate_id AND w.person_id = a.person_id
		AND ` + LiveSubDelegation("w") + `
		AND ` + AboutDelegation("w", "g")

// joinDelegation joins the live delegations of the contributor, with the intermediaries that are on
// their registers.
var joinDelegation = `JOIN delegations g ON g.contributor_id = a.contributor_id AND ` + LiveDelegation("g") + `
		JOIN delegates h ON h.id = g.delegate_id AND ` + OnRegister("h")

const delegatedPositions = "(SELECT %s FROM delegation_positions z WHERE z.delegation_id = g.id)"

// rightsQuery returns selectRights for the dialect, with its arguments.
func (r *Repository) rightsQuery() (query string, args []any) {
	now := r.clock.Now()
	return fmt.Sprintf(selectRights, listOfPositions(r.db.Dialect())), []any{now, now, now, now}
}

// rightRow is a right as it is read; without an id it is none. Its parts are read as texts, so that
// one that is stored wrongly fails itself and not the statement.
type rightRow struct {
	RightID         *uuid.UUID
	Role            *string
	Services        *string
	OwnServices     *string
	Positions       *string
	DelegationID    *uuid.UUID
	DelegateRoleID  *uuid.UUID
	SubDelegationID *uuid.UUID
}

const rightColumns = "b.right_id, b.role, b.services, b.own_services, b.positions, b.delegation_id, b.delegate_role_id, b.sub_delegation_id"

// right returns the right that was read, or nil.
func (row rightRow) right(contributorID uuid.UUID) (*Right, error) {
	if row.RightID == nil {
		return nil, nil
	}
	right := &Right{ID: *row.RightID, ContributorID: contributorID, ActingAs: ActingAs(*row.Role)}
	if err := right.Services.Scan(*row.Services); err != nil {
		return nil, err
	}
	if row.DelegationID == nil {
		right.Links = []Link{{RoleLink, right.ID}}
		return right, nil
	}
	right.Links = []Link{{DelegationLink, *row.DelegationID}}
	if row.DelegateRoleID != nil {
		right.Links = append(right.Links, Link{DelegateRoleLink, *row.DelegateRoleID})
	}
	if row.SubDelegationID != nil {
		right.Links = append(right.Links, Link{SubDelegationLink, *row.SubDelegationID})
	}
	if row.OwnServices != nil {
		var own ServiceSet
		if err := own.Scan(*row.OwnServices); err != nil {
			return nil, err
		}
		right.Services = right.Services.Intersect(own)
	}
	right.Positions = []uuid.UUID{}
	if row.Positions != nil {
		for text := range strings.SplitSeq(*row.Positions, ",") {
			id, err := uuid.Parse(text)
			if err != nil {
				return nil, err
			}
			right.Positions = append(right.Positions, id)
		}
	}
	return right, nil
}

// Rights returns what the actor may do for each of the contributors, an operator's post aside.
func (r *Repository) Rights(ctx context.Context, by Actor, contributorIDs []uuid.UUID) (map[uuid.UUID][]Right, error) {
	all := make(map[uuid.UUID][]Right, len(contributorIDs))
	if len(contributorIDs) == 0 {
		return all, nil
	}
	rights, more := r.rightsQuery()
	var rows []struct {
		TargetID uuid.UUID
		Right    rightRow `gorm:"embedded"`
	}
	took := ""
	if by.Grant != nil {
		took, more = " WHERE "+excluded("?", "b.target_id")+" = 0", append(more, by.Grant.ConsentID)
	}
	args := append([]any{by.PersonID, contributorIDs}, more...)
	err := r.db.From(ctx).Raw("WITH a AS (SELECT c.id AS session_id, c.id AS target_id, p.id AS person_id, p.tax_code, c.id AS "+
		"contributor_id FROM people p, contributors c WHERE p.id = ? AND c.id IN ?), b AS ("+
		rights+") SELECT b.target_id, "+rightColumns+" FROM b"+took, args...).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		right, err := row.Right.right(row.TargetID)
		if err != nil {
			return nil, err
		}
		if left, some := by.limited(*right); some {
			all[row.TargetID] = append(all[row.TargetID], left)
		}
	}
	for _, rights := range all {
		inOrder(rights)
	}
	return all, nil
}

var (
	selectRoles        = "SELECT r.contributor_id, r.services FROM contributor_roles r WHERE r.person_id = ? AND " + LiveRole("r")
	selectGrantedRoles = selectRoles + " AND " + excluded("?", "r.contributor_id") + " = 0"
)

// Represented lists the contributors at which the actor has a role that covers the service.
func (r *Repository) Represented(ctx context.Context, by Actor, s Service) ([]uuid.UUID, error) {
	var rows []struct {
		ContributorID uuid.UUID
		Services      ServiceSet
	}
	query, args := selectRoles, []any{by.PersonID}
	if by.Grant != nil {
		query, args = selectGrantedRoles, append(args, by.Grant.ConsentID)
	}
	if err := r.db.From(ctx).Raw(query+" ORDER BY r.contributor_id", args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, row := range rows {
		left, some := by.limited(Right{ContributorID: row.ContributorID, Services: row.Services})
		if some && left.Covers(s) && !slices.Contains(ids, row.ContributorID) {
			ids = append(ids, row.ContributorID)
		}
	}
	return ids, nil
}
