package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// OfficeFor returns the office of the first position of a contributor at which the person has a
// role. It returns "" where there is none. The oldest role comes first, and active positions come
// before those that have ceased.
func (s *Service) OfficeFor(ctx context.Context, personID uuid.UUID) (string, error) {
	return s.repo.officeFor(ctx, personID)
}

var selectOffice = `SELECT p.office_code FROM contributor_roles r JOIN positions p ON p.contributor_id = r.contributor_id
	WHERE r.person_id = ?
	AND ` + access.LiveRole("r") + ` ORDER BY r.granted_at, r.id, CASE p.state WHEN 'active' THEN 0 ELSE 1 END, p.number LIMIT 1`

func (r *repository) officeFor(ctx context.Context, personID uuid.UUID) (string, error) {
	var codes []string
	err := r.db.From(ctx).Raw(selectOffice, personID).Scan(&codes).Error
	if err != nil || len(codes) == 0 {
		return "", err
	}
	return codes[0], nil
}
