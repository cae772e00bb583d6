// Command join writes openapi.yaml, the published contract, from its parts in api/contract, and
// server.overlay.yaml from it. It works on text, so that order and comments stay as they were
// written. Package api runs it by go generate, in its own folder, before anything is generated.
package main

import (
	"fmt"
	"io/fs"
	"os"
)

// What is read and what is written, as seen from package api.
const (
	parts         = "contract"
	contract      = "../openapi.yaml"
	overlayHead   = "server.overlay.head.yaml"
	serverOverlay = "server.overlay.yaml"
)

// contractComment tells who opens the published contract where it is written.
const contractComment = "# Joined from api/contract by go generate. Change it there.\n"

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
	authored, err := os.ReadFile(overlayHead)
	if err != nil {
		return err
	}
	actions, err := overlay(string(authored), expanded)
	if err != nil {
		return err
	}
	if err := write(contract, append([]byte(contractComment), expanded.bytes()...)); err != nil {
		return err
	}
	return write(serverOverlay, []byte(actions))
}

func write(name string, content []byte) error {
	return os.WriteFile(name, content, 0o644) //nolint:gosec // a source file, for everybody to read
}
