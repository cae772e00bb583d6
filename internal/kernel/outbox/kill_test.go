package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// process is a worker with a connection to the database of its own. Once it is killed it notes
// nothing more.
type process struct {
	db     *db.DB
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
	killed chan *process
}

func (p *process) kill() {
	p.once.Do(func() {
		_ = p.db.Close() // what it has sent and not noted stays so
		p.cancel()
		p.killed <- p
	})
}

// tally counts what was sent, over all processes, and kills one of them every so many messages.
type tally struct {
	mu     sync.Mutex
	total  int
	left   int
	counts map[uuid.UUID]int
	texts  map[string]uuid.UUID
	mixed  bool
}

const killEvery = 50

// Send is what the process p does.
func (s *tally) send(p *process) sendFunc {
	return func(_ context.Context, m outbox.Outgoing) (outbox.Taken, error) {
		s.mu.Lock()
		s.total++
		s.counts[m.ID]++
		if before, seen := s.texts[m.Text]; seen && before != m.ID {
			s.mixed = true
		}
		s.texts[m.Text] = m.ID
		die := s.left > 0 && s.total%killEvery == 0
		if die {
			s.left--
		}
		s.mu.Unlock()
		if die {
			p.kill()
		}
		return outbox.Taken{}, nil
	}
}

type sendFunc func(context.Context, outbox.Outgoing) (outbox.Taken, error)

// Send implements outbox.Sender.
func (f sendFunc) Send(ctx context.Context, m outbox.Outgoing) (outbox.Taken, error) {
	return f(ctx, m)
}

// TestOutbox_KilledWorkersLoseNothing has two workers, ten kills and a thousand messages. Each
// message is sent at least once, repeats carry the same id, nothing is sent after its deadline, and
// no secret is left.
func TestOutbox_KilledWorkersLoseNothing(t *testing.T) {
	const messages, late, kills = 1000, 50, 10
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		o := newOffice(t, dbtest.Open(t, rawURL))
		var all []outbox.Message
		for i := range messages + late {
			m, err := outbox.NewMessage(outbox.Kind{Name: "pin.half"}, uuid.Must(uuid.NewV7()), map[string]int{"number": i}, o.clock.Now())
			if err == nil {
				m = m.To(outbox.Email, "m@posta.example").Until(world.Start.Add(24 * time.Hour))
				if i >= messages {
					m = m.Until(world.Start.Add(time.Second))
				}
				m, err = m.Seal(o.keys, map[string]secret.Text{"half": secret.Text(fmt.Sprintf("%08d", i))})
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		add(t, o.db, all...)
		o.clock.Advance(time.Second)

		s := &tally{left: kills, counts: map[uuid.UUID]int{}, texts: map[string]uuid.UUID{}}
		killed := make(chan *process, kills)
		start := func() *process {
			d, err := db.Open(context.Background(), rawURL)
			if err != nil {
				t.Fatal(err)
			}
			p := &process{db: d, done: make(chan struct{}), killed: killed}
			var ctx context.Context
			ctx, p.cancel = context.WithCancel(context.Background())
			w := o.worker(d, everywhere(s.send(p)))
			go func() {
				defer close(p.done)
				w.Run(ctx)
			}()
			return p
		}
		running := map[*process]bool{start(): true, start(): true}
		for range kills {
			dead := <-killed
			<-dead.done
			delete(running, dead)
			running[start()] = true
		}
		for p := range running {
			p.cancel()
			<-p.done
			if err := p.db.Close(); err != nil {
				t.Error(err)
			}
		}
		// What the dead ones had leased is free again after a while.
		last := o.worker(o.db, everywhere(s.send(nil)))
		for range 2 {
			o.clock.Advance(outbox.MailTimeout + time.Minute)
			if err := last.Drain(context.Background()); err != nil {
				t.Fatal(err)
			}
		}

		found, err := outbox.New(o.db).Deliveries(context.Background(), idsOf(all)...)
		if err != nil {
			t.Fatal(err)
		}
		repeats := 0
		for i, m := range all {
			if len(found[m.ID]) != 1 {
				t.Fatalf("message %d has %d deliveries", i, len(found[m.ID]))
			}
			d := found[m.ID][0]
			switch n := s.counts[d.ID]; {
			case i >= messages:
				if n != 0 || d.State != outbox.Dead {
					t.Errorf("message %d was sent %d times after its deadline and is %s", i, n, d.State)
				}
			case n == 0 || d.State != outbox.Sent:
				t.Errorf("message %d was sent %d times and is %s", i, n, d.State)
			default:
				repeats += n - 1
			}
		}
		if s.mixed {
			t.Error("a message was sent under two ids")
		}
		if n := o.count("delivery_attempts WHERE outcome = 'sent'"); n != messages {
			t.Errorf("%d messages are noted as sent, want each once", n)
		}
		if n := o.count("outbox WHERE sealed IS NOT NULL"); n != 0 {
			t.Errorf("%d secrets are left", n)
		}
		// Each dead one had at most two groups under way.
		if repeats > kills*32 {
			t.Errorf("%d repeats", repeats)
		}
		t.Logf("%d sent, %d of them repeats", s.total, repeats)
	})
}

func idsOf(messages []outbox.Message) []uuid.UUID {
	ids := make([]uuid.UUID, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

// TestOutbox_AChannelThatIsDownLosesNothing: the gateway is away for an hour, e-mail goes on.
func TestOutbox_AChannelThatIsDownLosesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		tries := 0
		o.post.refuse(func(m outbox.Outgoing) error {
			if m.Channel == outbox.SMS {
				tries++
				return errors.New("connection refused")
			}
			return nil
		})
		workers := []*outbox.Worker{o.Worker, o.worker(d, everywhere(o.post))}
		// Both halves of a PIN, again and again while the gateway is away.
		var all []outbox.Message
		step := func() {
			for _, w := range workers {
				if err := w.Drain(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			o.clock.Advance(time.Minute)
		}
		for i := range 60 {
			if i < 30 {
				all = append(all, o.promiseHalf(outbox.SMS, "+393331234567"), o.promiseHalf(outbox.Email, "m@posta.example"))
			}
			step()
		}
		if n := len(o.post.all()); n != 30 {
			t.Errorf("%d messages sent while the gateway was away, want all by e-mail and no other", n)
		}
		// 30 messages with a back-off of their own would be tried far more often.
		if tries > 2*(5+60+1) {
			t.Errorf("the gateway was tried %d times", tries)
		}
		o.post.refuse(nil)
		for range 20 {
			step()
		}
		counts := map[uuid.UUID]int{}
		for _, m := range o.post.all() {
			counts[m.ID]++
		}
		for i, m := range all {
			if got := o.delivery(m); got.State != outbox.Sent || counts[got.ID] != 1 {
				t.Errorf("message %d by %s is %s and was sent %d times", i, got.Channel, got.State, counts[got.ID])
			}
		}
		if n := o.count("outbox WHERE sealed IS NOT NULL"); n != 0 {
			t.Errorf("%d secrets are left", n)
		}
	})
}

// TestOutbox_WhatIsCommittedIsSentAtOnce: a running worker hears of it, without waiting for its
// next look.
func TestOutbox_WhatIsCommittedIsSentAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		sent := make(chan uuid.UUID)
		w := o.worker(d, everywhere(sendFunc(func(_ context.Context, m outbox.Outgoing) (outbox.Taken, error) {
			sent <- m.ID
			return outbox.Taken{}, nil
		})))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		for range 3 {
			m := o.promise("declaration.received")
			id := <-sent
			// Noted soon after: what is noted is what was sent.
			if got := o.delivery(m); got.ID != id {
				t.Errorf("sent %s, want %s", id, got.ID)
			}
		}
		cancel()
		<-done
		if n := o.count("deliveries WHERE state = 'sent'"); n != 3 {
			t.Errorf("%d deliveries are noted when the worker has ended, want 3", n)
		}
	})
}

// TestOutbox_AWorkerThatIsToldToEndWaitsForWhatItSends: and notes it.
func TestOutbox_AWorkerThatIsToldToEndWaitsForWhatItSends(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	o := newOffice(t, d)
	begun, end := make(chan struct{}), make(chan struct{})
	w := o.worker(d, everywhere(sendFunc(func(ctx context.Context, _ outbox.Outgoing) (outbox.Taken, error) {
		close(begun)
		<-end
		return outbox.Taken{}, ctx.Err()
	})))
	m := o.promise("declaration.received")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	<-begun
	cancel()
	close(end)
	<-done
	if got := o.delivery(m); got.State != outbox.Sent {
		t.Errorf("it is %s", got.State)
	}
}
