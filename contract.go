// Package diresco holds the contract, openapi.yaml, as it was written: the service publishes it
// word for word.
package diresco

import _ "embed"

// Contract is openapi.yaml.
//
//go:embed openapi.yaml
var Contract []byte
