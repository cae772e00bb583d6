package declarationbatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

const (
	// pollEvery is how often a worker looks for batches that another process took, or left when it
	// ended.
	pollEvery = 2 * time.Second
	// leaseTime is longer than the register lets a group take. It is also how long a batch waits
	// whose process died.
	leaseTime = 45 * time.Second
)

// Run files what is in batches until the context ends. Any number of processes may do so: each batch
// is one's at a time.
func (s *Service) Run(ctx context.Context) {
	job.NewWorker(job.Options{
		Step: s.next(), Topic: topic, DB: s.run.DB, Every: pollEvery, Log: s.log, Failure: "declaration batches not filed",
	}).Run(ctx)
}

// Due reports whether Drain would find something to do.
func (s *Service) Due(ctx context.Context) (bool, error) { return s.repo.open(ctx) }

// Drain files what there is and returns when there is no more. It stops at the first group that
// fails for no fault of its own.
func (s *Service) Drain(ctx context.Context) error { return s.next().Drain(ctx) }

// group is a part of a batch that is filed in one transaction.
type group struct {
	batch Batch
	items []Item
	owner string
	// alone is an item of a group that failed: the others of it come next.
	alone bool
}

// next files one group.
func (s *Service) next() job.Step {
	owner := uuid.NewString()
	return job.Leased(func(ctx context.Context) (Batch, bool, error) {
		return s.repo.claim(ctx, job.NewLease(owner, s.run.Clock.Now(), leaseTime))
	}, func(ctx context.Context, b Batch) error {
		limit := groupSize
		if b.AllOrNothing {
			limit = MaxItems
		}
		items, err := s.repo.pending(ctx, b.ID, limit)
		if err != nil {
			return err
		}
		return s.do(ctx, group{batch: b, items: items, owner: owner})
	}).When(s.Due)
}

// do files a group. Where the whole of it fails by a defect, each item is tried alone, so that the
// others go on.
func (s *Service) do(ctx context.Context, g group) error {
	err := s.file(ctx, g)
	if err == nil || errors.Is(err, job.ErrLost) || passes(ctx, err) {
		return err
	}
	s.log.WarnContext(ctx, "group of a declaration batch failed", "batch", g.batch.ID.String(), "items", len(g.items), "error", err)
	if g.batch.AllOrNothing || len(g.items) == 1 {
		return errors.Join(err, s.fail(ctx, g))
	}
	var all error
	for _, i := range g.items {
		alone := group{batch: g.batch, items: []Item{i}, owner: g.owner, alone: true}
		err := s.file(ctx, alone)
		if err != nil && (errors.Is(err, job.ErrLost) || passes(ctx, err)) {
			return err
		}
		if err != nil {
			all = errors.Join(all, err, s.fail(ctx, alone))
		}
	}
	return all
}

// passes reports whether an error is one of the moment: the same may go well later.
func passes(ctx context.Context, err error) bool {
	return ctx.Err() != nil || db.IsUnavailable(err) || db.IsLockTimeout(err) || fault.Is(err, fault.Unavailable) ||
		fault.Is(err, fault.Busy)
}

// file files a group as who sent it, and while they may.
func (s *Service) file(ctx context.Context, g group) error {
	by, err := s.rights.Delayed(ctx, access.Later{
		PersonID: g.batch.PersonID, ContributorID: g.batch.ContributorID, SessionID: g.batch.SessionID,
		ApplicationID: g.batch.ApplicationID,
	})
	if err != nil {
		return err
	}
	before := map[string]uuid.UUID{}
	begin := func(ctx context.Context) (map[int]error, error) {
		before, err = s.begin(ctx, g)
		refused := map[int]error{}
		for n, i := range g.items {
			if id, known := before[i.Reference]; known {
				refused[n] = duplicate(id)
			}
		}
		return refused, err
	}
	end := func(ctx context.Context, outcomes []declaration.Outcome) error {
		return s.settle(ctx, g, before, outcomes)
	}
	if len(g.items) == 0 || by.Staff() || !slices.ContainsFunc(by.Rights, access.Right.Files) {
		return s.refuse(ctx, g, rightEnded(), end)
	}
	inputs := make([]declaration.Input, len(g.items))
	for n, i := range g.items {
		inputs[n] = i.input()
	}
	return s.declarations.FileMany(ctx, declaration.Many{
		By: by, ContributorID: g.batch.ContributorID, SessionID: g.batch.SessionID, Inputs: inputs, Whole: g.batch.AllOrNothing,
		Other: notWhole(), Begin: begin, End: end,
		Origin: audit.Origin{Operation: "fileDeclarationBatch", RequestID: g.batch.RequestID, Address: g.batch.Address},
	})
}

// begin keeps the batch, and returns what was filed under its references before. What the same
// person files for the same contributor goes one after the other.
//
// Lock order: name, batch.
func (s *Service) begin(ctx context.Context, g group) (map[string]uuid.UUID, error) {
	b := g.batch
	if err := s.run.DB.LockName(ctx, "references of "+b.PersonID.String()+" for "+b.ContributorID.String()); err != nil {
		return nil, err
	}
	if err := s.repo.keep(ctx, b.ID, job.NewLease(g.owner, s.run.Clock.Now(), leaseTime)); err != nil {
		return nil, err
	}
	references := make([]string, len(g.items))
	for n, i := range g.items {
		references[n] = i.Reference
	}
	return s.repo.filedBefore(ctx, b, references)
}

// refuse notes that none of a group is filed.
func (s *Service) refuse(
	ctx context.Context, g group, because error, end func(ctx context.Context, outcomes []declaration.Outcome) error,
) error {
	return s.run.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.begin(ctx, g); err != nil {
			return err
		}
		outcomes := make([]declaration.Outcome, len(g.items))
		for n := range outcomes {
			outcomes[n].Err = because
		}
		return end(ctx, outcomes)
	})
}

// fail notes that a group failed for no fault of its own. It is given up once it has done so too
// often.
func (s *Service) fail(ctx context.Context, g group) error {
	if g.items[0].Failures+1 >= maxFailures {
		return s.refuse(ctx, g, fault.New(fault.Internal), func(ctx context.Context, outcomes []declaration.Outcome) error {
			return s.settle(ctx, g, nil, outcomes)
		})
	}
	return s.run.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.begin(ctx, g); err != nil {
			return err
		}
		tried := slices.Clone(g.items)
		for n := range tried {
			tried[n].Failures++
		}
		return s.repo.settle(ctx, tried)
	})
}

// settle writes what became of a group, in the transaction that files it, and gives the batch back.
// With the last item it ends the batch, and promises the message.
func (s *Service) settle(ctx context.Context, g group, before map[string]uuid.UUID, outcomes []declaration.Outcome) error {
	items := make([]Item, len(g.items))
	var filed []reference
	for n, o := range outcomes {
		var err error
		if items[n], err = g.items[n].settled(o); err != nil {
			return err
		}
		if o.Err == nil {
			filed = append(filed, reference{g.batch.PersonID, g.batch.ContributorID, g.items[n].Reference, o.ID})
		} else if id, known := before[g.items[n].Reference]; known && fault.Is(o.Err, fault.Duplicate) {
			items[n].DeclarationID = &id
		}
	}
	if err := s.repo.settle(ctx, items); err != nil {
		return err
	}
	if err := s.repo.addReferences(ctx, filed); err != nil {
		return err
	}
	b, err := s.repo.count(ctx, g.batch.ID, len(filed), len(items)-len(filed))
	if err != nil {
		return err
	}
	if b.Pending() > 0 && g.alone {
		return nil
	}
	if b.Pending() > 0 {
		// Whoever comes first goes on.
		return s.repo.release(ctx, g.batch.ID)
	}
	now := s.run.Clock.Now()
	if err := s.repo.finish(ctx, g.batch.ID, Done, now); err != nil {
		return err
	}
	if err := s.traceEnd(ctx, b); err != nil {
		return err
	}
	return s.tell(ctx, b, now)
}

// traceEnd writes the record of a batch of which each item has its outcome. No request did that, so
// it names none.
func (s *Service) traceEnd(ctx context.Context, b Batch) error {
	trace := operation.Trace{ContributorID: b.ContributorID, SubjectKind: Kind, SubjectID: b.ID.String()}
	record := trace.Record(audit.WithOrigin(ctx, audit.Origin{Operation: "finishDeclarationBatch"}), access.Actor{}, s.run.Clock)
	return s.run.Trail.Write(ctx, record)
}
