package smarttask

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

const (
	// pollEvery is how often a worker looks for tasks that another process filed, or left when it
	// ended.
	pollEvery = 2 * time.Second
	// leaseTime is how long a task waits whose process died.
	leaseTime = 45 * time.Second
	// maxFailures is how often a task is tried that fails for no fault of its own while the database
	// answers.
	maxFailures = 5
)

// Run decides tasks until the context ends. Any number of processes may do so: each task is one's
// at a time.
func (s *Service) Run(ctx context.Context) {
	job.NewWorker(job.Options{
		Step: s.next(), Topic: announced, DB: s.run.DB, Every: pollEvery, Log: s.log, Failure: "smart tasks not decided",
	}).Run(ctx)
}

// Due reports whether Drain would find something to do.
func (s *Service) Due(ctx context.Context) (bool, error) { return s.repo.open(ctx) }

// Drain decides what there is and returns when there is no more. It stops at the first task that
// fails for no fault of its own.
func (s *Service) Drain(ctx context.Context) error { return s.next().Drain(ctx) }

// next decides one task.
func (s *Service) next() job.Step {
	w := worker{s, uuid.NewString()}
	return job.Leased(func(ctx context.Context) (Task, bool, error) {
		return s.repo.claim(ctx, w.lease())
	}, w.do).When(s.Due)
}

// worker decides tasks under leases of its own.
type worker struct {
	*Service
	owner string
}

func (w worker) lease() job.Lease { return job.NewLease(w.owner, w.run.Clock.Now(), leaseTime) }

// do brings a task to its end. Whoever finds one that another left goes on where that came to.
func (w worker) do(ctx context.Context, t Task) error {
	err := w.bring(ctx, t)
	if err == nil || errors.Is(err, job.ErrLost) || passes(ctx, err) {
		return err
	}
	w.log.WarnContext(ctx, "smart task failed", "task", t.ID.String(), "error", err)
	return errors.Join(err, w.fail(ctx, t.ID))
}

func (w worker) bring(ctx context.Context, t Task) error {
	if t.State == Submitted {
		if err := w.take(ctx, t.ID); err != nil {
			return err
		}
	}
	if t.ExaminedAt == nil {
		if err := w.begin(ctx, t.ID); err != nil {
			return err
		}
	}
	return w.decide(ctx, t.ID)
}

// passes reports whether an error is one of the moment: the same may go well later.
func passes(ctx context.Context, err error) bool {
	return ctx.Err() != nil || db.IsUnavailable(err) || db.IsLockTimeout(err) || fault.Is(err, fault.Unavailable) ||
		fault.Is(err, fault.Busy)
}

// take takes a task in charge, and its ticket with it.
func (w worker) take(ctx context.Context, id uuid.UUID) error {
	return w.run.DB.InTx(ctx, func(ctx context.Context) error {
		t, err := w.repo.keep(ctx, id, w.lease())
		if err != nil || t.State != Submitted {
			return err
		}
		now := w.run.Clock.Now()
		filed, err := w.tickets.TakeInTx(ctx, id, nil, now)
		if err != nil {
			return err
		}
		if err := w.repo.save(ctx, t.taken(now)); err != nil {
			return err
		}
		return w.trace(ctx, "takeSmartTaskInCharge", filed)
	})
}

// begin notes that the examination has begun.
func (w worker) begin(ctx context.Context, id uuid.UUID) error {
	return w.run.DB.InTx(ctx, func(ctx context.Context) error {
		t, err := w.repo.keep(ctx, id, w.lease())
		if err != nil || t.ExaminedAt != nil {
			return err
		}
		return w.repo.save(ctx, t.examined(w.run.Clock.Now()))
	})
}

// decide examines a task, does what is asked unless that is refused, and closes the ticket: all in
// one transaction, so that it is done once wherever a process dies.
//
// Lock order: task, ticket, person, what the effect locks, the right of the effect. Whoever comments
// on the ticket meanwhile locks it before their right, too.
func (w worker) decide(ctx context.Context, id uuid.UUID) error {
	return w.run.DB.InTx(ctx, func(ctx context.Context) error {
		t, err := w.repo.keep(ctx, id, w.lease())
		if err != nil {
			return err
		}
		if err := w.tickets.HoldInTx(ctx, id); err != nil {
			return err
		}
		now := w.run.Clock.Now()
		done, err := w.examine(ctx, t, now)
		var no *refusal
		switch {
		case errors.As(err, &no):
			return w.end(ctx, t.Decided(no.check, no.reasons, now), now)
		case err != nil:
			return err
		}
		if err := w.traceEffect(ctx, t, done); err != nil {
			return err
		}
		return w.end(ctx, t.Decided("", nil, now), now)
	})
}

// examine looks again at who asked and does what they asked for. It returns a *refusal before
// anything is written.
func (w worker) examine(ctx context.Context, t Task, now time.Time) (effect, error) {
	// Whoever is suspended at this moment is suspended before this, or after it.
	standing, err := w.run.Recheck.All(ctx, []recheck.Claim{{PersonID: t.PersonID}})
	if err != nil {
		return effect{}, err
	}
	if standing[0] != nil {
		return effect{}, refuse(RightCheck, RightEnded)
	}
	by, err := w.rights.Delayed(ctx, access.Later{PersonID: t.PersonID, ContributorID: t.ContributorID, SessionID: t.SessionID})
	if err != nil {
		return effect{}, err
	}
	at := slices.IndexFunc(by.Rights, func(r access.Right) bool { return r.ID == t.RightID && r.Covers(access.Dossier) })
	if at < 0 || by.Staff() {
		return effect{}, refuse(RightCheck, RightEnded)
	}
	if by.CredentialLevel != access.Dispositive {
		return effect{}, refuse(RightCheck, CredentialsOrdinary)
	}
	kind := typeByCode[t.Type]
	asked, err := kind.parse(json.RawMessage(t.Content))
	if err != nil {
		return effect{}, err
	}
	done, err := kind.rule.decide(ctx, w.Service, examination{by: by, right: by.Rights[at], content: asked, now: now})
	if err != nil || done.held {
		return done, err
	}
	outcomes, err := w.run.Recheck.All(ctx, []recheck.Claim{{PersonID: t.PersonID, Right: done.right}})
	if err == nil && outcomes[0] != nil {
		// It ended beside this. What was done is undone, and the next try finds it ended.
		err = &fault.Fault{Code: fault.Unavailable, Err: outcomes[0]}
	}
	return done, err
}

// end writes what became of a task, and closes its ticket, whose opener is told.
func (w worker) end(ctx context.Context, t Task, now time.Time) error {
	if err := w.repo.save(ctx, t); err != nil {
		return err
	}
	closed, err := w.tickets.CloseInTx(ctx, t.ID, t.Closure(), now)
	if err != nil {
		return err
	}
	return w.trace(ctx, "decideSmartTask", closed)
}

// fail notes that a task failed for no fault of its own. It is given up once it has done so too
// often.
func (w worker) fail(ctx context.Context, id uuid.UUID) error {
	return w.run.DB.InTx(ctx, func(ctx context.Context) error {
		t, err := w.repo.keep(ctx, id, w.lease())
		if errors.Is(err, job.ErrLost) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.Failures++; t.Failures < maxFailures {
			return w.repo.save(ctx, t)
		}
		now := w.run.Clock.Now()
		return w.end(ctx, t.Decided("", []Reason{{Code: Unexaminable}}, now), now)
	})
}

// traceEffect writes the record of what was done: for the person, by their right, in the request
// in which they asked for it.
func (w worker) traceEffect(ctx context.Context, t Task, done effect) error {
	trace := operation.Trace{
		PersonID: t.PersonID, SessionID: t.SessionID, ContributorID: t.ContributorID, Right: done.right,
		SubjectKind: done.subjectKind, SubjectID: done.subjectID, Outcome: done.outcome, Detail: `{"smart_task_id":"` + t.ID.String() + `"}`,
	}
	as := audit.WithOrigin(ctx, audit.Origin{Operation: "requestSmartTask", RequestID: t.RequestID, Address: t.Address})
	return w.run.Trail.Write(ctx, trace.Record(as, access.Actor{}, w.run.Clock))
}

// trace writes the record of what the system did to a task. No request did that, so it names none.
func (w worker) trace(ctx context.Context, as string, t ticket.Ticket) error {
	detail := `{"state":"` + string(t.State) + `"}`
	trace := operation.Trace{ContributorID: t.ContributorID, SubjectKind: ticket.SubjectKind, SubjectID: t.ID.String(), Detail: detail}
	record := trace.Record(audit.WithOrigin(ctx, audit.Origin{Operation: as}), access.Actor{}, w.run.Clock)
	return w.run.Trail.Write(ctx, record)
}
