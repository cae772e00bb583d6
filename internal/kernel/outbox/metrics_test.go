package outbox_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"diresco/internal/kernel/outbox"
)

// observed returns a function that reads the worker's metrics, by name and attributes.
func observed(t *testing.T, w *outbox.Worker) func() map[string]float64 {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	if err := w.Observe(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")); err != nil {
		t.Fatal(err)
	}
	return func() map[string]float64 {
		t.Helper()
		var collected metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &collected); err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		name := func(of string, set attribute.Set) string {
			for _, kv := range set.ToSlice() {
				of += " " + kv.Value.AsString()
			}
			return of
		}
		for _, scope := range collected.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, p := range data.DataPoints {
						values[name(m.Name, p.Attributes)] = float64(p.Value)
					}
				case metricdata.Gauge[int64]:
					for _, p := range data.DataPoints {
						values[name(m.Name, p.Attributes)] = float64(p.Value)
					}
				case metricdata.Gauge[float64]:
					for _, p := range data.DataPoints {
						values[name(m.Name, p.Attributes)] = p.Value
					}
				}
			}
		}
		return values
	}
}
