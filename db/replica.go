package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
)

const (
	// replicaPatience is how long a read waits for a replica to have what the leader has.
	replicaPatience = 250 * time.Millisecond
	// replicaTimeout bounds a read by a replica; the leader answers it after that.
	replicaTimeout = 10 * time.Second
	// catchUpEvery is how often a replica is asked meanwhile.
	catchUpEvery = 2 * time.Millisecond
)

// The reasons why a replica is left out.
var (
	errNotFollowing = errors.New("the replica is no standby of this leader, or has not followed it to its timeline yet")
	errBehind       = errors.New("the replica lags behind the leader")
	errSlow         = errors.New("the replica does not answer in time")
)

// replica is a standby that answers reads.
//
// Each read asks the leader up to where its log is written, and waits until the replica has applied
// as much. So a reader sees all that anybody was told before, by whichever process, and nothing need
// be kept about who wrote when. A replica that is away or lags is left out until LookAtReplica finds
// it fit.
type replica struct {
	handle *gorm.DB
	pool   *sql.DB
	// abandon lets every connection be replaced before its next use.
	abandon func()
	fit     atomic.Bool
	// reason says why a read left it out since it was last looked at; nil where none did.
	reason atomic.Pointer[error]
	// answered and passed count the reads of the replica, and those that went to the leader.
	answered, passed atomic.Int64
	// lag is how many bytes of the leader's log the replica had not applied when it was last looked at.
	lag atomic.Int64
}

// AddReplica lets FromReplica read from a standby, which need not be there yet. Call it before
// anything else, on PostgreSQL.
func (d *DB) AddReplica(rawURL string) error {
	if d.dialect != Postgres {
		return errors.New("a replica needs PostgreSQL")
	}
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return fmt.Errorf("URL of the replica cannot be read: %w", hidePassword(err))
	}
	if err := checkMode(config.DefaultQueryExecMode); err != nil {
		return err
	}
	if config.ValidateConnect == nil {
		// Of several hosts one may lead.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsStandby
	}
	r := &replica{}
	r.pool, r.abandon = newPool(config)
	if r.handle, err = gormPostgres(r.pool); err != nil {
		return errors.Join(err, r.pool.Close())
	}
	d.replica = r
	return nil
}

// FromReplica reads from the replica, if there is one that has all that was committed by now, and
// from the leader otherwise. All statements under the context that read is given go there.
//
// What read says is said once, though it may be called twice: it changes nothing, and neither asks
// for rights. In a transaction it reads there.
func FromReplica[T any](ctx context.Context, d *DB, read func(ctx context.Context) (T, error)) (T, error) {
	r := d.replica
	if r == nil || d.WithinTx(ctx) {
		return read(ctx)
	}
	if !r.fit.Load() {
		r.passed.Add(1)
		return read(ctx)
	}
	var found T
	err := d.byReplica(ctx, func(ctx context.Context) (err error) {
		found, err = read(ctx)
		return err
	})
	if err == nil {
		r.answered.Add(1)
		return found, nil
	}
	if ctx.Err() != nil {
		return found, err
	}
	r.passed.Add(1)
	found, failed := read(ctx)
	if failed == nil {
		// The leader could: it was the replica's fault.
		r.reason.Store(&err)
		r.fit.Store(false)
	}
	return found, failed
}

// ReplicaState is how a replica fares.
type ReplicaState struct {
	// Fit says that it answers reads.
	Fit bool
	// Reason is why a read left it out since it was last looked at, nil where none did.
	Reason error
	// Lag is how many bytes of the leader's log it had not applied when it was last looked at.
	Lag int64
	// Answered and Passed count the reads that it answered, and those that the leader did instead.
	Answered, Passed int64
}

// Replica tells how the replica fares; there is none where it reports false.
func (d *DB) Replica() (ReplicaState, bool) {
	r := d.replica
	if r == nil {
		return ReplicaState{}, false
	}
	state := ReplicaState{Fit: r.fit.Load(), Lag: r.lag.Load(), Answered: r.answered.Load(), Passed: r.passed.Load()}
	if reason := r.reason.Load(); reason != nil {
		state.Reason = *reason
	}
	return state, true
}

// LookAtReplica lets the replica answer reads again, or leaves it out and says why in one line.
func (d *DB) LookAtReplica(ctx context.Context) error {
	err := d.byReplica(ctx, func(context.Context) error { return nil })
	d.replica.reason.Store(nil)
	d.replica.fit.Store(err == nil)
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return fmt.Errorf("the replica cannot be reached: %s", reason(err))
	}
	return err
}

// position is up to where the leader's log is written.
type position struct {
	System   int64
	Timeline int64
	Written  string
}

// What was committed and told to anybody is in the log up to there.
const selectPosition = `SELECT system_identifier AS system,
	('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::bigint AS timeline,
	pg_current_wal_flush_lsn()::text AS written FROM pg_control_system()`

// A standby's timeline is in its last checkpoint, and before that in what it receives, which only a
// member of pg_read_all_stats is shown.
const selectProgress = `SELECT pg_is_in_recovery() AND s.system_identifier = ?
	AND GREATEST(c.timeline_id, (SELECT received_tli FROM pg_stat_wal_receiver)) = ? AS following,
	COALESCE(pg_wal_lsn_diff(?::pg_lsn, pg_last_wal_replay_lsn()), 1)::bigint AS lag FROM pg_control_system() s, pg_control_checkpoint() c`

// byReplica reads in a transaction of the replica, once it has what the leader has.
func (d *DB) byReplica(ctx context.Context, read func(ctx context.Context) error) error {
	var leader position
	if err := d.From(ctx).Raw(selectPosition).Scan(&leader).Error; err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	// It bounds finding a connection as well.
	impatience := time.AfterFunc(replicaPatience, cancel)
	defer impatience.Stop()
	err := d.replica.handle.WithContext(bounded).Transaction(func(tx *gorm.DB) error {
		if err := d.replica.await(bounded, tx, leader); err != nil {
			return err
		}
		if !impatience.Stop() {
			return errBehind
		}
		return read(context.WithValue(bounded, txKey{}, tx))
	})
	if err != nil && bounded.Err() != nil && ctx.Err() == nil && !errors.Is(err, errBehind) {
		return errSlow
	}
	return err
}

// await returns once the replica has applied what the leader had written.
func (r *replica) await(ctx context.Context, tx *gorm.DB, leader position) error {
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for asked := false; ; asked = true {
		var progress struct {
			Following bool
			Lag       int64
		}
		if err := tx.Raw(selectProgress, leader.System, leader.Timeline, leader.Written).Scan(&progress).Error; err != nil {
			if asked && ctx.Err() != nil {
				return errBehind
			}
			return err
		}
		r.lag.Store(max(0, progress.Lag))
		if !progress.Following {
			// Another server of several may be right.
			r.abandon()
			return errNotFollowing
		}
		if progress.Lag <= 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errBehind
		}
	}
}
