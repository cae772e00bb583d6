package delegationbatch

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
)

// Deps are what the service works with.
type Deps struct {
	Runner      *operation.Runner
	Delegations *delegation.Service
	// Contributors knows positions and who signs.
	Contributors *contributor.Service
	People       *person.Service
	Log          *slog.Logger
	// BeforeShowing, where there is one, is called before a batch is shown. It is for the sandbox,
	// which works when somebody looks.
	BeforeShowing func(ctx context.Context) error
}

// Service takes batches, shows them, and works them off.
type Service struct {
	run           *operation.Runner
	repo          repository
	delegations   *delegation.Service
	contributors  *contributor.Service
	people        *person.Service
	log           *slog.Logger
	beforeShowing func(ctx context.Context) error
}

// NewService returns the service. It works batches off when Run or Drain is called.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, delegations: d.Delegations, contributors: d.Contributors, people: d.People,
		log: d.Log, beforeShowing: d.BeforeShowing,
	}
}

// topic is what is announced when a batch was taken.
const topic = "delegation-batches"

// Draft takes a list. It returns fault.Invalid for one that is empty or too long or whose shared
// terms are wrong, fault.Forbidden for who works for no intermediary on its register,
// fault.DelegateMustBePerson for a firm, and fault.DispositiveRequired.
func (s *Service) Draft(ctx context.Context, by access.Actor, in Input) (Batch, error) {
	membership, err := s.delegations.Membership(ctx, by, in.DelegateID)
	if err != nil {
		return Batch{}, err
	}
	now := s.run.Clock.Now()
	if err := in.check(now); err != nil {
		return Batch{}, err
	}
	origin := audit.OriginOf(ctx)
	b := Batch{
		ID: uuid.Must(uuid.NewV7()), DelegateID: membership.DelegateID, PersonID: by.PersonID, ItemsTotal: len(in.Entries),
		SessionID: by.SessionID,
		RequestID: origin.RequestID, Address: origin.Address, CreatedAt: now,
	}
	items, refused := b.itemsOf(in.Entries)
	b = b.progress(refused)
	// What an earlier, equal request made is shown as far as the actor may still see it.
	replay := operation.ByID(func(ctx context.Context, id uuid.UUID) (Batch, error) { return s.visible(ctx, by, id) })
	taken, err := operation.Do(ctx, s.run, by, b.ID.String(), func(ctx context.Context, trace *operation.Trace) (Batch, error) {
		trace.Right, trace.SubjectKind = membership.Right(), "delegation-batch"
		s.run.DB.Announce(ctx, topic)
		return b, s.repo.add(ctx, b, items)
	}, replay)
	return taken, operation.ReplayIfVisible(ctx, err, replay)
}

// itemsOf makes the items of a batch, and counts those that are refused as they stand.
func (b Batch) itemsOf(entries []Entry) (items []Item, refused int) {
	items = make([]Item, len(entries))
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		number := shown(e.PositionNumber)
		if e.Reason == "" && seen[number] {
			e.Reason = reasonRepeated
		}
		seen[number] = true
		items[i] = Item{
			BatchID: b.ID, Line: e.Line, PositionNumber: number, Scope: e.Terms.Scope, Services: e.Terms.Services.String(),
			Exclusive:  e.Terms.Exclusive,
			ValidUntil: normal(e.Terms.ValidUntil), SignatoryID: e.SignatoryID, State: Pending,
		}
		if e.Reason != "" {
			items[i].State, items[i].Reason = Refused, &e.Reason
			refused++
		}
	}
	return items, refused
}

// normal is an instant as it is kept.
func normal(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	kept := clock.Normal(*t)
	return &kept
}

// Show returns a batch with what became of each item. It returns fault.NotFound for who does not
// manage the intermediary's delegations.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, error) {
	b, err := s.visible(ctx, by, id)
	if err != nil {
		return Batch{}, err
	}
	if s.beforeShowing != nil {
		if err := s.beforeShowing(ctx); err != nil {
			return Batch{}, err
		}
	}
	// The batch first: it never says that more is done than its items show.
	if b, err = s.repo.one(ctx, id); err != nil {
		return Batch{}, err
	}
	b.Items, err = s.repo.items(ctx, id)
	return b, err
}

// visible returns a batch without its items, or fault.NotFound for who does not manage the
// intermediary's delegations.
func (s *Service) visible(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, error) {
	b, err := s.repo.one(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	manages, err := s.delegations.Manages(ctx, by, b.DelegateID)
	if err != nil {
		return Batch{}, err
	}
	if !manages {
		return Batch{}, fault.New(fault.NotFound)
	}
	return b, nil
}

// Forms returns one PDF with the forms of a batch's delegations that are not active yet. They are
// in the order of the list. It returns fault.NotFound like Show, and fault.Conflict until the batch
// is done, and where there is no form.
func (s *Service) Forms(ctx context.Context, by access.Actor, id uuid.UUID) ([]byte, error) {
	b, err := s.Show(ctx, by, id)
	if err != nil {
		return nil, err
	}
	if b.State != Done {
		return nil, fault.Because(fault.Conflict, "batch-not-done")
	}
	var ids []uuid.UUID
	for _, i := range b.Items {
		if i.DelegationID != nil && !slices.Contains(ids, *i.DelegationID) {
			ids = append(ids, *i.DelegationID)
		}
	}
	unsigned, err := s.delegations.Unsigned(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(unsigned) == 0 {
		return nil, fault.Because(fault.Conflict, "batch-without-forms")
	}
	return s.delegations.Forms(ctx, unsigned...)
}
