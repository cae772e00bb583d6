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

// OfficeTitles returns what offices are called, by their codes.
func (s *Service) OfficeTitles(ctx context.Context, codes []string) (map[string]string, error) {
	return s.repo.officeTitles(ctx, codes)
}

func (r *repository) officeTitles(ctx context.Context, codes []string) (map[string]string, error) {
	var rows []Office
	if err := r.db.From(ctx).Where("code IN ?", codes).Find(&rows).Error; err != nil {
		return nil, err
	}
	titles := make(map[string]string, len(rows))
	for _, o := range rows {
		titles[o.Code] = o.Title
	}
	return titles, nil
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
