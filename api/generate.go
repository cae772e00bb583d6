// Package api is the contract in Go, generated from openapi.yaml. oapi-codegen makes the types, the
// routes and the server interface; the document itself is embedded. Change the contract's parts in
// contract/ and run go generate, which joins them into openapi.yaml first; neither that nor the
// generated files are ever edited.
package api

//go:generate go run ./contract/join
//go:generate go tool oapi-codegen --config server.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config spec.yaml ../openapi.yaml
//go:generate go tool oapi-codegen --config client/client.yaml ../openapi.yaml
//go:generate go run ./contract/operations
//go:generate go run ./contract/postman
