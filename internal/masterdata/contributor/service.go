package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	DB *db.DB
	// Rights says which contributors somebody sees; who only adds some needs none.
	Rights *access.Repository
}

// Service answers questions about contributors, positions, offices and roles. Whoever sets them up
// adds them by it in a transaction of theirs: the command that makes the first administrator, the
// sandbox and tests.
type Service struct {
	repo   *repository
	rights *access.Repository
}

// NewService returns the service.
func NewService(d Deps) *Service { return &Service{repo: newRepository(d.DB), rights: d.Rights} }

// Offices lists the offices, by code.
func (s *Service) Offices(ctx context.Context, request page.Request) (page.Page[Office], error) {
	return s.repo.offices(ctx, request)
}

// HasOffice reports whether there is an office with the code.
func (s *Service) HasOffice(ctx context.Context, code string) (bool, error) {
	return s.repo.hasOffice(ctx, code)
}

// Mine lists the contributors that the actor may act for, by legal name. For an operator it adds
// those with a position at the office.
func (s *Service) Mine(ctx context.Context, by access.Actor, search Search, request page.Request) (page.Page[WithRights], error) {
	return s.repo.entitled(ctx, s.rights, by, search, request)
}

// Show returns one contributor with the actor's rights over it, and fault.NotFound where there are
// none.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (WithRights, error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return WithRights{}, fault.New(fault.NotFound)
	}
	c, err := s.repo.byID(ctx, id)
	return WithRights{Contributor: c, Rights: by.Rights}, err
}

// Positions lists by number the positions of a contributor that the actor's rights are about. An
// operator sees those of the own office.
func (s *Service) Positions(ctx context.Context, by access.Actor, id uuid.UUID, request page.Request) (page.Page[Position], error) {
	if by.ContributorID != id || len(by.Rights) == 0 {
		return page.Page[Position]{}, fault.New(fault.NotFound)
	}
	office := ""
	if by.Consults() {
		office = by.OfficeCode
	}
	return s.repo.positions(ctx, id, office, by.VisiblePositions(), request)
}

// Position returns a position of the contributor with its contributor, and fault.NotFound for
// another's.
func (s *Service) Position(ctx context.Context, contributorID, positionID uuid.UUID) (Position, Contributor, error) {
	return s.repo.position(ctx, contributorID, positionID)
}

// Add writes a contributor with its positions in the context's transaction.
func (s *Service) Add(ctx context.Context, c Contributor, positions []Position) error {
	return s.repo.add(ctx, c, positions)
}

// AddRole writes a role in the context's transaction.
func (s *Service) AddRole(ctx context.Context, role Role) error { return s.repo.addRole(ctx, role) }

// AddOffice adds an office where there is none with its code yet, in the context's transaction.
func (s *Service) AddOffice(ctx context.Context, o Office) error {
	if o.Title == "" {
		o.Title = "Sede " + o.Code
	}
	return s.repo.addOffice(ctx, o)
}

// PutOffice adds an office, or gives it a new title, in the context's transaction.
func (s *Service) PutOffice(ctx context.Context, o Office) error { return s.repo.putOffice(ctx, o) }
