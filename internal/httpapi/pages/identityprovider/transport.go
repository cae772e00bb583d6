package identityprovider

import (
	"bytes"
	"io"
	"net/http"

	"diresco/internal/sandbox/idp"
)

// transport answers what this very program asks of the provider, by path.
type transport map[string]func(w http.ResponseWriter, r *http.Request) error

// Transport returns how the service reaches the provider in its own process: without a network, so
// that it works before the service listens and wherever its public address leads.
func Transport(p Provider) http.RoundTripper {
	t := transport{}
	for _, page := range programs(p) {
		t[page.Pattern] = page.Serve
	}
	return t
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	if sent.Body == nil {
		sent.Body = http.NoBody
	}
	defer func() { _ = sent.Body.Close() }()
	written := &answer{header: http.Header{}, status: http.StatusNotFound}
	if serve, known := t[r.URL.Path]; known {
		written.status = http.StatusOK
		if err := serve(written, sent); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		Status: http.StatusText(written.status), StatusCode: written.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: written.header, Body: io.NopCloser(&written.body), ContentLength: int64(written.body.Len()), Request: r,
	}, nil
}

// answer is what was written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }

var _ Provider = (*idp.Provider)(nil)
