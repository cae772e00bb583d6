// Package catalogue holds the declaration types that come with the program, one JSON file each. It
// checks the content of declarations against the JSON Schema of their type. A type is data: adding
// one needs no code.
package catalogue

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"
)

//go:embed types/*.json
var files embed.FS

// Type is one version of a declaration type.
type Type struct {
	Code    string `json:"code"`
	Version int    `json:"version"`
	// Title and LegalReference are in Italian.
	Title          string `json:"title"`
	LegalReference string `json:"legal_reference"`
	Steps          []Step `json:"steps"`
	// Declarations are taken from OpensAt until, but not at, ClosesAt. Without
	// a ClosesAt the type stays open.
	OpensAt  time.Time  `json:"opens_at"`
	ClosesAt *time.Time `json:"closes_at,omitempty"`
	// Decision says who decides: "operator" is a person at the office.
	Decision string `json:"decision"`
	// WorkerField is the JSON pointer (RFC 6901) of the worker's tax code in the content. It is
	// empty where a type concerns no worker.
	WorkerField string `json:"worker_field"`
	// ContentSchema is a JSON Schema 2020-12, ContentExample a content that
	// meets it.
	ContentSchema  json.RawMessage `json:"content_schema"`
	ContentExample json.RawMessage `json:"content_example"`
}

// Step is one step of a declaration type: single, reservation or confirmation.
type Step struct {
	Step string `json:"step"`
}

// All returns the declaration types that come with the program, ordered by file name. Their schemas
// and examples are in compact form. The error is that of a malformed file, so a test of this
// package is enough to rule it out.
func All() ([]Type, error) {
	entries, err := files.ReadDir("types")
	if err != nil {
		return nil, err
	}
	types := make([]Type, 0, len(entries))
	for _, e := range entries {
		t, err := read(path.Join("types", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("declaration type %s: %w", e.Name(), err)
		}
		types = append(types, t)
	}
	return types, nil
}

func read(name string) (Type, error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return Type{}, err
	}
	var t Type
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return Type{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Type{}, errors.New("text after the JSON value")
	}
	for _, doc := range []*json.RawMessage{&t.ContentSchema, &t.ContentExample} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, *doc); err != nil {
			return Type{}, err
		}
		*doc = compact.Bytes()
	}
	return t, nil
}
