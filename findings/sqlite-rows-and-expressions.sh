#!/bin/sh
# modernc.org/sqlite 1.60.1 (SQLite itself): a comparison of rows, (a, b) > (?, ?), is a range of an index of columns, but not of one whose first
# part is an expression: all of the index is read to the place where a page begins. A virtual generated column with the same expression is a range.
# (PostgreSQL takes a range of either.)
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"
)

func main() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"CREATE TABLE t (id TEXT PRIMARY KEY, k TEXT, opened TEXT, again TEXT, since TEXT GENERATED ALWAYS AS (COALESCE(again, opened)) VIRTUAL)",
		"CREATE INDEX by_expression ON t (k, COALESCE(again, opened), id)",
		"CREATE INDEX by_column ON t (k, since, id)",
	} {
		if _, err := db.Exec(statement); err != nil {
			panic(err)
		}
	}
	var version string
	if err := db.QueryRow("SELECT sqlite_version()").Scan(&version); err != nil {
		panic(err)
	}
	fmt.Println("SQLite", version)
	for _, q := range [][2]string{{"by_expression", "COALESCE(again, opened)"}, {"by_column", "since"}} {
		var id, parent, unused int
		var plan string
		query := "EXPLAIN QUERY PLAN SELECT id FROM t INDEXED BY " + q[0] + " WHERE k = 'a' AND (" + q[1] + ", id) > ('x', '1') ORDER BY " + q[1] + ", id"
		if err := db.QueryRow(query).Scan(&id, &parent, &unused, &plan); err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s\n", q[0], plan)
	}
}
GO
go get modernc.org/sqlite@v1.60.1 >out 2>&1
go run . | tee seen
grep -q 'by_expression: SEARCH t USING COVERING INDEX by_expression (k=?)$' seen
grep -q 'by_column: SEARCH t USING INDEX by_column (k=? AND (since,id)>(?,?))$' seen
