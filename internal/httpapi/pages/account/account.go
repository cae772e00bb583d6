// Package account has the pages on which people log in, let applications in, and see and withdraw
// what they let in. They are made here and work without scripts.
package account

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/pages/layout"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/application"
	"diresco/internal/identity/browser"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
)

//go:embed assets
var assets embed.FS

// Where the pages are.
const (
	authorizePath    = "/oauth2/authorize"
	loginPath        = "/oauth2/login"
	pinPath          = "/oauth2/pin"
	consentPath      = "/oauth2/consent"
	devicePath       = "/oauth2/device"
	consentsPath     = "/account/consents"
	applicationsPath = "/account/applications"
	logoutPath       = "/account/logout"
	stylePath        = "/assets/account.css"
	// departPath leads to a provider of national identities.
	departPath = "/oauth2/login/provider"
	// FederatedPath is where people come back from there.
	FederatedPath = "/oauth2/login/federated"
)

// Config is what the pages are told by the configuration.
type Config struct {
	// PublicURL is where the world finds this service.
	PublicURL string
	// Institution is whose name the pages bear.
	Institution institution.Institution
}

// Sessions logs people in and out; see session.Service.
type Sessions interface {
	Start(ctx context.Context, taxCode string, pin secret.Text, address string) (session.Session, error)
	Reauthenticate(ctx context.Context, by access.Actor, pin secret.Text) (session.Session, error)
	End(ctx context.Context, by access.Actor, id uuid.UUID) error
}

// Federation logs people in with national identities; see federation.Service.
type Federation interface {
	Providers() []federation.About
	Begin(ctx context.Context, in federation.Request) (federation.Begun, error)
	Redeem(ctx context.Context, code, verifier secret.Text) (session.Session, error)
}

// PINs changes PINs; see pin.Service.
type PINs interface {
	Rotate(ctx context.Context, by access.Actor) (pin.Rotation, error)
	Confirm(ctx context.Context, by access.Actor, rotationID uuid.UUID, pin secret.Text) (session.Session, error)
}

// Flows are the requests of applications to be let in; see oauth.Service.
type Flows interface {
	Begin(ctx context.Context, values url.Values, binding secret.Text) (oauth.Flow, error)
	Flow(ctx context.Context, id uuid.UUID, binding secret.Text) (oauth.Flow, error)
	FlowByUserCode(ctx context.Context, by access.Actor, code, binding secret.Text) (oauth.Flow, error)
	Approve(ctx context.Context, by access.Actor, id uuid.UUID, binding secret.Text, choice oauth.Choice) (string, error)
	Deny(ctx context.Context, id uuid.UUID, binding secret.Text) (string, error)
}

// Consents are what people let applications do; see consent.Service.
type Consents interface {
	Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[consent.View], error)
	Show(ctx context.Context, by access.Actor, id uuid.UUID) (consent.View, error)
	Withdraw(ctx context.Context, by access.Actor, id uuid.UUID) error
}

// Contributors are whom people act for; see contributor.Service.
type Contributors interface {
	Mine(
		ctx context.Context, by access.Actor, search contributor.Search, request page.Request,
	) (page.Page[contributor.WithRights], error)
	Find(ctx context.Context, by access.Actor, id uuid.UUID) (contributor.WithRights, error)
}

// Applications are those that people registered; see application.Service.
type Applications interface {
	Mine(ctx context.Context, by access.Actor, request page.Request) (page.Page[application.Application], error)
	Show(ctx context.Context, by access.Actor, id uuid.UUID) (application.Application, error)
	Remove(ctx context.Context, by access.Actor, id uuid.UUID) error
}

// Deps are what the pages work with. All are needed.
type Deps struct {
	Sessions   Sessions
	Federation Federation
	PINs       PINs
	// Enter decides whether a session may do something; see access.Guard.
	Enter        func(ctx context.Context, sessionID uuid.UUID, rule access.Rule) (access.Actor, error)
	Browsers     *browser.Service
	Flows        Flows
	Consents     Consents
	Applications Applications
	Contributors Contributors
	// Owner returns the name of the organisation that an application belongs to, and "" for one that
	// is a person's own.
	Owner func(ctx context.Context, a application.Application) (string, error)
	// Reach returns the services that the actor's rights cover, over whichever contributors.
	Reach func(ctx context.Context, by access.Actor) (access.ServiceSet, error)
	// Titles returns what services are called.
	Titles func(ctx context.Context, codes []access.Service) ([]servicecatalog.Title, error)
	Clock  clock.Clock
	// Random draws the order in which providers are shown.
	Random io.Reader
}

// site is all pages with what was worked out at start.
type site struct {
	Deps
	config    Config
	secure    bool // by https alone
	origin    string
	policy    string
	templates [2]*template.Template
}

// handler answers one request for a page.
type handler func(v *visit) error

// New returns the pages.
func New(config Config, deps Deps) ([]pages.Page, error) {
	origin, err := url.Parse(config.PublicURL)
	if err != nil {
		return nil, err
	}
	s := &site{
		Deps: deps, config: config, secure: origin.Scheme == "https", origin: origin.Scheme + "://" + origin.Host,
		policy: policyFor(config.Institution.Logo),
	}
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		whole, err := layout.New(config.Institution, s.functions(lang))
		if err != nil {
			return nil, err
		}
		if s.templates[lang], err = whole.ParseFS(assets, "assets/*.html"); err != nil {
			return nil, err
		}
	}
	style, err := assets.ReadFile("assets/account.css")
	if err != nil {
		return nil, err
	}
	return []pages.Page{
		// Each request begins a flow: one that only asks for headers would do so too.
		s.page(authorizePath, map[string]handler{http.MethodGet: (*visit).authorize}),
		s.page(loginPath, map[string]handler{http.MethodGet: (*visit).showLogin, http.MethodPost: (*visit).login}),
		s.page(departPath, map[string]handler{http.MethodGet: (*visit).depart}),
		s.page(FederatedPath, map[string]handler{http.MethodGet: (*visit).arrive}),
		s.page(pinPath, map[string]handler{http.MethodGet: (*visit).showPIN, http.MethodPost: (*visit).changePIN}),
		s.page(consentPath, map[string]handler{http.MethodGet: (*visit).showConsent, http.MethodPost: (*visit).decide}),
		s.page(devicePath, map[string]handler{http.MethodGet: (*visit).showDevice, http.MethodPost: (*visit).enterCode}),
		s.page(consentsPath, map[string]handler{http.MethodGet: (*visit).showConsents, http.MethodPost: (*visit).withdraw}),
		s.page(applicationsPath, map[string]handler{http.MethodGet: (*visit).showApplications, http.MethodPost: (*visit).remove}),
		s.page(logoutPath, map[string]handler{http.MethodPost: (*visit).logout}),
		pages.Asset(stylePath, style),
	}, nil
}

// eventful are the addresses where each request begins something, or ends it.
var eventful = map[string]bool{authorizePath: true, departPath: true, FederatedPath: true}

// page serves what the methods do. GET is also served to who asks for the headers alone, save where
// each request does something.
func (s *site) page(path string, methods map[string]handler) pages.Page {
	p := pages.Page{Pattern: path, Refuse: s.refuse, Counts: true}
	for method := range methods {
		p.Methods = append(p.Methods, method)
		if method == http.MethodGet && !eventful[path] {
			p.Methods = append(p.Methods, http.MethodHead)
		}
	}
	p.Serve = func(w http.ResponseWriter, r *http.Request) error {
		v, method := s.visit(w, r), r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		err := v.identify()
		if err == nil && method == http.MethodPost {
			err = v.readForm()
		}
		if err == nil {
			err = methods[method](v)
		}
		var shown *notice
		if errors.As(err, &shown) {
			return v.show(shown.status, "notice", view{Data: shown, Title: shown.Title})
		}
		return err
	}
	return p
}

// refuse shows a fault in words. It is called for what the edge refused, too.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int) {
	v := s.visit(w, r)
	title, _, _ := problem.Words(v.lang, f.Code)
	n := &notice{status: status, Title: title, Texts: v.words(f)}
	// There is nobody left to tell who could do something about it.
	_ = v.show(status, "notice", view{Data: n, Title: title})
}

// words say what a fault is about, and how long to wait.
func (v *visit) words(f *fault.Fault) []string {
	_, detail, _ := problem.Words(v.lang, f.Code)
	if reason := problem.ReasonText(v.lang, f.Reason); reason != "" {
		detail = reason
	}
	texts := []string{detail}
	if f.RetryAfter > 0 {
		texts = append(texts, v.waiting(f.RetryAfter))
	}
	return texts
}

// waiting says how long to wait.
func (v *visit) waiting(wait time.Duration) string {
	if wait <= time.Minute {
		return v.t("wait.moment")
	}
	return v.t("wait.minutes", int((wait+time.Minute-1)/time.Minute))
}

// notice is a page that says why something cannot go on.
type notice struct {
	status int
	Title  string
	Texts  []string
	// Href and Link lead on, where something does.
	Href, Link string
}

// Error implements error.
func (n *notice) Error() string { return n.Title }

// notice returns a page of the texts with the names that begin so.
func (v *visit) notice(status int, name string) *notice {
	return &notice{status: status, Title: v.t(name + ".title"), Texts: []string{v.t(name + ".text")}}
}

// note leaves in the access log that something was refused.
func (v *visit) note(operation string, f *fault.Fault) {
	refused := reqctx.Refused{Operation: operation, Fault: f}
	if v.by != nil {
		refused.PersonID, refused.SessionID = v.by.PersonID, v.by.SessionID
	}
	reqctx.NoteRefused(v.r.Context(), refused)
}

// policyFor is the policy of these pages, with the origin of a logo from elsewhere.
func policyFor(logo string) string {
	images := "'self'"
	if u, err := url.Parse(logo); err == nil && u.Scheme == "https" && u.Host != "" {
		images += " https://" + u.Host
	}
	return strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "img-src " + images, "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'",
	}, "; ")
}
