package app

import (
	"context"

	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/letter"
	"diresco/internal/messaging/channel/senders"
	"diresco/internal/messaging/notification"
	"diresco/internal/sandbox"
)

// makeWorker makes what sends messages: by the channels that are configured or, in a sandbox, to those who read them there.
func (a *App) makeWorker(p parts, people *person.Service, pins *pin.Service) error {
	channels, err := a.senders(p)
	if err != nil {
		return err
	}
	var missing []outbox.Channel
	for _, c := range []outbox.Channel{outbox.SMS, outbox.Email, outbox.PEC, outbox.Letter} {
		if channels[c] == nil {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		p.options.Log.Warn("channels not configured: what goes by them waits until its deadline", "channels", missing)
	}
	a.messages = outbox.NewWorker(outbox.Options{
		DB: a.DB, Clock: p.clock, Keys: p.dataKeys, Router: notification.NewRouter(a.DB, p.clock, people), Senders: channels, Random: p.options.Random, Log: p.options.Log,
	})
	a.messages.On(pin.HalfKind.Name, pins.HandedOver)
	return nil
}

func (a *App) senders(p parts) (map[outbox.Channel]channel.Sender, error) {
	if p.options.Sandbox {
		return sandbox.Senders(a.DB, letter.Render), nil
	}
	return senders.New(p.config, p.bucket)
}

// sendMessages starts what sends messages. In a sandbox they are sent when its testers look, or move the clock.
func (a *App) sendMessages(o Options) error {
	if err := a.messages.Observe(a.telemetry.Meter()); err != nil || o.Sandbox {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.messages.Run(ctx)
	}()
	a.closers = append([]func(){func() { cancel(); <-done }}, a.closers...)
	return nil
}

// deliveryService shows people how messages fare.
func (a *App) deliveryService(runner *operation.Runner, messages *outbox.Outbox) *outbox.Service {
	return outbox.NewService(runner, messages, a.messages)
}
