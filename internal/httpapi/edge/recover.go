package edge

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
)

var errPanic = errors.New("panic")

// recover turns a panic into a 500 problem. The log gets the stack and what kind of value it was,
// never the value: it may hold what somebody sent.
func (e *edge) recover(r *request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares in the same way
		panic(p)
	}
	attributes := []slog.Attr{
		slog.String("request_id", r.requestID), slog.String("route", r.route()), slog.String("stack", string(debug.Stack())),
	}
	if err, ok := p.(error); ok {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	e.deps.Log.LogAttrs(r.c.Request().Context(), slog.LevelError, "panic", attributes...)
	e.refuse(r, errPanic)
}
