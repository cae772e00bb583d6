// Package scan keeps files that users sent closed until a scanner has found nothing in them. What it
// found something in stays closed for good.
package scan

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"
	"gocloud.dev/blob"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

// State is what is known of files.
type State string

// The states of files.
const (
	Waiting State = "waiting"
	Clean   State = "clean"
	Refused State = "refused"
)

// Why files are not handed out, as texts know it.
const (
	ReasonWaiting = "attachments-unscanned"
	ReasonRefused = "attachments-refused"
)

const (
	// announced wakes the worker of this process.
	announced = "file scans"
	// pollEvery is how often a worker looks for files that wait.
	pollEvery = 5 * time.Second
	// scanTimeout is how long one file may take; leaseTime is more than the files of one thing take.
	scanTimeout, leaseTime = 2 * time.Minute, 15 * time.Minute
	// releaseTimeout bounds how long a process that ends waits for the database.
	releaseTimeout = 2 * time.Second
	// firstRetry is how long files wait after a first failure, and lastRetry after many.
	firstRetry, lastRetry = 10 * time.Second, 5 * time.Minute
)

// opRefuse is how the trail names that files were refused.
const opRefuse = "refuseAttachments"

// Files are those that belong to one thing.
type Files struct {
	// ID and Kind are those of the thing, as the trail names it.
	ID   uuid.UUID
	Kind string
	// ContributorID is nil for what is about none.
	ContributorID *uuid.UUID
	// Keys are where they lie in the bucket.
	Keys []string `gorm:"serializer:json"`
}

// row is what is kept of files.
type row struct {
	Files
	State         State
	HeldAt, DueAt time.Time
	Attempts      int
	Finding       *string
	EndedAt       *time.Time
}

// TableName tells GORM the table.
func (row) TableName() string { return "file_scans" }

// Scanner finds what is malicious; see clamd.Client.
type Scanner interface {
	// Scan returns what it found, "" for nothing. An error says nothing of the content.
	Scan(ctx context.Context, content io.Reader) (finding string, err error)
}

// Deps are what the service works with.
type Deps struct {
	Runner *operation.Runner
	Bucket *blob.Bucket
	// Scanner is nil where there is none: then what comes in is handed out at once. What waits goes on
	// waiting.
	Scanner Scanner
	Log     *slog.Logger
}

// Service holds files and lets them go.
type Service struct {
	run     *operation.Runner
	repo    repository
	bucket  *blob.Bucket
	scanner Scanner
	log     *slog.Logger
	refused map[string]func(ctx context.Context, id uuid.UUID, now time.Time) error
}

// NewService returns the service.
func NewService(d Deps) *Service {
	return &Service{
		run: d.Runner, repo: repository{d.Runner.DB}, bucket: d.Bucket, scanner: d.Scanner, log: d.Log,
		refused: map[string]func(ctx context.Context, id uuid.UUID, now time.Time) error{},
	}
}

// OnRefused names what is done, in the same transaction, when files of a kind are refused. It is
// called while the parts are put together.
func (s *Service) OnRefused(kind string, do func(ctx context.Context, id uuid.UUID, now time.Time) error) {
	s.refused[kind] = do
}

// Hold keeps files closed from the context's transaction on, which also writes what they belong to.
// It returns what is known of them then: Waiting, or "" where nobody scans. The service may be nil.
func (s *Service) Hold(ctx context.Context, files Files, now time.Time) (State, error) {
	if s == nil || s.scanner == nil || len(files.Keys) == 0 {
		return "", nil
	}
	s.run.DB.Announce(ctx, announced)
	return Waiting, s.repo.create(ctx, row{Files: files, State: Waiting, HeldAt: now, DueAt: now})
}

// Require returns fault.Conflict for files that are not to be handed out. The service may be nil.
func (s *Service) Require(ctx context.Context, id uuid.UUID) error {
	if s == nil {
		return nil
	}
	state, err := s.repo.state(ctx, id)
	switch {
	case err != nil:
		return err
	case state == Waiting:
		return fault.Because(fault.Conflict, ReasonWaiting)
	case state == Refused:
		return fault.Because(fault.Conflict, ReasonRefused)
	}
	return nil
}

// Run has files scanned until the context ends. Any number of processes may do so.
func (s *Service) Run(ctx context.Context) {
	if s.scanner == nil {
		return
	}
	job.NewWorker(job.Options{
		Step: s.step(), Topic: announced, DB: s.run.DB, Every: pollEvery, Log: s.log, Failure: "files were not scanned, and wait",
	}).Run(ctx)
}

// Drain has the files scanned that are due. It stops at the first that cannot be.
func (s *Service) Drain(ctx context.Context) error { return s.step().Drain(ctx) }

func (s *Service) step() job.Step {
	owner := uuid.NewString()
	lease := func() job.Lease { return job.NewLease(owner, s.run.Clock.Now(), leaseTime) }
	return job.Leased(func(ctx context.Context) (row, bool, error) {
		return s.repo.claim(ctx, lease())
	}, func(ctx context.Context, r row) error {
		finding, err := s.scan(ctx, r.Keys)
		if err == nil {
			return s.end(ctx, owner, r.ID, finding)
		}
		if ctx.Err() != nil {
			// This process ends: another one begins anew at once.
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
			defer cancel()
			return errors.Join(err, s.repo.release(ending, owner, r.ID))
		}
		return errors.Join(err, s.repo.putOff(ctx, owner, r.ID, s.run.Clock.Now().Add(retryAfter(r.Attempts))))
	}).When(func(ctx context.Context) (bool, error) { return s.repo.due(ctx, s.run.Clock.Now()) })
}

// retryAfter doubles with each failure.
func retryAfter(failures int) time.Duration {
	wait := firstRetry
	for range failures {
		if wait *= 2; wait >= lastRetry {
			return lastRetry
		}
	}
	return wait
}

// scan returns what was found in the first file in which something was.
func (s *Service) scan(ctx context.Context, keys []string) (finding string, err error) {
	for _, key := range keys {
		if finding, err = s.scanOne(ctx, key); err != nil || finding != "" {
			return finding, err
		}
	}
	return "", nil
}

func (s *Service) scanOne(ctx context.Context, key string) (finding string, err error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	content, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return s.scanner.Scan(ctx, content)
}

// end notes what came of scanning files, and tells of those that are refused.
func (s *Service) end(ctx context.Context, owner string, id uuid.UUID, finding string) error {
	now := s.run.Clock.Now()
	return s.run.DB.InTx(ctx, func(ctx context.Context) error {
		r, err := s.repo.keep(ctx, owner, id)
		if err != nil {
			return err
		}
		r.State, r.EndedAt = Clean, &now
		if finding != "" {
			r.State, r.Finding = Refused, &finding
		}
		if err := s.repo.end(ctx, r); err != nil || r.State == Clean {
			return err
		}
		s.log.WarnContext(ctx, "files were refused", "kind", r.Kind, "id", r.ID.String(), "finding", finding)
		if do := s.refused[r.Kind]; do != nil {
			if err := do(ctx, r.ID, now); err != nil {
				return err
			}
		}
		return s.trace(ctx, r)
	})
}

// trace writes the record of what the system did. No request did that, so it names none.
func (s *Service) trace(ctx context.Context, r row) error {
	trace := operation.Trace{SubjectKind: r.Kind, SubjectID: r.ID.String(), Detail: `{"state":"refused"}`}
	if r.ContributorID != nil {
		trace.ContributorID = *r.ContributorID
	}
	as := audit.WithOrigin(ctx, audit.Origin{Operation: opRefuse})
	return s.run.Trail.Write(ctx, trace.Record(as, access.Actor{}, s.run.Clock))
}

// Observe has metrics tell how many files wait, and for how long.
func (s *Service) Observe(meter metric.Meter) error {
	waiting, err := meter.Int64ObservableGauge("attachments.scan.waiting", metric.WithUnit("{item}"),
		metric.WithDescription("Tickets, requests and documents whose files wait to be scanned."))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("attachments.scan.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest files that wait to be scanned."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		n, oldest, err := s.repo.backlog(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(waiting, n)
		seconds := 0.0
		if oldest != nil {
			seconds = max(0, s.run.Clock.Now().Sub(*oldest).Seconds())
		}
		o.ObserveFloat64(age, seconds)
		return nil
	}, waiting, age)
	return err
}
