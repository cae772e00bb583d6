package telemetry

import (
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

type httpMetrics struct {
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter
	// options keeps the attributes of each series ready-made: they are as few as routes × statuses.
	options *sync.Map
}

type series struct {
	method, route string
	status        int
}

func newHTTPMetrics(meter metric.Meter) (httpMetrics, error) {
	duration, err := meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP requests by route and status."),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	if err != nil {
		return httpMetrics{}, err
	}
	active, err := meter.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("HTTP requests that are being answered."))
	return httpMetrics{duration: duration, active: active, options: new(sync.Map)}, err
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
			t.http.duration.Record(ctx, max(0, t.options.Clock.Now().Sub(begun).Seconds()), t.http.optionsOf(s)...)
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

func (m httpMetrics) optionsOf(s series) []metric.RecordOption {
	if known, ok := m.options.Load(s); ok {
		if ready, ok := known.([]metric.RecordOption); ok {
			return ready
		}
	}
	ready := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(s.attributes()...))}
	m.options.Store(s, ready)
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
