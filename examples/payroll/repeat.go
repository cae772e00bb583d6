package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// repeating sends a request again when the service was busy or did not answer. That is safe: what
// changes something has an Idempotency-Key, with which it is done once.
type repeating struct{ http.RoundTripper }

const (
	tries = 5
	// longest is how long the program waits between two tries.
	longest = time.Minute
)

// RoundTrip implements http.RoundTripper.
func (t repeating) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	r = r.Clone(r.Context())
	if form, err := url.ParseQuery(string(body)); err == nil && form.Has("refresh_token") {
		r.Header.Set("Idempotency-Key", refreshKey(form))
	}
	for try := 1; ; try++ {
		if body != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		answer, err := t.RoundTripper.RoundTrip(r)
		busy := err == nil && (answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable)
		if try == tries || err == nil && !busy {
			return answer, err
		}
		wait := time.Second << try
		if busy {
			if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
				wait = time.Duration(seconds) * time.Second
			}
			_ = answer.Body.Close()
		}
		timer := time.NewTimer(min(wait, longest))
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			return nil, r.Context().Err()
		}
	}
}
