package application

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
)

// Manage returns an application that the actor manages, in the transaction of an operation on
// something of it, and keeps everybody else from changing it. It completes the operation's trace
// but for the subject. It returns these faults:
//   - fault.NotFound: it is not the actor's to manage, or was removed;
//   - fault.DispositiveRequired: the actor's credentials are ordinary.
func (s *Service) Manage(ctx context.Context, by access.Actor, id uuid.UUID, trace *operation.Trace) (Application, error) {
	a, err := s.lock(ctx, id)
	if err != nil {
		return Application{}, err
	}
	right, err := s.managing(ctx, by, a)
	if err != nil {
		return Application{}, err
	}
	if err := requireDispositive(by); err != nil {
		return Application{}, err
	}
	a.trace(trace, right)
	return a, nil
}

// Managers returns the people who manage an application.
func (s *Service) Managers(ctx context.Context, a Application) ([]uuid.UUID, error) {
	return s.repo.managers(ctx, a)
}
