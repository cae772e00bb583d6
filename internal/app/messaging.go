package app

import (
	"context"
	"time"

	"diresco/internal/identity/pin"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/letter"
	"diresco/internal/messaging/channel/senders"
	"diresco/internal/messaging/channel/sms"
	"diresco/internal/messaging/notification"
	"diresco/internal/sandbox"
)

// spoolEvery is how often the receipts of the PEC provider are read.
const spoolEvery = 5 * time.Second

// messaging is how word gets out.
type messaging struct {
	worker *outbox.Worker
	// deliveries shows people how messages fare.
	deliveries *outbox.Service
	smsReports *sms.Reports
	// readReceipts reads what the PEC provider says of messages that it took; nil where there is no
	// such provider.
	readReceipts func(ctx context.Context)
}

// newMessaging makes what sends messages. It uses the channels that are configured or, in a
// sandbox, keeps messages for those who read them there.
func newMessaging(p platform, k kernel, id identity) (messaging, error) {
	channels, err := channelsOf(p)
	if err != nil {
		return messaging{}, err
	}
	var missing []outbox.Channel
	for _, c := range []outbox.Channel{outbox.SMS, outbox.Email, outbox.PEC, outbox.Letter} {
		if channels[c] == nil {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		p.log.Warn("channels not configured: what goes by them waits until its deadline", "channels", missing)
	}
	worker := outbox.NewWorker(outbox.Options{
		DB: p.db, Clock: p.clock, Keys: p.dataKeys, Router: notification.NewRouter(p.db, p.clock, id.people).For(p.config.Institution()),
		Senders: channels,
		Hooks:   map[string]outbox.Hook{pin.HalfKind.Name: id.pins.HandedOver}, Random: p.random, Log: p.log,
	})
	receipts, err := receiptReader(p, worker)
	if err != nil {
		return messaging{}, err
	}
	reports, err := sms.NewReports(k.runner, worker, p.config.SMSReportSecret)
	return messaging{
		worker: worker, deliveries: outbox.NewService(outbox.Deps{Runner: k.runner, Outbox: k.outbox, Worker: worker}),
		smsReports: reports, readReceipts: receipts,
	}, err
}

func channelsOf(p platform) (map[outbox.Channel]channel.Sender, error) {
	if p.sandbox {
		return sandbox.Senders(p.db, letter.Render), nil
	}
	return senders.New(p.config, p.bucket)
}

func receiptReader(p platform, worker *outbox.Worker) (func(ctx context.Context), error) {
	if p.sandbox {
		return nil, nil
	}
	spool, err := senders.Spool(p.config, worker, p.log)
	if spool == nil {
		return nil, err
	}
	return func(ctx context.Context) {
		if err := spool.Read(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("PEC receipts not read", "error", err)
		}
	}, nil
}
