package api

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"io"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed operations.json.gz
var operations []byte

// GetOperations parses what the service needs of the contract while it runs, each time anew. There
// are no texts, no schemas of answers and no components beside schemas of requests in it; of
// descriptions only the problems that they name. GetSpec parses all.
func GetOperations() (*openapi3.T, error) {
	r, err := gzip.NewReader(bytes.NewReader(operations))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(content)
}
