package person

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
)

// ConfirmIdentity confirms the digital identity of the person who asks (conferma dell'identità
// digitale, INAIL circ. 46/2017). Confirming once more changes nothing. It returns fault.Invalid
// where it is not confirmed.
func (s *Service) ConfirmIdentity(ctx context.Context, by access.Actor, confirmed bool) (Person, error) {
	if !confirmed {
		return Person{}, fault.InvalidFields(fault.Field{Pointer: "/confirmed", Code: fault.FieldConst})
	}
	return operation.Do(ctx, s.run, by, by.PersonID.String(), func(ctx context.Context, trace *operation.Trace) (Person, error) {
		trace.SubjectKind = SubjectKind
		p, _, err := s.confirm(ctx, by.PersonID)
		return p, err
	}, operation.ByID(s.ByID))
}

// Identified confirms the identity of a person whom an office identified. It reports whether the
// identity was not confirmed before. It runs inside the caller's transaction, which holds the
// person's row from then on. It returns fault.NotFound.
func (s *Service) Identified(ctx context.Context, id uuid.UUID) (became bool, err error) {
	_, became, err = s.confirm(ctx, id)
	return became, err
}

func (s *Service) confirm(ctx context.Context, id uuid.UUID) (p Person, became bool, err error) {
	if p, err = s.repo.lock(ctx, id); err != nil || p.IdentityConfirmedAt != nil {
		return p, false, err
	}
	now := s.run.Clock.Now()
	p.IdentityConfirmedAt = &now
	p, err = s.repo.save(ctx, p)
	return p, err == nil, err
}
