// Package edge leads each request in and its answer out. It decides who may come in, checks the
// request against the contract, calls the handler of the operation, and turns every error into a
// problem. It is the one package that knows echo.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/metric"

	"diresco/api"
	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/dpop"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/weakly"
)

// Config is what the edge is told by the configuration.
type Config struct {
	// PublicURL is where the world finds this service, without a slash at the end.
	PublicURL string
	// Contract is openapi.yaml as it was written, for /openapi.yaml and /docs.
	Contract func() []byte
	// Sandbox opens the /sandbox operations and lets local browser applications in.
	Sandbox bool
	// CORSOrigins are the origins of browser applications that may call, exactly as browsers send
	// them.
	CORSOrigins []string
	// SpoolDir is where files that requests bring are kept while they last; "" is the system's
	// directory for temporary files.
	SpoolDir string
	// TrustedProxies are the networks whose X-Forwarded-For is believed; none by default.
	TrustedProxies []netip.Prefix
	// PersonRate, ApplicationRate and AddressRate are how many requests a minute a person, an
	// application by one consent, and an address without either may make. They are counted by each
	// process for itself.
	PersonRate, ApplicationRate, AddressRate int
	// Institution is whose name the pages bear.
	Institution institution.Institution
}

// TokenParser verifies an access token and says whose it is. A token that is not valid is
// fault.Unauthenticated; whether the session still lives is the Guard's question.
type TokenParser func(ctx context.Context, token string) (access.Caller, error)

// Proofs checks that who sends a token holds the key that it is bound to; see dpop.Service.
type Proofs interface {
	Verify(sent dpop.Sent) (dpop.Proof, error)
	Use(ctx context.Context, p dpop.Proof) error
}

// Guard decides whether who holds a token may use an operation on its target; see access.Guard.
type Guard interface {
	EnterAs(ctx context.Context, caller access.Caller, rule access.Rule, target access.Target) (access.Actor, error)
}

// AccessLog keeps reads of another's data, refusals and failed logins; see audit.AccessLog.
type AccessLog interface {
	Add(ctx context.Context, row audit.Access)
}

// Answers keeps answers for replays; see idempotency.Answers.
type Answers interface {
	Remember(claim *idempotency.Claim, answer idempotency.Answer)
}

// Deps are what the edge works with. All are needed
// unless they say otherwise.
type Deps struct {
	Tokens    TokenParser
	Proofs    Proofs
	Guard     Guard
	AccessLog AccessLog
	Answers   Answers
	// MACs are the keyed digests of the parts, the one to keep first. They tell equal requests from
	// different ones under one Idempotency-Key.
	MACs func(parts ...[]byte) []string
	// ApplicationOf returns the id of the application with a client id, in whatever state. It may be
	// nil.
	ApplicationOf func(ctx context.Context, clientID string) (uuid.UUID, error)
	// Sights tell, by the path of a resource, whether an actor may see it. They stand where the
	// service decides that and not the guard. It may be empty.
	Sights map[string]Sight
	// Pages are those that stand outside the contract beside its own; there may be none.
	Pages []pages.Page
	// PublicKeys returns what /.well-known/jwks.json shows.
	PublicKeys func(ctx context.Context) (any, error)
	Log        *slog.Logger
	Meter      metric.Meter
}

func (d Deps) complete() bool {
	return d.Tokens != nil && d.Proofs != nil && d.Guard != nil && d.AccessLog != nil && d.Answers != nil && d.MACs != nil &&
		d.PublicKeys != nil && d.Log != nil && d.Meter != nil
}

// edge is the handler with everything that was worked out at start.
type edge struct {
	config     Config
	deps       Deps
	operations map[routeKey]*operation
	arrival    []stage // for everything that is asked
	entry      []stage // for the operations of the contract
	limits     limits
	origins    origins
	addresses  *clientAddresses
	// refusals show faults of pages, by the path of the route.
	refusals map[string]func(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int)
	// counting are the paths of pages that find out who sent a request.
	counting map[string]bool
	// now is the machine's time, for durations; the domain's clock may be moved in the sandbox.
	now func() time.Time
}

// ReadContract parses what the service needs of the contract, which nobody may change. It is let go
// once nobody holds it: the edge keeps less of it.
var ReadContract = weakly.Kept(api.GetOperations)

// New returns the handler of the whole service. It fails when the contract has an operation whose
// access nobody decided about, or one that the edge cannot check.
func New(config Config, deps Deps, handlers api.StrictServerInterface) (http.Handler, error) {
	if !deps.complete() || handlers == nil {
		return nil, errors.New("the HTTP edge misses something to work with")
	}
	if config.Contract == nil || config.PersonRate <= 0 || config.ApplicationRate <= 0 || config.AddressRate <= 0 {
		return nil, errors.New("the HTTP edge needs the contract and rates above zero")
	}
	config.PublicURL = strings.TrimSuffix(config.PublicURL, "/")
	contract, err := ReadContract()
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	operations, err := readOperations(contract)
	if err != nil {
		return nil, err
	}
	for key, op := range maps.Clone(operations) {
		if key.method == http.MethodGet {
			operations[routeKey{http.MethodHead, key.path}] = op
		}
	}
	e := &edge{
		config: config, deps: deps, operations: operations,
		limits:  newLimits(config.PersonRate, config.ApplicationRate, config.AddressRate),
		origins: newOrigins(config.CORSOrigins, config.Sandbox),
		now:     clock.System{}.Now,
	}
	if e.addresses, err = newClientAddresses(config.TrustedProxies, deps, e.now); err != nil {
		return nil, err
	}
	e.arrival = []stage{
		e.identify, e.setHeaders, e.chooseLanguage, e.allowOrigin, e.findOperation, e.authenticate, e.limitRate, e.keepClosed,
		e.answerPreflight,
	}
	e.entry = []stage{e.guardEntry, e.negotiate, e.checkParameters, e.readBody, e.checkBody, e.claimKey}
	router := echo.New()
	router.HideBanner, router.HidePort = true, true
	router.Logger.SetOutput(discard{})
	router.Binder = binder{}
	router.HTTPErrorHandler = func(err error, c echo.Context) { e.refuse(&request{c: c}, err) }
	router.Use(e.serve)
	api.RegisterHandlersWithBaseURL(headRouter{router}, api.NewStrictHandler(handlers, nil), reqctx.BasePath)
	if err := checkRoutes(router.Routes(), operations); err != nil {
		return nil, err
	}
	outside, err := pages.New(pages.Config{
		Contract: config.Contract, Spec: contract, Sandbox: config.Sandbox, Institution: config.Institution,
	}, deps.PublicKeys)
	if err != nil {
		return nil, err
	}
	e.servePages(router, append(outside, deps.Pages...))
	return router, nil
}

// servePages lets the router serve what stands outside the contract.
func (e *edge) servePages(router *echo.Echo, all []pages.Page) {
	e.refusals, e.counting = map[string]func(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int){}, map[string]bool{}
	for _, p := range all {
		methods := p.Methods
		if len(methods) == 0 {
			methods = []string{http.MethodGet, http.MethodHead}
		}
		path := routerPath(p.Pattern)
		router.Match(methods, path, servePage(p))
		e.counting[path] = p.Counts
		if p.Refuse != nil {
			e.refusals[path] = p.Refuse
		}
	}
}

// headRouter answers HEAD wherever GET is answered (RFC 9110 section 9.3.2). The HTTP server leaves
// the content out.
type headRouter struct{ *echo.Echo }

// GET implements api.EchoRouter.
func (r headRouter) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	r.HEAD(path, h, m...)
	return r.Echo.GET(path, h, m...)
}

// servePage lets the router serve a page, which knows of net/http alone.
func servePage(p pages.Page) echo.HandlerFunc {
	return func(c echo.Context) error {
		for i, name := range c.ParamNames() {
			c.Request().SetPathValue(name, c.ParamValues()[i])
		}
		return p.Serve(c.Response(), c.Request())
	}
}

// checkRoutes makes sure that every route has its operation, so that nothing is served that nobody
// decided about.
func checkRoutes(routes []*echo.Route, operations map[routeKey]*operation) error {
	for _, r := range routes {
		if _, ok := operations[routeKey{r.Method, r.Path}]; !ok {
			return fmt.Errorf("route %s %s is not in the contract", r.Method, r.Path)
		}
	}
	if len(routes) != len(operations) {
		return fmt.Errorf("the contract has %d operations, the server %d", len(operations), len(routes))
	}
	return nil
}

// discard drops what echo itself would print; the edge logs through slog.
type discard struct{}

// Write implements io.Writer.
func (discard) Write(p []byte) (int, error) { return len(p), nil }
