// Package app puts the house together: every part is made once, here, and given what it needs. cmd runs it, and so do the
// end-to-end tests.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"diresco"
	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/httpapi"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/kernel/recheck"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/due"
	"diresco/internal/platform/installation"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/telemetry"
	"diresco/internal/sandbox"

	"github.com/google/uuid"
	"gocloud.dev/blob"
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
	// Random is the system's source of randomness unless a test brings its own.
	Random io.Reader
	// PIN are the cost of a PIN hash and the bounds of hashing; see pin.Options.
	PIN pin.HasherOptions
}

// App is the running house.
type App struct {
	DB        *db.DB
	Sandbox   *sandbox.Service
	AccessLog *audit.AccessLog
	Answers   *idempotency.Answers

	messages  *outbox.Worker
	handler   http.Handler
	telemetry *telemetry.Telemetry
	watch     *clockWatch
	closers   []func()
}

const (
	// readyTimeout bounds how long /v1/status waits for the database.
	readyTimeout = 2 * time.Second
	// purgeEvery is how often rows that have had their time are dropped; until then every query leaves them out.
	purgeEvery = 10 * time.Minute
	// dueEvery is how often what falls due is done.
	dueEvery = time.Minute
)

// Open makes the house on the database that the configuration names, migrated where this process may migrate (the
// sandbox and SQLite) and checked where it may not. Close it.
func Open(ctx context.Context, c config.Config, o Options) (*App, error) {
	a := &App{}
	if err := a.open(ctx, c, o); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context, c config.Config, o Options) error {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	databaseURL := c.DatabaseURL.Reveal()
	if databaseURL == "" {
		databaseURL = "sqlite:" + filepath.Join(c.DataDir, "diresco.db")
	}
	var err error
	if a.DB, err = db.Open(ctx, databaseURL); err != nil {
		return err
	}
	kind := installation.Production
	if o.Sandbox {
		kind = installation.Sandbox
	}
	if err := installation.Refuse(ctx, a.DB, kind); err != nil {
		return err
	}
	if o.Sandbox || a.DB.Dialect() == db.SQLite {
		err = a.DB.Migrate(ctx)
	} else {
		err = a.DB.CheckSchema(ctx)
	}
	if err != nil {
		return err
	}
	offset, err := installation.Claim(ctx, a.DB, kind, o.Clock.Now())
	if err != nil {
		return err
	}
	moved := clock.NewOffset(o.Clock)
	moved.Set(offset)

	keys, dataKeys, err := openKeys(ctx, c, a.DB, moved)
	if err != nil {
		return err
	}
	bucket, err := openBucket(ctx, c)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, func() { _ = bucket.Close() })
	handlers, edge, err := a.assemble(ctx, parts{config: c, options: o, clock: moved, keys: keys, dataKeys: dataKeys, bucket: bucket})
	if err != nil {
		return err
	}
	if err := a.observe(ctx, c, o); err != nil {
		return err
	}
	if err := a.sendMessages(o); err != nil {
		return err
	}
	spool, err := spoolDir(c)
	if err != nil {
		return err
	}
	handler, err := httpapi.New(httpapi.Config{
		PublicURL: c.PublicURL, Contract: diresco.Contract, Sandbox: o.Sandbox, CORSOrigins: c.CORSOrigins, TrustedProxies: c.TrustedProxies,
		SessionRate: c.RateSession, AddressRate: c.RateAddress, SpoolDir: spool,
	}, edge, handlers)
	if err != nil {
		return err
	}
	a.handler = a.telemetry.HTTP(handler, func(r *http.Request) string {
		// The edge notes the pattern as net/http does: the method, a space, the path.
		_, path, _ := strings.Cut(r.Pattern, " ")
		return path
	})
	return nil
}

// parts are what the services are made of.
type parts struct {
	config   config.Config
	options  Options
	clock    *clock.Offset
	keys     *keyring.Keyring
	dataKeys *keyring.DataKeys
	bucket   *blob.Bucket
}

// assemble makes the services and hands them to the edge.
func (a *App) assemble(ctx context.Context, p parts) (httpapi.Handlers, httpapi.Deps, error) {
	log := p.options.Log
	a.AccessLog = audit.NewAccessLog(a.DB, p.clock, log)
	a.Answers = idempotency.NewAnswers(a.DB, log)
	claims := idempotency.NewStore(a.DB, p.clock)
	claims.Pending = a.Answers
	rights := access.NewRepository(a.DB, p.clock)
	runner := &operation.Runner{DB: a.DB, Clock: p.clock, Keys: claims, Trail: audit.NewTrail(a.DB), Recheck: recheck.New(a.DB, p.clock)}
	messages := outbox.New(a.DB)

	addresses := throttle.NewAddressLimit(a.DB, p.clock, !p.options.Sandbox)
	limiter := throttle.NewLimiter(a.DB, p.clock, p.dataKeys, messages)
	hasher, err := pin.NewHasher(p.options.PIN)
	if err != nil {
		return httpapi.Handlers{}, httpapi.Deps{}, err
	}
	verifier := pin.NewVerifier(a.DB, p.clock, hasher, limiter, addresses)
	sessions := session.NewService(runner, p.keys, p.dataKeys, verifier, p.config.PublicURL, log)
	codes := otp.New(a.DB, p.clock, p.dataKeys, limiter, addresses, p.options.Random)
	pins := pin.NewService(pin.Deps{Runner: runner, Verifier: verifier, Sessions: sessions, Outbox: messages, Keys: p.dataKeys, Codes: codes, Random: p.options.Random})
	people := person.NewService(runner)
	if err := a.makeWorker(p, people, pins); err != nil {
		return httpapi.Handlers{}, httpapi.Deps{}, err
	}
	reports, err := a.hearChannels(runner, p)
	if err != nil {
		return httpapi.Handlers{}, httpapi.Deps{}, err
	}

	contributors := contributor.NewRepository(a.DB)
	positions := contributor.NewService(contributors, rights)
	declared := declaration.NewRepository(a.DB)
	types := declaration.NewTypes(declared, p.clock)
	register := protocol.NewRegister(a.DB, p.clock, claims, runner.Recheck, log)
	// What writes is ended in this order: nothing that ends later is still written to by what ends before.
	a.closers = append([]func(){register.Close, a.Answers.Close, a.AccessLog.Close, sessions.Close}, a.closers...)
	declarations := declaration.NewService(declaration.Deps{
		Runner: runner, Repository: declared, Types: types, Contributors: positions, Register: register, Rights: rights, Outbox: messages,
		Signer: p.keys, Blobs: p.bucket, Random: p.options.Random, PublicURL: p.config.PublicURL,
	})
	enrolments := enrolment.NewService(enrolment.Deps{
		Runner: runner, Repository: enrolment.NewRepository(a.DB), Register: register, Outbox: messages, Contributors: positions, People: people,
	})
	waiting := completers{declarations.Awaiting, enrolments.Awaiting}
	delegations := delegationHandlers(runner, rights, positions, people, messages, limiter, p)
	events := due.NewScheduler(a.DB, p.clock, log, append(append(pins.Reminders(), delegations.Delegations.Ends()...), declarations.Awaiting, enrolments.Awaiting)...)
	if err := events.Begin(ctx); err != nil {
		return httpapi.Handlers{}, httpapi.Deps{}, err
	}
	imports := a.importWorker(p, messages)
	batches := delegationBatches(runner, delegations.Delegations, positions, people, p)
	if err := a.fill(ctx, p, types, sandbox.Deps{
		Runner: runner, Clock: p.clock, People: people, Contributors: contributors, Types: types, Messages: a.messages, Background: []sandbox.Backlog{registerimport.News{Worker: imports}, batches}, Due: events, PINs: pins,
		Blobs: p.bucket, Random: p.options.Random, Public: p.config.SandboxPublic,
	}); err != nil {
		return httpapi.Handlers{}, httpapi.Deps{}, err
	}
	if p.options.Sandbox {
		pins.OnChange = sandbox.PINChanged(a.DB, p.clock)
		messages.BeforeShowing = a.Sandbox.HandOver
	}
	pinRequests, officePINRequests := pinRequestHandlers(runner, people, pins, messages, p)
	pinUpgrades, officePINUpgrades := pinUpgradeHandlers(runner, people, positions, waiting, register, messages, p)
	a.watch = &clockWatch{db: a.DB, clock: p.options.Clock, log: log}
	a.repeat(watchEvery, a.watch.look)
	if !p.options.Sandbox {
		a.repeat(dueEvery, events.CatchUp)
	}
	a.repeat(purgeEvery, purge(log, claims.Purge, limiter.Purge, addresses.Purge, sessions.Purge, forgetCodes(codes)))

	guard := access.NewGuard(rights, sessions, p.clock)
	guard.StrongDelegations = p.config.DelegationLogin == config.StrongLogin
	return httpapi.Handlers{
			StatusHandlers: httpapi.StatusHandlers{Ready: a.Ready}, SessionHandlers: httpapi.SessionHandlers{Sessions: sessions}, PINHandlers: httpapi.PINHandlers{PINs: pins},
			PINRequestHandlers: pinRequests, OfficePINRequestHandlers: officePINRequests,
			PINUpgradeHandlers: pinUpgrades, OfficePINUpgradeHandlers: officePINUpgrades,
			EnrolmentHandlers: httpapi.EnrolmentHandlers{Enrolments: enrolments}, OfficeEnrolmentHandlers: httpapi.OfficeEnrolmentHandlers{AtOffice: enrolments},
			ServiceHandlers:     httpapi.ServiceHandlers{Services: servicecatalog.New(runner, rights, positions), Clock: p.clock},
			PINRecoveryHandlers: recoveryHandlers(runner, people, pins, codes, messages, p),
			MeHandlers:          httpapi.MeHandlers{People: people, PINs: pins, Rights: rights}, OfficeHandlers: httpapi.OfficeHandlers{Contributors: positions},
			ContributorHandlers: httpapi.ContributorHandlers{Contributors: positions}, TypeHandlers: httpapi.TypeHandlers{Types: types},
			UserHandlers:        userHandlers(runner, people, messages),
			DeclarationHandlers: httpapi.DeclarationHandlers{Declarations: declarations}, ReceiptHandlers: httpapi.ReceiptHandlers{Declarations: declarations},
			RegisterImportHandlers:  a.registerImportHandlers(runner, imports, p),
			DelegationHandlers:      delegations,
			DelegationBatchHandlers: a.delegationBatchHandlers(batches, p),
			SubDelegationHandlers:   subDelegationHandlers(runner, rights, messages),
			PeopleHandlers:          peopleHandlers(runner, people, pins, sessions, positions, waiting, messages),
			BackOfficeHandlers:      httpapi.BackOfficeHandlers{Declarations: declarations}, SandboxHandlers: httpapi.SandboxHandlers{Sandbox: a.Sandbox},
			ContactHandlers: contactHandlers(runner, people, pins, codes, messages, p),
			MessageHandlers: httpapi.MessageHandlers{Messages: a.deliveryService(runner, messages)}, SMSReportHandlers: httpapi.SMSReportHandlers{Reports: reports},
		}, httpapi.Deps{
			Tokens: func(ctx context.Context, token string) (uuid.UUID, uuid.UUID, error) {
				c, err := sessions.Parse(ctx, secret.Text(token))
				return c.SessionID, c.PersonID, err
			},
			Guard: guard, AccessLog: a.AccessLog, Answers: a.Answers, Log: log,
			MAC: func(parts ...[]byte) string {
				id, mac := p.dataKeys.MAC("request", parts...)
				return id + ":" + mac
			},
			PublicKeys: func(ctx context.Context) (any, error) { return p.keys.PublicSet(ctx) },
		}, nil
}

// fill brings in the data that the house needs from the start: the declaration types, the services and, in a sandbox, test data.
func (a *App) fill(ctx context.Context, p parts, types *declaration.Types, deps sandbox.Deps) error {
	if p.options.Sandbox {
		a.Sandbox = sandbox.NewService(deps)
		return a.Sandbox.Seed(ctx)
	}
	return a.DB.InTx(ctx, func(ctx context.Context) error {
		if err := types.Install(ctx); err != nil {
			return err
		}
		return servicecatalog.New(deps.Runner, nil, nil).Install(ctx)
	})
}

// observe sets metrics and traces up.
func (a *App) observe(ctx context.Context, c config.Config, o Options) error {
	var err error
	a.telemetry, err = telemetry.New(ctx, telemetry.Options{Version: o.Version, Traces: c.Traces, Ready: a.Ready, Log: o.Log})
	if err != nil {
		return err
	}
	pool, err := a.DB.Writer()
	if err != nil {
		return err
	}
	return a.telemetry.Database("main", pool)
}

// Ready reports whether the service can do its work: the database answers and this machine's clock agrees with it.
func (a *App) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := a.DB.Ping(ctx); err != nil {
		return err
	}
	if !a.watch.inTime() {
		return errors.New("this machine's clock differs too much from the database's")
	}
	return nil
}

// Handler answers the API and its pages.
func (a *App) Handler() http.Handler { return a.handler }

// AdminHandler answers metrics and the liveness check; it is for an address that only operators reach.
func (a *App) AdminHandler() http.Handler { return a.telemetry.Handler() }

// TestPerson is what the sandbox shows of a person at its start.
type TestPerson struct{ TaxCode, PIN, Description string }

// TestPeople lists the first of the sandbox's people.
func (a *App) TestPeople(ctx context.Context) ([]TestPerson, error) {
	found, err := a.Sandbox.People(ctx, page.Request{})
	if err != nil {
		return nil, err
	}
	people := make([]TestPerson, len(found.Items))
	for i, p := range found.Items {
		people[i] = TestPerson{p.TaxCode.Clear(), p.PIN.Reveal(), p.Description}
	}
	return people, nil
}

// repeat does work in the background until the house is closed.
func (a *App) repeat(interval time.Duration, work func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		every(ctx, interval, work)
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
