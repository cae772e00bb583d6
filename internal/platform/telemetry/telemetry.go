// Package telemetry sets up the log, the metrics and the traces of the process. Nothing in them
// names a person: routes stand in labels as patterns, never as the URLs that were called.
package telemetry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"diresco/internal/platform/clock"
)

const scope = "diresco"

// Options say what New sets up.
type Options struct {
	// Version is the version of the program, for the resource.
	Version string
	// Traces sends traces by OTLP over HTTP to where the standard OTEL_EXPORTER_OTLP_* variables
	// say.
	Traces bool
	// Ready is asked by /healthz; nil means always ready.
	Ready func(context.Context) error
	// Clock measures durations: the machine's clock, never the sandbox's, which its testers move.
	// Nil means clock.System.
	Clock clock.Clock
	// Log receives what goes wrong while telemetry is collected or sent.
	Log *slog.Logger
}

// Telemetry holds the metrics and traces of the process.
type Telemetry struct {
	options  Options
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	tracers  trace.TracerProvider
	shutdown []func(context.Context) error
	http     httpMetrics
}

// New sets up metrics on a registry of their own, and traces if asked for. The metrics include
// those of the Go runtime and the process. Its errors are those of wrong OTEL_* variables.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	// The one global of OpenTelemetry that cannot be handed over: without it, failures to send go
	// to standard error bare.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Log.Warn("telemetry", "error", err) }))

	what, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(scope), semconv.ServiceVersion(o.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Telemetry{options: o, registry: prometheus.NewRegistry(), tracers: noop.NewTracerProvider()}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := t.registry.Register(c); err != nil {
			return nil, err
		}
	}
	reader, err := promexporter.New(promexporter.WithRegisterer(t.registry), promexporter.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(what))
	t.shutdown = append(t.shutdown, t.meters.Shutdown)
	if o.Traces {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
		}
		tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(what))
		t.tracers = tracers
		t.shutdown = append(t.shutdown, tracers.Shutdown)
	}
	if t.http, err = newHTTPMetrics(t.registry, t.meters.Meter(scope)); err != nil {
		return nil, err
	}
	return t, nil
}

// Meter makes further instruments, which appear in /metrics. What its callbacks ask is given up where
// no answer comes: the others' figures are still to be seen in time.
func (t *Telemetry) Meter() metric.Meter { return boundedMeter{t.meters.Meter(scope)} }

// callbackTimeout bounds each callback. There are a few that ask the database, one after the other,
// and Prometheus waits ten seconds for all of them.
const callbackTimeout = 1500 * time.Millisecond

// boundedMeter bounds its callbacks. The exporter knows nothing of who asks, and of how long they
// wait.
type boundedMeter struct{ metric.Meter }

// RegisterCallback implements metric.Meter.
func (m boundedMeter) RegisterCallback(f metric.Callback, instruments ...metric.Observable) (metric.Registration, error) {
	return m.Meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
		defer cancel()
		return f(ctx, o)
	}, instruments...)
}

// Tracer makes spans; they go nowhere unless traces are on.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracers.Tracer(scope) }

// Database adds the statistics of a connection pool under the given name.
func (t *Telemetry) Database(name string, pool *sql.DB) error {
	return t.registry.Register(collectors.NewDBStatsCollector(pool, name))
}

// Handler serves /metrics, in Prometheus' text form, and /healthz: 200 when the process is ready,
// else 503. It is for an address that only operators reach.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if t.options.Ready != nil {
			if err := t.options.Ready(r.Context()); err != nil {
				t.options.Log.WarnContext(r.Context(), "not ready", "error", err)
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte("not ready\n")) // a caller that has gone needs no answer
				return
			}
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return mux
}

// Shutdown sends what is still waiting and stops. The context bounds how long that may take.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var all []error
	for _, stop := range t.shutdown {
		all = append(all, stop(ctx))
	}
	return errors.Join(all...)
}
