// Package audit keeps who did what. It writes one record for every changing operation, in the
// operation's own transaction. For what changes nothing (reads of another's data, refusals, failed
// logins) it keeps an append-only access log.
package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
)

// Origin is where a request came from. The edge puts it into the context.
type Origin struct {
	// Operation is the operation id of the contract.
	Operation string
	RequestID string
	// Address is the client's IP address, as far as the configured proxies let it be known.
	Address string
}

// ByCommand is the origin of an operation that a command of the program does.
func ByCommand(operation string) Origin {
	return Origin{Operation: operation, RequestID: "command-line", Address: "local"}
}

type originKey struct{}

// WithOrigin returns a context that carries the origin.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns the origin that the context carries; it is empty for work that no request asked
// for.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// Record is one row of the trail: who, for whom, by which right, what, with which outcome. It holds
// ids, never personal data.
type Record struct {
	ID        uuid.UUID
	At        time.Time
	Operation string
	PersonID  *uuid.UUID
	SessionID *uuid.UUID
	// ApplicationID is that of the application by which the person did it; nil for themselves.
	ApplicationID *uuid.UUID
	ContributorID *uuid.UUID
	ActingAs      *string
	RightID       *uuid.UUID
	SubjectKind   *string
	SubjectID     *string
	Outcome       string
	RequestID     string
	Address       string
	// LoginMethod, LoginLevel and LoginProvider are how the person had logged in; nil where nobody
	// had, and in records of before they were kept.
	LoginMethod   *string
	LoginLevel    *int
	LoginProvider *string
	// Detail is what became of the subject, as a JSON object; nil where the operation says it all.
	Detail *string
}

// TableName tells GORM the table.
func (Record) TableName() string { return "audit_records" }

// Record is the record of what nobody who is logged in did to a kind of subject.
func (o Origin) Record(kind string, at time.Time) Record {
	return Record{
		ID: uuid.Must(uuid.NewV7()), At: at, Operation: o.Operation, SubjectKind: &kind, Outcome: "done", RequestID: o.RequestID,
		Address: o.Address,
	}
}

// Trail writes audit records.
type Trail struct{ db *db.DB }

// NewTrail returns a trail in the given database.
func NewTrail(d *db.DB) *Trail { return &Trail{db: d} }

// Written is announced with db.Announce by the transactions that write records.
const Written = "audit records written"

// Write adds records inside the transaction that the context carries, so that effect and trace
// stand or fall together.
func (t *Trail) Write(ctx context.Context, records ...Record) error {
	if len(records) > 0 {
		t.db.Announce(ctx, Written)
	}
	return db.InsertAll(ctx, t.db, records)
}
