package outbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/job"
	"diresco/internal/platform/keyring"
)

const (
	// pollEvery is how often a worker looks for work that another process promised, or whose time
	// has come.
	pollEvery = time.Second
	// routeAtOnce is how many messages are routed in one transaction.
	routeAtOnce = 100
	// groups is how many groups of deliveries of one channel a worker has under way, groupSize how
	// large they are.
	groups    = 2
	groupSize = 16
	// sendTimeout bounds one hand-over.
	sendTimeout = 30 * time.Second
	// MailTimeout bounds one hand-over by SMTP, whose servers may take their time before the last
	// word (RFC 5321 section 4.5.3.2).
	MailTimeout = 31 * time.Minute
	// settleTimeout bounds the transaction that notes what became of a group.
	settleTimeout = 10 * time.Second
	// endingTime is how long a worker that ends waits for hand-overs that are under way.
	endingTime = 5 * time.Second
	// renewedFor is for how long a lease is good that is renewed every so often. Three renewals may
	// be missed.
	renewedFor = 2 * time.Minute
	renewEvery = 30 * time.Second
	// absentRetry is how often deliveries of a channel are looked at that is not configured here.
	absentRetry = 15 * time.Minute
)

// sendTime bounds one hand-over by a channel.
func sendTime(c Channel) time.Duration {
	if c == Email || c == PEC {
		return MailTimeout
	}
	return sendTimeout
}

// leaseTime is for how long others leave deliveries alone that were claimed to be sent in turn. It
// covers one hand-over and its transaction.
func leaseTime(c Channel) time.Duration { return sendTime(c) + 2*settleTimeout }

// renewedTime is leaseTime for what is sent together. While hand-overs are under way their lease is
// renewed, so others wait for a short time alone for what a killed process had.
func renewedTime(c Channel) time.Duration { return min(leaseTime(c), renewedFor) }

// Hook is what else happens when a delivery reaches a state, in the transaction in which that is
// noted.
type Hook func(ctx context.Context, d Delivery) error

// Options are what a Worker works with. All but Hooks are needed.
type Options struct {
	DB    *db.DB
	Clock clock.Clock
	// Keys open what is sealed in messages.
	Keys   *keyring.DataKeys
	Router Router
	// Senders are the channels that are configured. What goes by another one waits until its
	// deadline.
	Senders map[Channel]Sender
	// Hooks are called for their kind when a delivery is sent, handed over, delivered, failed, dead
	// or unconfirmed. One runs in the transaction in which that is noted: when it fails, the state
	// is not noted, and the delivery is tried again later.
	Hooks map[string]Hook
	// Random spreads retries.
	Random io.Reader
	Log    *slog.Logger
}

// Worker sends what was promised. Any number of workers, in one process or several, share the work
// on one database: each delivery is leased to one at a time, and sent at least once.
type Worker struct {
	db      *db.DB
	clock   clock.Clock
	keys    *keyring.DataKeys
	router  Router
	random  io.Reader
	log     *slog.Logger
	outbox  *Outbox
	repo    repository
	lanes   []*lane
	hooks   map[string]Hook
	metrics metrics
	// every ticks so often until it is stopped.
	every func(time.Duration) (ticks <-chan time.Time, stop func())
	// randomTurn is held by who draws from random.
	randomTurn sync.Mutex
}

// lane is one channel as its worker sees it.
type lane struct {
	channel Channel
	sender  Sender
	// sending has groups under way at once whenever it is woken.
	sending *job.Worker
	mu      sync.Mutex
	breaker breaker
	doubts  doubts
}

// NewWorker returns a worker that does nothing yet: call Run, or Drain.
func NewWorker(o Options) *Worker {
	w := &Worker{
		db: o.DB, clock: o.Clock, keys: o.Keys, router: o.Router, random: o.Random, log: o.Log, outbox: New(o.DB), repo: repository{o.DB},
		hooks: o.Hooks, metrics: noMetrics(), every: ticking,
	}
	for _, c := range channels {
		l := &lane{channel: c, sender: o.Senders[c]}
		l.sending = job.NewWorker(job.Options{
			Step: w.send(l, renewedTime(c), w.sendTogether), Parallel: groups, Log: w.log.With("channel", string(c)),
			Failure: "deliveries not sent or not noted",
		})
		w.lanes = append(w.lanes, l)
	}
	return w
}

// Run sends what is promised until the context ends. It gives hand-overs that are under way then
// some seconds to end.
func (w *Worker) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, l := range w.lanes {
		all.Go(func() { l.sending.Run(ctx) })
	}
	job.NewWorker(job.Options{
		Step: w.route().When(w.look), Topic: promisedTopic, DB: w.db, Every: pollEvery, Log: w.log, Failure: "outbox cannot be read",
	}).Run(ctx)
}

// look wakes the channels that have work, and reports whether there is something to be routed.
func (w *Worker) look(ctx context.Context) (unrouted bool, err error) {
	waiting, err := w.repo.waiting(ctx, w.clock.Now())
	for _, what := range waiting {
		unrouted = unrouted || what == routing
		for _, l := range w.lanes {
			if what == string(l.channel) {
				l.sending.Wake()
			}
		}
	}
	return unrouted, err
}

// Drain does all that is due by the clock, one after the other, and returns when there is no more.
// It may run inside a transaction, which then holds all that it does.
func (w *Worker) Drain(ctx context.Context) error {
	round := job.Step(func(ctx context.Context) (bool, error) {
		some, err := w.route()(ctx)
		for _, l := range w.lanes {
			for more := true; more && err == nil; some = some || more {
				more, err = w.send(l, leaseTime(l.channel), w.sendInTurn)(ctx)
			}
		}
		return some, err
	})
	return round.Drain(ctx)
}

// Due reports whether Drain would find something to do.
func (w *Worker) Due(ctx context.Context) (bool, error) {
	waiting, err := w.repo.waiting(ctx, w.clock.Now())
	return len(waiting) > 0, err
}

// route gives promised messages to their recipients. It leaves alone what another worker is
// routing.
func (w *Worker) route() job.Step {
	step := job.Locked(w.db, w.unrouted, w.address)
	return func(ctx context.Context) (bool, error) {
		some, err := step(ctx)
		if err != nil {
			err = fmt.Errorf("route messages: %w", err)
		}
		return some, err
	}
}

// unrouted locks messages that nobody else is routing.
func (w *Worker) unrouted(ctx context.Context) ([]Message, bool, error) {
	messages, err := w.outbox.Queued(ctx, routeAtOnce)
	return messages, len(messages) > 0, err
}

// address adds the deliveries of messages, in the context's transaction.
func (w *Worker) address(ctx context.Context, messages []Message) error {
	recipients, err := w.router.Route(ctx, messages)
	if err != nil {
		return err
	}
	now := w.clock.Now()
	ids := make([]uuid.UUID, len(messages))
	var deliveries []Delivery
	for i, m := range messages {
		ids[i] = m.ID
		for _, to := range recipients[i] {
			deliveries = append(deliveries, m.delivery(w.reachable(to), now))
		}
	}
	if err := db.InsertAll(ctx, w.db, deliveries); err != nil {
		return err
	}
	return w.outbox.MarkRouted(ctx, ids...)
}

// reachable returns a recipient that knows whether its channel is configured here.
func (w *Worker) reachable(to Recipient) Recipient {
	to.Absent = w.absent(to.Channel)
	return to
}

// absent reports whether a channel is not configured here.
func (w *Worker) absent(c Channel) bool {
	for _, l := range w.lanes {
		if l.channel == c {
			return l.sender == nil
		}
	}
	return true
}

// putOff returns a delivery that waits for its channel to be configured.
func (d Delivery) putOff(now time.Time) Delivery {
	d.LastError = new("channel-not-configured")
	d.NextAt = earlier(now.Add(absentRetry), d.DeadlineAt)
	return d
}

// group is what one claim gave.
type group struct {
	owner      string
	deliveries []Delivery
	messages   map[uuid.UUID]Message
}

// send hands one group of a channel over, which it leases for a time.
func (w *Worker) send(l *lane, lease time.Duration, handOver func(ctx context.Context, l *lane, g group) error) job.Step {
	return job.Leased(
		func(ctx context.Context) (group, bool, error) { return w.claim(ctx, l, lease) },
		func(ctx context.Context, g group) error { return handOver(ctx, l, g) },
	)
}

// claim leases as many deliveries of a channel as may be sent now.
func (w *Worker) claim(ctx context.Context, l *lane, length time.Duration) (group, bool, error) {
	now := w.clock.Now()
	l.mu.Lock()
	room := l.breaker.room(now)
	l.mu.Unlock()
	if room == 0 {
		return group{}, false, nil
	}
	// An owner for each group: several are under way at once.
	lease := job.NewLease(uuid.NewString(), now, length)
	deliveries, err := w.repo.claim(ctx, l.channel, room, lease)
	if err != nil || len(deliveries) == 0 {
		return group{}, false, err
	}
	messages, err := w.repo.messages(ctx, deliveries)
	return group{lease.Owner, deliveries, messages}, true, err
}

// sendInTurn sends a group one after the other and notes what became of it. It may therefore happen
// in a transaction.
func (w *Worker) sendInTurn(ctx context.Context, l *lane, g group) error {
	outcomes := make([]outcome, len(g.deliveries))
	for i, d := range g.deliveries {
		outcomes[i] = w.attempt(ctx, l, d, g.messages[d.Message()])
	}
	return w.settle(ctx, g.owner, outcomes)
}

// sendTogether sends a group at once and notes what became of it, those that end together in one
// transaction.
func (w *Worker) sendTogether(ctx context.Context, l *lane, g group) error {
	if len(g.deliveries) == groupSize {
		l.sending.Wake() // there is more than one group
	}
	defer w.renewing(ctx, l, g)()
	ended := make(chan outcome, len(g.deliveries))
	for _, d := range g.deliveries {
		go func() { ended <- w.attempt(ctx, l, d, g.messages[d.Message()]) }()
	}
	var failed error
	for left := len(g.deliveries); left > 0; {
		outcomes := []outcome{<-ended}
		for more := true; more && len(outcomes) < left; {
			select {
			case o := <-ended:
				outcomes = append(outcomes, o)
			default:
				more = false
			}
		}
		left -= len(outcomes)
		if err := w.settle(ctx, g.owner, outcomes); err != nil {
			failed = err
		}
	}
	return failed
}

// renewing renews the lease of a group until end is called. Where that fails for long, for want of
// the database, another process may send the group as well: at least once, under the same ids.
func (w *Worker) renewing(ctx context.Context, l *lane, g group) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a worker that ends still waits for its hand-overs
	ids := make(db.UUIDs, len(g.deliveries))
	for i, d := range g.deliveries {
		ids[i] = d.ID
	}
	ticks, stop := w.every(renewEvery)
	var renewal sync.WaitGroup
	renewal.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
			}
			err := w.repo.renew(ctx, ids, job.NewLease(g.owner, w.clock.Now(), renewedTime(l.channel)))
			if err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "lease of deliveries not renewed", "channel", string(l.channel), "error", err)
			}
		}
	})
	return func() {
		stop()
		cancel()
		renewal.Wait()
	}
}

func ticking(every time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(every)
	return t.C, t.Stop
}
