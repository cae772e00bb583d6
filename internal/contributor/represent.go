package contributor

import (
	"context"
	"slices"

	"diresco/internal/access"

	"github.com/google/uuid"
)

// Signatory is somebody who may sign for a contributor.
type Signatory struct {
	PersonID   uuid.UUID
	GivenName  string
	FamilyName string
	Role       access.ActingAs
}

// Signatories lists who may sign for a contributor, each once: its legal representatives, and the employer of a household.
func (s *Service) Signatories(ctx context.Context, contributorID uuid.UUID) ([]Signatory, error) {
	found, err := s.repository.signatories(ctx, contributorID)
	seen := map[uuid.UUID]bool{}
	return slices.DeleteFunc(found, func(p Signatory) bool {
		twice := seen[p.PersonID]
		seen[p.PersonID] = true
		return twice
	}), err
}

// AllPositions lists the positions of a contributor by number, whoever asks.
func (s *Service) AllPositions(ctx context.Context, contributorID uuid.UUID) ([]Position, error) {
	return s.repository.allPositions(ctx, contributorID)
}

// ByNumber returns the position with exactly the number and its contributor, or fault.NotFound.
func (s *Service) ByNumber(ctx context.Context, number string) (Position, Contributor, error) {
	p, err := s.repository.byNumber(ctx, number)
	if err != nil {
		return Position{}, Contributor{}, err
	}
	c, err := s.repository.byID(ctx, p.ContributorID)
	return p, c, err
}

// PEC returns the certified e-mail of a contributor, or "".
func (s *Service) PEC(ctx context.Context, contributorID uuid.UUID) (string, error) {
	return s.repository.pec(ctx, contributorID)
}

func (r *Repository) signatories(ctx context.Context, contributorID uuid.UUID) ([]Signatory, error) {
	var found []Signatory
	err := r.db.From(ctx).Raw(`SELECT p.id AS person_id, p.given_name, p.family_name, r.role FROM contributor_roles r JOIN people p ON p.id = r.person_id
		JOIN contributors c ON c.id = r.contributor_id
		WHERE r.contributor_id = ? AND (r.role = 'legal_representative' OR r.role = 'employer' AND c.kind = 'household') AND r.withdrawn_at IS NULL
		ORDER BY r.role DESC, r.granted_at, r.id`, contributorID).Scan(&found).Error
	return found, err
}

func (r *Repository) allPositions(ctx context.Context, contributorID uuid.UUID) ([]Position, error) {
	var found []Position
	err := r.db.From(ctx).Where("contributor_id = ?", contributorID).Order("number").Find(&found).Error
	return found, err
}

func (r *Repository) byNumber(ctx context.Context, number string) (Position, error) {
	var p Position
	err := r.db.From(ctx).Where("number = ?", number).Take(&p).Error
	return p, notFound(err)
}

func (r *Repository) pec(ctx context.Context, contributorID uuid.UUID) (string, error) {
	var found []string
	err := r.db.From(ctx).Raw("SELECT COALESCE(pec, '') FROM contributors WHERE id = ?", contributorID).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}
