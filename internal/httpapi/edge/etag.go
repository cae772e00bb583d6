package edge

import (
	"bytes"
	"net/http"

	"diresco/internal/httpapi/etag"
)

// tagWriter answers 304 where the caller has the answer already (RFC 9110 section 13.1.2). A
// handler that knows a version sets ETag; for the others the tag is made from the answer, which is
// held back until it is complete.
type tagWriter struct {
	http.ResponseWriter
	wanted etag.Tags // of If-None-Match
	status int
	held   bytes.Buffer
	hold   bool
}

// WriteHeader implements http.ResponseWriter.
func (w *tagWriter) WriteHeader(status int) {
	w.status = status
	switch tag := w.Header().Get("ETag"); {
	case status != http.StatusOK:
		w.ResponseWriter.WriteHeader(status)
	case tag == "":
		w.hold = true
	case w.wanted.Match(tag):
		w.notModified()
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *tagWriter) Write(p []byte) (int, error) {
	switch {
	case w.hold:
		return w.held.Write(p)
	case w.status == http.StatusNotModified:
		return len(p), nil
	default:
		return w.ResponseWriter.Write(p)
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *tagWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish sends what was held back and returns the status that was sent.
func (w *tagWriter) finish() int {
	if !w.hold {
		return w.status
	}
	tag := etag.Computed(w.held.Bytes())
	w.Header().Set("ETag", tag)
	if w.wanted.Match(tag) {
		w.notModified()
		return w.status
	}
	w.ResponseWriter.WriteHeader(w.status)
	// A caller who is gone does not miss the rest.
	_, _ = w.ResponseWriter.Write(w.held.Bytes())
	return w.status
}

func (w *tagWriter) notModified() {
	w.status = http.StatusNotModified
	for _, name := range [...]string{contentType, "Content-Length", "Content-Disposition"} {
		w.Header().Del(name)
	}
	w.ResponseWriter.WriteHeader(w.status)
}
