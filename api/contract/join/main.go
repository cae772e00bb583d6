// Command join writes openapi.yaml, the published contract, from its parts in api/contract, the
// same packed, and server.overlay.yaml from it. It works on text, so that order and comments stay
// as they were written. Package api runs it by go generate, in its own folder, before anything is
// generated.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
)

// What is read and what is written, as seen from package api.
const (
	parts         = "contract"
	contract      = "../openapi.yaml"
	packed        = contract + ".gz"
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
	published := append([]byte(contractComment), expanded.bytes()...)
	if err := write(contract, published); err != nil {
		return err
	}
	// The program has it inside, where it takes a tenth of the room.
	short, err := pack(published)
	if err != nil {
		return err
	}
	if err := write(packed, short); err != nil {
		return err
	}
	return write(serverOverlay, []byte(actions))
}

// pack compresses a text, to the same bytes each time.
func pack(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func write(name string, content []byte) error {
	return os.WriteFile(name, content, 0o644) //nolint:gosec // a source file, for everybody to read
}
