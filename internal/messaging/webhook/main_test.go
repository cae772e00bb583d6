package webhook_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/db"
	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/event"
	"diresco/internal/messaging/webhook"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// fixture is an App with a company, whose employer lets an application follow what happens.
type fixture struct {
	*world.App
	t        *testing.T
	keys     *keyring.DataKeys
	feed     *event.Feed
	apps     *application.Service
	service  *webhook.Service
	sender   *webhook.Sender
	company  world.Company
	employer access.Actor
	software world.Software
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { test(t, newFixture(t, d)) })
}

func newFixture(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	keys, err := keyring.ParseDataKeys(secret.Text("k1:" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))
	if err != nil {
		t.Fatal(err)
	}
	w := &fixture{App: world.New(t, d), t: t, keys: keys}
	w.apps = application.NewService(application.Deps{Runner: w.Runner, Rights: w.Rights, Outbox: w.Outbox})
	w.feed = event.NewFeed(event.Deps{DB: d, Clock: w.Clock, Log: slog.New(slog.DiscardHandler)})
	w.service = webhook.NewService(webhook.Deps{
		Runner: w.Runner, Applications: w.apps, Events: w.feed, Rights: w.Rights, Keys: keys, Random: rand.Reader, Loopback: true,
	})
	w.sender = w.newSender(d, nil)
	w.feed.OnAppended(w.sender.OnAppended)
	w.company, w.employer = w.Employer(t)
	w.software = w.Software(t, w.employer.PersonID, watching)
	w.append() // what was made so far is no news
	return w
}

// watching is what a consent must give for its application to follow declarations.
func watching(c *world.Consent) { c.Scopes = `["declarations","declarations.read","events"]` }

// newSender is another process, on a connection of its own.
func (w *fixture) newSender(d *db.DB, change func(*webhook.Options)) *webhook.Sender {
	w.t.Helper()
	o := webhook.Options{
		DB: d, Clock: w.Clock, Rights: access.NewRepository(d, w.Clock), Applications: w.apps, Outbox: w.Outbox, Keys: w.keys,
		BaseURL: "https://diresco.test/v1", Random: rand.Reader, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Loopback: true,
	}
	if change != nil {
		change(&o)
	}
	s := webhook.NewSender(o)
	w.t.Cleanup(s.Close)
	return s
}

// public has a sender reach the public Internet alone, as in production.
func public(network egress.Options) func(*webhook.Options) {
	return func(o *webhook.Options) { o.Loopback, o.Network = false, network }
}

func (w *fixture) append() {
	w.t.Helper()
	if err := w.feed.Append(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) drain(s *webhook.Sender) {
	w.t.Helper()
	if err := s.Drain(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// happens files a declaration for the company, and sends what there is to send.
func (w *fixture) happens() {
	w.t.Helper()
	w.Submit(w.t, w.employer, w.company)
	w.append()
	w.drain(w.sender)
}

// add adds a webhook to the application.
func (w *fixture) add(url string, types ...string) webhook.Shown {
	w.t.Helper()
	made, err := w.service.Add(ctx, w.employer, w.software.Application.ID, webhook.Input{URL: url, EventTypes: types})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// show is a webhook as it is now.
func (w *fixture) show(id uuid.UUID) webhook.Webhook {
	w.t.Helper()
	found, err := w.service.Show(ctx, w.employer, w.software.Application.ID, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// log is what was for a webhook.
func (w *fixture) log(id uuid.UUID) []webhook.View {
	w.t.Helper()
	found, err := w.service.Deliveries(ctx, w.employer, w.software.Application.ID, id, webhook.Filter{}, page.Request{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

// only is the one delivery that there was for a webhook.
func (w *fixture) only(id uuid.UUID) webhook.View {
	w.t.Helper()
	found := w.log(id)
	if len(found) != 1 {
		w.t.Fatalf("%d deliveries", len(found))
	}
	return found[0]
}

// received is what a receiver was sent.
type received struct {
	header http.Header
	body   []byte
}

// receiver is an endpoint. It takes what it is sent unless answer says otherwise.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	all    []received
	answer http.HandlerFunc
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	r.all = append(r.all, received{request.Header.Clone(), body})
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, request)
	}
}

// answers sets how it answers from now on.
func (r *receiver) answers(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// got is what it was sent so far.
func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.all...)
}

func (r *receiver) count() int { return len(r.got()) }

// verifies reports whether the library of Standard Webhooks takes what was sent, by a secret.
func (got received) verifies(t *testing.T, known secret.Text) bool {
	t.Helper()
	lib, err := standardwebhooks.NewWebhook(known.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return lib.VerifyIgnoringTimestamp(got.body, got.header) == nil
}

// id is what the receiver knows the event by.
func (got received) id() string { return got.header.Get("webhook-id") }

const day = 24 * time.Hour
