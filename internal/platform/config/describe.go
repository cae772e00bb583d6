package config

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"diresco/internal/platform/secret"
)

type variable struct {
	name, byDefault, want, description string
	// secret variables can be given as the path of a file, too.
	secret bool
}

// variables lists what the tags of Config say, in the order of the struct.
func variables() []variable {
	var list []variable
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name := field.Tag.Get("env")
		if name == "" || name == "-" {
			continue
		}
		byDefault := field.Tag.Get("envDefault")
		if byDefault == "" {
			byDefault = field.Tag.Get("unset")
		}
		if byDefault == "" {
			byDefault = "none"
		}
		list = append(list, variable{
			name: name, byDefault: byDefault, want: field.Tag.Get("want"), description: field.Tag.Get("desc"),
			secret: field.Type == reflect.TypeFor[secret.Text](),
		})
	}
	return list
}

// Describe prints every variable with its default and meaning, one a line.
func Describe(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, byDefault, description string) {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", name, byDefault, description) // Flush returns the first error
	}
	row("VARIABLE", "DEFAULT", "MEANING")
	for _, v := range variables() {
		row(prefix+v.name, v.byDefault, v.description)
		if v.secret {
			row(prefix+v.name+fileSuffix, "none", "path of a file that holds it, instead of "+prefix+v.name)
		}
	}
	row("OTEL_EXPORTER_OTLP_ENDPOINT", "none: no traces", "where traces are sent (OTLP over HTTP); the other OTEL_ variables hold too")
	return table.Flush()
}
