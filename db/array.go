package db

import (
	"database/sql/driver"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// UUIDs is a list of ids that travels to PostgreSQL as one value (uuid[]). The statement is
// therefore the same for any number of ids.
type UUIDs []uuid.UUID

// Value implements driver.Valuer.
func (u UUIDs) Value() (driver.Value, error) {
	var b strings.Builder
	b.Grow(len(u)*37 + 2)
	b.WriteByte('{')
	for i, id := range u {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	b.WriteByte('}')
	return b.String(), nil
}

// Among is a condition that a column is one of some ids, with one placeholder for IDs. On PostgreSQL
// it is the same for any number of ids; what is asked for stands in a subquery, since the planner
// would look at a bare array anew with every call.
func (d *DB) Among(column string) string {
	if d.dialect == Postgres {
		return column + " = ANY((SELECT ?::uuid[])::uuid[])"
	}
	return column + " IN ?"
}

// IDs is the argument of Among.
func (d *DB) IDs(ids []uuid.UUID) any {
	if d.dialect == Postgres {
		return UUIDs(ids)
	}
	if len(ids) == 0 {
		return []uuid.UUID{uuid.Nil} // an empty list is no list
	}
	return ids
}

// Dimensions implements pgtype.ArrayGetter: pgx sends the list in binary.
func (u UUIDs) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(u)), LowerBound: 1}} //nolint:gosec // lists are short
}

// Index implements pgtype.ArrayGetter.
func (u UUIDs) Index(i int) any { return pgtype.UUID{Bytes: u[i], Valid: true} }

// IndexType implements pgtype.ArrayGetter.
func (u UUIDs) IndexType() any { return pgtype.UUID{} }
