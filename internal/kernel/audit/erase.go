package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

// EraseAccesses deletes rows of the access log that are older than an instant, those of or about one
// person where one is given, and returns how many. The service's role may not.
func EraseAccesses(ctx context.Context, d *db.DB, before time.Time, personID *uuid.UUID) (n int64, err error) {
	statement, args := "DELETE FROM access_log WHERE at < ?", []any{before.UTC()}
	if personID != nil {
		statement, args = statement+" AND (person_id = ? OR subject_id = ?)", append(args, *personID, personID.String())
	}
	return n, d.InTx(ctx, func(ctx context.Context) error {
		done := d.From(ctx).Exec(statement, args...)
		n = done.RowsAffected
		return done.Error
	})
}
