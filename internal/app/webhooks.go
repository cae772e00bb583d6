package app

import (
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/event"
	"diresco/internal/messaging/webhook"
)

// webhooks is what sends events to endpoints of applications.
type webhooks struct {
	service *webhook.Service
	sender  *webhook.Sender
}

func newWebhooks(p platform, k kernel, id identity, feed *event.Feed) webhooks {
	sender := webhook.NewSender(webhook.Options{
		DB: p.db, Clock: p.clock, Rights: k.rights, Applications: id.applications, Outbox: k.outbox, Keys: p.dataKeys,
		URLOf: subjectURL(p.config.PublicURL), Random: p.random, Log: p.log, Loopback: p.sandbox,
	})
	feed.OnAppended(sender.OnAppended)
	return webhooks{sender: sender, service: webhook.NewService(webhook.Deps{
		Runner: k.runner, Applications: id.applications, Events: feed, Rights: k.rights, Keys: p.dataKeys, Random: p.random,
		Loopback: p.sandbox,
	})}
}

// subjectURL says where an application reads what an event is about; "" for what it cannot read.
func subjectURL(publicURL string) func(kind, id string) string {
	collections := map[string]string{
		"declaration": "/declarations/", "declaration-batch": "/declaration-batches/", "delegation": "/delegations/",
	}
	return func(kind, id string) string {
		collection, known := collections[kind]
		if !known {
			return ""
		}
		return publicURL + reqctx.BasePath + collection + id
	}
}
