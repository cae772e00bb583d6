package db

import "time"

// SetTransactionTimeout shortens what bounds every transaction.
func (d *DB) SetTransactionTimeout(t time.Duration) { d.timeout = t }
