package edge

import (
	"log/slog"
)

// statusClosed is what the log shows for a caller who went away before there was an answer.
const statusClosed = 499

// logRequest writes one line for each request: what was asked and how it went, nothing of what was sent.
func (e *edge) logRequest(x *exchange) {
	request, response := x.c.Request(), x.c.Response()
	status := response.Status
	if !response.Committed {
		status = statusClosed
	}
	e.deps.Log.LogAttrs(request.Context(), slog.LevelInfo, "request",
		slog.String("method", method(request.Method)), slog.String("route", request.Pattern), slog.Int("status", status),
		slog.Duration("duration", e.now().Sub(x.started)), slog.String("request_id", x.requestID))
}

// method keeps made-up methods, which may be any text, out of the log.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	default:
		return "OTHER"
	}
}
