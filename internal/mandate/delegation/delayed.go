package delegation

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// RevokeInTx is Revoke for what the actor asked for earlier, in the context's transaction. It
// returns the right by which it is done, which the caller looks at again, and writes the trace. A
// fault means that nothing was written:
//   - fault.NotFound: the contributor gave no such delegation, or knows nothing of it;
//   - fault.Forbidden: the actor manages the delegations of neither side;
//   - fault.Conflict: it has ended already.
func (s *Service) RevokeInTx(ctx context.Context, by access.Actor, id uuid.UUID, words string) (access.Right, error) {
	d, right, cause, now, err := s.lockFor(ctx, by, id)
	if err != nil {
		return right, err
	}
	return right, s.end(ctx, d, by, cause, words, now)
}

// ChangeContactsInTx changes, in the context's transaction, where the intermediary is reached about
// a delegation. Who may end the delegation may do so; the faults are those of RevokeInTx.
func (s *Service) ChangeContactsInTx(ctx context.Context, by access.Actor, id uuid.UUID, c Contacts) (access.Right, error) {
	d, right, _, now, err := s.lockFor(ctx, by, id)
	if err != nil {
		return right, err
	}
	changed, err := d.withContacts(c, now)
	if err != nil {
		return right, err
	}
	return right, s.repo.save(ctx, changed)
}

// lockFor locks a delegation of the actor's contributor for who manages it on either side, with
// the right and the side.
func (s *Service) lockFor(
	ctx context.Context, by access.Actor, id uuid.UUID,
) (d View, right access.Right, cause EndCause, now time.Time, err error) {
	if d, now, err = s.repo.lock(ctx, id, s.run.Clock); err != nil {
		return d, right, cause, now, err
	}
	if d.ContributorID != by.ContributorID {
		return d, right, cause, now, fault.New(fault.NotFound)
	}
	memberships, err := s.rights.Memberships(ctx, by)
	if err != nil {
		return d, right, cause, now, err
	}
	by.Memberships = slices.DeleteFunc(memberships, func(m access.Membership) bool { return m.DelegateID != d.DelegateID })
	if len(by.Memberships) == 0 && !d.offered() {
		return d, right, cause, now, fault.New(fault.NotFound)
	}
	right, cause, err = revoker(by)
	return d, right, cause, now, err
}

// PositionsOf returns the positions that a delegation of the contributor is about, by number. It
// returns fault.NotFound for another's.
func (s *Service) PositionsOf(ctx context.Context, contributorID, id uuid.UUID) ([]uuid.UUID, error) {
	d, err := s.repo.one(ctx, id, s.run.Clock.Now())
	if err == nil && d.ContributorID != contributorID {
		err = fault.New(fault.NotFound)
	}
	return d.positionIDs(), err
}
