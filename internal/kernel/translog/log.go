// Package translog seals the trail: audit records and entries of the protocol register become leaves
// of a Merkle tree (RFC 9162) whose root is signed. Whoever holds a signed checkpoint finds out when a
// row under it was changed, removed or put in, even by somebody who owns the database.
//
// It works behind the requests. Nothing is added to their transactions: rows are looked for after
// their commit, a few seconds later at most.
package translog

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/mod/sumdb/tlog"

	"diresco/db"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/job"
	"diresco/internal/platform/keyring"
)

const (
	// lookEvery is how often rows are looked for that are not sealed.
	lookEvery = 3 * time.Second
	// sealedAtOnce is how many rows of each kind one transaction seals.
	sealedAtOnce = 4096
	saltBytes    = 16
)

// Deps are what the log works with.
type Deps struct {
	DB    *db.DB
	Clock clock.Clock
	// Random makes the salts.
	Random io.Reader
	Log    *slog.Logger
	// Keys sign; a process without them shows what others sealed.
	Keys *keyring.Log
	// BeforeShowing, where it is set, says that the log is sealed before it is read: in a sandbox.
	BeforeShowing bool
}

// Log seals rows and shows what proves that they were.
type Log struct {
	repo   repository
	clock  clock.Clock
	random io.Reader
	log    *slog.Logger
	eager  bool
	// keys are nil in a process that does not seal.
	keys atomic.Pointer[keyring.Log]

	// mu is held by who seals in this process.
	mu sync.Mutex
	// looked is when a look began that left nothing unsealed, in nanoseconds.
	looked atomic.Int64
}

// New returns the log of a database. It seals nothing yet: call Run or Seal.
func New(d Deps) *Log {
	l := &Log{
		repo: repository{d.DB}, clock: d.Clock, random: d.Random, log: d.Log, eager: d.BeforeShowing,
	}
	l.keys.Store(d.Keys)
	l.looked.Store(d.Clock.Now().UnixNano())
	return l
}

// Run seals until the context ends. Any number of processes may do so.
func (l *Log) Run(ctx context.Context) {
	if !l.Seals() {
		l.log.Warn("this process does not seal the trail: it has no keys of the log; DIRESCO_AUDIT_KEYS names their file")
	}
	job.NewWorker(job.Options{Step: l.step, Every: lookEvery, Log: l.log, Failure: "trail not sealed"}).Run(ctx)
}

// Seal seals all that was committed so far.
func (l *Log) Seal(ctx context.Context) error { return job.Step(l.step).Drain(ctx) }

// Seals reports whether this process has keys of the log.
func (l *Log) Seals() bool { return l.keys.Load() != nil }

// UseKeys has the log sign with other keys from now on. Keys of which none signed the newest
// checkpoint are ErrNotSigned, and the old ones stay.
func (l *Log) UseKeys(ctx context.Context, keys *keyring.Log) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.repo.signedBy(ctx, keys); err != nil {
		return err
	}
	l.keys.Store(keys)
	return nil
}

// Observe has the log appear in the metrics.
func (l *Log) Observe(meter metric.Meter) error {
	age, err := meter.Float64ObservableGauge("audit.unsealed.age", metric.WithUnit("s"), metric.WithDescription(
		"At least the age of the oldest row of the trail that is not sealed, as this process saw it; 0 where it does not seal."))
	if err != nil {
		return err
	}
	size, err := meter.Int64ObservableGauge("audit.log.size", metric.WithDescription("Number of rows that are sealed."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		if !l.Seals() {
			o.ObserveFloat64(age, 0)
		} else {
			o.ObserveFloat64(age, l.clock.Now().Sub(time.Unix(0, l.looked.Load())).Seconds())
		}
		s, err := l.repo.state(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(size, s.Size)
		return nil
	}, age, size)
	return err
}

// step seals some rows, and reports whether there are more.
func (l *Log) step(ctx context.Context) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := l.keys.Load()
	if keys == nil {
		return false, nil
	}
	began := l.clock.Now()
	now, err := l.repo.state(ctx)
	if err != nil {
		return false, err
	}
	next := now
	rows, more, err := l.unsealedRecords(ctx, now, &next)
	if err != nil {
		return false, err
	}
	entries, offices, some, err := l.unsealedEntries(ctx)
	if err != nil {
		return false, err
	}
	more = more || some
	rows = append(rows, entries...)
	if len(rows) > 0 || next.Day != now.Day || next.Behind != now.Behind {
		moved, err := l.seal(ctx, keys, change{now, next, rows, offices})
		if err != nil {
			return false, err
		}
		// Where another process was quicker, what it left is looked for again.
		more = more || !moved
	}
	if !more {
		l.looked.Store(began.UnixNano())
	}
	return more, nil
}

// unsealedRecords reads audit records that are not sealed, and says in next how far they go. First
// come those that were there before the log, then what was committed since the last look. Records
// without a time come once a day, so that the log tells no more of theirs than the day.
func (l *Log) unsealedRecords(ctx context.Context, now state, next *state) (rows []unsealed, more bool, err error) {
	sqlite := l.repo.db.Dialect() == db.SQLite
	if now.elsewhere() || !sqlite && now.Mark == nil {
		next.LastRow = 0
		if oldest := ""; !sqlite {
			oldest = now.oldest()
			next.Mark, next.Behind = &oldest, &uuid.UUID{}
		}
	}
	today := calendar.DateIn(l.clock.Now()).String()
	switch {
	case next.Behind != nil:
		rows, err = l.repo.records(ctx, before, *next.Behind)
		if next.Behind = nil; len(rows) == sealedAtOnce {
			next.Behind = &rows[len(rows)-1].id
		}
		return rows, true, err
	case now.Day != today:
		from := timelessPostgres
		if sqlite {
			from = timelessSQLite
		}
		if rows, err = l.repo.records(ctx, from); len(rows) < sealedAtOnce {
			next.Day = today
		}
		return rows, true, err
	case sqlite:
		rows, err = l.repo.records(ctx, freshSQLite, next.LastRow)
		if len(rows) > 0 {
			next.LastRow = rows[len(rows)-1].place
		}
	default:
		rows, err = l.repo.records(ctx, freshPostgres, *next.Mark)
		if oldest := now.oldest(); len(rows) < sealedAtOnce {
			next.Mark = &oldest
		}
	}
	return rows, len(rows) == sealedAtOnce, err
}

// unsealedEntries reads entries of the register that are not sealed, and how far they go at each
// office.
func (l *Log) unsealedEntries(ctx context.Context) (rows []unsealed, reached []office, more bool, err error) {
	behind, err := l.repo.offices(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	for _, o := range behind {
		room := sealedAtOnce - len(rows)
		if room == 0 {
			return rows, reached, true, nil
		}
		found, end, err := l.repo.entries(ctx, o, room)
		if err != nil {
			return nil, nil, false, err
		}
		if len(found) > 0 {
			rows, reached = append(rows, found...), append(reached, end)
		}
		more = more || len(found) == room
	}
	return rows, reached, more, nil
}

// errMoved ends a transaction in which another process's was found to be quicker.
var errMoved = errors.New("another process sealed meanwhile")

// change is what one step does to the log.
type change struct {
	now, next state
	rows      []unsealed
	offices   []office
}

// seal adds rows to the tree and signs it. It reports false where another process did so meanwhile.
func (l *Log) seal(ctx context.Context, keys *keyring.Log, c change) (bool, error) {
	var changed []tileRow
	var entries []entry
	now, next := c.now, c.next
	if len(c.rows) > 0 {
		tree := tlog.Tree{}
		var err error
		if now.Size > 0 {
			// What was signed is believed, and not what the database says today.
			if tree, err = open(keys.Name(), keys.Verifiers(), now.Checkpoint); err != nil {
				return false, err
			}
		}
		var leaves []tlog.Hash
		if entries, leaves, err = l.leaves(tree.N, c.rows); err != nil {
			return false, err
		}
		if tree, changed, err = l.repo.grow(ctx, tree, leaves); err != nil {
			return false, err
		}
		next.Size = tree.N
		if next.Checkpoint, err = sign(keys, tree); err != nil {
			return false, err
		}
	}
	err := l.repo.db.InTx(ctx, func(ctx context.Context) error {
		first, err := l.repo.advance(ctx, next)
		if err != nil {
			return err
		}
		if !first {
			return errMoved
		}
		return l.repo.add(ctx, entries, changed, c.offices)
	})
	if errors.Is(err, errMoved) {
		return false, nil
	}
	return err == nil, err
}

// leaves gives rows their positions and salts.
func (l *Log) leaves(position int64, rows []unsealed) ([]entry, []tlog.Hash, error) {
	salts := make([]byte, saltBytes*len(rows))
	if _, err := io.ReadFull(l.random, salts); err != nil {
		return nil, nil, err
	}
	entries, hashes := make([]entry, len(rows)), make([]tlog.Hash, len(rows))
	var h hasher
	for i, row := range rows {
		salt := salts[saltBytes*i : saltBytes*(i+1)]
		digest := h.seal(salt, row.text)
		entries[i] = entry{Position: position + int64(i), Kind: string(row.kind), RowID: row.id, Salt: salt, Digest: digest[:]}
		hashes[i] = h.leaf(row.kind, digest)
	}
	return entries, hashes, nil
}

// Signed reports whether a database's log was signed by anybody yet.
func Signed(ctx context.Context, d *db.DB) (bool, error) {
	s, err := repository{d}.state(ctx)
	return s.Checkpoint != "", err
}

// CheckKeys returns ErrNotSigned where none of the keys signed the newest checkpoint of a database.
func CheckKeys(ctx context.Context, d *db.DB, keys *keyring.Log) error {
	return repository{d}.signedBy(ctx, keys)
}

func (r repository) signedBy(ctx context.Context, keys *keyring.Log) error {
	s, err := r.state(ctx)
	if err == nil && s.Checkpoint != "" {
		_, err = open(keys.Name(), keys.Verifiers(), s.Checkpoint)
	}
	return err
}

// Accept signs the newest tree with keys that did not sign it, in the context's transaction.
func Accept(ctx context.Context, d *db.DB, keys *keyring.Log) error {
	r := repository{d}
	s, err := r.state(ctx)
	if err != nil || s.Checkpoint == "" {
		return err
	}
	_, size, root, err := read(s.Checkpoint)
	if err != nil {
		return err
	}
	if s.Checkpoint, err = sign(keys, tlog.Tree{N: size, Hash: root}); err != nil {
		return err
	}
	first, err := r.advance(ctx, s)
	if err == nil && !first {
		err = errMoved
	}
	return err
}
