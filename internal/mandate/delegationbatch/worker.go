package delegationbatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

// pollEvery is how often a worker looks for batches that another process took, or left when it
// ended.
const pollEvery = 2 * time.Second

// Run works batches off until the context ends. Any number of processes may do so: each batch is
// worked on by one at a time.
func (s *Service) Run(ctx context.Context) {
	job.NewWorker(job.Options{
		Step: s.next(), Topic: topic, DB: s.run.DB, Every: pollEvery, Log: s.log, Failure: "delegation batches not worked off",
	}).Run(ctx)
}

// Due reports whether Drain would find something to do.
func (s *Service) Due(ctx context.Context) (bool, error) { return s.repo.open(ctx) }

// Drain works off what there is and returns when there is no more. It stops at the first item that
// fails for no fault of its own.
func (s *Service) Drain(ctx context.Context) error { return s.next().Drain(ctx) }

// next does one item with those that go into the same delegation.
func (s *Service) next() job.Step {
	return job.Locked(s.run.DB, s.repo.next, s.do).When(s.Due)
}

// do drafts the delegation of an item in the context's transaction, and notes what became of it.
func (s *Service) do(ctx context.Context, c claimed) error {
	b, i := c.batch, c.item
	together, drafted, err := s.work(ctx, b, i)
	reason, refused := reasonOf(err)
	switch {
	case err == nil:
		i.State, i.DelegationID = Filed, &drafted
	case refused:
		i.State, i.Reason = Refused, &reason
	case ctx.Err() != nil:
		return err
	case i.Failures+1 < maxFailures:
		i.Failures++
		if settled := s.repo.settle(ctx, b, i, i); settled != nil {
			return settled
		}
		return job.Noted(err)
	default:
		s.log.ErrorContext(ctx, "item of a delegation batch given up", "batch", b.ID.String(), "line", i.Line, "error", err)
		reason := reasonFailed
		i.State, i.Reason = Refused, &reason
		together = []Item{i}
	}
	return s.repo.settle(ctx, b.progress(len(together)), i, together...)
}

// work drafts the delegation of an item in the context's transaction, as who sent the list and
// while they may. It returns it with the items that went into it. Each part has a savepoint: what
// it did before it failed is undone, so that what became of the item can be noted. That somebody
// was looked up stays.
func (s *Service) work(ctx context.Context, b Batch, i Item) (together []Item, drafted uuid.UUID, err error) {
	ctx = audit.WithOrigin(ctx, audit.Origin{Operation: "draftDelegation", RequestID: b.RequestID, Address: b.Address})
	var from sender
	var position contributor.Position
	var owner contributor.Contributor
	var unknown bool
	err = s.run.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if from, err = s.sender(ctx, b); err != nil {
			return err
		}
		position, owner, err = s.delegations.PositionOf(ctx, from.actor, from.membership, b.ID, i.PositionNumber)
		switch {
		case fault.Is(err, fault.NotFound):
			// The look stays.
			unknown = true
			return nil
		case fault.Is(err, fault.RateLimited):
			return refusal(reasonTooManyLookUps)
		}
		return err
	})
	if err == nil && unknown {
		err = refusal(reasonUnknownPosition)
	}
	if err != nil {
		return []Item{i}, uuid.Nil, err
	}
	together = []Item{i}
	err = s.run.DB.InTx(ctx, func(ctx context.Context) error {
		in := delegation.Input{
			DelegateID: &b.DelegateID, ContributorTaxCode: owner.TaxCode.Clear(), Scope: i.Scope, Exclusive: i.Exclusive,
			ValidUntil: i.ValidUntil,
		}
		if err := in.Services.Scan(i.Services); err != nil {
			return err
		}
		var err error
		if in.SignatoryID, err = s.signatory(ctx, owner.ID, i.SignatoryID); err != nil {
			return err
		}
		if together, in.PositionIDs, err = s.together(ctx, i, position); err != nil {
			return err
		}
		d, err := s.delegations.DraftFor(ctx, from.actor, from.membership, in)
		if fault.Is(err, fault.NotFound) {
			// The membership ended while this was under way.
			err = fault.New(fault.Forbidden)
		}
		drafted = d.ID
		return err
	})
	return together, drafted, err
}

// sender is who sent a list, with the membership from which they did.
type sender struct {
	actor      access.Actor
	membership access.Membership
}

// sender returns who sent the list, as they are now: the session may have ended, but not the
// membership.
func (s *Service) sender(ctx context.Context, b Batch) (sender, error) {
	p, err := s.people.ByID(ctx, b.PersonID)
	if err != nil {
		return sender{}, err
	}
	if p.SuspendedAt != nil {
		return sender{}, fault.New(fault.Forbidden)
	}
	login, err := s.repo.loginOf(ctx, b.SessionID, p.ID)
	if err != nil {
		return sender{}, err
	}
	by := access.Actor{
		SessionID: b.SessionID, Login: login, PersonID: p.ID, TaxCode: p.TaxCode, GivenName: p.GivenName, FamilyName: p.FamilyName,
		UserClass: p.UserClass, CredentialLevel: login.Raise(p.CredentialLevel),
	}
	membership, err := s.delegations.Membership(ctx, by, &b.DelegateID)
	return sender{by, membership}, err
}

// together returns the items that go into one delegation with this one, itself the first, and their
// positions. They are those on the same terms of the same contributor, so that it is asked for one
// code and not for many. A position that has ceased stays alone.
func (s *Service) together(ctx context.Context, i Item, of contributor.Position) ([]Item, []uuid.UUID, error) {
	if of.State != contributor.PositionActive {
		return []Item{i}, []uuid.UUID{of.ID}, nil
	}
	positions, err := s.contributors.AllPositions(ctx, of.ContributorID)
	if err != nil {
		return nil, nil, err
	}
	ids := make(map[string]uuid.UUID, len(positions))
	for _, p := range positions {
		if p.State == contributor.PositionActive {
			ids[p.Number] = p.ID
		}
	}
	items, err := s.repo.pending(ctx, i.BatchID, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return nil, nil, err
	}
	items = slices.DeleteFunc(items, func(other Item) bool { return !i.alike(other) })
	items = items[:min(len(items), maxPositions)]
	chosen := make([]uuid.UUID, len(items))
	for n, item := range items {
		chosen[n] = ids[item.PositionNumber]
	}
	return items, chosen, nil
}

// signatory is who signs: who was named, or the only one who can.
func (s *Service) signatory(ctx context.Context, contributorID uuid.UUID, wanted *uuid.UUID) (uuid.UUID, error) {
	found, err := s.contributors.Signatories(ctx, contributorID)
	switch {
	case err != nil:
		return uuid.Nil, err
	case wanted != nil && !slices.ContainsFunc(found, func(p contributor.Signatory) bool { return p.PersonID == *wanted }):
		return uuid.Nil, refusal(reasonUnknownPosition)
	case wanted != nil:
		return *wanted, nil
	case len(found) == 0:
		return uuid.Nil, refusal(reasonNoSignatory)
	case len(found) > 1:
		return uuid.Nil, refusal(reasonSignatoryNeeded)
	}
	return found[0].PersonID, nil
}

// refusal carries a reason to the item.
func refusal(reason string) error {
	return fault.InvalidFields(fault.Field{Code: reason})
}
