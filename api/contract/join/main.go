// Command join writes openapi.yaml, the published contract, from its parts in api/contract. It works on text, so that order
// and comments stay as they were written. Package api runs it by go generate, in its own folder, before anything is generated.
package main

import (
	"fmt"
	"io/fs"
	"os"
)

// Where the parts are and where the contract goes, as seen from package api.
const (
	parts    = "contract"
	contract = "../openapi.yaml"
)

func main() {
	if err := run(os.DirFS(parts)); err != nil {
		fmt.Fprintf(os.Stderr, "join: %v\n", err)
		os.Exit(1)
	}
}

func run(parts fs.FS) error {
	joined, err := joinParts(parts)
	if err != nil {
		return err
	}
	expanded, err := expand(joined)
	if err != nil {
		return err
	}
	return os.WriteFile(contract, expanded.bytes(), 0o644) //nolint:gosec // a source file, for everybody to read
}
