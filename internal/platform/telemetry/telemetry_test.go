package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/telemetry"
)

const person = "RSSMRA80A01H501U" // stands in URLs here to see that it stays out of what is recorded

func newTelemetry(t *testing.T, o telemetry.Options) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

func get(t *testing.T, h http.Handler, method, target string) (int, string) {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
	return answer.Code, answer.Body.String()
}

func metrics(t *testing.T, tel *telemetry.Telemetry) string {
	t.Helper()
	status, body := get(t, tel.Handler(), http.MethodGet, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	return body
}

func expectLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("missing: %s", line)
		}
	}
}

// TestTelemetry_WhatDoesNotAnswerIsLeftOut: a database that is silent takes its own figures away, and
// not those by which somebody notices.
func TestTelemetry_WhatDoesNotAnswerIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := newTelemetry(t, telemetry.Options{})
		silent, err := tel.Meter().Int64ObservableGauge("silent")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tel.Meter().RegisterCallback(func(ctx context.Context, o metric.Observer) error {
			<-ctx.Done()
			o.ObserveInt64(silent, 1)
			return ctx.Err()
		}, silent); err != nil {
			t.Fatal(err)
		}
		expectLines(t, metrics(t, tel), "go_goroutines ")
	})
}

func TestTelemetry_RequestsAreMeasuredByPatternAndStatus(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	tel := newTelemetry(t, telemetry.Options{Version: "1.2.3", Clock: now})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /people/{id}", func(http.ResponseWriter, *http.Request) { now.Advance(30 * time.Millisecond) })
	mux.HandleFunc("POST /people", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /active", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, metrics(t, tel)) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	h := tel.HTTP(mux, func(r *http.Request) string {
		_, pattern, _ := strings.Cut(r.Pattern, " ")
		return pattern
	})

	get(t, h, http.MethodGet, "/people/"+person)
	get(t, h, http.MethodGet, "/people/2?tax_code="+person)
	get(t, h, http.MethodPost, "/people")
	get(t, h, http.MethodGet, "/nowhere/"+person)
	get(t, h, "BREW", "/"+person)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic was swallowed")
			}
		}()
		get(t, h, http.MethodGet, "/panic")
	}()
	if _, during := get(t, h, http.MethodGet, "/active"); !strings.Contains(during, "http_server_active_requests 1\n") {
		t.Error("the request being answered is not counted")
	}

	text := metrics(t, tel)
	expectLines(t, text,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/people/{id}"} 2`,
		`http_server_request_duration_seconds_sum{http_request_method="GET",http_response_status_code="200",http_route="/people/{id}"} 0.06`,
		`http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="201",http_route="/people"} 1`,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",http_route=""} 1`,
		`http_request_method="_OTHER"`,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="500",http_route="/panic"} 1`,
		"http_server_active_requests 0\n", "go_goroutines ", "process_resident_memory_bytes ", `service_version="1.2.3"`,
	)
	if strings.Contains(text, person) || strings.Contains(text, "BREW") {
		t.Error("what a caller sent stands in a metric")
	}
}

func TestTelemetry_RoutesAreThereBeforeAnybodyAsks(t *testing.T) {
	tel := newTelemetry(t, telemetry.Options{})
	tel.Expect([]telemetry.Route{{Method: http.MethodPost, Pattern: "/people/{id}", Status: http.StatusCreated}})
	expectLines(t, metrics(t, tel),
		`http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="201",http_route="/people/{id}"} 0`,
	)
}

func TestTelemetry_TheAnswerReachesTheConnection(t *testing.T) {
	tel := newTelemetry(t, telemetry.Options{})
	server := httptest.NewServer(tel.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "all of it")
	}), func(*http.Request) string { return "/" }))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "all of it" || answer.StatusCode != http.StatusOK {
		t.Errorf("%d %q %v", answer.StatusCode, body, err)
	}
}

func TestTelemetry_ThePoolOfTheDatabaseIsMeasured(t *testing.T) {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(7)
	tel := newTelemetry(t, telemetry.Options{})
	if err := tel.Database("write", pool); err != nil {
		t.Fatal(err)
	}
	if err := tel.Database("read", pool); err != nil {
		t.Fatal(err)
	}
	expectLines(t, metrics(t, tel), `go_sql_max_open_connections{db_name="write"} 7`, `go_sql_wait_count_total{db_name="read"} 0`)
}

func TestTelemetry_Health(t *testing.T) {
	var trouble error
	tel := newTelemetry(t, telemetry.Options{Ready: func(context.Context) error { return trouble }})
	if status, body := get(t, tel.Handler(), http.MethodGet, "/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %q", status, body)
	}
	trouble = errors.New("database at 10.0.0.7 refused")
	if status, body := get(t, tel.Handler(), http.MethodGet, "/healthz"); status != http.StatusServiceUnavailable ||
		strings.Contains(body, "10.0.0.7") {
		t.Errorf("%d %q", status, body)
	}
}

func TestTelemetry_TracesGoToTheCollectorAndNameNoURL(t *testing.T) {
	var mu sync.Mutex
	var names []string
	collecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			var unzipped *gzip.Reader
			if unzipped, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
				body, err = io.ReadAll(unzipped)
			}
		}
		var sent collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
			t.Errorf("unreadable: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if bytes.Contains(body, []byte(person)) {
			t.Error("the URL stands in a trace")
		}
		for _, of := range sent.GetResourceSpans() {
			for _, in := range of.GetScopeSpans() {
				for _, span := range in.GetSpans() {
					names = append(names, span.GetName())
					if len(span.GetParentSpanId()) != 0 {
						t.Error("a stranger's trace was continued")
					}
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collecting.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collecting.URL)

	for _, on := range []bool{false, true} {
		tel := newTelemetry(t, telemetry.Options{Traces: on})
		h := tel.HTTP(http.NotFoundHandler(), func(*http.Request) string { return "/people/{id}" })
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/people/"+person+"?q="+person, http.NoBody)
		request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		h.ServeHTTP(httptest.NewRecorder(), request)
		if err := tel.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if on != (len(names) == 1 && names[0] == "GET /people/{id}") {
			t.Errorf("traces %v: %q", on, names)
		}
		mu.Unlock()
	}
}
