package edge

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"

	"diresco/api"
	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
)

func TestEdge_EveryErrorBecomesItsProblem(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		err    error
		status int
		code   fault.Code
		wait   string
	}{
		"fault":               {fault.New(fault.Conflict), 409, fault.Conflict, ""},
		"wrapped fault":       {fmt.Errorf("while: %w", fault.New(fault.PreconditionFailed)), 412, fault.PreconditionFailed, ""},
		"locked":              {fault.After(fault.PINLocked, 4*time.Minute+59*time.Second+time.Millisecond), 429, fault.PINLocked, "300"},
		"busy":                {fault.New(fault.Busy), 503, fault.Busy, "1"},
		"unavailable":         {fault.After(fault.Unavailable, 5*time.Second), 503, fault.Unavailable, "5"},
		"in progress":         {fault.After(fault.RequestInProgress, time.Second), 409, fault.RequestInProgress, "1"},
		"database away":       {fmt.Errorf("query: %w", driver.ErrBadConn), 503, fault.Unavailable, "1"},
		"database slow":       {context.DeadlineExceeded, 503, fault.Unavailable, "1"},
		"database contended":  {fmt.Errorf("query: %w", &pgconn.PgError{Code: "55P03"}), 503, fault.Busy, "1"},
		"too long":            {&http.MaxBytesError{Limit: 1}, 413, fault.TooLarge, ""},
		"generated code":      {echo.NewHTTPError(http.StatusBadRequest, "hunter2"), 400, fault.Malformed, ""},
		"router":              {echo.ErrUnsupportedMediaType, 415, fault.UnsupportedMediaType, ""},
		"router, unknown":     {echo.NewHTTPError(http.StatusTeapot, "hunter2"), 500, fault.Internal, ""},
		"defect":              {errors.New("hunter2"), 500, fault.Internal, ""},
		"unknown fault":       {fault.New("made-up"), 500, fault.Internal, ""},
		"cancelled elsewhere": {context.Canceled, 500, fault.Internal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.on(t)
			w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) { return nil, c.err }
			answer := w.do(ask{method: http.MethodGet, path: "/v1/me", token: "live"})
			w.problem(answer, c.status, c.code)
			if got := answer.Header().Get("Retry-After"); got != c.wait {
				t.Errorf("Retry-After %q, want %q", got, c.wait)
			}
			if strings.Contains(answer.Body.String(), "hunter2") {
				t.Errorf("the answer says what the error said: %s", answer.Body)
			}
		})
	}
	if n := strings.Count(w.log.String(), `"msg":"request failed"`); n != 4 {
		t.Errorf("%d defects in the log, want each of 4 once:\n%s", n, w.log)
	}
}

func TestEdge_APanicIsAnInternalErrorAndTheNextRequestIsServed(t *testing.T) {
	w := newWorld(t)
	w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) { panic("hunter2") }
	answer := w.do(ask{
		method: http.MethodGet, path: "/v1/me", token: "live", header: map[string]string{"Request-Id": "request-with-panic"},
	})
	w.problem(answer, http.StatusInternalServerError, fault.Internal)
	text := w.log.String()
	if !strings.Contains(text, `"msg":"panic"`) || !strings.Contains(text, "request-with-panic") ||
		!strings.Contains(text, "refuse_test.go") || strings.Contains(text, "hunter2") {
		t.Errorf("the log should have the stack and not the value: %s", text)
	}
	w.handlers.me = nil
	if answer := w.do(ask{method: http.MethodGet, path: "/v1/me", token: "live"}); answer.Code != http.StatusOK {
		t.Errorf("got %d", answer.Code)
	}
}

func TestEdge_AHandlerWithoutAnAnswerIsADefect(t *testing.T) {
	w := newWorld(t)
	w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) { return nil, nil } //nolint:nilnil // that is the defect
	w.problem(w.do(ask{method: http.MethodGet, path: "/v1/me", token: "live"}), http.StatusInternalServerError, fault.Internal)
}

// Who says that they will send no more is taken to be gone: some proxies say so for a client that
// is. They may still read: what was broken off must not look done to them.
func TestEdge_WhoWentAwayIsToldOfNoSuccess(t *testing.T) {
	w := newWorld(t)
	w.handlers.me = func(ctx context.Context) (api.ShowMeResponseObject, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("query: %w", ctx.Err())
	}
	server := httptest.NewServer(w.http)
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := w.request(ask{method: http.MethodGet, path: "/v1/me", token: "live"}).Write(connection); err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if text := string(answer); err != nil || !strings.HasPrefix(text, "HTTP/1.1 499 ") || !strings.Contains(text, "Content-Length: 0\r\n") ||
		!strings.Contains(text, "Cache-Control: no-store\r\n") {
		t.Errorf("%v, got %q", err, text)
	}
	server.Close() // what it logs is there
	if text := w.log.String(); !strings.Contains(text, `"status":499`) || strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("log %s", text)
	}
}

func TestEdge_ReasonsAndFieldsAreTold(t *testing.T) {
	w := newWorld(t)
	w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) {
		return nil, &fault.Fault{
			Code: fault.Invalid, Reason: "type-not-open",
			Fields: []fault.Field{{Pointer: "/a", Code: fault.FieldRequired}, {Pointer: "/b", Code: "never-heard-of"}},
		}
	}
	p := w.problem(w.do(ask{method: http.MethodGet, path: "/v1/me", token: "live"}), http.StatusUnprocessableEntity, fault.Invalid)
	told := problem.New(fault.Because(fault.Invalid, "type-not-open"), http.StatusUnprocessableEntity, problem.Italian, "", "").Detail
	if _, general, _ := problem.Words(problem.Italian, fault.Invalid); p.Detail != told || told == general ||
		(*p.Errors)[0].Detail != problem.FieldText(problem.Italian, fault.FieldRequired) || (*p.Errors)[1].Detail != problem.FieldText(
		problem.Italian, fault.FieldOther,
	) {
		t.Errorf("got %+v", p)
	}
	w.handlers.me = func(context.Context) (api.ShowMeResponseObject, error) {
		return nil, fault.Because(fault.Conflict, "never-heard-of")
	}
	p = w.problem(w.do(ask{
		method: http.MethodGet, path: "/v1/me", token: "live", header: map[string]string{"Accept-Language": "en"},
	}), http.StatusConflict, fault.Conflict)
	if _, detail, _ := problem.Words(problem.English, fault.Conflict); p.Detail != detail {
		t.Errorf("got %+v", p)
	}
}
