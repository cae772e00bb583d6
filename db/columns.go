package db

import (
	"reflect"
	"strings"
	"sync"

	"gorm.io/gorm/schema"
)

type listedColumns struct {
	row   reflect.Type
	alias string
}

var (
	naming = schema.NamingStrategy{IdentifierMaxLength: 64}
	parsed sync.Map // the schemas, as GORM keeps them
	listed sync.Map // listedColumns → string
)

// Columns lists the columns of a type of row, each after the alias of its table: "p.id, p.name".
// The alias may be empty. What is only read with a row (gorm:"->") is another table's and left out.
//
// A statement that names what it reads does not notice that a column was added;
// with a star it fails on every connection that has prepared it.
func Columns[T any](alias string) string {
	key := listedColumns{reflect.TypeFor[T](), alias}
	if known, ok := listed.Load(key); ok {
		return known.(string)
	}
	row, err := schema.Parse(new(T), &parsed, naming)
	if err != nil {
		panic(err) // the type is no row: its author sees it at the first start
	}
	if alias != "" {
		alias += "."
	}
	names := make([]string, 0, len(row.DBNames))
	for _, name := range row.DBNames {
		if f := row.FieldsByDBName[name]; f.Creatable || f.Updatable {
			names = append(names, alias+name)
		}
	}
	text := strings.Join(names, ", ")
	listed.Store(key, text)
	return text
}
