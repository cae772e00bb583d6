// Package installation knows what a database is for: real work or a sandbox. The two never mix.
package installation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"diresco/db"
)

// Kind is what a database is for.
type Kind string

// The kinds.
const (
	Production Kind = "production"
	Sandbox    Kind = "sandbox"
)

// ErrOtherKind means that the database belongs to the other kind of installation.
var ErrOtherKind = errors.New("wrong kind of database")

// row is the one row of the table.
type row struct {
	Kind          Kind
	ClockOffsetUs int64
}

// Claim makes the database one of the given kind or, where it is one already, confirms it. It
// returns how far the installation's clock is ahead of the machine's: zero anywhere but in a
// sandbox. A database of the other kind is ErrOtherKind, with one line that says what to do.
func Claim(ctx context.Context, d *db.DB, kind Kind, at time.Time) (time.Duration, error) {
	found, err := read(ctx, d, "")
	if db.IsNotFound(err) {
		// Of two processes that start together on an empty database, one writes the row and both
		// read it.
		err = d.InTx(ctx, func(ctx context.Context) error {
			return d.From(ctx).Exec(
				"INSERT INTO installation (id, kind, clock_offset_us, created_at) VALUES (1, ?, 0, ?) ON CONFLICT (id) DO NOTHING", kind,
				at,
			).Error
		})
		if err == nil {
			found, err = read(ctx, d, "")
		}
	}
	if err != nil {
		return 0, fmt.Errorf("installation: %w", err)
	}
	return time.Duration(found.ClockOffsetUs) * time.Microsecond, found.mustBe(kind)
}

// Refuse returns ErrOtherKind for a database that is known to be of the other kind. It returns nil
// for any other, one without a schema too. Ask before migrating: Claim needs the schema of this
// program.
func Refuse(ctx context.Context, d *db.DB, kind Kind) error {
	found, err := read(ctx, d, "")
	if err != nil {
		// Nobody has claimed it yet, or there is no such table. What is wrong beyond that will be
		// wrong for Claim too.
		return nil //nolint:nilerr // see above
	}
	return found.mustBe(kind)
}

func (r row) mustBe(kind Kind) error {
	switch {
	case r.Kind == kind:
		return nil
	case r.Kind == Sandbox:
		return fmt.Errorf(
			"%w: this database belongs to a sandbox and holds test data, so it cannot be served: give another DIRESCO_DATABASE_URL",
			ErrOtherKind,
		)
	default:
		return fmt.Errorf(
			"%w: this database holds real data, so no sandbox can use it: give another DIRESCO_DATABASE_URL or none", ErrOtherKind,
		)
	}
}

// Lock keeps everybody else who calls it waiting until the context's transaction ends. It returns
// how far the clock is ahead of the machine's.
func Lock(ctx context.Context, d *db.DB) (time.Duration, error) {
	found, err := read(ctx, d, d.ForUpdate())
	return time.Duration(found.ClockOffsetUs) * time.Microsecond, err
}

// SetClock notes, in the context's transaction, how far the clock is ahead of the machine's.
func SetClock(ctx context.Context, d *db.DB, offset time.Duration) error {
	return d.From(ctx).Exec("UPDATE installation SET clock_offset_us = ? WHERE id = 1", offset.Microseconds()).Error
}

func read(ctx context.Context, d *db.DB, suffix string) (row, error) {
	var found row
	err := d.From(ctx).Raw("SELECT kind, clock_offset_us FROM installation WHERE id = 1" + suffix).Take(&found).Error
	return found, err
}
