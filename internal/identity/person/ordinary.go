package person

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
)

// MakeOrdinary makes the credentials of a person ordinary, inside the caller's transaction and
// operation. It is for somebody whom nobody has seen since. It returns fault.NotFound.
func (s *Service) MakeOrdinary(ctx context.Context, id uuid.UUID) error {
	p, err := s.repo.lock(ctx, id)
	if err != nil || p.CredentialLevel == access.Ordinary {
		return err
	}
	p.CredentialLevel = access.Ordinary
	_, err = s.repo.save(ctx, p)
	return err
}
