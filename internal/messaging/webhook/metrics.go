package webhook

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"diresco/db"
)

type metrics struct {
	attempts metric.Int64Counter
	ended    metric.Int64Counter
}

// noMetrics counts into nothing.
func noMetrics() metrics { return metrics{noop.Int64Counter{}, noop.Int64Counter{}} }

// Observe has the sender's counts, and how much waits and since when, appear among the meter's. Call
// it before the sender works.
func (s *Sender) Observe(meter metric.Meter) error {
	attempts, err := meter.Int64Counter("webhooks.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Attempts to deliver events to webhooks, by outcome."))
	if err != nil {
		return err
	}
	ended, err := meter.Int64Counter("webhooks.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries to webhooks that ended, by state."))
	if err != nil {
		return err
	}
	waiting, err := meter.Int64ObservableGauge("webhooks.queue.depth", metric.WithUnit("{delivery}"),
		metric.WithDescription("Deliveries to webhooks that wait for an attempt."))
	if err != nil {
		return err
	}
	age, err := meter.Float64ObservableGauge("webhooks.queue.age", metric.WithUnit("s"),
		metric.WithDescription("How long the delivery to a webhook that is due for longest has been due."))
	if err != nil {
		return err
	}
	disabled, err := meter.Int64ObservableGauge("webhooks.disabled", metric.WithUnit("{webhook}"),
		metric.WithDescription("Webhooks that were disabled because they were gone or only failed."))
	if err != nil {
		return err
	}
	s.metrics = metrics{attempts, ended}
	// What was never counted would not be there, and nobody could tell that from a name that is wrong.
	for _, o := range []Outcome{Took, Refused, TimedOut, Unreachable, Insecure, AddressRefused} {
		attempts.Add(context.Background(), 0, metric.WithAttributes(attribute.String("outcome", string(o))))
	}
	for _, state := range []DeliveryState{Delivered, Failed, Cancelled} {
		ended.Add(context.Background(), 0, metric.WithAttributes(attribute.String("state", string(state))))
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		b, err := s.repo.backlog(ctx)
		if err != nil {
			return err
		}
		o.ObserveInt64(waiting, b.Waiting)
		seconds := 0.0
		if b.Oldest != nil {
			seconds = max(0, s.clock.Now().Sub(*b.Oldest).Seconds())
		}
		o.ObserveFloat64(age, seconds)
		o.ObserveInt64(disabled, b.Disabled)
		return nil
	}, waiting, age, disabled)
	return err
}

// count counts what was written of a group; failed are those of it whose attempt failed.
func (m metrics) count(ctx context.Context, group []result, failed []Delivery) {
	ended := func(state DeliveryState) {
		m.ended.Add(ctx, 1, metric.WithAttributes(attribute.String("state", string(state))))
	}
	for _, r := range group {
		if r.attempt == nil {
			ended(Cancelled)
			continue
		}
		m.attempts.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", string(r.attempt.Outcome))))
		if r.attempt.Outcome == Took {
			ended(Delivered)
		}
	}
	for _, d := range failed {
		if d.State == Failed {
			ended(Failed)
		}
	}
}

// backlog is how much waits.
type backlog struct {
	Waiting  int64
	Oldest   *time.Time
	Disabled int64
}

func (r repository) backlog(ctx context.Context) (b backlog, err error) {
	if err = r.db.From(ctx).Raw("SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'waiting'").Scan(&b.Waiting).Error; err != nil {
		return b, err
	}
	if err = r.db.From(ctx).Raw("SELECT COUNT(*) FROM webhooks WHERE removed_at IS NULL AND disabled_reason IN ('gone', 'failing')").
		Scan(&b.Disabled).Error; err != nil {
		return b, err
	}
	var oldest []Delivery
	err = r.db.From(ctx).Raw("SELECT " + db.Columns[Delivery]("") +
		" FROM webhook_deliveries WHERE state = 'waiting' ORDER BY next_at LIMIT 1").Scan(&oldest).Error
	if len(oldest) == 1 {
		b.Oldest = &oldest[0].NextAt
	}
	return b, err
}
