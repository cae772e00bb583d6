package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"diresco/api"
)

// contractTransport holds every answer of the API against the contract: status, headers and body.
type contractTransport struct {
	t       *testing.T
	router  routers.Router
	witness *witness
}

// readContract is the contract, parsed once for all tests: they only read it.
var readContract = sync.OnceValues(func() (*openapi3.T, error) {
	contract, err := api.GetSpec()
	if err == nil {
		contract.Servers = openapi3.Servers{{URL: "/v1"}}
	}
	return contract, err
})

var contractRouter = sync.OnceValues(func() (routers.Router, error) {
	for _, mediaType := range []string{"application/jose", "application/pdf", "image/jpeg", "image/png", "image/tiff", "image/heic"} {
		openapi3filter.RegisterBodyDecoder(mediaType, openapi3filter.FileBodyDecoder)
	}
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	contract, err := readContract()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(contract)
})

func newContractTransport(t *testing.T) *contractTransport {
	t.Helper()
	router, err := contractRouter()
	if err != nil {
		t.Fatal(err)
	}
	return &contractTransport{t: t, router: router, witness: &witness{changes: map[intent][]string{}, secrets: map[string]string{}}}
}

// RoundTrip implements http.RoundTripper.
func (c *contractTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || !strings.HasPrefix(request.URL.Path, "/v1/") || response.Header.Get("Content-Type") == "text/event-stream" {
		return response, err // a stream has no end
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	c.check(request, response, body)
	return response, nil
}

func (c *contractTransport) check(request *http.Request, response *http.Response, body []byte) {
	probe, err := http.NewRequestWithContext(context.Background(), request.Method, request.URL.Path, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	route, parameters, err := c.router.FindRoute(probe)
	if err != nil {
		// What the contract does not have is refused, and nothing else.
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed &&
			request.Method != http.MethodOptions {
			c.t.Errorf("%s %s is not in the contract and answered %d", request.Method, request.URL.Path, response.StatusCode)
		}
		return
	}
	if err := c.witness.saw(request, route.Operation, response, body); err != nil {
		c.t.Error(err)
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route},
		Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		c.t.Errorf("%s %s answered %d against the contract: %v", request.Method, request.URL.Path, response.StatusCode, err)
	}
}
