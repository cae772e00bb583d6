package direct

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Row gives the columns of a row, each call the next one. A column of another type than the one
// asked for is an error of the statement, and so is a NULL unless the call says OrNil. What is
// given after that is zero.
type Row struct {
	fields []pgconn.FieldDescription
	values [][]byte
	next   int
	err    error
}

func (r *Row) begin(rows pgx.Rows) {
	r.fields, r.values, r.next = rows.FieldDescriptions(), rows.RawValues(), 0
}

var (
	errNull    = errors.New("it is NULL")
	errMissing = errors.New("there are no more columns")
	errUnread  = errors.New("there are more columns than are read")
	errForm    = errors.New("its value has another form")
)

// end returns what was wrong with the row.
func (r *Row) end() error {
	if r.err == nil && r.next < len(r.values) {
		r.Fail(errUnread)
	}
	return r.err
}

// Fail says that the column given last cannot be what it should be.
func (r *Row) Fail(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("column %d of the answer: %w", r.next, err)
	}
}

// Null reports whether the next column is NULL, and stays before it.
func (r *Row) Null() bool { return r.next < len(r.values) && r.values[r.next] == nil }

// SkipRest passes over the columns that are left.
func (r *Row) SkipRest() { r.next = len(r.values) }

// value returns the bytes of the next column, which is of one of the types, nil for NULL.
func (r *Row) value(types ...uint32) []byte {
	if r.err != nil {
		return nil
	}
	r.next++
	if r.next > len(r.values) {
		r.Fail(errMissing)
		return nil
	}
	value := r.values[r.next-1]
	if value == nil {
		return nil
	}
	field := &r.fields[r.next-1]
	for _, t := range types {
		if field.DataTypeOID == t {
			return value
		}
	}
	r.Fail(fmt.Errorf("%s has the type %d", field.Name, field.DataTypeOID))
	return nil
}

// required is value for what is not NULL.
func (r *Row) required(types ...uint32) []byte {
	value := r.value(types...)
	if value == nil {
		r.Fail(errNull)
	}
	return value
}

// UUID gives an id.
func (r *Row) UUID() uuid.UUID { return r.uuid(r.required(pgtype.UUIDOID)) }

// UUIDOrNil gives an id, or nil for NULL.
func (r *Row) UUIDOrNil() *uuid.UUID {
	value := r.value(pgtype.UUIDOID)
	if value == nil {
		return nil
	}
	return new(r.uuid(value))
}

func (r *Row) uuid(value []byte) (id uuid.UUID) {
	if value != nil && copy(id[:], value) != len(value) {
		r.Fail(errForm)
	}
	return id
}

// Text gives a text.
func (r *Row) Text() string {
	return string(r.required(pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID))
}

// TextOrNil gives a text, or nil for NULL.
func (r *Row) TextOrNil() *string {
	value := r.value(pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID)
	if value == nil {
		return nil
	}
	return new(string(value))
}

// Time gives an instant, in UTC.
func (r *Row) Time() time.Time { return r.time(r.required(pgtype.TimestamptzOID)) }

// TimeOrNil gives an instant, in UTC, or nil for NULL.
func (r *Row) TimeOrNil() *time.Time {
	value := r.value(pgtype.TimestamptzOID)
	if value == nil {
		return nil
	}
	return new(r.time(value))
}

// epoch is 1 January 2000, from which PostgreSQL counts microseconds; the ends of the range stand
// for infinity.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func (r *Row) time(value []byte) time.Time {
	n := r.integer(value)
	if n == math.MaxInt64 || n == math.MinInt64 {
		r.Fail(errForm)
	}
	if r.err != nil {
		return time.Time{}
	}
	return time.UnixMicro(epoch + n).UTC()
}

// Int gives a whole number.
func (r *Row) Int() int {
	return int(r.integer(r.required(pgtype.Int4OID, pgtype.Int8OID, pgtype.Int2OID)))
}

// IntOrNil gives a whole number, or nil for NULL.
func (r *Row) IntOrNil() *int {
	value := r.value(pgtype.Int4OID, pgtype.Int8OID, pgtype.Int2OID)
	if value == nil {
		return nil
	}
	return new(int(r.integer(value)))
}

// Bool gives a truth value.
func (r *Row) Bool() bool {
	value := r.required(pgtype.BoolOID)
	if value != nil && len(value) != 1 {
		r.Fail(errForm)
	}
	return r.err == nil && value[0] == 1
}

func (r *Row) integer(value []byte) int64 {
	switch {
	case value == nil:
		return 0
	case len(value) == 8:
		return int64(binary.BigEndian.Uint64(value)) //nolint:gosec // the sign is the first bit of both
	case len(value) == 4:
		return int64(int32(binary.BigEndian.Uint32(value))) //nolint:gosec // as above
	case len(value) == 2:
		return int64(int16(binary.BigEndian.Uint16(value))) //nolint:gosec // as above
	}
	r.Fail(errForm)
	return 0
}
