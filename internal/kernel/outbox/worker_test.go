package outbox_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// router sends everything without a recipient to one address, and says what the data says.
type router struct {
	mu          sync.Mutex
	bounced     []string
	uncertified []string
}

func (r *router) Uncertified(_ context.Context, d outbox.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uncertified = append(r.uncertified, d.Recipient)
	return nil
}

func (r *router) Route(_ context.Context, messages []outbox.Message) ([][]outbox.Recipient, error) {
	all := make([][]outbox.Recipient, len(messages))
	for i, m := range messages {
		switch {
		case m.Recipient != nil:
			all[i] = []outbox.Recipient{{Channel: *m.Channel, To: *m.Recipient, Locale: "it"}}
		case m.Kind != "to.nobody":
			all[i] = []outbox.Recipient{{Channel: outbox.Email, To: "m@posta.example", Locale: "en"}}
		}
	}
	return all, nil
}

func (r *router) Look(context.Context, []uuid.UUID) (outbox.Book, error) {
	return func(m outbox.Message) ([]outbox.Recipient, bool) {
		to, err := r.Route(context.Background(), []outbox.Message{m})
		return to[0], err == nil && m.Kind != "to.strangers"
	}, nil
}

func (r *router) LookIn(*direct.Batch, []uuid.UUID) func() (outbox.Book, error) {
	return func() (outbox.Book, error) { return r.Look(context.Background(), nil) }
}

func (r *router) Words(kind, data string, secrets map[string]secret.Text, locale string) (outbox.Words, error) {
	if kind == "without.words" || strings.Contains(data, "needs a secret") && secrets == nil {
		return outbox.Words{}, errors.New("no words")
	}
	return outbox.Words{Subject: kind + " " + locale, Text: data + secrets["half"].Reveal(), Short: "short"}, nil
}

func (r *router) Subject(kind, _, locale string) (string, error) { return kind + " " + locale, nil }

func (r *router) Bounced(_ context.Context, d outbox.Delivery) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bounced = append(r.bounced, d.Recipient)
	return nil
}

// post is every channel, and remembers what it took.
type post struct {
	mu    sync.Mutex
	taken []outbox.Outgoing
	// fail, where it is set, answers in place of taking.
	fail func(outbox.Outgoing) error
}

func (p *post) Send(_ context.Context, m outbox.Outgoing) (outbox.Taken, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(m); err != nil {
			return outbox.Taken{}, err
		}
	}
	p.taken = append(p.taken, m)
	if m.Channel == outbox.Letter {
		return outbox.Taken{State: outbox.HandedOver}, nil
	}
	return outbox.Taken{ProviderRef: "ref-" + m.ID.String()}, nil
}

func (p *post) refuse(fail func(outbox.Outgoing) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

func (p *post) all() []outbox.Outgoing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.taken)
}

// office is a database with a worker.
type office struct {
	*outbox.Worker
	t      *testing.T
	db     *db.DB
	clock  *clock.Manual
	keys   *keyring.DataKeys
	router *router
	post   *post
	hooks  map[string]outbox.Hook
}

func newOffice(t *testing.T, d *db.DB) *office {
	t.Helper()
	return newOfficeWith(t, d, nil)
}

// newOfficeWith is newOffice with something else that happens when deliveries reach a state.
func newOfficeWith(t *testing.T, d *db.DB, hooks map[string]outbox.Hook) *office {
	t.Helper()
	keys, err := keyring.ParseDataKeys(secret.Text("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, db: d, clock: clock.NewManual(world.Start), keys: keys, router: &router{}, post: &post{}, hooks: hooks}
	o.Worker = o.worker(d, everywhere(o.post))
	return o
}

func everywhere(s outbox.Sender) map[outbox.Channel]outbox.Sender {
	return map[outbox.Channel]outbox.Sender{outbox.SMS: s, outbox.Email: s, outbox.PEC: s, outbox.Letter: s}
}

func (o *office) worker(d *db.DB, senders map[outbox.Channel]outbox.Sender) *outbox.Worker {
	return outbox.NewWorker(outbox.Options{
		DB: d, Clock: o.clock, Keys: o.keys, Router: o.router, Senders: senders, Hooks: o.hooks, Random: rand.Reader,
		Log: slog.New(slog.DiscardHandler),
	})
}

func (o *office) promise(kind string) outbox.Message {
	o.t.Helper()
	m := message(o.t, kind, o.clock.Now())
	add(o.t, o.db, m)
	return m
}

func (o *office) promiseTo(kind string, c outbox.Channel, to string) outbox.Message {
	o.t.Helper()
	m := message(o.t, kind, o.clock.Now()).To(c, to)
	add(o.t, o.db, m)
	return m
}

// promiseHalf promises a message with a secret.
func (o *office) promiseHalf(c outbox.Channel, to string) outbox.Message {
	o.t.Helper()
	m, err := outbox.NewMessage(
		outbox.Kind{Name: "pin.half"}, uuid.Must(uuid.NewV7()), map[string]string{"note": "needs a secret"}, o.clock.Now(),
	)
	if err == nil {
		m, err = m.To(c, to).Seal(o.keys, map[string]secret.Text{"half": "K7M2P9QX"})
	}
	if err != nil {
		o.t.Fatal(err)
	}
	add(o.t, o.db, m)
	return m
}

func (o *office) drain() {
	o.t.Helper()
	if err := o.Drain(context.Background()); err != nil {
		o.t.Fatal(err)
	}
}

// delivery returns the one delivery of a message.
func (o *office) delivery(m outbox.Message) outbox.Delivery {
	o.t.Helper()
	found, err := outbox.New(o.db).Deliveries(context.Background(), m.ID)
	if err != nil || len(found[m.ID]) != 1 {
		o.t.Fatalf("%d deliveries of %s, %v", len(found[m.ID]), m.Kind, err)
	}
	return found[m.ID][0]
}

func (o *office) count(query string, args ...any) (n int) {
	o.t.Helper()
	if err := o.db.From(context.Background()).Raw("SELECT COUNT(*) FROM "+query, args...).Scan(&n).Error; err != nil {
		o.t.Fatal(err)
	}
	return n
}

func (o *office) execute(statement string, args ...any) {
	o.t.Helper()
	if err := o.db.InTx(context.Background(), func(ctx context.Context) error {
		return o.db.From(ctx).Exec(statement, args...).Error
	}); err != nil {
		o.t.Fatal(err)
	}
}

func TestWorker_APromisedMessageIsSent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var reached []outbox.Delivery
		o := newOfficeWith(t, d, map[string]outbox.Hook{"declaration.received": func(ctx context.Context, got outbox.Delivery) error {
			if !d.WithinTx(ctx) {
				t.Error("the hook runs outside of the transaction")
			}
			reached = append(reached, got)
			return nil
		}})
		plain, nobody := o.promise("declaration.received"), o.promise("to.nobody")
		half, letter := o.promiseHalf(outbox.SMS, "+393331234567"), o.promiseTo("pin.changed", outbox.Letter, "Mario Rossi\n00100 Roma")
		if due, err := o.Due(context.Background()); err != nil || !due {
			t.Errorf("nothing is due, %v", err)
		}
		o.clock.Advance(time.Minute)
		o.drain()
		if due, err := o.Due(context.Background()); err != nil || due {
			t.Errorf("something is still due, %v", err)
		}
		o.drain()
		if n := len(o.post.all()); n != 3 {
			t.Fatalf("%d messages sent, want 3", n)
		}
		for _, m := range o.post.all() {
			if !m.CreatedAt.Equal(world.Start) {
				t.Errorf("promised at %v", m.CreatedAt)
			}
			switch m.Channel {
			case outbox.SMS:
				if m.ID != o.delivery(half).ID || !strings.HasSuffix(m.Text, "K7M2P9QX") || m.To != "+393331234567" {
					t.Errorf("half: %+v", m)
				}
			case outbox.Email:
				if m.ID != o.delivery(plain).ID || m.Subject != "declaration.received en" || m.Locale != "en" ||
					m.Kind != "declaration.received" {
					t.Errorf("mail: %+v", m)
				}
			case outbox.Letter, outbox.PEC:
			}
		}
		sent := o.delivery(plain)
		if sent.State != outbox.Sent || sent.Attempts != 1 || sent.LeaseOwner != nil || sent.LastError != nil ||
			*sent.ProviderRef != "ref-"+sent.ID.String() || !sent.UpdatedAt.Equal(o.clock.Now()) {
			t.Errorf("%+v", sent)
		}
		if len(reached) != 1 || reached[0].ID != sent.ID || reached[0].State != outbox.Sent {
			t.Errorf("the hook was told %+v", reached)
		}
		if got := o.delivery(letter).State; got != outbox.HandedOver {
			t.Errorf("the letter is %s", got)
		}
		if n := o.count("outbox WHERE sealed IS NOT NULL"); n != 0 {
			t.Errorf("%d secrets are left", n)
		}
		if o.count("outbox WHERE id = ? AND state = 'routed'", nobody.ID) != 1 || o.count("deliveries") != 3 ||
			o.count("delivery_attempts WHERE reason IS NULL") != 3 {
			t.Error("deliveries or attempts are missing or too many")
		}
	})
}

func TestWorker_WhatFailsIsTriedAgainUntilItsDeadline(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var ended []outbox.DeliveryState
		o := newOfficeWith(t, d, map[string]outbox.Hook{"pin.half": func(_ context.Context, d outbox.Delivery) error {
			ended = append(ended, d.State)
			return nil
		}})
		half := o.promiseHalf(outbox.Email, "m@posta.example")
		o.execute("UPDATE outbox SET deadline_at = ?", o.clock.Now().Add(6*time.Hour))
		tries := 0
		o.post.refuse(func(m outbox.Outgoing) error {
			tries++
			return errors.New("451 4.7.1 <" + m.To + "> try\r\nlater")
		})
		o.drain()
		first := o.delivery(half)
		if wait := first.NextAt.Sub(o.clock.Now()); first.State != outbox.Queued || first.Attempts != 1 || wait < 3*time.Second ||
			wait > 7*time.Second {
			t.Errorf("after the first try %+v, to be tried in %v", first, wait)
		}
		if *first.LastError != "451 4.7.1 <m***@posta.example> try  later" {
			t.Errorf("last error %q", *first.LastError)
		}
		o.drain()
		if tries != 1 {
			t.Error("tried again at once")
		}
		for range 6 * 4 {
			o.clock.Advance(15 * time.Minute)
			o.drain()
		}
		last := o.delivery(half)
		if last.State != outbox.Dead || last.Attempts != tries || tries < 20 || !slices.Equal(ended, []outbox.DeliveryState{outbox.Dead}) {
			t.Errorf("after 6 hours and %d tries: %s, %d attempts, told %v", tries, last.State, last.Attempts, ended)
		}
		if o.count("delivery_attempts WHERE outcome = 'deferred'") != tries || o.count("outbox WHERE sealed IS NOT NULL") != 0 {
			t.Error("attempts are missing, or the secret is left")
		}
	})
}

func TestWorker_NothingIsSentAfterItsDeadline(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		m := message(t, "declaration.received", o.clock.Now()).Until(o.clock.Now().Add(time.Minute))
		add(t, d, m)
		o.clock.Advance(time.Minute)
		o.drain()
		if got := o.delivery(m); got.State != outbox.Dead || got.Attempts != 0 || len(o.post.all()) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestWorker_AHookThatFailsHoldsTheStateBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		broken := true
		o := newOfficeWith(t, d, map[string]outbox.Hook{"declaration.received": func(context.Context, outbox.Delivery) error {
			if broken {
				return errors.New("broken")
			}
			return nil
		}})
		m, other := o.promise("declaration.received"), o.promise("declaration.withdrawn")
		o.drain()
		got := o.delivery(m)
		if got.State != outbox.Queued || got.Attempts != 1 || !got.NextAt.After(o.clock.Now()) {
			t.Errorf("%+v", got)
		}
		if state := o.delivery(other).State; state != outbox.Sent {
			t.Errorf("what was sent with it is %s", state)
		}
		broken = false
		o.clock.Advance(time.Minute)
		o.drain()
		if state := o.delivery(m).State; state != outbox.Sent {
			t.Errorf("it is %s", state)
		}
		if sent := o.post.all(); len(sent) != 3 || sent[2].ID != got.ID {
			t.Error("not sent again under its id")
		}
	})
}

func TestWorker_WhatCannotBeSentWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		unknown, email, sms := o.promise("without.words"), o.promise("declaration.received"), o.promiseTo(
			"pin.changed", outbox.SMS, "+393331234567",
		)
		o.post.refuse(func(m outbox.Outgoing) error {
			if m.Channel == outbox.Email {
				panic("a defect")
			}
			return nil
		})
		w := o.worker(d, map[outbox.Channel]outbox.Sender{outbox.Email: o.post})
		if err := w.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		for want, m := range map[string]outbox.Message{
			"not-worded": unknown, "sender panicked: string": email, "channel-not-configured": sms,
		} {
			if got := o.delivery(m); got.State != outbox.Queued || got.LastError == nil || *got.LastError != want ||
				!got.NextAt.After(o.clock.Now()) {
				t.Errorf("%s: %+v", want, got)
			}
		}
		o.post.refuse(nil)
		o.clock.Advance(20 * time.Minute)
		o.drain()
		if o.delivery(email).State != outbox.Sent || o.delivery(sms).State != outbox.Sent {
			t.Error("not sent once that is possible")
		}
	})
}

func TestWorker_AnIdleWorkerAsksOneQuestion(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		asked := world.Statements(t, d)
		if due, err := o.Due(context.Background()); err != nil || due || asked() != 1 {
			t.Errorf("due %t, %v, %d statements", due, err, asked())
		}
	})
}
