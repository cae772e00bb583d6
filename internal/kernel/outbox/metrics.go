package outbox

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

type metrics struct{ outcomes metric.Int64Counter }

// noMetrics counts into nothing.
func noMetrics() metrics { return metrics{noop.Int64Counter{}} }

// Observe has the worker's counts, and how much waits and since when, appear among the meter's.
// Call it before the worker works.
func (w *Worker) Observe(meter metric.Meter) error {
	outcomes, err := meter.Int64Counter("outbox.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Attempts to deliver messages, by channel and outcome."))
	if err != nil {
		return err
	}
	waiting, err := meter.Int64ObservableGauge("outbox.queue.depth", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries that wait to be sent, by channel."))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("outbox.queue.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest delivery that waits to be sent, by channel."))
	if err != nil {
		return err
	}
	w.metrics = metrics{outcomes}
	// What was never counted would not be there, and nobody could tell that from a name that is
	// wrong.
	for _, by := range channels {
		for _, outcome := range []string{string(Sent), string(Failed), string(Dead), string(Unconfirmed), Deferred} {
			outcomes.Add(context.Background(), 0, outcomeOf(by, outcome))
		}
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		found, err := w.repo.backlogs(ctx)
		if err != nil {
			return err
		}
		for _, b := range found {
			channel := metric.WithAttributes(attribute.String("channel", string(b.Channel)))
			o.ObserveInt64(waiting, b.Waiting, channel)
			seconds := 0.0
			if b.Waiting > 0 {
				seconds = max(0, w.clock.Now().Sub(b.Oldest).Seconds())
			}
			o.ObserveFloat64(age, seconds, channel)
		}
		return nil
	}, waiting, age)
	return err
}

func (m metrics) count(ctx context.Context, o outcome) {
	result := string(o.row.State)
	if o.row.State == Queued {
		if o.attempt == nil {
			return
		}
		result = Deferred
	}
	m.outcomes.Add(ctx, 1, outcomeOf(o.row.Channel, result))
}

func outcomeOf(by Channel, outcome string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("channel", string(by)), attribute.String("outcome", outcome))
}
