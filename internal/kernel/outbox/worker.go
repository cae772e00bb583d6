package outbox

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"

	"github.com/google/uuid"
)

const (
	// pollEvery is how often a worker looks for work that another process promised, or whose time has come.
	pollEvery = time.Second
	// routeAtOnce is how many messages are routed in one transaction.
	routeAtOnce = 100
	// groups is how many groups of deliveries of one channel a worker has under way, groupSize how large they are.
	groups    = 2
	groupSize = 16
	// sendTimeout bounds one hand-over.
	sendTimeout = 30 * time.Second
	// settleTimeout bounds the transaction that notes what became of a group.
	settleTimeout = 10 * time.Second
	// leaseTime is for how long others leave claimed deliveries alone: all of a group are sent at once, so it covers one
	// hand-over and its transaction.
	leaseTime = sendTimeout + 2*settleTimeout
	// endingTime is how long a worker that ends waits for hand-overs that are under way.
	endingTime = 5 * time.Second
	// absentRetry is how often deliveries of a channel are looked at that is not configured here.
	absentRetry = 15 * time.Minute
)

// Hook is what else happens when a delivery reaches a state, in the transaction in which that is noted.
type Hook func(ctx context.Context, d Delivery) error

// Options are what a Worker works with. All are needed.
type Options struct {
	DB    *db.DB
	Clock clock.Clock
	// Keys open what is sealed in messages.
	Keys   *keyring.DataKeys
	Router Router
	// Senders are the channels that are configured. What goes by another one waits until its deadline.
	Senders map[Channel]Sender
	// Random spreads retries.
	Random io.Reader
	Log    *slog.Logger
}

// Worker sends what was promised. Any number of workers, in one process or several, share the work on one database:
// each delivery is leased to one at a time, and sent at least once.
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
	hooks   map[string][]Hook
	nudged  chan struct{}
	metrics metrics
	// randomTurn is held by who draws from random.
	randomTurn sync.Mutex
}

// lane is one channel as its worker sees it.
type lane struct {
	channel Channel
	sender  Sender
	wake    chan struct{}
	mu      sync.Mutex
	breaker breaker
}

// NewWorker returns a worker that does nothing yet: call Run, or Drain.
func NewWorker(o Options) *Worker {
	w := &Worker{
		db: o.DB, clock: o.Clock, keys: o.Keys, router: o.Router, random: o.Random, log: o.Log, outbox: New(o.DB), repo: repository{o.DB},
		hooks: map[string][]Hook{}, nudged: make(chan struct{}, 1), metrics: noMetrics(),
	}
	for _, c := range channels {
		w.lanes = append(w.lanes, &lane{channel: c, sender: o.Senders[c], wake: make(chan struct{}, groups)})
	}
	return w
}

// On has fn called whenever a delivery of the kind is sent, handed over, delivered, failed or dead, in the transaction in
// which that is noted. When it fails, the state is not noted, and the delivery is tried again later. Call it before the
// worker works.
func (w *Worker) On(kind string, fn Hook) { w.hooks[kind] = append(w.hooks[kind], fn) }

// Nudge has a running worker look for work now. What this process commits to the outbox needs none.
func (w *Worker) Nudge() {
	select {
	case w.nudged <- struct{}{}:
	default:
	}
}

// Run sends what is promised until the context ends, and gives hand-overs that are under way then some seconds to end.
func (w *Worker) Run(ctx context.Context) {
	promised, stop := w.db.Listen(promisedTopic)
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for _, l := range w.lanes {
		for range groups {
			all.Go(func() { w.serve(ctx, l) })
		}
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "outbox cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-promised:
		case <-w.nudged:
		case <-tick.C:
		}
	}
}

// look routes what was promised and wakes the channels that have work.
func (w *Worker) look(ctx context.Context) error {
	for {
		waiting, err := w.repo.waiting(ctx, w.clock.Now())
		if err != nil {
			return err
		}
		unrouted := false
		for _, what := range waiting {
			unrouted = unrouted || what == routing
			for _, l := range w.lanes {
				if what == string(l.channel) {
					l.rouse()
				}
			}
		}
		if !unrouted {
			return nil
		}
		if n, err := w.route(ctx); err != nil || n == 0 {
			// None: another worker is routing them.
			return err
		}
	}
}

func (l *lane) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// serve sends groups of one channel whenever it is woken.
func (w *Worker) serve(ctx context.Context, l *lane) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for ctx.Err() == nil {
			claimed, err := w.claim(ctx, l)
			if err == nil && len(claimed.deliveries) > 0 {
				if len(claimed.deliveries) == groupSize {
					l.rouse() // there is more than one group
				}
				err = w.sendTogether(ctx, l, claimed)
			}
			if err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "deliveries not sent or not noted", "channel", string(l.channel), "error", err)
			}
			if err != nil || len(claimed.deliveries) == 0 {
				break
			}
		}
	}
}

// Drain does all that is due by the clock, one after the other, and returns when there is no more. It may run inside a
// transaction, which then holds all that it does.
func (w *Worker) Drain(ctx context.Context) error {
	for {
		done, err := w.route(ctx)
		if err != nil {
			return err
		}
		for _, l := range w.lanes {
			for {
				claimed, err := w.claim(ctx, l)
				if err != nil {
					return err
				}
				if len(claimed.deliveries) == 0 {
					break
				}
				done += len(claimed.deliveries)
				outcomes := make([]outcome, len(claimed.deliveries))
				for i, d := range claimed.deliveries {
					outcomes[i] = w.attempt(ctx, l, d, claimed.messages[d.MessageID])
				}
				if err := w.settle(ctx, claimed.owner, outcomes); err != nil {
					return err
				}
			}
		}
		if done == 0 {
			return nil
		}
	}
}

// Due reports whether Drain would find something to do.
func (w *Worker) Due(ctx context.Context) (bool, error) {
	waiting, err := w.repo.waiting(ctx, w.clock.Now())
	return len(waiting) > 0, err
}

// route gives promised messages to their recipients, in one transaction, and returns how many there were.
func (w *Worker) route(ctx context.Context) (int, error) {
	n := 0
	err := w.db.InTx(ctx, func(ctx context.Context) error {
		messages, err := w.outbox.Queued(ctx, routeAtOnce)
		if err != nil || len(messages) == 0 {
			return err
		}
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
				d := Delivery{
					ID: uuid.Must(uuid.NewV7()), MessageID: m.ID, PersonID: m.PersonID, Kind: m.Kind, Channel: to.Channel, Recipient: to.To, Locale: to.Locale,
					State: Queued, NextAt: now, DeadlineAt: m.DeadlineAt, CreatedAt: m.CreatedAt, UpdatedAt: now,
				}
				if w.absent(to.Channel) {
					d = d.putOff(now)
				}
				deliveries = append(deliveries, d)
			}
		}
		n = len(messages)
		if err := db.InsertAll(ctx, w.db, deliveries); err != nil {
			return err
		}
		return w.outbox.MarkRouted(ctx, ids...)
	})
	if err != nil {
		return 0, fmt.Errorf("route messages: %w", err)
	}
	return n, nil
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

// claim leases as many deliveries of a channel as may be sent now.
func (w *Worker) claim(ctx context.Context, l *lane) (group, error) {
	now := w.clock.Now()
	l.mu.Lock()
	room := l.breaker.room(now)
	l.mu.Unlock()
	if room == 0 {
		return group{}, nil
	}
	g := group{owner: uuid.NewString()}
	var err error
	if g.deliveries, err = w.repo.claim(ctx, l.channel, room, now, g.owner, now.Add(leaseTime)); err != nil || len(g.deliveries) == 0 {
		return g, err
	}
	g.messages, err = w.repo.messages(ctx, g.deliveries)
	return g, err
}

// sendTogether sends a group at once and notes what became of it, those that end together in one transaction.
func (w *Worker) sendTogether(ctx context.Context, l *lane, g group) error {
	ended := make(chan outcome, len(g.deliveries))
	for _, d := range g.deliveries {
		go func() { ended <- w.attempt(ctx, l, d, g.messages[d.MessageID]) }()
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
