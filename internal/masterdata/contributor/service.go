package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Service answers questions about contributors, positions and offices.
type Service struct {
	repository *Repository
	rights     *access.Repository
}

// NewService returns the service.
func NewService(r *Repository, rights *access.Repository) *Service { return &Service{r, rights} }

// Offices lists the offices, by code.
func (s *Service) Offices(ctx context.Context, request page.Request) (page.Page[Office], error) {
	return s.repository.offices(ctx, request)
}

// HasOffice reports whether there is an office with the code.
func (s *Service) HasOffice(ctx context.Context, code string) (bool, error) {
	return s.repository.hasOffice(ctx, code)
}

// Mine lists the contributors that the actor may act for, and for an operator those with a position
// at the office, by legal name.
func (s *Service) Mine(ctx context.Context, by access.Actor, search Search, request page.Request) (page.Page[WithRights], error) {
	return s.repository.entitled(ctx, s.rights, by, search, request)
}

// Show returns one contributor with the actor's rights over it, and fault.NotFound where there are
// none.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (WithRights, error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return WithRights{}, fault.New(fault.NotFound)
	}
	c, err := s.repository.byID(ctx, id)
	return WithRights{Contributor: c, Rights: by.Rights}, err
}

// Positions lists the positions of a contributor, by number, as far as the actor's rights are about
// them; an operator sees those of the own office.
func (s *Service) Positions(ctx context.Context, by access.Actor, id uuid.UUID, request page.Request) (page.Page[Position], error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return page.Page[Position]{}, fault.New(fault.NotFound)
	}
	office := ""
	if by.Consults() {
		office = by.OfficeCode
	}
	return s.repository.positions(ctx, id, office, by.VisiblePositions(), request)
}

// Position returns a position of the contributor with its contributor, and fault.NotFound for
// another's.
func (s *Service) Position(ctx context.Context, contributorID, positionID uuid.UUID) (Position, Contributor, error) {
	return s.repository.position(ctx, contributorID, positionID)
}
