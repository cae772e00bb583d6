package app

import (
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/messaging/webhook"
)

// webhooks is what sends events to endpoints of applications.
type webhooks struct {
	service *webhook.Service
	sender  *webhook.Sender
}

func newWebhooks(p platform, k kernel, id identity) webhooks {
	sender := webhook.NewSender(webhook.Options{
		DB: p.db, Clock: p.clock, Rights: k.rights, Applications: id.applications, Outbox: k.outbox, Keys: p.dataKeys,
		BaseURL: p.config.PublicURL + reqctx.BasePath, Random: p.random, Log: p.log, Loopback: p.sandbox,
	})
	k.feed.OnAppended(sender.OnAppended)
	return webhooks{sender: sender, service: webhook.NewService(webhook.Deps{
		Runner: k.runner, Applications: id.applications, Events: k.feed, Rights: k.rights, Keys: p.dataKeys, Random: p.random,
		Loopback: p.sandbox,
	})}
}
