// Package app puts the house together: every part is made once, here, and given what it needs. cmd
// runs it, and so do the end-to-end tests.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"diresco/db"
	"diresco/internal/httpapi/edge"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/translog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/due"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/telemetry"
	"diresco/internal/sandbox"
	"diresco/internal/sandbox/cards"
)

// Options are what a test may replace; the zero value is the real thing.
type Options struct {
	// Sandbox makes this a sandbox with test data.
	Sandbox bool
	// Version is the version of the program.
	Version string
	Log     *slog.Logger
	// Clock is the machine's clock unless a test brings its own.
	Clock clock.Clock
	// DatabaseClock is the clock of the database unless a test brings its own. Where a test brings
	// a Clock alone, that is the database's too.
	DatabaseClock clock.Clock
	// Random is the system's source of randomness unless a test brings its own.
	Random io.Reader
	// IdentitySources are providers of national identities beside those that the configuration names.
	IdentitySources []federation.Source
	// PIN are the cost of a PIN hash and the bounds of hashing; see pin.Options.
	PIN pin.HasherOptions
}

// App is the running house.
type App struct {
	DB        *db.DB
	Sandbox   *sandbox.Service
	AccessLog *audit.AccessLog
	Answers   *idempotency.Answers
	// OAuth lets applications in.
	OAuth *oauth.Service

	// TestCards issues cards for trying; nil outside of a sandbox.
	TestCards *cards.Authority

	handler http.Handler
	// cardHandler is nil where no cards are taken.
	cardHandler http.Handler
	// cardProxyHandler is nil where no proxy hands certificates of cards on.
	cardProxyHandler http.Handler
	// mutualHandler and mutualProxyHandler are nil where no application comes with a certificate.
	mutualHandler, mutualProxyHandler http.Handler
	telemetry                         *telemetry.Telemetry
	watch                             *clockWatch
	process                           *keyring.Process
	sealed                            *translog.Log
	streams                           func()
	config                            config.Config
	log                               *slog.Logger
	closers                           []func()
}

const (
	// readyTimeout bounds how long /v1/status waits for the database.
	readyTimeout = 2 * time.Second
	// purgeEvery is how often rows that have had their time are dropped; until then every query
	// leaves them out.
	purgeEvery = 10 * time.Minute
	// proofsEvery is how often proofs of possession are dropped that no process takes any more.
	proofsEvery = time.Minute
	// dueEvery is how often what falls due is done.
	dueEvery = time.Minute
)

// Open makes the service on the database that the configuration names. The sandbox and SQLite are
// migrated here; any other database is only checked. Close it.
func Open(ctx context.Context, c config.Config, o Options) (*App, error) {
	a := &App{log: o.Log, config: c}
	if err := a.open(ctx, c, o); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context, c config.Config, o Options) error {
	if o.DatabaseClock == nil {
		o.DatabaseClock = o.Clock
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	var err error
	if a.DB, err = db.Open(ctx, databaseURL(c)); err != nil {
		return err
	}
	if replica := c.ReplicaURL.Reveal(); replica != "" {
		if err := a.DB.AddReplica(replica); err != nil {
			return err
		}
	}
	p, err := newPlatform(ctx, c, o, a.DB, a.beforeShowing)
	if err != nil {
		return err
	}
	if !o.Sandbox && c.DelegationLogin != config.StrongLogin {
		o.Log.Warn("a PIN is enough to manage delegations; DIRESCO_DELEGATION_LOGIN=strong asks for a national identity")
	}
	a.watch = &clockWatch{db: a.DB, clock: o.Clock, log: p.log}
	a.watch.look(ctx)
	a.process = p.process
	a.closers = append(a.closers, func() { _ = p.bucket.Close() }, a.leave)
	g, err := a.assemble(ctx, p)
	if err != nil {
		return err
	}
	a.startWork(p, g)
	contract, err := edge.ReadContract()
	if err != nil {
		return err
	}
	// It is parsed once for all that follows.
	defer runtime.KeepAlive(contract)
	if err := a.observe(ctx, c, o, contract); err != nil {
		return err
	}
	if p.spid != nil {
		if err := a.observeProviders(p.spid.Known); err != nil {
			return err
		}
	}
	if err := g.filing.register.Observe(a.telemetry.Meter()); err != nil {
		return err
	}
	if err := g.kernel.log.Observe(a.telemetry.Meter()); err != nil {
		return err
	}
	if err := a.mirrorTrail(ctx, c, a.telemetry.Meter()); err != nil {
		return err
	}
	if err := a.sendMessages(g.messaging.worker, o); err != nil {
		return err
	}
	if err := g.webhooks.sender.Observe(a.telemetry.Meter()); err != nil {
		return err
	}
	if err := g.kernel.scans.Observe(a.telemetry.Meter()); err != nil {
		return err
	}
	a.background(g.webhooks.sender.Run)
	a.handler, err = a.newHTTP(p, g)
	return err
}

// groups are the services, as they are grouped below internal.
type groups struct {
	kernel     kernel
	masterdata masterdata
	filing     filing
	identity   identity
	cards      cardLogin
	mandate    mandate
	dossier    dossier
	// credentials is the part of identity that completes what waits in filing and mandate.
	credentials credentials
	messaging   messaging
	webhooks    webhooks
	events      *due.Scheduler
}

// assemble makes the groups, each with what it needs of those before. It fills in what must be
// there from the start.
func (a *App) assemble(ctx context.Context, p platform) (g groups, err error) {
	if g.kernel, err = newKernel(p); err != nil {
		return g, err
	}
	a.AccessLog, a.Answers, a.sealed = g.kernel.accessLog, g.kernel.answers, g.kernel.log
	g.masterdata = newMasterdata(p, g.kernel)
	if g.cards, err = newCardLogin(p); err != nil {
		return g, err
	}
	p.identitySources = append(p.identitySources, g.cards.sources(p.config)...)
	if g.identity, err = newIdentity(p, g.kernel, g.masterdata); err != nil {
		return g, err
	}
	if err = warnOfUnknownApplications(ctx, p, g.identity.applications); err != nil {
		return g, err
	}
	a.OAuth = g.identity.oauth
	g.cards = g.cards.opened(g.identity.federation, p.log)
	a.TestCards = g.cards.authority
	if g.messaging, err = newMessaging(p, g.kernel, g.identity); err != nil {
		return g, err
	}
	g.filing = newFiling(p, g.kernel, g.masterdata, g.messaging)
	g.webhooks = newWebhooks(p, g.kernel, g.identity)
	if g.messaging.readReceipts != nil {
		a.repeat(spoolEvery, g.messaging.readReceipts)
	}
	// What writes is ended in this order: nothing that ends later is still written to by what ends
	// before.
	a.closers = append([]func(){
		g.filing.register.Close, a.Answers.Close, a.AccessLog.Close, g.identity.sessions.Close, g.webhooks.sender.Close,
	}, a.closers...)
	g.mandate = newMandate(p, g.kernel, g.identity, g.masterdata, g.filing)
	g.dossier = newDossier(p, g.kernel, g.identity, g.masterdata, g.mandate, g.filing)
	g.credentials = newCredentials(p, g)
	g.events = due.NewScheduler(a.DB, p.clock, p.log,
		append(
			slices.Concat(g.identity.pins.Reminders(), g.identity.consents.Ends(), g.mandate.delegations.Ends(),
				g.dossier.appointments.Ends()),
			g.filing.declarations.Lapses(), g.filing.funds, g.mandate.enrolments.Lapses(), g.dossier.publicBodies.Lapses(),
			g.credentials.staff.Ripens(),
			g.dossier.desk.Summaries(),
		)...)
	// Test data have a clock of their own, which testers move.
	if p.sandbox || a.watch.inTime() {
		if err := g.events.Begin(ctx); err != nil {
			return g, err
		}
	}
	if p.sandbox {
		a.Sandbox = newSandbox(p, g)
		return g, a.Sandbox.Seed(ctx)
	}
	return g, a.DB.InTx(ctx, func(ctx context.Context) error {
		if err := g.filing.install(ctx); err != nil {
			return err
		}
		if err := g.dossier.install(ctx); err != nil {
			return err
		}
		return g.masterdata.services.Install(ctx)
	})
}

// startWork starts what goes on in the background. In a sandbox much of it is done when its testers
// look, or move the clock.
func (a *App) startWork(p platform, g groups) {
	a.repeat(watchEvery, a.watch.look)
	if _, some := a.DB.Replica(); some {
		a.repeat(replicaEvery, (&replicaWatch{db: a.DB, log: p.log}).look)
	}
	a.repeat(keyring.BeatEvery, a.beat)
	if !p.sandbox {
		a.repeat(dueEvery, a.watch.whenInTime(g.events.CatchUp))
	}
	a.repeat(
		purgeEvery,
		a.watch.whenInTime(purge(
			p.log, g.kernel.claims.Purge, g.identity.limiter.Purge, g.identity.addresses.Purge, g.identity.sessions.Purge,
			g.identity.forgetCodes, g.identity.consents.EndVoid, g.identity.consents.EndWithoutRights, g.identity.oauth.Purge,
			g.identity.federation.Purge,
			g.messaging.worker.ForgetEnded, g.kernel.feed.Forget, g.webhooks.sender.Purge, g.dossier.surveys.Purge,
		)),
	)
	// Every request with a bound token leaves a proof behind.
	a.repeat(proofsEvery, a.watch.whenInTime(purge(p.log, g.identity.proofs.Purge)))
	if g.cards.trust != nil && g.cards.trust.Listed() {
		a.repeat(card.RefreshEvery, g.cards.trust.Refresh)
	}
	if p.spid != nil {
		a.repeat(spid.RefreshEvery, p.spid.Refresh)
	}
	a.background(g.masterdata.importing.Run)
	a.background(g.kernel.feed.Run)
	a.background(g.kernel.log.Run)
	a.streams = g.kernel.events.End
	a.background(g.kernel.events.Run)
	a.background(g.kernel.scans.Run)
	if !p.sandbox {
		a.background(g.mandate.batches.Run)
		a.background(g.filing.batches.Run)
		a.background(g.dossier.smartTasks.Run)
	}
}

// sendMessages starts what sends messages. In a sandbox they are sent when its testers look, or
// move the clock.
func (a *App) sendMessages(worker *outbox.Worker, o Options) error {
	if err := worker.Observe(a.telemetry.Meter()); err != nil || o.Sandbox {
		return err
	}
	a.background(worker.Run)
	return nil
}

// observe sets metrics and traces up.
func (a *App) observe(ctx context.Context, c config.Config, o Options, contract *openapi3.T) error {
	var err error
	a.telemetry, err = telemetry.New(ctx, telemetry.Options{Version: o.Version, Traces: c.Traces, Ready: a.Ready, Log: o.Log})
	if err != nil {
		return err
	}
	pool, err := a.DB.Writer()
	if err != nil {
		return err
	}
	if err := a.telemetry.Database("main", pool); err != nil {
		return err
	}
	a.expectRoutes(contract, o.Sandbox)
	if err := a.observeReplica(); err != nil {
		return err
	}
	return a.observeInstallation()
}

// Ready reports whether the service can do its work: the database takes writes and this machine's
// clock agrees with it.
func (a *App) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := a.DB.Writable(ctx); err != nil {
		return err
	}
	if !a.watch.inTime() {
		return errors.New("this machine's clock differs too much from the database's")
	}
	return a.process.Ready()
}

// beat keeps this process and the others told of which keys each knows.
func (a *App) beat(ctx context.Context) {
	if err := a.process.Beat(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("the other processes were not told of this one", "error", err)
	}
}

// ReloadKeys reads the files with keys again. Where they cannot be read, or the process could not
// go on with what is in them, the keys that it has stay in force. Keys that stand in variables
// stay.
func (a *App) ReloadKeys(ctx context.Context) (err error) {
	c := a.config
	if c.DataKeys, err = c.RereadKeys(); err != nil {
		return err
	}
	signing, data, err := loadKeys(c, false)
	if err != nil {
		return err
	}
	if err = a.reloadLogKeys(ctx); err != nil {
		err = fmt.Errorf("those of the log: %w", err)
	}
	return errors.Join(a.process.Reload(ctx, signing, data), err)
}

// leave tells the other processes that this one ends. Without it they find out by its silence.
func (a *App) leave() {
	if err := a.process.Leave(); err != nil {
		a.log.Warn("the other processes were not told of the end of this one", "error", err)
	}
}

// EndStreams ends the answers that go on for as long as somebody reads them. It is for the moment
// when the process is told to end: requests that end by themselves are waited for.
func (a *App) EndStreams() { a.streams() }

// Handler answers the API and its pages.
func (a *App) Handler() http.Handler { return a.handler }

// CardHandler logs people in with their cards, on a listener that asks for certificates. It is nil
// where no cards are taken.
func (a *App) CardHandler() http.Handler { return a.cardHandler }

// CardProxyHandler logs people in with the cards whose certificates a proxy hands on, on a listener
// that is for that alone. It is nil where no proxy does.
func (a *App) CardProxyHandler() http.Handler { return a.cardProxyHandler }

// MutualHandler answers what Handler does, on a listener that asks applications for certificates. It
// is nil where none come with one.
func (a *App) MutualHandler() http.Handler { return a.mutualHandler }

// MutualProxyHandler does so on a listener to which a proxy sends the requests of applications, with
// their certificates. It is nil where no proxy does.
func (a *App) MutualProxyHandler() http.Handler { return a.mutualProxyHandler }

// AdminHandler answers metrics and the liveness check; it is for an address that only operators
// reach.
func (a *App) AdminHandler() http.Handler { return a.telemetry.Handler() }

// TestPerson is what the sandbox shows of a person at its start.
type TestPerson struct{ Key, TaxCode, PIN, Description string }

// TestPeople lists the first of the sandbox's people.
func (a *App) TestPeople(ctx context.Context) ([]TestPerson, error) {
	found, err := a.Sandbox.People(ctx, "", page.Request{})
	if err != nil {
		return nil, err
	}
	people := make([]TestPerson, len(found.Items))
	for i, p := range found.Items {
		people[i] = TestPerson{p.Key, p.TaxCode.Clear(), p.PIN.Reveal(), p.Description}
	}
	return people, nil
}

// repeat does work in the background until the house is closed.
func (a *App) repeat(interval time.Duration, work func(ctx context.Context)) {
	a.background(func(ctx context.Context) { every(ctx, interval, work) })
}

// background runs work until the house is closed. What was started last ends first.
func (a *App) background(run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	a.closers = append([]func(){func() { cancel(); <-done }}, a.closers...)
}

// purge drops what nobody needs any more.
func purge(log *slog.Logger, works ...func(ctx context.Context) error) func(ctx context.Context) {
	return func(ctx context.Context) {
		for _, work := range works {
			if err := work(ctx); err != nil && ctx.Err() == nil {
				log.Warn("old rows not dropped", "error", err)
			}
		}
	}
}

// Close finishes what is under way and closes everything. Requests must have ended before.
func (a *App) Close() error {
	for _, end := range a.closers {
		end()
	}
	var err error
	if a.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		err = a.telemetry.Shutdown(ctx)
	}
	if a.DB != nil {
		err = errors.Join(err, a.DB.Close())
	}
	return err
}
