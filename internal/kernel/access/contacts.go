package access

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
)

// managersToldInstead is how many of those who manage an organisation's delegations are told where
// nobody represents it.
const managersToldInstead = 20

var selectAffairsContacts = `SELECT h.id AS delegate_id, p.id AS person_id FROM delegates h JOIN people p ON p.tax_code = h.tax_code
	WHERE h.id IN @delegates AND h.kind = 'professional'
	UNION SELECT u.delegate_id, u.person_id FROM delegate_roles u WHERE u.delegate_id IN @delegates AND u.role = 'legal_representative'
	AND ` + LiveRole("u") + `
	UNION SELECT x.delegate_id, x.person_id FROM (
		SELECT u.delegate_id, u.person_id, ROW_NUMBER() OVER (PARTITION BY u.delegate_id ORDER BY u.granted_at, u.id) AS place
		FROM delegate_roles u WHERE u.delegate_id IN @delegates AND u.role = 'employee_delegate' AND ` + LiveRole("u") + `
		AND ` + storedCovers("u.services", Delegations) + `
		AND NOT EXISTS (SELECT 1 FROM delegate_roles l
			WHERE l.delegate_id = u.delegate_id AND l.role = 'legal_representative' AND ` + LiveRole("l") + `)
	) x WHERE x.place <= @most`

// AffairsContacts lists who is told of the affairs of intermediaries, each once. Of a professional
// it is themselves, of an organisation its legal representatives. Where an organisation has none,
// it is those who manage its delegations, the first 20 of them.
func AffairsContacts(ctx context.Context, d *db.DB, delegateIDs []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	var rows []struct{ DelegateID, PersonID uuid.UUID }
	err := d.From(ctx).Raw(selectAffairsContacts, map[string]any{"delegates": delegateIDs, "most": managersToldInstead}).Scan(&rows).Error
	told := make(map[uuid.UUID][]uuid.UUID, len(delegateIDs))
	for _, row := range rows {
		told[row.DelegateID] = append(told[row.DelegateID], row.PersonID)
	}
	return told, err
}
