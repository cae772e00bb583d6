package registerimport

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
)

const (
	queuedTopic = "register-imports"
	// atOnce is how many lines one transaction stages, or drops: few, since on SQLite everybody
	// waits for it.
	atOnce = 1000
	// appliedAtOnce is how many lines one transaction applies on SQLite, where everybody waits for
	// it.
	appliedAtOnce = 2500
	// leaversAtOnce is how many intermediaries are taken off a register with one statement.
	leaversAtOnce = 500
	// toldAtOnce is how many contributors one transaction tells.
	toldAtOnce = 200
	// pollEvery is how often a worker looks for imports that another process queued, or did not
	// finish.
	pollEvery = time.Second
	// leaseTime is for how long others leave an import alone after its last step.
	leaseTime = time.Minute
)

// WorkerOptions are what a Worker works with. All are needed.
type WorkerOptions struct {
	DB     *db.DB
	Clock  clock.Clock
	Blobs  *blob.Bucket
	Outbox *outbox.Outbox
	Log    *slog.Logger
}

// Worker works imports off, one after the other in the order in which they came. An import is
// leased to one worker at a time, of however many there are.
type Worker struct {
	WorkerOptions
	repo  repository
	owner string
}

// NewWorker returns a worker that does nothing yet: call Run, or Drain.
func NewWorker(o WorkerOptions) *Worker {
	return &Worker{o, repository{o.DB}, uuid.NewString()}
}

// Run works imports off until the context ends.
func (w *Worker) Run(ctx context.Context) {
	job.NewWorker(job.Options{
		Step: w.next(), Topic: queuedTopic, DB: w.DB, Every: pollEvery, Log: w.Log, Failure: "import of a register held up",
	}).Run(ctx)
}

// Drain works off what there is, and returns when there is no more or another worker is at it.
func (w *Worker) Drain(ctx context.Context) error { return w.next().Drain(ctx) }

// next does the import whose turn it is.
func (w *Worker) next() job.Step { return job.Leased(w.claim, w.work) }

// News adds the messages about imports that have taken effect to the outbox, and starts no import.
// A sandbox calls it before it shows messages, so that whoever saw an import done finds them.
type News struct{ *Worker }

// Due reports whether there is something to be told.
func (n News) Due(ctx context.Context) (bool, error) {
	i, some, err := n.repo.oldest(ctx)
	return some && i.State == Done, err
}

// Drain tells it. It may run inside a transaction, which then holds all that it does.
func (n News) Drain(ctx context.Context) error { return job.Leased(n.claim, n.work).Drain(ctx) }

func (n News) claim(ctx context.Context) (Import, bool, error) {
	i, some, err := n.repo.oldest(ctx)
	if err != nil || !some || i.State != Done {
		return Import{}, false, err
	}
	return n.lease(ctx, i)
}

// claim leases the import whose turn it is.
func (w *Worker) claim(ctx context.Context) (Import, bool, error) {
	i, some, err := w.repo.oldest(ctx)
	if err != nil || !some {
		return Import{}, false, err
	}
	return w.lease(ctx, i)
}

// lease reports false where another worker is at the import.
func (w *Worker) lease(ctx context.Context, i Import) (Import, bool, error) {
	mine := false
	err := w.DB.InTx(ctx, func(ctx context.Context) (err error) {
		mine, err = w.repo.claim(ctx, i.ID, job.NewLease(w.owner, w.Clock.Now(), leaseTime))
		return err
	})
	return i, mine, err
}

// work does all steps of an import that are left.
func (w *Worker) work(ctx context.Context, i Import) error {
	b := bookOf(i.Register)
	if i.Step == stepCheck {
		if err := w.check(ctx, i, b); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		i, err := w.step(ctx, i.ID, func(ctx context.Context, i *Import) error {
			if err := w.advance(ctx, i, b); err != nil || !w.wholly() {
				return err
			}
			for i.Step == stepApply || i.Step == stepLeave {
				if err := w.advance(ctx, i, b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if i.Step == stepNone {
			w.Log.InfoContext(
				ctx, "import of a register ended", "import_id", i.ID.String(), "register", string(i.Register), "state", string(i.State),
				"lines", i.LinesDone,
			)
			return nil
		}
	}
	return ctx.Err()
}

// wholly reports whether all of a file is applied in one transaction. On PostgreSQL it is: nobody
// waits for the rows that it changes, since nobody else locks them but to keep intermediaries from
// being struck off, which is what it does last. On SQLite one transaction writes at a time, and a
// long one would stop everybody.
func (w *Worker) wholly() bool { return w.DB.Dialect() == db.Postgres }

// step does one transaction of an import, with which it renews its lease.
func (w *Worker) step(ctx context.Context, id uuid.UUID, do func(ctx context.Context, i *Import) error) (Import, error) {
	var i Import
	in := w.DB.InTx
	if w.wholly() {
		in = w.DB.InLongTx
	}
	err := in(ctx, func(ctx context.Context) error {
		held, mine, err := w.repo.hold(ctx, id, w.owner)
		if err != nil {
			return err
		}
		if !mine {
			return job.ErrLost
		}
		i = held
		if err := do(ctx, &i); err != nil {
			return err
		}
		until := w.Clock.Now().Add(leaseTime)
		if i.LeaseUntil = &until; i.Step == stepNone {
			i.LeaseOwner, i.LeaseUntil = nil, nil
		}
		return w.repo.save(ctx, i)
	})
	return i, err
}

// check reads the file and stages its lines, chunk by chunk, from where it was left.
func (w *Worker) check(ctx context.Context, i Import, b book) error {
	fail := func(wrong ...LineError) error {
		_, err := w.step(ctx, i.ID, func(_ context.Context, i *Import) error {
			if err := i.complain(wrong); err != nil {
				return err
			}
			return i.settle(b.whole, false, w.Clock.Now())
		})
		return err
	}
	file, err := w.Blobs.NewReader(ctx, blobKey(i.ID), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fail(LineError{Line: 1, Code: fault.FieldFileMissing})
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	known, err := know(ctx, w.DB)
	if err != nil {
		return err
	}
	source := newLines(file, i, b.columns)
	for range i.RowsRead {
		if _, _, err := source.next(); err != nil {
			return err
		}
	}
	for i.Step == stepCheck && ctx.Err() == nil {
		c, err := readChunk(source)
		var broken fileError
		if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &broken) {
			return err
		}
		if c.alone = broken.alone(); c.alone {
			c.rows, c.wrong = nil, nil
		}
		c.wrong = append(c.wrong, broken...)
		i, err = w.step(ctx, i.ID, func(ctx context.Context, i *Import) error { return w.stage(ctx, i, b, known, c) })
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// chunk is a part of a file.
type chunk struct {
	rows []record
	// read counts the rows, those that are wrong included.
	read  int
	wrong []LineError
	// last chunks are those after which nothing comes, complete ones reach the end of the file.
	last, complete bool
	// alone says that what is wrong is all that is named of the file.
	alone bool
}

// readChunk reads the next rows. Its error is io.EOF or a fileError where nothing more comes.
func readChunk(source lines) (c chunk, err error) {
	for c.read < atOnce {
		r, wrong, err := source.next()
		if err != nil {
			c.last, c.complete = true, errors.Is(err, io.EOF)
			return c, err
		}
		c.read++
		if len(wrong) > 0 {
			c.wrong = append(c.wrong, wrong...)
			continue
		}
		c.rows = append(c.rows, r)
	}
	return c, nil
}

// stage holds a chunk against what is known and stages it.
func (w *Worker) stage(ctx context.Context, i *Import, b book, known knowledge, c chunk) error {
	i.State = Running
	wrong := slices.Clone(c.wrong)
	if len(c.rows) > 0 {
		if b.check != nil {
			more, err := b.check(ctx, known, c.rows)
			if err != nil {
				return err
			}
			wrong = append(wrong, more...)
		}
		repeated, err := b.stage(ctx, w.DB, i.ID, c.rows)
		if err != nil {
			return err
		}
		for _, line := range repeated {
			wrong = append(wrong, LineError{line, "/" + b.key, fault.FieldRepeated})
		}
	}
	slices.SortStableFunc(wrong, func(a, b LineError) int { return cmp.Compare(a.Line, b.Line) })
	i.RowsRead += c.read
	if c.alone {
		i.Errors = "[]"
	}
	if err := i.complain(wrong); err != nil {
		return err
	}
	all, err := i.Wrong()
	if err != nil {
		return err
	}
	if c.last || len(all) == maxErrors {
		return i.settle(b.whole, c.complete, w.Clock.Now())
	}
	return nil
}

// advance does the next part of an import that was checked.
func (w *Worker) advance(ctx context.Context, i *Import, b book) error {
	now := w.Clock.Now()
	switch i.Step {
	case stepAdopt:
		if n, err := adoptSome(ctx, w.DB); err != nil || n > 0 {
			return err
		}
	case stepApply:
		if n, err := w.apply(ctx, i, b, now); err != nil || n > 0 {
			return err
		}
	case stepLeave:
		if n, err := leaveSome(ctx, w.DB, i, now); err != nil || n > 0 {
			return err
		}
		if n, err := strikeOff(ctx, w.DB, i.ID, w.Clock); err != nil || n > 0 {
			return err
		}
	case stepTell:
		if more, err := w.tellSome(ctx, i.ID, now); err != nil || more {
			return err
		}
	case stepClean:
		n, err := w.repo.drop(ctx, b.table, i.ID)
		if err != nil || n > 0 {
			return err
		}
		if err := w.DB.From(ctx).Exec("DELETE FROM register_notices WHERE import_id = ?", i.ID).Error; err != nil {
			return err
		}
		if err := forget(ctx, w.Blobs, i.ID); err != nil {
			return err
		}
	case stepCheck, stepNone:
	}
	i.advance(b.whole, now)
	return nil
}

// apply brings the next staged lines in and returns how many there were.
func (w *Worker) apply(ctx context.Context, i *Import, b book, now time.Time) (int, error) {
	most := appliedAtOnce
	if w.wholly() {
		most = math.MaxInt32
	}
	high, n, err := w.repo.span(ctx, b.table, *i, most)
	if err != nil || n == 0 {
		return 0, err
	}
	args := map[string]any{
		"import": i.ID, "low": i.Reached, "high": high, "now": now, "common": access.ServiceSet(contributor.Company.Services()),
	}
	for _, statement := range b.apply {
		if err := w.DB.From(ctx).Exec(statement, args).Error; err != nil {
			return 0, err
		}
	}
	if b.then != nil {
		if err := b.then(ctx, w, args, now); err != nil {
			return 0, err
		}
	}
	i.Reached = high
	i.LinesDone += n
	return n, nil
}
