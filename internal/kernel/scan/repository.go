package scan

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/job"
)

// repository reads and writes what is known of files.
type repository struct{ db *db.DB }

func (r repository) create(ctx context.Context, one row) error {
	return r.db.From(ctx).Create(&one).Error
}

// state returns what is known of the files of a thing, "" for nothing.
func (r repository) state(ctx context.Context, id uuid.UUID) (State, error) {
	var states []State
	err := r.db.From(ctx).Raw("SELECT state FROM file_scans WHERE id = ?", id).Scan(&states).Error
	if err != nil || len(states) == 0 {
		return "", err
	}
	return states[0], nil
}

const isDue = "state = 'waiting' AND due_at <= ? AND (lease_until IS NULL OR lease_until <= ?)"

// due reports whether files are due that nobody scans.
func (r repository) due(ctx context.Context, now time.Time) (bool, error) {
	var some bool
	err := r.db.From(ctx).Raw("SELECT EXISTS (SELECT 1 FROM file_scans WHERE "+isDue+")", now, now).Row().Scan(&some)
	return some, err
}

// claim leases the files that are due first.
func (r repository) claim(ctx context.Context, lease job.Lease) (one row, mine bool, err error) {
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		var rows []row
		err := r.db.From(ctx).Raw("SELECT "+db.Columns[row]("")+" FROM file_scans WHERE "+isDue+" ORDER BY due_at, id LIMIT 1"+
			r.db.ForUpdateOfFree(), lease.At, lease.At).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		one = rows[0]
		mine, err = lease.Take(ctx, r.db, "file_scans", "id = ? AND state = 'waiting'", one.ID)
		return err
	})
	return one, mine, err
}

// keep returns files that wait and are the owner's, and keeps everybody else from changing that until
// the context's transaction ends. It returns job.ErrLost for others.
func (r repository) keep(ctx context.Context, owner string, id uuid.UUID) (row, error) {
	var rows []row
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[row]("")+" FROM file_scans WHERE id = ? AND state = 'waiting' AND lease_owner = ?"+
		r.db.ForUpdate(), id, owner).Scan(&rows).Error
	if err != nil {
		return row{}, err
	}
	if len(rows) == 0 {
		return row{}, job.ErrLost
	}
	return rows[0], nil
}

// end writes what became of files.
func (r repository) end(ctx context.Context, one row) error {
	return r.db.From(ctx).Exec(
		"UPDATE file_scans SET state = ?, finding = ?, ended_at = ?, lease_owner = NULL, lease_until = NULL WHERE id = ?",
		one.State, one.Finding, one.EndedAt, one.ID,
	).Error
}

// release leaves files to whoever comes next.
func (r repository) release(ctx context.Context, owner string, id uuid.UUID) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec(
			"UPDATE file_scans SET lease_owner = NULL, lease_until = NULL WHERE id = ? AND lease_owner = ?", id, owner,
		).Error
	})
}

// putOff notes that files could not be scanned, and when they are tried again.
func (r repository) putOff(ctx context.Context, owner string, id uuid.UUID, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("UPDATE file_scans SET attempts = attempts + 1, due_at = ?, lease_owner = NULL, lease_until = NULL "+
			"WHERE id = ? AND state = 'waiting' AND lease_owner = ?", until, id, owner).Error
	})
}

// backlog returns how many wait, and since when the first of them does.
func (r repository) backlog(ctx context.Context) (n int64, oldest *time.Time, err error) {
	if err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM file_scans WHERE state = 'waiting'").Scan(&n).Error; err != nil || n == 0 {
		return n, nil, err
	}
	var first []time.Time
	err = r.db.From(ctx).Raw("SELECT held_at FROM file_scans WHERE state = 'waiting' ORDER BY held_at LIMIT 1").Scan(&first).Error
	if err != nil || len(first) == 0 {
		return n, nil, err
	}
	return n, &first[0], nil
}
