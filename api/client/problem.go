package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error implements error. It names the fields that are wrong and, as no text of the service does,
// nothing that was sent.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s: %s", p.Status, p.Code, p.Detail)
	for _, f := range p.Fields() {
		fmt.Fprintf(&b, "; %s: %s", f.Place(), f.Code)
	}
	return b.String()
}

// Fields are the parts of the request that are wrong; none if it is not about one.
func (p *Problem) Fields() []ProblemError {
	if p.Errors == nil {
		return nil
	}
	return *p.Errors
}

// Place names the part of the request: a JSON Pointer, a parameter or a header.
func (e ProblemError) Place() string {
	for _, place := range []*string{e.Pointer, e.Parameter, e.Header} {
		if place != nil {
			return *place
		}
	}
	return ""
}

// Refusal is the error of an answer that is a refusal. What went wrong is its *Problem.
type Refusal struct {
	Problem *Problem
	// RetryAfter is how long to wait before the next try; zero if waiting does not help.
	RetryAfter time.Duration
	// RequestID names the request to the institution.
	RequestID string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Problem.Error() }

// Unwrap leads to the *Problem.
func (r *Refusal) Unwrap() error { return r.Problem }

// AnswerError is the error of an answer that is none of the service's, such as the page of a proxy.
type AnswerError struct {
	Status int
	// ContentType is what the answer says that it has.
	ContentType string
	// RetryAfter is how long to wait before the next try; zero if nothing was said.
	RetryAfter time.Duration
}

// Error implements error.
func (e *AnswerError) Error() string {
	if e.Status < http.StatusBadRequest {
		return fmt.Sprintf("%d %s with %q, which is not of this service", e.Status, http.StatusText(e.Status), e.ContentType)
	}
	return fmt.Sprintf("%d %s, without a problem that says why", e.Status, http.StatusText(e.Status))
}

// foreign reports whether an answer that is no refusal is none of the service's either: a redirection,
// or a page where it answers with JSON or a document.
func foreign(r *http.Request, answer *http.Response) bool {
	switch {
	case answer.StatusCode == http.StatusNotModified:
		return r.Header.Get("If-None-Match") == ""
	case answer.StatusCode >= http.StatusMultipleChoices:
		return true
	case answer.StatusCode == http.StatusNoContent:
		return false
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return kind == "" || kind == "text/html" || kind == "text/plain" || kind == "application/xhtml+xml"
}

// refusal reads an answer that is no success, and closes its body.
func refusal(answer *http.Response) error {
	defer func() { _ = answer.Body.Close() }()
	const longest = 1 << 20
	body, err := io.ReadAll(io.LimitReader(answer.Body, longest))
	if err != nil {
		return err
	}
	after := retryAfter(answer.Header)
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	var p Problem
	if kind != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Code == "" {
		return &AnswerError{Status: answer.StatusCode, ContentType: kind, RetryAfter: after}
	}
	return &Refusal{Problem: &p, RetryAfter: after, RequestID: answer.Header.Get("Request-Id")}
}

// retryAfter reads the header of that name, which has seconds or, from a proxy, a date.
func retryAfter(h http.Header) time.Duration {
	written := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(written, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(written); err == nil {
		return max(time.Until(at), 0) //nolint:forbidigo // it runs in other programs
	}
	return 0
}
