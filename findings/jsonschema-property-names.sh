#!/bin/sh
# github.com/santhosh-tekuri/jsonschema/v6 6.0.3: the location in an error of propertyNames shares its memory with later ones. A wrong name in
# /a is reported at /b, most of the times (the order of a map decides), when something in /b is wrong too; alone it is reported at /a.
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

func read(text string) any {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return value
}

// count counts where the wrong name is reported.
func count(e *jsonschema.ValidationError, places map[string]int) {
	if k, is := e.ErrorKind.(*kind.PropertyNames); is {
		places[fmt.Sprintf("%q in %q", k.Property, e.InstanceLocation)]++
	}
	for _, cause := range e.Causes {
		count(cause, places)
	}
}

func main() {
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", read(`{"properties": {
		"a": {"propertyNames": {"maxLength": 3}}, "b": {"properties": {"c": {"type": "string"}, "d": {"type": "string"}}}}}`)); err != nil {
		panic(err)
	}
	schema := c.MustCompile("schema.json")
	for _, text := range []string{`{"a": {"long name": 1}}`, `{"a": {"long name": 1}, "b": {"c": 1, "d": 2}}`} {
		places := map[string]int{}
		for range 1000 {
			var found *jsonschema.ValidationError
			errors.As(schema.Validate(read(text)), &found)
			count(found, places)
		}
		fmt.Println(text, places)
	}
}
GO
go get github.com/santhosh-tekuri/jsonschema/v6@v6.0.3 >/dev/null 2>&1
echo "jsonschema $(go list -m -f '{{.Version}}' github.com/santhosh-tekuri/jsonschema/v6)"
go run . | tee seen
grep -qxF '{"a": {"long name": 1}} map["long name" in ["a"]:1000]' seen
grep -q '"d": 2}} map.*"long name" in \["b"\]:[1-9]' seen
