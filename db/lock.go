package db

import "context"

// LockName takes a lock on a name until the context's transaction ends. Others that lock the same
// name wait, whether or not there is a row of that name. Take it before any row. On SQLite, where
// one transaction writes at a time, there is nothing to do.
func (d *DB) LockName(ctx context.Context, name string) error {
	if d.dialect != Postgres {
		return nil
	}
	return d.From(ctx).Exec("SELECT pg_advisory_xact_lock(hashtextextended( ?, 0))", name).Error
}

// SharingNames is the statement that takes locks on the names that a query selects, which it should
// select in order. It is for PostgreSQL alone. Others may share a name; LockName waits for all of
// them, and who shares it later waits for LockName. Nothing is written by it, and many who share a
// name never keep out the one who locks it.
func SharingNames(query string) string {
	return "SELECT pg_advisory_xact_lock_shared(hashtextextended(n.name, 0)) FROM (" + query + ") n (name)"
}
