package app

import (
	"context"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
	"diresco/internal/kernel/scan"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/clamd"
	"diresco/internal/platform/config"
)

// kernel is what every operation goes through.
type kernel struct {
	accessLog *audit.AccessLog
	answers   *idempotency.Answers
	claims    *idempotency.Store
	rights    *access.Repository
	recheck   *recheck.Checker
	runner    *operation.Runner
	outbox    *outbox.Outbox
	feed      *event.Feed
	events    *event.Service
	scans     *scan.Service
	log       *translog.Log
}

func newKernel(p platform) (kernel, error) {
	answers := idempotency.NewAnswers(p.db, p.log)
	k := kernel{
		accessLog: audit.NewAccessLog(p.db, p.clock, p.log), answers: answers, claims: idempotency.NewStore(p.db, p.clock, answers),
		rights: access.NewRepository(p.db, p.clock), recheck: recheck.New(p.db, p.clock), outbox: outbox.NewOnDemand(p.db, p.beforeShowing),
	}
	k.feed = event.NewFeed(event.Deps{DB: p.db, Clock: p.clock, Log: p.log})
	shown := event.ServiceDeps{Feed: k.feed, Rights: k.rights, Log: p.log}
	if p.sandbox {
		// Its testers find at once what they did.
		shown.BeforeReading = k.feed.Append
	}
	k.events = event.NewService(shown)
	k.log = translog.New(translog.Deps{
		DB: p.db, Clock: p.clock, Random: p.random, Log: p.log, Keys: p.logKeys, BeforeShowing: p.sandbox,
	})
	k.runner = &operation.Runner{DB: p.db, Clock: p.clock, Keys: k.claims, Trail: audit.NewTrail(p.db), Recheck: k.recheck}
	scanner, err := newScanner(p.config)
	k.scans = scan.NewService(scan.Deps{Runner: k.runner, Bucket: p.bucket, Scanner: scanner, Log: p.log})
	return k, err
}

// newScanner returns the scanner of what users send, nil where there is none.
func newScanner(c config.Config) (scan.Scanner, error) {
	if c.Clamd == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	return clamd.New(c.Clamd, c.EgressAllow)
}

// scanner tries the scanner of what users send.
func (k *checker) scanner(ctx context.Context) {
	c := k.config
	if c.Clamd == "" {
		return
	}
	client, err := clamd.New(c.Clamd, c.EgressAllow)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		err = client.Ping(ctx)
	}
	k.say("scanner", err, "it answers")
}
