// Package diresco holds the contract, openapi.yaml, as it was written: the service publishes it
// word for word.
package diresco

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
)

//go:embed openapi.yaml.gz
var packed []byte

// Contract is openapi.yaml. It is unpacked each time: it is large, and hardly ever asked for.
func Contract() []byte {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		// It was packed when the program was built.
		panic(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return content
}
