package db

import (
	"database/sql"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
)

// sqliteDialector is GORM's dialect for the pure Go SQLite. GORM's own package needs cgo.
type sqliteDialector struct {
	pool *sql.DB
}

// Name implements gorm.Dialector.
func (sqliteDialector) Name() string { return string(SQLite) }

// Initialize implements gorm.Dialector.
func (d sqliteDialector) Initialize(g *gorm.DB) error {
	callbacks.RegisterDefaultCallbacks(g, &callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	g.ConnPool = d.pool
	// One writer at a time: a row lock means nothing here.
	g.ClauseBuilders["FOR"] = func(clause.Clause, clause.Builder) {}
	return nil
}

// Migrator implements gorm.Dialector. The schema is made by SQL migrations, so this one only looks.
func (d sqliteDialector) Migrator(g *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: g, Dialector: d}}
}

// DataTypeOf implements gorm.Dialector.
func (sqliteDialector) DataTypeOf(*schema.Field) string { return "" }

// DefaultValueOf implements gorm.Dialector.
func (sqliteDialector) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

// BindVarTo implements gorm.Dialector.
func (sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo implements gorm.Dialector. Identifiers come from code alone, at most one dot deep.
func (sqliteDialector) QuoteTo(w clause.Writer, name string) {
	_ = w.WriteByte('"')
	for _, c := range []byte(name) {
		switch c {
		case '.':
			_, _ = w.WriteString(`"."`)
		case '"':
			_, _ = w.WriteString(`""`)
		default:
			_ = w.WriteByte(c)
		}
	}
	_ = w.WriteByte('"')
}

// Explain implements gorm.Dialector. GORM would write each statement that it scans down once more,
// with its values, for a log that nobody keeps.
func (sqliteDialector) Explain(string, ...any) string { return "" }

// SavePoint implements gorm.SavePointerDialectorInterface.
func (sqliteDialector) SavePoint(tx *gorm.DB, name string) error {
	return tx.Exec("SAVEPOINT " + strconv.Quote(name)).Error
}

// RollbackTo implements gorm.SavePointerDialectorInterface.
func (sqliteDialector) RollbackTo(tx *gorm.DB, name string) error {
	return tx.Exec("ROLLBACK TO SAVEPOINT " + strconv.Quote(name)).Error
}
