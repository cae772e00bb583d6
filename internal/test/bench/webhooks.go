package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/webhook"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
)

const (
	webhooksName = "webhooks"
	// eventsAtOnce is how many events one transaction commits, webhookBacklog how many wait at most.
	eventsAtOnce   = 100
	webhookBacklog = 2000
)

// webhookSpeeds are what one process reaches with a receiver on loopback that takes everything.
type webhookSpeeds struct {
	sent    int64
	elapsed time.Duration
	// waits are the times from commit to receiver of events that come one by one, sorted.
	waits []time.Duration
}

func (s *webhookSpeeds) table() *table {
	t := &table{}
	t.add("webhooks, one process, a receiver on loopback", "deliveries/s", "commit to receiver, p50", "p99")
	t.add("a queue that is never empty", thousands(float64(s.sent)/s.elapsed.Seconds()), "–", "–")
	t.add(fmt.Sprintf("%d, one by one", len(s.waits)), "–", milliseconds(quantile(s.waits, 0.5)), milliseconds(quantile(s.waits, 0.99)))
	return t
}

// hooked is a process with the feed and the sender, and what they are told of.
type hooked struct {
	*seeder
	feed     *event.Feed
	filer    *filer
	subject  uuid.UUID
	received atomic.Int64
	told     chan time.Time
}

// webhooks measures what is sent to endpoints of applications, from the commit of what happened on:
// feed and sender run in this process, on a database of their own.
func (b *bench) webhooks(ctx context.Context, dir string) (err error) {
	if !b.options.only.MatchString(webhooksName) {
		return nil
	}
	databaseURL, err := b.database.create(ctx, webhooksName)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Migrate(ctx); err != nil {
		return err
	}
	keys, err := keyring.LoadOrCreateDataKeys(filepath.Join(dir, "webhook-keys"))
	if err != nil {
		return err
	}
	h := &hooked{seeder: newSeeder(d, &world{}), told: make(chan time.Time)}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = receiver.Serve(listener) }()
	defer func() { _ = receiver.Close() }()

	rights, out := access.NewRepository(d, h.clock), outbox.New(d)
	applications := application.NewService(application.Deps{Runner: h.runner, Rights: rights, Outbox: out})
	h.feed = event.NewFeed(event.Deps{DB: d, Clock: h.clock, Log: slog.Default()})
	sender := webhook.NewSender(webhook.Options{
		DB: d, Clock: clock.System{}, Rights: rights, Applications: applications, Outbox: out, Keys: keys,
		BaseURL: "https://diresco.example/v1", Random: rand.Reader, Log: slog.Default(), Loopback: true,
	})
	defer sender.Close()
	h.feed.OnAppended(sender.OnAppended)
	hooks := webhook.NewService(webhook.Deps{
		Runner: h.runner, Applications: applications, Events: h.feed, Rights: rights, Keys: keys, Random: rand.Reader, Loopback: true,
	})
	if err := h.begin(ctx, hooks, "http://"+listener.Addr().String()+"/"); err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { h.feed.Run(running) })
	all.Go(func() { sender.Run(running) })
	defer func() { cancel(); all.Wait() }()
	b.hooks = &webhookSpeeds{}
	if err := b.floodHooks(ctx, h); err != nil {
		return err
	}
	return b.hooksOneByOne(ctx, h)
}

// ServeHTTP implements http.Handler: it takes what it is sent, and tells who waits.
func (h *hooked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	h.received.Add(1)
	w.WriteHeader(http.StatusNoContent)
	select {
	case h.told <- at:
	default:
	}
}

// begin makes somebody who lets an application follow a declaration, and its webhook.
func (h *hooked) begin(ctx context.Context, hooks *webhook.Service, url string) error {
	if err := h.choosePIN(ctx); err != nil {
		return err
	}
	if err := h.db.InTx(ctx, h.register); err != nil {
		return err
	}
	var by access.Actor
	app, consent, session := uuid.New(), uuid.New(), uuid.New()
	h.subject = uuid.New()
	now, until := h.clock.Now(), h.clock.Now().AddDate(0, 1, 0)
	h.filer = h.world.filers[0]
	err := h.db.InTx(ctx, func(ctx context.Context) error {
		g := h.db.From(ctx)
		var people []uuid.UUID
		err := g.Raw("SELECT person_id FROM contributor_roles WHERE contributor_id = ?", h.filer.contributor).Scan(&people).Error
		if err != nil || len(people) != 1 {
			return fmt.Errorf("%d people file for a contributor: %w", len(people), err)
		}
		by.PersonID, by.CredentialLevel = people[0], access.Dispositive
		version := 0
		if err := g.Raw("SELECT MAX(version) FROM declaration_types WHERE code = ?", typeCode).Scan(&version).Error; err != nil {
			return err
		}
		for _, s := range []struct {
			sql  string
			args []any
		}{
			{
				`INSERT INTO applications (id, client_id, display_name, kind, token_endpoint_auth_method, redirect_uris, scopes, contact_email,
				jwks_uri, logo_uri, state, person_id, created_at, updated_at, submitted_at)
				VALUES (?, 'bench', 'Bench', 'public', 'none', '[]', '["declarations.read","events"]', 'x@example.org', '', '',
				'approved', ?, ?, ?, ?)`,
				[]any{app, by.PersonID, now, now, now},
			},
			{`INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
				VALUES (?, ?, ?, '["declarations.read","events"]', '["*"]', TRUE, ?, ?)`, []any{consent, by.PersonID, app, now, until}},
			{
				`INSERT INTO sessions (id, person_id, login_method, pin_change_required, created_at, authenticated_at, last_seen_at, expires_at,
				refresh_generation, refresh_hash, consent_id) VALUES (?, ?, 'pin', FALSE, ?, ?, ?, ?, 0, 'x', ?)`,
				[]any{session, by.PersonID, now, now, now, until, consent},
			},
			{
				`INSERT INTO declarations (id, contributor_id, position_id, office_code, type, type_version, step, state, content, person_id,
				acting_as, right_id, version, created_at, updated_at, listed_at, submitted_at, protocol_number, digest)
				VALUES (?, ?, ?, ?, ?, ?, 'single', 'submitted', '{}', ?, 'legal_representative', ?, 1, ?, ?, ?, ?, 'x', 'x')`,
				[]any{
					h.subject, h.filer.contributor, h.filer.spread, h.filer.office, typeCode, version, by.PersonID, uuid.New(), now, now,
					now, now,
				},
			},
		} {
			if err := g.Exec(s.sql, s.args...).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = hooks.Add(ctx, by, app, webhook.Input{URL: url})
	return err
}

// happen commits that something became of the declaration, so many times.
func (h *hooked) happen(ctx context.Context, n int) error {
	kind, subject, detail, contributor := "declaration", h.subject.String(), `{"state":"in_charge"}`, uuid.MustParse(h.filer.contributor)
	records := make([]audit.Record, n)
	for i := range records {
		records[i] = audit.Record{
			ID: uuid.Must(uuid.NewV7()), At: h.clock.Now(), Operation: "takeDeclarationInCharge", ContributorID: &contributor,
			SubjectKind: &kind, SubjectID: &subject, Outcome: "done", Detail: &detail,
		}
	}
	return h.db.InTx(ctx, func(ctx context.Context) error { return h.runner.Trail.Write(ctx, records...) })
}

// floodHooks keeps the queue filled and counts what arrives.
func (b *bench) floodHooks(ctx context.Context, h *hooked) error {
	committed, measuring := int64(0), false
	var from int64
	var begun time.Time
	for end := time.Now().Add(b.warmUp); ctx.Err() == nil; {
		if committed-h.received.Load() < webhookBacklog {
			if err := h.happen(ctx, eventsAtOnce); err != nil {
				return err
			}
			committed += eventsAtOnce
		} else {
			pause(ctx, time.Millisecond)
		}
		if time.Now().Before(end) {
			continue
		}
		if measuring {
			b.hooks.sent, b.hooks.elapsed = h.received.Load()-from, time.Since(begun)
			break
		}
		measuring, from, begun = true, h.received.Load(), time.Now()
		end = begun.Add(b.duration)
	}
	for h.received.Load() < committed && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	return ctx.Err()
}

// hooksOneByOne commits an event when the one before has arrived.
func (b *bench) hooksOneByOne(ctx context.Context, h *hooked) error {
	for end := time.Now().Add(b.duration); time.Now().Before(end); {
		if err := h.happen(ctx, 1); err != nil {
			return err
		}
		committed := time.Now()
		select {
		case at := <-h.told:
			b.hooks.waits = append(b.hooks.waits, max(0, at.Sub(committed)))
		case <-ctx.Done():
			return ctx.Err()
		}
		pause(ctx, 50*time.Millisecond) // one alone, not one behind another
	}
	slices.Sort(b.hooks.waits)
	return nil
}
