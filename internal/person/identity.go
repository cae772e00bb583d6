package person

import (
	"context"

	"diresco/internal/access"
	"diresco/internal/fault"
	"diresco/internal/operation"
)

// ConfirmIdentity confirms the digital identity of the person who asks (conferma dell'identità digitale, INAIL circ.
// 46/2017). Confirming once more changes nothing. It returns fault.Invalid where it is not confirmed.
func (s *Service) ConfirmIdentity(ctx context.Context, by access.Actor, confirmed bool) (Person, error) {
	if !confirmed {
		return Person{}, fault.InvalidFields(fault.Field{Pointer: "/confirmed", Code: "const"})
	}
	return operation.Do(ctx, s.run, by, by.PersonID.String(), func(ctx context.Context) (Person, operation.Trace, error) {
		trace := operation.Trace{SubjectKind: "person", SubjectID: by.PersonID.String()}
		p, err := s.repo.lock(ctx, by.PersonID)
		if err != nil || p.IdentityConfirmedAt != nil {
			return p, trace, err
		}
		now := s.run.Clock.Now()
		p.IdentityConfirmedAt = &now
		p, err = s.repo.save(ctx, p)
		return p, trace, err
	}, func(ctx context.Context, _ string) (Person, error) { return s.Show(ctx, by) })
}
