package audit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

// OpEraseAccesses is what the trail calls a deletion of rows of the access log.
const OpEraseAccesses = "eraseAccesses"

// Erasure says what is deleted of a log that is kept beside the trail, when and why.
type Erasure struct {
	// Before is the instant that a row must be older than.
	Before time.Time
	// PersonID, where it is set, leaves all rows alone that are neither of nor about that person.
	PersonID *uuid.UUID
	At       time.Time
	Reason   string
}

// EraseAccesses deletes rows of the access log and returns how many. The service's role may not.
func EraseAccesses(ctx context.Context, d *db.DB, e Erasure) (int64, error) {
	statement, args := "DELETE FROM access_log WHERE at < ?", []any{e.Before.UTC()}
	if e.PersonID != nil {
		statement, args = statement+" AND (person_id = ? OR subject_id = ?)", append(args, *e.PersonID, e.PersonID.String())
	}
	return e.Delete(ctx, d, OpEraseAccesses, "access_log", statement, args...)
}

// Delete runs the statement that deletes rows of a log, and returns how many. Where there were some,
// a record says so in the same transaction, and not of whom they were.
func (e Erasure) Delete(ctx context.Context, d *db.DB, operation, log, statement string, args ...any) (rows int64, err error) {
	err = d.InTx(ctx, func(ctx context.Context) error {
		done := d.From(ctx).Exec(statement, args...)
		if rows = done.RowsAffected; done.Error != nil || rows == 0 {
			return done.Error
		}
		said, err := json.Marshal(map[string]any{"reason": e.Reason, "rows": rows})
		if err != nil {
			return err
		}
		record, detail := ByCommand(operation).Record(log, e.At), string(said)
		record.Detail = &detail
		return NewTrail(d).Write(ctx, record)
	})
	return rows, err
}
