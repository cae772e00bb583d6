package throttle

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
)

type repository struct{ db *db.DB }

// key names one row.
type key struct {
	kind    Kind
	subject string
}

// reserve counts one more attempt as in flight if State.Reserve would, in one statement, and
// returns its epoch.
func (r repository) reserve(ctx context.Context, k key, known bool, now time.Time) (epoch int, granted bool, err error) {
	var rows []int
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Raw(`INSERT INTO attempts AS a (kind, subject, known, failures, in_flight, epoch, lease_until, last_at)
			VALUES ( ?, ?, ?, 0, 1, 0, ?, ?)
			ON CONFLICT (kind, subject) DO UPDATE SET
				known = excluded.known,
				failures = a.failures + CASE WHEN a.lease_until <= excluded.last_at THEN a.in_flight ELSE 0 END,
				in_flight = 1 + CASE WHEN a.lease_until <= excluded.last_at THEN 0 ELSE a.in_flight END,
				epoch = a.epoch + CASE WHEN a.in_flight > 0 AND a.lease_until <= excluded.last_at THEN 1 ELSE 0 END,
				lease_until = excluded.lease_until,
				locked_until = NULL,
				last_at = excluded.last_at
			WHERE a.failures + a.in_flight < ?
				OR (a.in_flight = 0 AND (a.locked_until IS NULL OR a.locked_until <= excluded.last_at))
				OR (a.in_flight > 0 AND a.lease_until <= ?)
			RETURNING epoch`,
			k.kind, k.subject, known, now.Add(Lease), now, MaxFailures, now.Add(-Lockout)).Scan(&rows).Error
	})
	if err != nil || len(rows) == 0 {
		return 0, false, err
	}
	return rows[0], true, nil
}

// read returns the state of a row; that of a missing row is the zero value.
func (r repository) read(ctx context.Context, k key) (State, error) {
	var row State
	err := r.db.From(ctx).Raw(
		"SELECT failures, in_flight, epoch, lease_until, locked_until FROM attempts WHERE kind = ? AND subject = ?", k.kind, k.subject,
	).Scan(&row).Error
	return row, err
}

// settle does what State.Settle does, in one statement. It reports false when the attempt was given
// up as lost before.
func (r repository) settle(ctx context.Context, k key, epoch int, outcome Outcome, now time.Time) (Counter, bool, error) {
	set, args := "", []any{}
	switch outcome {
	case Wrong:
		set = ", failures = failures + 1, locked_until = CASE WHEN failures + 1 >= ? THEN ? ELSE locked_until END"
		args = append(args, MaxFailures, now.Add(Lockout))
	case Right:
		set = ", failures = 0, locked_until = NULL"
	case Abandoned:
	}
	args = append(args, k.kind, k.subject, epoch)
	var rows []Counter
	err := r.db.From(ctx).Raw("UPDATE attempts SET in_flight = in_flight - 1"+set+
		" WHERE kind = ? AND subject = ? AND epoch = ? AND in_flight > 0 RETURNING failures, locked_until", args...).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return Counter{}, false, err
	}
	return rows[0], true, nil
}

// purge drops the rows last tried by the instant that are a stranger's or count nothing.
func (r repository) purge(ctx context.Context, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec(
			"DELETE FROM attempts WHERE last_at <= ? AND (known = ? OR failures + in_flight = 0)", until, false,
		).Error
	})
}

// addressFailure is one wrong secret and where it came from.
type addressFailure struct {
	ID      uuid.UUID
	Address string
	At      time.Time
}

// TableName tells GORM the table.
func (addressFailure) TableName() string { return "address_failures" }

// latest returns when the last failures from the address after the instant were, newest first.
func (r repository) latest(ctx context.Context, address string, after time.Time, limit int) ([]time.Time, error) {
	var at []time.Time
	err := r.db.From(ctx).Raw(
		"SELECT at FROM address_failures WHERE address = ? AND at > ? ORDER BY at DESC LIMIT ?", address, after, limit,
	).Scan(&at).Error
	for i := range at {
		at[i] = clock.Normal(at[i])
	}
	return at, err
}

func (r repository) addFailure(ctx context.Context, f addressFailure) error {
	return r.db.From(ctx).Create(&f).Error
}

func (r repository) purgeFailures(ctx context.Context, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("DELETE FROM address_failures WHERE at <= ?", until).Error
	})
}
