// Package client is the Go client of the API, made by oapi-codegen from openapi.yaml.
// NewClientWithResponses is where to begin.
package client
