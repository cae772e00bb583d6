package protocol

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
)

const (
	groupSize    = 256
	queueSize    = 4096
	groupTimeout = 30 * time.Second
)

// Register puts filings in order. What is filed comes in through a Lane of its kind.
type Register struct {
	db      *db.DB
	time    Time
	keys    *idempotency.Store
	trail   *audit.Trail
	outbox  *outbox.Outbox
	reach   outbox.Directory
	recheck *recheck.Checker
	log     *slog.Logger
	queue   chan filing
	bundles chan *bundle
	stop    chan struct{}
	once    sync.Once
	stopped chan struct{}
	// refusals counts what is refused because of the time, once somebody observes it.
	refusals atomic.Pointer[metric.Int64Counter]
}

// waiting is how the register tells who waits for a filing.
type waiting struct {
	ctx context.Context
	// done is closed once the filing is made or refused; err tells why it is refused.
	done chan struct{}
	err  error
}

func (w *waiting) finish(err error) {
	w.err = err
	close(w.done)
}

// NewRegister starts a register. Close it to file what is left. Whoever files is told where reach
// says when it is filed; where that is nil, messages are routed later.
func NewRegister(
	d *db.DB, t Time, keys *idempotency.Store, checker *recheck.Checker, reach outbox.Directory, log *slog.Logger,
) *Register {
	r := &Register{
		db: d, time: t, keys: keys, trail: audit.NewTrail(d), outbox: outbox.New(d), reach: reach, recheck: checker, log: log,
		queue: make(chan filing, queueSize), bundles: make(chan *bundle, bundlesWaiting), stop: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go r.run()
	return r
}

// Close files what has arrived and ends the register.
func (r *Register) Close() {
	r.once.Do(func() { close(r.stop) })
	<-r.stopped
}

// wait queues a filing and waits until it is made or refused.
func (r *Register) wait(ctx context.Context, f filing) error {
	w := f.wait()
	select {
	case <-r.stop:
		return fault.After(fault.Unavailable, time.Second)
	default:
	}
	select {
	case r.queue <- f:
	default:
		return fault.After(fault.Busy, time.Second)
	}
	return r.await(ctx, w)
}

// await waits until what was queued is made or refused.
func (r *Register) await(ctx context.Context, w *waiting) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.stopped:
		select {
		case <-w.done:
			return w.err
		default:
			return fault.After(fault.Unavailable, time.Second)
		}
	}
}

func (r *Register) run() {
	defer close(r.stopped)
	for {
		select {
		case first := <-r.queue:
			r.file(r.gather(first))
		case b := <-r.bundles:
			r.fileTogether(b)
		case <-r.stop:
			for {
				select {
				case first := <-r.queue:
					r.file(r.gather(first))
				case b := <-r.bundles:
					r.fileTogether(b)
				default:
					return
				}
			}
		}
	}
}

// gather takes what has arrived, in order of arrival. Who is about to arrive is let in first.
func (r *Register) gather(first filing) []filing {
	runtime.Gosched()
	group := []filing{first}
	for len(group) < groupSize {
		select {
		case f := <-r.queue:
			group = append(group, f)
		default:
			return group
		}
	}
	return group
}

// file commits a group. The second of two requests with one key waits for the next round, where it
// finds the first one's row.
func (r *Register) file(group []filing) {
	for len(group) > 0 {
		var now, later []filing
		claimed := map[[2]string]bool{}
		for _, f := range group {
			if err := f.wait().ctx.Err(); err != nil {
				f.wait().finish(err)
				continue
			}
			if c := f.header().Claim; c != nil {
				key := [2]string{c.Scope, c.Key}
				if claimed[key] {
					later = append(later, f)
					continue
				}
				claimed[key] = true
			}
			now = append(now, f)
		}
		r.commit(now)
		group = later
	}
}

// commit files a group in one transaction. When that fails, each filing goes in one of its own, so
// that one bad filing harms no other.
func (r *Register) commit(group []filing) {
	if len(group) == 0 {
		return
	}
	entries := make([]*Line, len(group))
	for i, f := range group {
		entries[i] = f.begin()
	}
	err := r.transact(context.Background(), entries, nil)
	if err != nil && len(group) > 1 && !db.IsUnavailable(err) {
		r.log.Warn("group of filings failed, filing one by one", "filings", len(group), "error", err)
		for _, f := range group {
			r.commit([]filing{f})
		}
		return
	}
	if db.IsLockTimeout(err) {
		err = &fault.Fault{Code: fault.Busy, RetryAfter: time.Second, Err: err}
	}
	for i, f := range group {
		entries[i].Refuse(err)
		f.wait().finish(entries[i].Err)
	}
}

// transact files a group in one transaction; b is nil for one that was gathered.
func (r *Register) transact(ctx context.Context, entries []*Line, b *bundle) error {
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	return r.db.InTx(ctx, func(ctx context.Context) error {
		live, book, err := r.begin(ctx, entries, b)
		if err != nil {
			return err
		}
		before := r.time.Process.Now()
		counters, err := r.lockCounters(ctx, accepted(live))
		if err != nil {
			return err
		}
		// Read after the lock: whoever commits later has a later time.
		r.date(ctx, accepted(live), counters, before)
		for _, e := range accepted(live) {
			if e.until != nil && !e.At.Before(*e.until) {
				// The right ended by itself while the group waited for the counter.
				e.Refuse(fault.New(fault.NotFound))
			}
		}
		for _, p := range parts(accepted(live)) {
			if err := p.lane.check(ctx, p.lines); err != nil {
				return err
			}
		}
		if b != nil {
			b.check(entries)
		} else if err := r.release(ctx, live); err != nil {
			return err
		}
		return r.db.Gather(ctx, func(ctx context.Context) error {
			if err := r.write(ctx, accepted(live), counters, book); err != nil || b == nil {
				return err
			}
			return b.end(ctx)
		})
	})
}

// begin takes what is locked first: the idempotency keys, or what a bundle names. Then it reads
// session and right again, so that what was revoked meanwhile is refused. It returns the entries
// that came through the first, and where those who file are told.
func (r *Register) begin(ctx context.Context, entries []*Line, b *bundle) ([]*Line, outbox.Book, error) {
	if b == nil && r.db.Dialect() == db.Postgres {
		return r.beginTogether(ctx, entries)
	}
	var err error
	if b != nil {
		err = b.begin(ctx)
	} else {
		err = refuseKnown(entries, r.keys.TakeAll(ctx, wantsOf(entries)))
	}
	if err != nil {
		return nil, nil, err
	}
	live := accepted(entries)
	if len(live) == 0 {
		return nil, nil, nil
	}
	outcomes, err := r.recheck.AllUntil(ctx, claimsOf(live))
	refuseRevoked(live, outcomes)
	if err != nil || r.reach == nil {
		return live, nil, err
	}
	book, err := r.reach.Look(ctx, filers(live))
	return live, book, err
}

// beginTogether is begin in one journey. Locks are taken in the same order, also for what is refused.
func (r *Register) beginTogether(ctx context.Context, entries []*Line) ([]*Line, outbox.Book, error) {
	var batch direct.Batch
	known, err := r.keys.TakeIn(&batch, wantsOf(entries))
	if err != nil {
		return nil, nil, err
	}
	keys := batch.Len()
	rights := r.recheck.AskIn(&batch, claimsOf(entries))
	book := func() (outbox.Book, error) { return nil, nil }
	if r.reach != nil {
		book = r.reach.LookIn(&batch, filers(entries))
	}
	err = batch.Send(ctx, r.db)
	if err != nil && batch.Answered() >= keys {
		return nil, nil, err
	}
	if refused := refuseKnown(entries, known(ctx, err)); refused != nil {
		return nil, nil, refused
	}
	live := accepted(entries)
	if len(live) == 0 {
		return nil, nil, nil
	}
	outcomes, err := rights(ctx)
	refuseRevoked(entries, outcomes)
	if err != nil {
		return nil, nil, err
	}
	told, err := book()
	return live, told, err
}

// filers returns who files, each once.
func filers(entries []*Line) []uuid.UUID {
	var people []uuid.UUID
	for _, e := range entries {
		if !slices.Contains(people, e.By.PersonID) {
			people = append(people, e.By.PersonID)
		}
	}
	return people
}

func wantsOf(entries []*Line) []idempotency.Want {
	wants := make([]idempotency.Want, len(entries))
	for i, e := range entries {
		wants[i] = idempotency.Want{Claim: e.Claim, ResourceID: e.SubjectID.String()}
	}
	return wants
}

func claimsOf(entries []*Line) []recheck.Claim {
	claims := make([]recheck.Claim, len(entries))
	for i, e := range entries {
		claims[i] = recheck.ClaimOf(e.By, e.Right)
	}
	return claims
}

// refuseKnown refuses entries whose key was not taken.
func refuseKnown(entries []*Line, outcomes []error) error {
	for i, err := range outcomes {
		if err == nil {
			continue
		}
		var replay *idempotency.Replay
		var refused *fault.Fault
		if !errors.As(err, &replay) && !errors.As(err, &refused) {
			return err
		}
		if fault.Is(err, fault.RequestInProgress) && len(entries) > 1 {
			// A statement that gave up a lock has ended the transaction.
			return err
		}
		entries[i].Refuse(err)
	}
	return nil
}

// refuseRevoked refuses entries whose session or right has ended.
func refuseRevoked(entries []*Line, outcomes []recheck.Outcome) {
	for i, outcome := range outcomes {
		entries[i].until = outcome.Until
		if outcome.Err != nil {
			entries[i].Refuse(outcome.Err)
		}
	}
}

// lockCounters locks the counters of the entries' offices, in the order of their codes.
func (r *Register) lockCounters(ctx context.Context, entries []*Line) (map[string]*counter, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	var offices []string
	for _, e := range entries {
		if !slices.Contains(offices, e.Office) {
			offices = append(offices, e.Office)
		}
	}
	slices.Sort(offices)
	return lockedCounters(ctx, r.db, offices)
}

// release gives back the keys of refused entries: a refused request leaves no row.
func (r *Register) release(ctx context.Context, entries []*Line) error {
	var claims []*idempotency.Claim
	for _, e := range entries {
		if e.Err != nil {
			claims = append(claims, e.Claim)
		}
	}
	return r.keys.Release(ctx, claims...)
}

// write numbers the entries in order of arrival and stores everything that belongs to them.
func (r *Register) write(ctx context.Context, entries []*Line, counters map[string]*counter, book outbox.Book) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]entryRow, len(entries))
	records := make([]audit.Record, len(entries))
	for i, e := range entries {
		c := counters[e.Office]
		e.Number = c.number(e.At)
		e.Claim.Rendered()
		rows[i] = entryRow{
			OfficeCode: e.Office, Year: c.Year, Number: e.Number.Serial, At: e.At, Kind: e.filing.kind().word(), SubjectID: e.SubjectID,
			Digest: e.Digest,
		}
		records[i] = e.Trace.Record(audit.WithOrigin(ctx, e.Origin), e.By, r.time.Process)
	}
	for _, p := range parts(entries) {
		if err := p.lane.store(ctx, p.lines); err != nil {
			return err
		}
	}
	for i, e := range entries {
		rows[i].Receipt = e.Receipt
	}
	if err := db.InsertAll(ctx, r.db, rows); err != nil {
		return err
	}
	if err := r.trail.Write(ctx, records...); err != nil {
		return err
	}
	var messages []outbox.Message
	for _, e := range entries {
		messages = append(messages, e.Messages...)
	}
	if err := r.outbox.AddRouted(ctx, book, r.time.Process.Now(), messages...); err != nil {
		return err
	}
	return saveCounters(ctx, r.db, counters)
}

func accepted(entries []*Line) []*Line {
	live := make([]*Line, 0, len(entries))
	for _, e := range entries {
		if e.Err == nil {
			live = append(live, e)
		}
	}
	return live
}
