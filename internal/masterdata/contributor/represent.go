package contributor

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// Signatory is somebody who may sign for a contributor.
type Signatory struct {
	PersonID   uuid.UUID
	GivenName  string
	FamilyName string
	Role       access.ActingAs
}

// Signatories lists who may sign for a contributor, each once: its legal representatives, and the
// employer of a household.
func (s *Service) Signatories(ctx context.Context, contributorID uuid.UUID) ([]Signatory, error) {
	found, err := s.SignatoriesOfEach(ctx, []uuid.UUID{contributorID})
	return found[contributorID], err
}

// SignatoriesOfEach is Signatories for many contributors at once.
func (s *Service) SignatoriesOfEach(ctx context.Context, contributorIDs []uuid.UUID) (map[uuid.UUID][]Signatory, error) {
	rows, err := s.repo.signatories(ctx, contributorIDs)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID][]Signatory, len(contributorIDs))
	for _, row := range rows {
		of := found[row.ContributorID]
		if !slices.ContainsFunc(of, func(p Signatory) bool { return p.PersonID == row.PersonID }) {
			found[row.ContributorID] = append(of, row.Signatory)
		}
	}
	return found, nil
}

// AllPositions lists the positions of a contributor by number, whoever asks.
func (s *Service) AllPositions(ctx context.Context, contributorID uuid.UUID) ([]Position, error) {
	return s.repo.allPositions(ctx, contributorID)
}

// ByNumber returns the position with exactly the number and its contributor, or fault.NotFound.
func (s *Service) ByNumber(ctx context.Context, number string) (Position, Contributor, error) {
	p, err := s.repo.byNumber(ctx, number)
	if err != nil {
		return Position{}, Contributor{}, err
	}
	c, err := s.repo.byID(ctx, p.ContributorID)
	return p, c, err
}

// PEC returns the certified e-mail of a contributor, or "".
func (s *Service) PEC(ctx context.Context, contributorID uuid.UUID) (string, error) {
	return s.repo.pec(ctx, contributorID)
}

type signatoryRow struct {
	ContributorID uuid.UUID
	Signatory
}

// Signs is the condition in SQL that a live role lets somebody sign for the contributor. That of a
// legal representative does, and that of the employer of a household.
func Signs(role, contributor string) string {
	return "(" + role + ".role = 'legal_representative' OR " + role + ".role = 'employer' AND " + contributor +
		".kind = 'household') AND " + access.LiveRole(role)
}

var selectSignatories = `SELECT r.contributor_id, p.id AS person_id, p.given_name, p.family_name, r.role FROM contributor_roles r
	JOIN people p ON p.id = r.person_id
	JOIN contributors c ON c.id = r.contributor_id
	WHERE r.contributor_id IN ? AND ` + Signs("r", "c") + `
	ORDER BY r.role DESC, r.granted_at, r.id`

func (r *repository) signatories(ctx context.Context, contributorIDs []uuid.UUID) ([]signatoryRow, error) {
	var found []signatoryRow
	err := r.db.From(ctx).Raw(selectSignatories, contributorIDs).Scan(&found).Error
	return found, err
}

func (r *repository) allPositions(ctx context.Context, contributorID uuid.UUID) ([]Position, error) {
	var found []Position
	err := r.db.From(ctx).Where("contributor_id = ?", contributorID).Order("number").Find(&found).Error
	return found, err
}

func (r *repository) byNumber(ctx context.Context, number string) (Position, error) {
	var p Position
	err := r.db.From(ctx).Where("number = ?", number).Take(&p).Error
	return p, notFound(err)
}

func (r *repository) pec(ctx context.Context, contributorID uuid.UUID) (string, error) {
	var found []string
	err := r.db.From(ctx).Raw("SELECT COALESCE(pec, '') FROM contributors WHERE id = ?", contributorID).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}
