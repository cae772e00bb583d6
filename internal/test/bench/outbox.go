package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
)

const (
	outboxName    = "outbox"
	outboxWorkers = 2
	// outboxPeople are those who are told; each has an e-mail address.
	outboxPeople = 100
	// promiseAtOnce is how many messages one transaction promises, and backlog how many wait at
	// most.
	promiseAtOnce = 100
	backlog       = 2000
)

// outboxSpeeds are what two workers reach with a channel that takes everything at once.
type outboxSpeeds struct {
	sent    int64
	elapsed time.Duration
	// waits are the times from commit to hand-over of messages that come one by one, sorted.
	waits []time.Duration
}

func (o *outboxSpeeds) table() *table {
	t := &table{}
	t.add(
		fmt.Sprintf("messages, %d workers, a channel that takes them at once", outboxWorkers), "messages/s", "commit to hand-over, p50",
		"p99",
	)
	t.add("a queue that is never empty", thousands(float64(o.sent)/o.elapsed.Seconds()), "–", "–")
	t.add(fmt.Sprintf("%d, one by one", len(o.waits)), "–", milliseconds(quantile(o.waits, 0.5)), milliseconds(quantile(o.waits, 0.99)))
	return t
}

// counter is the channel: it counts, and tells who waits.
type counter struct {
	sent atomic.Int64
	told chan time.Time
}

// Send implements outbox.Sender.
func (c *counter) Send(context.Context, outbox.Outgoing) (outbox.Taken, error) {
	c.sent.Add(1)
	select {
	case c.told <- time.Now():
	default:
	}
	return outbox.Taken{State: outbox.Sent}, nil
}

// messages measures the outbox. Its workers run in this process, on a database of their own, since
// those of the server have no channel.
func (b *bench) messages(ctx context.Context, dir string) (err error) {
	if !b.options.only.MatchString(outboxName) {
		return nil
	}
	databaseURL, err := b.database.create(ctx, outboxName)
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
	s := newSeeder(d, &world{})
	var people []uuid.UUID
	err = d.InTx(ctx, func(ctx context.Context) error {
		for n := range outboxPeople {
			code, err := taxCodeOf("Neri", n)
			if err != nil {
				return err
			}
			p, err := s.people.Add(ctx, person.New{
				TaxCode: code, GivenName: "Maria", FamilyName: "Neri", UserClass: access.Citizen, CredentialLevel: access.Dispositive,
				Contacts: []person.NewContact{{Kind: person.Email, Value: fmt.Sprintf("n%d@example.org", n)}},
			})
			if err != nil {
				return err
			}
			people = append(people, p.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	channel := &counter{told: make(chan time.Time)}
	own, stop, err := startWorkers(ctx, databaseURL, dir, channel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b.outbox = &outboxSpeeds{}
	if err := b.flood(ctx, own, people, channel); err != nil {
		return err
	}
	return b.oneByOne(ctx, own, people, channel)
}

// startWorkers starts the workers, each with connections of its own as if it were another process.
// It returns those of the first: whoever commits beside a worker, as requests do, wakes it.
func startWorkers(ctx context.Context, databaseURL, dir string, channel outbox.Sender) (first *db.DB, stop func() error, err error) {
	keys, err := keyring.LoadOrCreateDataKeys(filepath.Join(dir, "outbox-keys"))
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	var databases []*db.DB
	stop = func() error {
		cancel()
		all.Wait()
		var failed []error
		for _, d := range databases {
			failed = append(failed, d.Close())
		}
		return errors.Join(failed...)
	}
	for range outboxWorkers {
		d, err := db.Open(ctx, databaseURL)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		databases = append(databases, d)
		w := outbox.NewWorker(outbox.Options{
			DB: d, Clock: clock.System{}, Keys: keys, Router: notification.NewRouter(d, clock.System{}, newSeeder(d, &world{}).people),
			Senders: map[outbox.Channel]outbox.Sender{outbox.Email: channel}, Random: rand.Reader, Log: slog.Default(),
		})
		all.Go(func() { w.Run(running) })
	}
	return databases[0], stop, nil
}

// promise commits messages, one transaction for all.
func promise(ctx context.Context, d *db.DB, people []uuid.UUID, n int) error {
	messages := make([]outbox.Message, n)
	for i := range messages {
		var err error
		messages[i], err = outbox.NewMessage(outbox.Kind{Name: "declaration.withdrawn"}, people[i%len(people)], map[string]string{
			"protocol_number": "INPS.7000.16/03/2026.0000042", "type": typeCode,
		}, clock.System{}.Now())
		if err != nil {
			return err
		}
	}
	return d.InTx(ctx, func(ctx context.Context) error { return outbox.New(d).Add(ctx, messages...) })
}

// flood keeps the queue filled and counts what leaves.
func (b *bench) flood(ctx context.Context, d *db.DB, people []uuid.UUID, channel *counter) error {
	promised, measuring := int64(0), false
	var from int64
	var begun time.Time
	for end := time.Now().Add(b.warmUp); ctx.Err() == nil; {
		if promised-channel.sent.Load() < backlog {
			if err := promise(ctx, d, people, promiseAtOnce); err != nil {
				return err
			}
			promised += promiseAtOnce
		} else {
			pause(ctx, time.Millisecond)
		}
		if time.Now().Before(end) {
			continue
		}
		if measuring {
			b.outbox.sent, b.outbox.elapsed = channel.sent.Load()-from, time.Since(begun)
			break
		}
		measuring, from, begun = true, channel.sent.Load(), time.Now()
		end = begun.Add(b.duration)
	}
	for channel.sent.Load() < promised && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	return ctx.Err()
}

// oneByOne commits a message when the one before was handed over.
func (b *bench) oneByOne(ctx context.Context, d *db.DB, people []uuid.UUID, channel *counter) error {
	for end := time.Now().Add(b.duration); time.Now().Before(end); {
		if err := promise(ctx, d, people, 1); err != nil {
			return err
		}
		committed := time.Now()
		select {
		case at := <-channel.told:
			b.outbox.waits = append(b.outbox.waits, max(0, at.Sub(committed)))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	slices.Sort(b.outbox.waits)
	return nil
}
