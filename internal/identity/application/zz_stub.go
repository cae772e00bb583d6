package application

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
)

type Deps struct {
	Runner   *operation.Runner
	Rights   *access.Repository
	Outbox   *outbox.Outbox
	Consents any
}
type Service struct{ d Deps }

func NewService(d Deps) *Service { return &Service{d} }
func (s *Service) Client(ctx context.Context, clientID string) (Application, error) {
	var a []Application
	if err := s.d.Runner.DB.From(ctx).Where("client_id = ?", clientID).Find(&a).Error; err != nil {
		return Application{}, err
	}
	if len(a) == 0 || !a[0].Live() {
		return Application{}, fault.New(fault.NotFound)
	}
	return a[0], nil
}
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (Application, error) {
	var a []Application
	if err := s.d.Runner.DB.From(ctx).Where("id = ?", id).Find(&a).Error; err != nil {
		return Application{}, err
	}
	if len(a) == 0 {
		return Application{}, fault.New(fault.NotFound)
	}
	return a[0], nil
}
