package delegationbatch

import (
	"context"
	"encoding/json"
	"time"

	"diresco/internal/access"
	"diresco/internal/audit"
	"diresco/internal/delegation"
	"diresco/internal/fault"
	"diresco/internal/idempotency"

	"github.com/google/uuid"
)

// pollEvery is how often a worker looks for batches that another process took, or left when it ended.
const pollEvery = 2 * time.Second

// Run works batches off until the context ends. Any number of processes may do so: each batch is worked on by one at a time.
func (s *Service) Run(ctx context.Context) {
	taken, stop := s.Runner.DB.Listen(topic)
	defer stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Drain(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "delegation batches not worked off", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-taken:
		case <-tick.C:
		}
	}
}

// Due reports whether Drain would find something to do.
func (s *Service) Due(ctx context.Context) (bool, error) { return s.Repository.open(ctx) }

// Drain works off what there is and returns when there is no more, or at the first item that fails for no fault of its own.
func (s *Service) Drain(ctx context.Context) error {
	for {
		open, err := s.Repository.open(ctx)
		if err != nil || !open {
			return err
		}
		if more, err := s.step(ctx); err != nil || !more {
			return err
		}
	}
}

// step does one item, and reports false where there is none that nobody else works on.
func (s *Service) step(ctx context.Context) (bool, error) {
	var b Batch
	var i Item
	var found bool
	var failed error
	err := s.Runner.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if b, i, found, err = s.Repository.next(ctx); err != nil || !found {
			return err
		}
		var drafted uuid.UUID
		// A savepoint: what an item did before it failed is undone, and that it failed is noted.
		err = s.Runner.DB.InTx(ctx, func(ctx context.Context) error {
			var err error
			drafted, err = s.draft(ctx, b, i)
			return err
		})
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
			failed = err
			return s.Repository.settle(ctx, b, i)
		default:
			s.Log.ErrorContext(ctx, "item of a delegation batch given up", "batch", b.ID.String(), "line", i.Line, "error", err)
			reason := reasonFailed
			i.State, i.Reason = Refused, &reason
		}
		return s.Repository.settle(ctx, b.progress(1), i)
	})
	if err == nil {
		err = failed
	}
	return found, err
}

// draft drafts the delegation of an item in the context's transaction, as who sent the list and while they may.
func (s *Service) draft(ctx context.Context, b Batch, i Item) (uuid.UUID, error) {
	p, err := s.People.ByID(ctx, b.PersonID)
	if err != nil {
		return uuid.Nil, err
	}
	if p.SuspendedAt != nil {
		return uuid.Nil, fault.New(fault.Forbidden)
	}
	in := delegation.Input{DelegateID: &b.DelegateID, Scope: i.Scope, Exclusive: i.Exclusive, ValidUntil: i.ValidUntil}
	if err := json.Unmarshal([]byte(i.Services), &in.Services); err != nil {
		return uuid.Nil, err
	}
	position, owner, err := s.Contributors.ByNumber(ctx, i.PositionNumber)
	if fault.Is(err, fault.NotFound) {
		return uuid.Nil, refusal(reasonUnknownPosition)
	}
	if err != nil {
		return uuid.Nil, err
	}
	in.ContributorTaxCode, in.PositionIDs = owner.TaxCode.Clear(), []uuid.UUID{position.ID}
	if in.SignatoryID, err = s.signatory(ctx, owner.ID, i.SignatoryID); err != nil {
		return uuid.Nil, err
	}
	by := access.Actor{
		SessionID: b.SessionID, PersonID: p.ID, TaxCode: p.TaxCode, GivenName: p.GivenName, FamilyName: p.FamilyName, UserClass: p.UserClass, CredentialLevel: p.CredentialLevel,
	}
	ctx = audit.WithOrigin(idempotency.WithClaim(ctx, nil), audit.Origin{Operation: "draftDelegation", RequestID: b.RequestID, Address: b.Address})
	d, err := s.Delegations.Draft(ctx, by, in)
	return d.ID, err
}

func (s *Service) signatory(ctx context.Context, contributorID uuid.UUID, wanted *uuid.UUID) (uuid.UUID, error) {
	if wanted != nil {
		return *wanted, nil
	}
	found, err := s.Contributors.Signatories(ctx, contributorID)
	switch {
	case err != nil:
		return uuid.Nil, err
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
