package contributor

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// Find returns a contributor with the actor's rights over it, and fault.NotFound where there are
// none.
func (s *Service) Find(ctx context.Context, by access.Actor, id uuid.UUID) (WithRights, error) {
	c, err := s.repo.byID(ctx, id)
	if err != nil {
		return WithRights{}, err
	}
	rights, err := s.repo.rights(ctx, s.rights, by, []Contributor{c})
	if err == nil && len(rights[id]) == 0 {
		err = fault.New(fault.NotFound)
	}
	return WithRights{Contributor: c, Rights: rights[id]}, err
}

// FindPosition returns a position and its contributor, with the actor's rights that are about the
// position. It returns fault.NotFound where there are none. An operator sees the positions of the
// own office.
func (s *Service) FindPosition(ctx context.Context, by access.Actor, id uuid.UUID) (Position, WithRights, error) {
	found, err := s.repo.positionsWithOwners(ctx, id)
	if err != nil {
		return Position{}, WithRights{}, err
	}
	p, exists := found[id]
	if !exists {
		return Position{}, WithRights{}, fault.New(fault.NotFound)
	}
	c, err := s.Find(ctx, by, p.ContributorID)
	if err != nil {
		return Position{}, WithRights{}, err
	}
	about := make([]access.Right, 0, len(c.Rights))
	for _, r := range c.Rights {
		if r.About(id) && (r.ActingAs != access.OfficeOperator || p.OfficeCode == by.OfficeCode) {
			about = append(about, r)
		}
	}
	if c.Rights = about; len(about) == 0 {
		return Position{}, WithRights{}, fault.New(fault.NotFound)
	}
	return p.Position, c, nil
}
