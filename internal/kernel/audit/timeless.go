package audit

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

// WriteTimeless writes a record of which nothing says when it was written: not its id, which is made
// of the time that it has, nor the transaction or, on SQLite, its place among the others. It is for
// what is done anonymously. The feed of events passes it over.
func (t *Trail) WriteTimeless(ctx context.Context, r Record) error {
	r.ID = idOf(r.At)
	args := []any{r.ID, r.At.UTC(), r.Operation, r.SubjectKind, r.SubjectID, r.Outcome}
	const columns = "id, at, operation, subject_kind, subject_id, outcome, request_id, address"
	if t.db.Dialect() == db.Postgres {
		return t.db.From(ctx).Exec("INSERT INTO audit_records ("+columns+", xact_id) VALUES ( ?, ?, ?, ?, ?, ?, '', '', '0')",
			args...).Error
	}
	// Rows that are given no number have numbers above 0.
	return t.db.From(ctx).Exec("INSERT INTO audit_records ("+columns+", rowid) VALUES ( ?, ?, ?, ?, ?, ?, '', '', -1 - abs(random() / 2))",
		args...).Error
}

// idOf is an id of version 7 that says no other time than this one.
func idOf(at time.Time) uuid.UUID {
	var id uuid.UUID
	// It never fails; see rand.Read.
	_, _ = rand.Read(id[:])
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)) & 0xff)
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}
