// Package api is the contract in Go: the types, the routes and the server interface that oapi-codegen makes from
// openapi.yaml, and the document itself. Change the contract and run go generate; the generated files are never edited.
package api

//go:generate go tool oapi-codegen --config server.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config spec.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config client/client.yaml ../openapi.yaml
