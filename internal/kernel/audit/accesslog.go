package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/clock"
)

// Access is one row of the access log.
type Access struct {
	ID            uuid.UUID
	At            time.Time
	Operation     string
	PersonID      *uuid.UUID
	SessionID     *uuid.UUID
	ApplicationID *uuid.UUID
	ContributorID *uuid.UUID
	SubjectID     *string
	// Outcome is "read", or the slug of the problem that was answered.
	Outcome   string
	RequestID string
	Address   string
}

// TableName tells GORM the table.
func (Access) TableName() string { return "access_log" }

const (
	accessFlushEvery = time.Second
	accessGroup      = 500
	accessQueue      = 20_000
)

// AccessLog collects rows in memory and writes them in groups, at most a second later and off the
// request's path.
type AccessLog struct {
	clock  clock.Clock
	log    *slog.Logger
	writer *batch.Writer[Access]
}

// NewAccessLog starts the writer. Close it to write what is left.
func NewAccessLog(d *db.DB, c clock.Clock, log *slog.Logger) *AccessLog {
	return &AccessLog{clock: c, log: log, writer: batch.New(batch.Options[Access]{
		Every: accessFlushEvery, Group: accessGroup, Queue: accessQueue,
		Write: func(ctx context.Context, group []Access) error { return writeAccess(ctx, d, group) },
		Failed: func(rows []Access, err error) []Access {
			log.Error("access log not written, kept for the next try", "rows", len(rows), "error", err)
			if lost := len(rows) - 2*accessQueue; lost > 0 {
				log.Error("access log rows lost", "rows", lost)
				rows = rows[lost:]
			}
			return rows
		},
		Lost: func(rows []Access) { log.Error("access log rows lost", "rows", len(rows)) },
	})}
}

// writeAccess may be given a group again that was written already, when the connection broke at its
// commit.
func writeAccess(ctx context.Context, d *db.DB, group []Access) error {
	return d.InTx(ctx, func(ctx context.Context) error {
		return db.InsertMissing(ctx, d, group)
	})
}

// Add queues a row, with its id and time. When the queue is full it waits: a trace is never dropped
// to go faster.
func (a *AccessLog) Add(ctx context.Context, row Access) {
	row.ID, row.At = uuid.Must(uuid.NewV7()), a.clock.Now()
	if !a.writer.Add(row) {
		a.log.ErrorContext(
			ctx, "access log row after the end", "operation", row.Operation, "outcome", row.Outcome, "request_id", row.RequestID,
		)
	}
}

// Flush returns once every row added before the call is written.
func (a *AccessLog) Flush(ctx context.Context) { a.writer.Flush(ctx) }

// Close writes what is left and ends the writer.
func (a *AccessLog) Close() { a.writer.Close() }
