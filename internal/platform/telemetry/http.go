package telemetry

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

type httpMetrics struct {
	// duration is a histogram of Prometheus' own library. Those of OpenTelemetry are not there
	// before they are recorded, and an alert would have nothing to look at.
	duration *prometheus.HistogramVec
	active   metric.Int64UpDownCounter
	// observers keeps each series ready-made: they are as few as routes × statuses.
	observers *sync.Map
}

// Route is an operation as it is measured.
type Route struct {
	Method string
	// Pattern is the path with its parameters, such as /people/{id}.
	Pattern string
	// Status is that of an answer that went well.
	Status int
}

type series struct {
	method, route string
	status        int
}

func newHTTPMetrics(registry prometheus.Registerer, meter metric.Meter) (httpMetrics, error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_server_request_duration_seconds", Help: "Duration of HTTP requests by route and status.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	}, []string{"http_request_method", "http_response_status_code", "http_route"})
	if err := registry.Register(duration); err != nil {
		return httpMetrics{}, err
	}
	active, err := meter.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("HTTP requests that are being answered."))
	return httpMetrics{duration: duration, active: active, observers: new(sync.Map)}, err
}

// Expect has the durations of routes appear in /metrics before anybody asks for one.
func (t *Telemetry) Expect(routes []Route) {
	for _, r := range routes {
		t.http.observerOf(series{method: r.Method, route: r.Pattern, status: r.Status})
	}
}

// HTTP measures the requests to next. After next has answered, route gives the pattern that the
// request matched; it must be one of a fixed list ("" when none matched), since each is a series of
// its own.
//
// A trace that the caller began is not continued: on a public address that would let anybody switch
// on or off what is recorded.
func (t *Telemetry) HTTP(next http.Handler, route func(*http.Request) string) http.Handler {
	tracer := t.Tracer()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := t.options.Clock.Now()
		ctx := r.Context()
		t.http.active.Add(ctx, 1)
		var span trace.Span
		if t.options.Traces {
			ctx, span = tracer.Start(ctx, knownMethod(r.Method), trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot())
			r = r.WithContext(ctx)
		}
		answer := &recorder{ResponseWriter: w}
		finished := false
		defer func() {
			s := series{method: knownMethod(r.Method), route: route(r), status: answer.status}
			switch {
			case s.status != 0:
			case finished:
				s.status = http.StatusOK
			default: // a panic passes through
				s.status = http.StatusInternalServerError
			}
			t.http.active.Add(ctx, -1)
			t.http.observerOf(s).Observe(max(0, t.options.Clock.Now().Sub(begun).Seconds()))
			if span != nil {
				span.SetName(strings.TrimSpace(s.method + " " + s.route))
				span.SetAttributes(s.attributes()...)
				if s.status >= http.StatusInternalServerError {
					span.SetStatus(codes.Error, "")
				}
				span.End()
			}
		}()
		next.ServeHTTP(answer, r)
		finished = true
	})
}

func (m httpMetrics) observerOf(s series) prometheus.Observer {
	if known, ok := m.observers.Load(s); ok {
		if ready, ok := known.(prometheus.Observer); ok {
			return ready
		}
	}
	ready := m.duration.WithLabelValues(s.method, strconv.Itoa(s.status), s.route)
	m.observers.Store(s, ready)
	return ready
}

func (s series) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(s.method),
		semconv.HTTPRoute(s.route),
		semconv.HTTPResponseStatusCode(s.status),
	}
}

// knownMethod gives every invented method one name, so that a stranger cannot make series.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "_OTHER"
	}
}

// recorder remembers the status of the answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // 1xx answers precede the real one
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
