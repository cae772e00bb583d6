package db

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// valuesAtOnce is a little less than the values that SQLite takes in one statement.
const valuesAtOnce = 32_000

// InsertAll inserts rows of one table in the context's transaction. On PostgreSQL they travel as
// one array for each column, so that the statement is the same however many there are: it is
// prepared once, and a group of a hundred rows costs little more than one.
func InsertAll[T any](ctx context.Context, d *DB, rows []T) error {
	return insertAll(ctx, d, rows, "")
}

// InsertMissing is InsertAll for rows of which some may be there already; these are left as they
// are.
func InsertMissing[T any](ctx context.Context, d *DB, rows []T) error {
	return insertAll(ctx, d, rows, " ON CONFLICT DO NOTHING")
}

// InsertOver is InsertAll for rows of which some are there already. The suffix says what becomes of
// those: ON CONFLICT (…) DO UPDATE SET ….
func InsertOver[T any](ctx context.Context, d *DB, rows []T, suffix string) error {
	return insertAll(ctx, d, rows, " "+suffix)
}

func insertAll[T any](ctx context.Context, d *DB, rows []T, suffix string) error {
	if len(rows) == 0 {
		return nil
	}
	t, err := tableOf[T](d.read)
	if err != nil {
		return err
	}
	atOnce := len(rows)
	if d.dialect == SQLite {
		atOnce = valuesAtOnce / len(t.fields)
	}
	for part := range slices.Chunk(rows, atOnce) {
		statement, values, err := insertion(d, part)
		if err != nil {
			return err
		}
		if err := d.Exec(ctx, statement+suffix, values...); err != nil {
			return err
		}
	}
	return nil
}

// InsertReturning is InsertAll with a suffix after the values (ON CONFLICT …). The suffix must end
// in RETURNING and has the placeholder ? for each of its own values. The result is the rows that
// the statement returns, with the columns that it names.
func InsertReturning[T any](ctx context.Context, d *DB, rows []T, suffix string, more ...any) ([]T, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	statement, values, err := Insertion(d, rows, suffix, more...)
	if err != nil {
		return nil, err
	}
	tx := d.From(ctx)
	if tx.Error != nil {
		return nil, tx.Error
	}
	returned, err := tx.Statement.ConnPool.QueryContext(ctx, statement, values...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = returned.Close() }()
	var found []T
	for returned.Next() {
		var row T
		if err := tx.ScanRows(returned, &row); err != nil {
			return nil, err
		}
		found = append(found, row)
	}
	return found, returned.Err()
}

// Insertion returns the statement of InsertReturning, in the driver's own words, and its values.
func Insertion[T any](d *DB, rows []T, suffix string, more ...any) (statement string, values []any, err error) {
	statement, values, err = insertion(d, rows)
	if d.dialect == Postgres {
		for i := range more {
			suffix = strings.Replace(suffix, "?", fmt.Sprintf("$%d", len(values)+i+1), 1)
		}
	}
	return statement + suffix, append(values, more...), err
}

// insertion returns the statement that inserts the rows, and its values.
func insertion[T any](d *DB, rows []T) (statement string, values []any, err error) {
	t, err := tableOf[T](d.read)
	if err != nil {
		return "", nil, err
	}
	list := reflect.ValueOf(rows)
	if d.dialect == Postgres {
		for _, f := range t.fields {
			column := reflect.MakeSlice(reflect.SliceOf(f.element), len(rows), len(rows))
			for n := range len(rows) {
				column.Index(n).Set(list.Index(n).FieldByIndex(f.index).Convert(f.element))
			}
			values = append(values, column.Interface())
		}
		return t.into + t.arrays, values, nil
	}
	for n := range len(rows) {
		for _, f := range t.fields {
			values = append(values, list.Index(n).FieldByIndex(f.index).Interface())
		}
	}
	return t.into + "VALUES " + strings.Repeat(t.tuple+",", len(rows)-1) + t.tuple, values, nil
}

// table is how rows of one type are inserted.
type table struct {
	into, arrays, tuple string
	fields              []tableField
}

type tableField struct {
	index   []int
	element reflect.Type
}

var tables sync.Map // reflect.Type → table

// tableOf works out how a type of row is inserted, once.
func tableOf[T any](g *gorm.DB) (table, error) {
	rowType := reflect.TypeFor[T]()
	if known, ok := tables.Load(rowType); ok {
		return known.(table), nil
	}
	parsed, err := schema.Parse(new(T), new(sync.Map), g.NamingStrategy)
	if err != nil {
		return table{}, err
	}
	var t table
	var names, arrays []string
	for _, f := range parsed.Fields {
		if f.DBName == "" {
			continue
		}
		kind, element, err := columnType(f.FieldType)
		if err != nil {
			return table{}, fmt.Errorf("column %s of %s: %w", f.DBName, parsed.Table, err)
		}
		t.fields = append(t.fields, tableField{index: f.StructField.Index, element: element})
		names = append(names, f.DBName)
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", len(names), kind))
	}
	t.into = "INSERT INTO " + parsed.Table + " (" + strings.Join(names, ", ") + ") "
	t.arrays = "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")"
	t.tuple = "(" + strings.Repeat("?,", len(names)-1) + "?)"
	tables.Store(rowType, t)
	return t, nil
}

// columnType says as which PostgreSQL type, and as which Go type, values of a field travel.
func columnType(field reflect.Type) (kind string, element reflect.Type, err error) {
	base := field
	if base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	switch {
	case base == reflect.TypeFor[uuid.UUID]():
		// As bytes: pgx would ask a uuid.UUID for its text, and read that again.
		if field.Kind() == reflect.Pointer {
			return "uuid", reflect.TypeFor[*[16]byte](), nil
		}
		return "uuid", reflect.TypeFor[[16]byte](), nil
	case base == reflect.TypeFor[time.Time]():
		return "timestamptz", field, nil
	case field == reflect.TypeFor[[]byte]():
		return "bytea", field, nil
	case base.Kind() == reflect.String && field.Kind() == reflect.Pointer:
		return "text", reflect.TypeFor[*string](), nil
	case base.Kind() == reflect.String:
		return "text", reflect.TypeFor[string](), nil
	case base.Kind() == reflect.Int && field.Kind() == reflect.Pointer:
		return "integer", reflect.TypeFor[*int](), nil
	case base.Kind() == reflect.Int:
		return "integer", reflect.TypeFor[int](), nil
	case base.Kind() == reflect.Int64 && field.Kind() == reflect.Pointer:
		return "bigint", reflect.TypeFor[*int64](), nil
	case base.Kind() == reflect.Int64:
		return "bigint", reflect.TypeFor[int64](), nil
	default:
		return "", nil, fmt.Errorf("%s cannot be inserted in groups", field)
	}
}
