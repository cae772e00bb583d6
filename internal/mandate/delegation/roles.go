package delegation

import (
	"context"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/grant"
	"diresco/internal/platform/fault"

	"github.com/google/uuid"
)

// Roles is where the roles at intermediaries are kept, for user management. What clients delegate may be any service.
func Roles(d *db.DB) grant.Table {
	return grant.Table{DB: d, Roles: "delegate_roles", Place: "delegate_id", Places: "delegates", Services: func(string) []access.Service { return access.Services() }}
}

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
