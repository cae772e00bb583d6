package declarationbatch

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// Deps are what the service works with.
type Deps struct {
	Runner       *operation.Runner
	Declarations *declaration.Service
	// Rights knows what somebody may do now, with and without a session.
	Rights *access.Repository
	Outbox *outbox.Outbox
	Log    *slog.Logger
	// BeforeShowing, where there is one, is called before a batch is shown. It is for the sandbox,
	// which works when somebody looks.
	BeforeShowing func(ctx context.Context) error
}

// Service takes batches, shows them, and files what is in them.
type Service struct {
	run           *operation.Runner
	repo          repository
	declarations  *declaration.Service
	rights        *access.Repository
	outbox        *outbox.Outbox
	log           *slog.Logger
	beforeShowing func(ctx context.Context) error
}

// NewService returns the service. It files what is in batches when Run or Drain is called.
func NewService(d Deps) *Service {
	s := &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, declarations: d.Declarations, rights: d.Rights, outbox: d.Outbox, log: d.Log,
		beforeShowing: d.BeforeShowing,
	}
	if s.beforeShowing == nil {
		s.beforeShowing = func(context.Context) error { return nil }
	}
	return s
}

// topic is what is announced when a batch was taken.
const topic = "declaration-batches"

// File takes a list of declarations for the contributor. It returns these faults:
//   - fault.NotFound: the actor has nothing to do with the contributor;
//   - fault.Forbidden, fault.ServiceNotDelegated: the actor may not declare for it;
//   - fault.Invalid: the list is too long or empty, or has equal references;
//   - fault.Conflict: too many of the actor's batches wait.
func (s *Service) File(ctx context.Context, by access.Actor, contributorID uuid.UUID, in Input) (Batch, error) {
	right, err := by.RightToFileAny(contributorID)
	if err != nil {
		return Batch{}, err
	}
	if err := in.check(); err != nil {
		return Batch{}, err
	}
	origin := audit.OriginOf(ctx)
	b := Batch{
		ID: uuid.Must(uuid.NewV7()), ContributorID: contributorID, PersonID: by.PersonID, RightID: right.ID, State: Queued,
		AllOrNothing: in.AllOrNothing, ItemsTotal: len(in.Entries), SessionID: by.SessionID, ApplicationID: by.ApplicationID(),
		RequestID: origin.RequestID,
		Address:   origin.Address, CreatedAt: s.run.Clock.Now(),
	}
	items := b.itemsOf(in.Entries)
	replay := operation.ByID(func(ctx context.Context, id uuid.UUID) (Batch, error) { return s.Visible(ctx, by, id) })
	taken, err := operation.Do(ctx, s.run, by, b.ID.String(), func(ctx context.Context, trace *operation.Trace) (Batch, error) {
		trace.ContributorID, trace.Right, trace.SubjectKind = contributorID, right, Kind
		if err := s.mayOpen(ctx, by.PersonID); err != nil {
			return Batch{}, err
		}
		s.run.DB.Announce(ctx, topic)
		return b, s.repo.add(ctx, b, items)
	}, replay)
	return taken, operation.ReplayIfVisible(ctx, err, replay)
}

// mayOpen refuses one more batch where as many of the person's wait as may. Whoever comes at the
// same time waits.
func (s *Service) mayOpen(ctx context.Context, personID uuid.UUID) error {
	if err := s.run.DB.LockName(ctx, "declaration batches of "+personID.String()); err != nil {
		return err
	}
	open, err := s.repo.openOf(ctx, personID)
	if err != nil {
		return err
	}
	return fault.OverOpen(open, mostOpen, "")
}

// Visible returns fault.NotFound for who may not see a batch. Its sender sees it, and people under
// the right by which it was sent; both while they may declare for all that it filed.
func (s *Service) Visible(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, error) {
	b, _, err := s.visible(ctx, by, id)
	return b, err
}

// visible is Visible, with the actor's rights over the contributor.
func (s *Service) visible(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, access.Actor, error) {
	b, err := s.repo.one(ctx, id)
	if err != nil {
		return b, by, err
	}
	rights, err := s.rights.Rights(ctx, by, []uuid.UUID{b.ContributorID})
	if err != nil {
		return b, by, err
	}
	by.ContributorID = b.ContributorID
	by.Rights = slices.DeleteFunc(rights[b.ContributorID], func(r access.Right) bool { return !r.Files() })
	if len(by.Rights) == 0 || b.PersonID != by.PersonID && !slices.Contains(by.RightIDs(), b.RightID) {
		return b, by, fault.New(fault.NotFound)
	}
	if positions := by.Positions(access.Declarations); positions != nil {
		beyond, err := s.repo.beyond(ctx, id, positions)
		if err == nil && beyond {
			err = fault.New(fault.NotFound)
		}
		if err != nil {
			return b, by, err
		}
	}
	return b, by, nil
}

// shown is visible for who looks at a batch: in a sandbox what waits is done first.
func (s *Service) shown(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, access.Actor, error) {
	if _, by, err := s.visible(ctx, by, id); err != nil {
		return Batch{}, by, err
	}
	if err := s.beforeShowing(ctx); err != nil {
		return Batch{}, by, err
	}
	return s.visible(ctx, by, id)
}

// Show returns a batch, with how many of its items are in each state.
func (s *Service) Show(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, error) {
	b, _, err := s.shown(ctx, by, id)
	return b, err
}

// OfContributor lists the batches that the actor sees of the actor's contributor, the latest first.
func (s *Service) OfContributor(ctx context.Context, by access.Actor, request page.Request) (page.Page[Batch], error) {
	by.Rights = slices.DeleteFunc(slices.Clone(by.Rights), func(r access.Right) bool { return !r.Files() })
	if len(by.Rights) == 0 {
		return page.Page[Batch]{}, nil
	}
	if err := s.beforeShowing(ctx); err != nil {
		return page.Page[Batch]{}, err
	}
	return s.repo.list(ctx, by, request)
}

// Items lists what became of the items of a batch, in their order; state may be empty.
func (s *Service) Items(
	ctx context.Context, by access.Actor, id uuid.UUID, state ItemState, request page.Request,
) (page.Page[ItemView], error) {
	if _, _, err := s.shown(ctx, by, id); err != nil {
		return page.Page[ItemView]{}, err
	}
	after, err := request.After()
	if err != nil {
		return page.Page[ItemView]{}, err
	}
	line := int64(0)
	if after != nil {
		if line, err = strconv.ParseInt(after.Text, 10, 32); err != nil {
			return page.Page[ItemView]{}, fault.New(fault.Malformed)
		}
	}
	rows, err := s.repo.items(ctx, id, state, int(line), request.Size()+1)
	if err != nil {
		return page.Page[ItemView]{}, err
	}
	return page.Cut(rows, request.Size(), func(i ItemView) page.Key {
		return page.Key{Text: strconv.Itoa(i.Line), ID: i.BatchID}
	}), nil
}

// Cancel ends a batch: what has not been filed yet is cancelled. It returns fault.Conflict for one
// that is over.
func (s *Service) Cancel(ctx context.Context, by access.Actor, id uuid.UUID) (Batch, error) {
	replay := operation.ByID(func(ctx context.Context, id uuid.UUID) (Batch, error) { return s.Visible(ctx, by, id) })
	cancelled, err := operation.Do(ctx, s.run, by, id.String(), func(ctx context.Context, trace *operation.Trace) (Batch, error) {
		b, by, err := s.visible(ctx, by, id)
		if err != nil {
			return Batch{}, err
		}
		// A group that is being filed is waited for.
		if b, err = s.repo.lock(ctx, id); err != nil {
			return Batch{}, err
		}
		trace.ContributorID, trace.Right, trace.SubjectKind = b.ContributorID, by.Rights[0], Kind
		if i := slices.Index(by.RightIDs(), b.RightID); i >= 0 {
			trace.Right = by.Rights[i]
		}
		if b.over() {
			return Batch{}, fault.Because(fault.Conflict, "batch-over")
		}
		now := s.run.Clock.Now()
		if err := s.repo.cancel(ctx, id, now); err != nil {
			return Batch{}, err
		}
		if b, err = s.repo.one(ctx, id); err != nil {
			return Batch{}, err
		}
		return b, s.tell(ctx, b, now)
	}, replay)
	return cancelled, operation.ReplayIfVisible(ctx, err, replay)
}

// tell promises who sent a batch one message of what became of it, in the context's transaction.
func (s *Service) tell(ctx context.Context, b Batch, now time.Time) error {
	said, err := s.repo.summary(ctx, b)
	if err != nil {
		return err
	}
	message, err := outbox.NewMessage(doneKind, b.PersonID, map[string]string{
		"legal_name": said.LegalName, "sent_at": b.CreatedAt.Format(time.RFC3339Nano), "items": strconv.Itoa(b.ItemsTotal),
		"filed": strconv.Itoa(b.ItemsFiled), "refused": strconv.Itoa(b.ItemsRefused), "cancelled": strconv.Itoa(b.ItemsCancelled),
		"awaiting": strconv.Itoa(said.Awaiting),
	}, now)
	if err != nil {
		return err
	}
	return s.outbox.Add(ctx, message)
}
