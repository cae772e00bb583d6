package delegation

import (
	"context"

	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// Intermediary returns an intermediary as its register lists it, or fault.NotFound. A firm (studio associato) is none: the
// individual professional is.
func (s *Service) Intermediary(ctx context.Context, id uuid.UUID) (Delegate, error) {
	d, err := s.Repository.delegate(ctx, id)
	if err == nil && d.Kind == Firm {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return Delegate{}, err
	}
	return d, nil
}
