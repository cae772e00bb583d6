package edge

import (
	"log/slog"
	"time"
)

// statusClosed is what a caller is answered who went away before there was an answer, and what the
// log shows of it.
const statusClosed = 499

// logRequest writes one line for each request: what was asked and how it went, nothing of what was
// sent.
func (e *edge) logRequest(r *request) {
	sent, response := r.c.Request(), r.c.Response()
	status := response.Status
	if !response.Committed {
		status = statusClosed
	}
	e.deps.Log.LogAttrs(sent.Context(), slog.LevelInfo, "request",
		slog.String("method", method(sent.Method)), slog.String("route", sent.Pattern), slog.Int("status", status),
		slog.Float64("duration_ms", milliseconds(e.now().Sub(r.started))), slog.String("request_id", r.requestID))
}

// milliseconds gives a duration as logs are searched: with the unit in the name, to the
// microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// method keeps made-up methods, which may be any text, out of the log.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	default:
		return "OTHER"
	}
}
