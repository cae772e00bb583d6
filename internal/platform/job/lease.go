package job

import (
	"context"
	"time"

	"diresco/db"
)

// Lease is the time for which an owner has something to itself. Its table has the columns
// lease_owner and lease_until.
type Lease struct {
	Owner string
	// At is when it was taken, by the clock that decides when others' leases have ended.
	At, Until time.Time
}

// NewLease returns a lease from an instant on.
//
// An owner that stays the same gets back at once what it left after an error. Where one worker has
// several things under way, each claim needs an owner of its own.
func NewLease(owner string, at time.Time, length time.Duration) Lease {
	return Lease{Owner: owner, At: at, Until: at.Add(length)}
}

// Take leases one row, in the context's transaction. It reports false where another has the row or
// the condition does not hold any more.
func (l Lease) Take(ctx context.Context, d *db.DB, table, condition string, args ...any) (bool, error) {
	statement := "UPDATE " + table + " SET lease_owner = ?, lease_until = ? WHERE " + condition +
		" AND (lease_owner = ? OR lease_until IS NULL OR lease_until <= ?)"
	done := d.From(ctx).Exec(statement, append(append([]any{l.Owner, l.Until}, args...), l.Owner, l.At)...)
	return done.RowsAffected == 1, done.Error
}
