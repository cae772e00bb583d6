package db

import "context"

// LockName keeps other transactions that lock the same name waiting until the context's transaction
// ends, whether or not there is a row of that name. Take it before any row. On SQLite, where one
// transaction writes at a time, there is nothing to do.
func (d *DB) LockName(ctx context.Context, name string) error {
	if d.dialect != Postgres {
		return nil
	}
	return d.From(ctx).Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name).Error
}
