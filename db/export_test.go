package db

import (
	"database/sql"
	"time"
)

// SetTransactionTimeout shortens what bounds every transaction.
func (d *DB) SetTransactionTimeout(t time.Duration) { d.timeout = t }

// The tables in which the role of the service may do less.
var (
	KeptAsWritten = keptAsWritten
	NeverDeleted  = neverDeleted
	OfOwner       = ofOwner
)

// StatementsKept bounds the statements that a connection to SQLite keeps.
const StatementsKept = statementsKept

// KeptStatements returns how many statements the connection keeps.
func KeptStatements(conn *sql.Conn) (n int, err error) {
	err = conn.Raw(func(driven any) error {
		n = driven.(*keeping).statements.order.Len()
		return nil
	})
	return n, err
}
