// Package api is the contract in Go: the types, the routes and the server interface that
// oapi-codegen makes from openapi.yaml, and the document itself. Change the contract's parts in
// contract/ and run go generate, which joins them into openapi.yaml first; neither that nor the
// generated files are ever edited.
package api

//go:generate go run ./contract/join
//go:generate go tool oapi-codegen --config server.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config spec.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config client/client.yaml ../openapi.yaml
