package delegation

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
)

// Membership returns the intermediary for which the actor drafts delegations: the one asked for, or
// the only one. It returns what Draft returns where there is none, or where the actor must say
// which.
func (s *Service) Membership(ctx context.Context, by access.Actor, wanted *uuid.UUID) (access.Membership, error) {
	if err := requireDispositive(by); err != nil {
		return access.Membership{}, err
	}
	return s.membership(ctx, by, wanted)
}

// Manages reports whether the actor manages the delegations of the intermediary.
func (s *Service) Manages(ctx context.Context, by access.Actor, delegateID uuid.UUID) (bool, error) {
	memberships, err := s.rights.Memberships(ctx, by)
	return slices.ContainsFunc(memberships, func(membership access.Membership) bool {
		return membership.DelegateID == delegateID && manages(membership)
	}), err
}

// PositionOf looks up for an item of a list whose position has the number. As with Candidates the
// look counts (fault.RateLimited) and is shown to the contributor: each contributor once for a
// list, and each number that is unknown. It returns fault.NotFound, and has noted the look all the
// same, where there is no such position; once no look is left, it says nothing about that.
func (s *Service) PositionOf(
	ctx context.Context, by access.Actor, membership access.Membership, listID uuid.UUID, number string,
) (contributor.Position, contributor.Contributor, error) {
	position, owner, err := s.contributors.ByNumber(ctx, number)
	unknown := fault.Is(err, fault.NotFound)
	if err != nil && !unknown {
		return contributor.Position{}, contributor.Contributor{}, err
	}
	now := s.run.Clock.Now()
	look := lookUp{DelegateID: membership.DelegateID, PersonID: by.PersonID, At: now}
	if unknown {
		look.ID = uuid.NewSHA1(listID, []byte(number))
	} else {
		look.ID, look.ContributorID = uuid.NewSHA1(listID, owner.ID[:]), &owner.ID
	}
	if looked, lookErr := s.repo.lookedUp(ctx, look.ID); lookErr != nil || looked {
		return position, owner, cmp.Or(lookErr, err)
	}
	if err := s.checkLookupQuota(ctx, by, now); err != nil {
		return contributor.Position{}, contributor.Contributor{}, err
	}
	return position, owner, cmp.Or(s.repo.addLookUp(ctx, look), err)
}

// DraftFor drafts like Draft what the actor asked for earlier: their session may have ended since,
// the membership may not.
func (s *Service) DraftFor(ctx context.Context, by access.Actor, membership access.Membership, in Input) (View, error) {
	id := uuid.Must(uuid.NewV7())
	session := by.SessionID
	by.SessionID = uuid.Nil
	unclaimed := idempotency.WithClaim(ctx, nil)
	return operation.Do(unclaimed, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (View, error) {
		trace.SessionID = session
		drafted, err := s.draft(ctx, trace, by, membership, id, in)
		if err != nil {
			return View{}, err
		}
		return drafted, s.run.Recheck.Standing(ctx, by.PersonID, trace.Right)
	}, nil)
}

// Unsigned returns those of the delegations that are not active yet, in the order in which they are
// named.
func (s *Service) Unsigned(ctx context.Context, ids []uuid.UUID) ([]View, error) {
	bare := make([]View, len(ids))
	for i, id := range ids {
		bare[i].ID = id
	}
	found, err := s.repo.full(ctx, bare, s.run.Clock.Now())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(d View) bool { return d.State != Draft && d.State != Pending }), nil
}
