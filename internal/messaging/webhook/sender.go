package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/event"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/job"
	"diresco/internal/platform/keyring"
)

const (
	// topic is announced by what leaves deliveries that nobody has in their hands.
	topic = "webhooks"
	// lookEvery is how often a sender looks for what other processes left, or falls due by time.
	lookEvery = time.Second
	// leaseTime is for how long others leave deliveries alone that a process has in its hands. An
	// attempt begins no later than leaseMargin before its end.
	leaseTime   = time.Minute
	leaseMargin = 2 * attemptTimeout
	// mostAtOnce is how many attempts of a process are under way at once, mostOfOne how many of them
	// are to endpoints of one application.
	mostAtOnce = 512
	mostOfOne  = 64
	// settleEvery is how long the outcome of an attempt waits to be written with others.
	settleEvery   = 10 * time.Millisecond
	settleGroup   = 500
	outcomeQueue  = 4 * settleGroup
	verdictsMost  = 200
	verdictsLanes = 2
	// endingTime is how long a sender that ends waits for attempts that are under way.
	endingTime = 5 * time.Second
	// idleTime is after how long without anything for it an endpoint's connections are closed.
	idleTime = 10 * time.Minute
)

// Options are what a Sender works with. All but Network and Loopback are needed.
type Options struct {
	DB     *db.DB
	Clock  clock.Clock
	Rights Rights
	// Applications say who is told of a webhook that was disabled.
	Applications *application.Service
	Outbox       *outbox.Outbox
	Keys         *keyring.DataKeys
	// BaseURL is where the API is, with its version.
	BaseURL string
	// Random spreads retries.
	Random io.Reader
	Log    *slog.Logger
	// Loopback also sends to http addresses of the machine itself, as a sandbox does.
	Loopback bool
	// Network is what a test replaces.
	Network egress.Options
}

// Sender sends deliveries. Any number of them, in one process or several, share the work on one
// database: each delivery is in the hands of one at a time, and sent at least once.
//
// What the feed appends in this process goes from hand to hand once that is committed; the database
// is asked for what is tried again, what did not fit, and what others left.
type Sender struct {
	db           *db.DB
	clock        clock.Clock
	applications *application.Service
	outbox       *outbox.Outbox
	keys         *keyring.DataKeys
	baseURL      string
	log          *slog.Logger
	loopback     bool
	network      egress.Options
	repo         repository
	// owner is this sender among all.
	owner    string
	trail    *audit.Trail
	results  *batch.Writer[result]
	verdicts *batch.Loader[*Delivery, *contact]
	metrics  metrics

	randomTurn sync.Mutex
	random     io.Reader

	mu        sync.Mutex
	endpoints map[uuid.UUID]*endpoint
	running   bool
	wake      chan struct{}
	// busy are attempts, busyOf those of each application; most and share bound them. held are the
	// endpoints that wait for others' attempts to end.
	busy        int
	busyOf      map[uuid.UUID]int
	most, share int
	held        map[uuid.UUID]*endpoint
	// underway are attempts, and groups whose transaction is under way; idle is told when there are none.
	underway int
	idle     *sync.Cond
	// left was begun when the sender was to end, and not sent.
	left []uuid.UUID
}

// NewSender returns a sender that sends nothing yet: call Run, or Drain. Close it.
func NewSender(o Options) *Sender {
	s := &Sender{
		db: o.DB, clock: o.Clock, applications: o.Applications, outbox: o.Outbox, keys: o.Keys, baseURL: o.BaseURL,
		random: o.Random, log: o.Log, loopback: o.Loopback, network: o.Network, repo: repository{o.DB, o.Rights}, owner: uuid.NewString(),
		endpoints: map[uuid.UUID]*endpoint{}, wake: make(chan struct{}, 1), metrics: noMetrics(), busyOf: map[uuid.UUID]int{},
		most: mostAtOnce, share: mostOfOne, held: map[uuid.UUID]*endpoint{},
	}
	s.idle = sync.NewCond(&s.mu)
	s.trail = audit.NewTrail(o.DB)
	s.results = batch.New(batch.Options[result]{
		Every: settleEvery, Group: settleGroup, Queue: outcomeQueue, Write: s.write,
		Failed: func(group []result, err error) []result {
			s.log.Warn("outcomes of webhooks not written", "error", err)
			if len(group) >= outcomeQueue {
				return nil // their leases end, and they are sent again: at least once, under the same id
			}
			return group
		},
	})
	s.verdicts = batch.NewLoader(verdictsMost, verdictsLanes, s.judge)
	return s
}

// Close writes what is left. Run and Drain must have ended before. What is still under way after some
// seconds is sent again by whoever has it next.
func (s *Sender) Close() {
	s.waitSome()
	s.results.Close()
}

// wait waits until nothing is under way.
func (s *Sender) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.underway > 0 {
		s.idle.Wait()
	}
}

// waitSome is wait for endingTime at most.
func (s *Sender) waitSome() {
	done := make(chan struct{})
	go func() {
		s.wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(endingTime):
	}
}

// done notes that something is not under way any more.
func (s *Sender) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underway--; s.underway == 0 {
		s.idle.Broadcast()
	}
}

// Run sends until the context ends. It gives attempts that are under way then some seconds to end,
// and lets others have the rest.
func (s *Sender) Run(ctx context.Context) {
	announced, stop := s.db.Listen(topic)
	defer stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	for ctx.Err() == nil {
		if _, err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "deliveries to webhooks cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-announced:
		case <-s.wake:
		case <-tick.C:
		}
	}
	s.end()
}

// end lets go of what was not tried yet.
func (s *Sender) end() {
	s.mu.Lock()
	s.running = false
	var left []uuid.UUID
	for _, e := range s.endpoints {
		for _, d := range e.queue {
			left = append(left, d.ID)
		}
		e.queue = nil
	}
	s.mu.Unlock()
	s.waitSome()
	s.mu.Lock()
	left, s.left = append(left, s.left...), nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), endingTime)
	defer cancel()
	if err := s.repo.release(ctx, s.owner, left, s.clock.Now()); err != nil {
		s.log.Warn("deliveries to webhooks are kept until their leases end", "error", err)
	}
}

// Drain sends all that is due by the clock, and returns when there is no more.
func (s *Sender) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	for {
		some, err := s.look(ctx)
		s.wait()
		s.results.Flush(ctx)
		if err != nil || !some || ctx.Err() != nil {
			s.mu.Lock()
			s.running = false
			s.mu.Unlock()
			return errors.Join(err, ctx.Err())
		}
	}
}

// OnAppended makes a delivery for each endpoint that is to be sent one of the events, in the
// transaction that appends them. Those that this sender has room for are handed over to it once that
// is committed.
//
// It fails where the database cannot be asked, or what it waits for is locked. Any other fault costs
// the events that have it their deliveries, and is logged: the feed goes on, and a replay makes up
// for it.
func (s *Sender) OnAppended(ctx context.Context, events []event.Event) error {
	err := s.deliver(ctx, events)
	if err == nil || passes(ctx, err) {
		return err
	}
	s.log.ErrorContext(ctx, "deliveries to webhooks not made at once", "events", len(events), "error", err)
	for i, e := range events {
		err := s.deliver(ctx, events[i:i+1])
		if err != nil && passes(ctx, err) {
			return err
		}
		if err != nil {
			s.log.ErrorContext(ctx, "deliveries to webhooks not made", "event_id", e.ID, "error", err)
		}
	}
	return nil
}

// passes reports whether a fault is none of what was to be written.
func passes(ctx context.Context, err error) bool {
	return ctx.Err() != nil || db.IsUnavailable(err) || db.IsLockTimeout(err)
}

// deliver makes the deliveries of events. Where it fails it undoes what it did, and no more.
func (s *Sender) deliver(ctx context.Context, events []event.Event) error {
	now := s.clock.Now()
	var deliveries, mine []Delivery
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
			}
		}()
		webhooks, sessions, err := s.repo.concernedBy(ctx, events, now)
		if err != nil || len(webhooks) == 0 {
			return err
		}
		deliveries, err = s.repo.seen(ctx, webhooks, sessions, events, now)
		if err != nil || len(deliveries) == 0 {
			return err
		}
		mine = s.expect(webhooks, deliveries, now)
		return s.repo.add(ctx, deliveries)
	})
	if err == nil && len(mine) < len(deliveries) {
		s.db.Announce(ctx, topic)
	}
	if len(mine) == 0 {
		return err
	}
	if err != nil {
		s.unexpect(mine)
		s.done()
		return err
	}
	// Nobody else knows this topic: who hears it knows that this transaction was committed.
	own := topic + " " + uuid.NewString()
	heard, stop := s.db.Listen(own)
	s.db.Announce(ctx, own)
	go func() {
		defer s.done()
		defer stop()
		<-ctx.Done() // the transaction's context ends with it, after what was announced is told
		s.unexpect(mine)
		select {
		case <-heard:
			s.take(mine)
		default: // it was rolled back
		}
	}()
	return nil
}

// expect keeps room for deliveries, and leases those that there is room for. They are returned, and
// where there are any something is under way.
func (s *Sender) expect(webhooks []Webhook, deliveries []Delivery, now time.Time) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil // who looks next has them
	}
	of := map[uuid.UUID]uuid.UUID{}
	for _, w := range webhooks {
		of[w.ID] = w.ApplicationID
		if e := s.endpoints[w.ID]; e != nil {
			e.meets(w)
		}
	}
	var mine []Delivery
	for i := range deliveries {
		d := &deliveries[i]
		e := s.endpoint(d.WebhookID, now)
		e.application = of[d.WebhookID]
		if e.room(now) == 0 {
			e.more = true
			continue
		}
		e.coming++
		d.LeaseOwner, d.NextAt = &s.owner, now.Add(leaseTime)
		mine = append(mine, *d)
	}
	if len(mine) > 0 {
		s.underway++
	}
	return mine
}

func (s *Sender) unexpect(deliveries []Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range deliveries {
		if e := s.endpoints[d.WebhookID]; e != nil {
			e.coming--
		}
	}
}

// endpoint is that of a webhook; the caller holds mu.
func (s *Sender) endpoint(id uuid.UUID, now time.Time) *endpoint {
	e := s.endpoints[id]
	if e == nil {
		e = &endpoint{id: id}
		s.endpoints[id] = e
	}
	e.used = now
	return e
}

// take puts deliveries that this sender leased into its hands.
func (s *Sender) take(deliveries []Delivery) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return // their leases end
	}
	touched := map[uuid.UUID]*endpoint{}
	for _, d := range deliveries {
		e := s.endpoint(d.WebhookID, now)
		e.queue = append(e.queue, d)
		touched[e.id] = e
	}
	for _, e := range touched {
		s.start(e, now)
	}
}

// start begins as many attempts at an endpoint as may begin now; the caller holds mu.
func (s *Sender) start(e *endpoint, now time.Time) {
	delete(s.held, e.id)
	for s.running && e.startable(now) > 0 {
		if s.busy >= s.most || s.busyOf[e.application] >= s.share {
			s.held[e.id] = e
			break
		}
		d := e.queue[0]
		e.queue = e.queue[1:]
		if !now.Before(d.NextAt.Add(-leaseMargin)) {
			e.more = true // it waited for too long: it is had again when its lease ends
			continue
		}
		e.busy++
		s.busy++
		s.busyOf[e.application]++
		s.underway++
		go s.try(e, e.application, d)
	}
	if e.more && len(e.queue) < queueLength/2 && e.breaker.closed(now) {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// try makes one attempt, unless the delivery may not be sent any more.
func (s *Sender) try(e *endpoint, application uuid.UUID, d Delivery) {
	defer s.done()
	ctx := context.Background() // what has begun ends, also when the sender is to end
	judging, cancel := context.WithTimeout(ctx, attemptTimeout)
	c, may, err := s.verdicts.Load(judging, &d)
	cancel()
	r := result{delivery: d}
	if err == nil && may {
		err = c.broken
	}
	switch {
	case err != nil:
		// Nobody knows whether it may be sent. It is had again when its lease ends.
		s.log.WarnContext(ctx, "delivery to a webhook is not sent", "webhook_id", d.WebhookID, "error", err)
		s.ended(e, application, nil)
		return
	case may && !s.stillHas(d):
		s.ended(e, application, &r)
		return
	case may:
		r = s.attempt(ctx, c, d)
	}
	s.results.Add(r)
	s.ended(e, application, &r)
}

// stillHas reports whether a delivery is in this sender's hands for as long as an attempt takes. It
// lets go of what it has when it is to end.
func (s *Sender) stillHas(d Delivery) bool {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		s.left = append(s.left, d.ID)
		return false
	}
	return now.Before(d.NextAt.Add(-attemptTimeout))
}

// ended notes how an attempt ended, and begins what waited for it.
func (s *Sender) ended(e *endpoint, application uuid.UUID, r *result) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e.busy--
	s.busy--
	if s.busyOf[application]--; s.busyOf[application] == 0 {
		delete(s.busyOf, application)
	}
	switch {
	case r == nil:
		e.breaker.failed(now, firstPause)
	case r.attempt == nil:
	case r.attempt.Outcome == Took:
		e.breaker.succeeded()
		e.slow = r.attempt.DurationMS > int(slowAnswer.Milliseconds())
	default:
		e.breaker.failed(now, r.after)
	}
	// Who waited for others to end comes before who goes on.
	for _, other := range s.held {
		if other != e && s.busy < s.most {
			s.start(other, now)
		}
	}
	s.start(e, now)
}

// look takes what is due from the database, as far as there is room, and reports whether it found
// something.
func (s *Sender) look(ctx context.Context) (some bool, err error) {
	now := s.clock.Now()
	due, err := s.repo.due(ctx, now)
	if err != nil {
		return false, err
	}
	for _, w := range due {
		id := w.ID
		s.mu.Lock()
		e := s.endpoint(id, now)
		e.meets(w)
		room := e.room(now)
		if e.breaker.pause > 0 {
			room = min(room, 1)
		}
		e.coming += room
		s.mu.Unlock()
		if room == 0 {
			continue
		}
		claimed, claimErr := s.repo.claim(ctx, id, room, job.NewLease(s.owner, now, leaseTime))
		s.mu.Lock()
		e.coming -= room
		e.more = len(claimed) == room
		s.mu.Unlock()
		if claimErr != nil {
			return some, claimErr
		}
		some = some || len(claimed) > 0
		s.take(claimed)
	}
	s.tidy(now)
	return some, nil
}

// tidy begins what a pause held up, and forgets endpoints that had nothing for long.
func (s *Sender) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.endpoints {
		s.start(e, now)
		if len(e.queue)+e.busy+e.coming == 0 && now.Sub(e.used) > idleTime {
			if e.contact != nil {
				e.contact.client.CloseIdleConnections()
			}
			delete(s.endpoints, id)
		}
	}
}
