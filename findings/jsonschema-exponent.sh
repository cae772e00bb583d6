#!/bin/sh
# github.com/santhosh-tekuri/jsonschema/v6 6.0.3 panics on a number whose exponent is beyond what math/big reads, where a schema has `maximum`:
# 1e1000000000 is JSON (RFC 8259), and 14 bytes from whoever sends a document end the program. 1e1000000 is refused as it should be.
# Needs go. Fails if the library does otherwise.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
printf 'module fact\n\ngo 1.26\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func validate(text string) (outcome string) {
	defer func() {
		if r := recover(); r != nil {
			outcome = fmt.Sprint("panic: ", r)
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"type": "number", "maximum": 10}`))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", schema); err != nil {
		panic(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return "not JSON"
	}
	if c.MustCompile("schema.json").Validate(value) != nil {
		return "invalid"
	}
	return "valid"
}

func main() {
	for _, text := range []string{"1e0", "1e1000000", "1e1000000000"} {
		fmt.Printf("%s: %s\n", text, validate(text))
	}
}
GO
go get github.com/santhosh-tekuri/jsonschema/v6@v6.0.3 >/dev/null 2>&1
echo "jsonschema $(go list -m -f '{{.Version}}' github.com/santhosh-tekuri/jsonschema/v6)"
go run . | tee seen
grep -qx '1e0: valid' seen
grep -qx '1e1000000: invalid' seen
grep -q '^1e1000000000: panic: ' seen
