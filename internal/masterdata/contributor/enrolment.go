package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// ByTaxCode returns the contributor with the tax code, or fault.NotFound.
func (s *Service) ByTaxCode(ctx context.Context, code taxcode.Code) (Contributor, error) {
	return s.repo.byTaxCode(ctx, code)
}

// Office returns the office with the code, or fault.NotFound.
func (s *Service) Office(ctx context.Context, code string) (Office, error) {
	return s.repo.office(ctx, code)
}

// OfficesOf lists the offices of a contributor's positions. Those of active positions come before
// those of positions that have ceased.
func (s *Service) OfficesOf(ctx context.Context, contributorID uuid.UUID) ([]Office, error) {
	return s.repo.officesOf(ctx, contributorID)
}

// Principals returns, by contributor, who answers for it: its legal representatives and employers,
// each once.
func (s *Service) Principals(ctx context.Context, contributorIDs []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	return s.repo.principals(ctx, contributorIDs)
}

// RightsOf returns the rights that a person's roles at a contributor give.
func (s *Service) RightsOf(ctx context.Context, personID, contributorID uuid.UUID) ([]access.Right, error) {
	return s.repo.held(ctx, personID, contributorID)
}

// Enable gives a person a role in the context's transaction, whatever they have. A live role of the
// same kind is extended by the services, and keeps its id.
func (s *Service) Enable(ctx context.Context, role Role, services access.ServiceSet, by uuid.UUID) error {
	return s.repo.enable(ctx, role, services, by)
}

func (r *repository) byTaxCode(ctx context.Context, code taxcode.Code) (Contributor, error) {
	var c Contributor
	err := r.db.From(ctx).Where("tax_code = ?", code.Clear()).Take(&c).Error
	return c, notFound(err)
}

func (r *repository) office(ctx context.Context, code string) (Office, error) {
	var o Office
	err := r.db.From(ctx).Where("code = ?", code).Take(&o).Error
	return o, notFound(err)
}

func (r *repository) officesOf(ctx context.Context, contributorID uuid.UUID) ([]Office, error) {
	var rows []Office
	err := r.db.From(ctx).Raw(`SELECT o.code, o.title FROM positions p JOIN offices o ON o.code = p.office_code WHERE p.contributor_id = ?
		GROUP BY o.code, o.title
		ORDER BY MIN(CASE p.state WHEN 'active' THEN '0' ELSE '1' END || p.number)`, contributorID).Scan(&rows).Error
	return rows, err
}

var selectPrincipals = `SELECT DISTINCT contributor_id, person_id FROM contributor_roles
	WHERE contributor_id IN ? AND role IN ('legal_representative', 'employer')
	AND ` + access.LiveRole("") + ` ORDER BY contributor_id, person_id`

func (r *repository) principals(ctx context.Context, contributorIDs []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	var rows []Role
	err := r.db.From(ctx).Raw(selectPrincipals, contributorIDs).Scan(&rows).Error
	found := make(map[uuid.UUID][]uuid.UUID, len(rows))
	for _, row := range rows {
		found[row.ContributorID] = append(found[row.ContributorID], row.PersonID)
	}
	return found, err
}

func (r *repository) held(ctx context.Context, personID, contributorID uuid.UUID) ([]access.Right, error) {
	var rows []Role
	err := r.db.From(ctx).Where(
		"person_id = ? AND contributor_id = ? AND "+access.LiveRole(""), personID, contributorID,
	).Order("granted_at, id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	rights := make([]access.Right, len(rows))
	for i, row := range rows {
		rights[i] = access.Right{ID: row.ID, ContributorID: contributorID, ActingAs: row.Role, Services: row.Services}
	}
	return rights, nil
}

// triesToEnable bounds how often a role is withdrawn by somebody else between the two statements of
// enable.
const triesToEnable = 3

var (
	insertRole = `INSERT INTO contributor_roles (id, contributor_id, person_id, role, services, granted_by, granted_at)
		VALUES ( ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (person_id, contributor_id, role) WHERE ` + access.LiveRole("") + ` DO NOTHING`
	selectLiveRole = "SELECT " + db.Columns[Role]("") +
		" FROM contributor_roles WHERE person_id = ? AND contributor_id = ? AND role = ? AND " + access.LiveRole("")
)

func (r *repository) enable(ctx context.Context, role Role, services access.ServiceSet, by uuid.UUID) error {
	for range triesToEnable {
		added := r.db.From(ctx).Exec(insertRole, role.ID, role.ContributorID, role.PersonID, role.Role, services, by, role.GrantedAt)
		if added.Error != nil || added.RowsAffected == 1 {
			return added.Error
		}
		var live []Role
		err := r.db.From(ctx).Raw(selectLiveRole+r.db.ForUpdate(), role.PersonID, role.ContributorID, role.Role).Scan(&live).Error
		if err != nil {
			return err
		}
		if len(live) == 0 {
			continue // it was withdrawn in between
		}
		return r.db.From(ctx).Exec(
			"UPDATE contributor_roles SET services = ? WHERE id = ?", live[0].Services.Union(services), live[0].ID,
		).Error
	}
	return fault.New(fault.Conflict)
}
