package servicecatalog

import (
	"bytes"
	_ "embed" // for the file
	"encoding/json"
	"errors"
	"io"
)

//go:embed services.json
var file []byte

// Shipped returns the services that come with the program. The error is that of a malformed file,
// so a test of this package is enough to rule it out.
func Shipped() ([]Service, error) {
	var all []Service
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	return all, nil
}
