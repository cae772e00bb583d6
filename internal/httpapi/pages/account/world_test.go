package account

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"

	"diresco/db"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/application"
	"diresco/internal/identity/browser"
	"diresco/internal/identity/consent"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/oauth"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/page"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// redirectURI is where the test's application wants to be answered.
const redirectURI = "https://payroll.example/callback"

// world is the pages on real logins, with applications that a test makes up.
type world struct {
	*pintest.World
	t            *testing.T
	handler      http.Handler
	flows        *flows
	federated    *federated
	consents     *consents
	contributors *contributors
	applications *applications
	reach        access.ServiceSet
	refused      []reqctx.Refused
	mario        person.Person
	pin          secret.Text
}

// flows keeps the flows of applications in memory.
type flows struct {
	open     map[uuid.UUID]*flow
	refusal  *oauth.Refusal
	code     string
	approved []oauth.Choice
	denied   int
	failure  error
}

type flow struct {
	oauth.Flow
	binding  secret.Text
	redirect string
}

func (f *flows) Begin(_ context.Context, _ url.Values, binding secret.Text) (oauth.Flow, error) {
	if f.refusal != nil {
		return oauth.Flow{}, f.refusal
	}
	return f.add(payroll(), binding, redirectURI), nil
}

func (f *flows) add(shown oauth.Flow, binding secret.Text, redirect string) oauth.Flow {
	shown.ID = uuid.Must(uuid.NewV7())
	f.open[shown.ID] = &flow{shown, binding, redirect}
	return shown
}

func (f *flows) Flow(_ context.Context, id uuid.UUID, binding secret.Text) (oauth.Flow, error) {
	found := f.open[id]
	if found == nil || found.binding != binding {
		return oauth.Flow{}, fault.New(fault.NotFound)
	}
	return found.Flow, nil
}

func (f *flows) FlowByUserCode(_ context.Context, _ access.Actor, code, binding secret.Text) (oauth.Flow, error) {
	if f.failure != nil {
		return oauth.Flow{}, f.failure
	}
	if secret.Normalise(code) != f.code {
		return oauth.Flow{}, fault.New(fault.CodeInvalid)
	}
	device := payroll()
	device.Device = true
	return f.add(device, binding, ""), nil
}

func (f *flows) Approve(
	_ context.Context, by access.Actor, id uuid.UUID, binding secret.Text, c oauth.Choice,
) (string, error) {
	if f.open[id] == nil || f.open[id].binding != binding || by.PersonID == uuid.Nil {
		return "", fault.New(fault.NotFound)
	}
	if f.failure != nil {
		return "", f.failure
	}
	f.approved = append(f.approved, c)
	return f.leave(id, "code=once"), nil
}

func (f *flows) Deny(_ context.Context, id uuid.UUID, binding secret.Text) (string, error) {
	if f.open[id] == nil || f.open[id].binding != binding {
		return "", fault.New(fault.NotFound)
	}
	f.denied++
	return f.leave(id, "error=access_denied"), nil
}

func (f *flows) leave(id uuid.UUID, query string) string {
	to := f.open[id].redirect
	delete(f.open, id)
	if to != "" {
		to += "?" + query + "&state=a%26b"
	}
	return to
}

// payroll is what the test's application asks.
func payroll() oauth.Flow {
	return oauth.Flow{
		Application: application.Application{
			ID: uuid.UUID{15: 1}, ClientID: "payroll", DisplayName: "Paghe <Rossi> & figli", ContactEmail: "help@payroll.example",
			State: application.Approved, RedirectURIs: []string{redirectURI},
		},
		Scopes: access.Scopes(),
	}
}

// consents keeps consents in memory.
type consents struct{ all []consent.View }

func (c *consents) Mine(context.Context, access.Actor, page.Request) (page.Page[consent.View], error) {
	return page.Page[consent.View]{Items: c.all}, nil
}

func (c *consents) Show(_ context.Context, _ access.Actor, id uuid.UUID) (consent.View, error) {
	for _, v := range c.all {
		if v.ID == id {
			return v, nil
		}
	}
	return consent.View{}, fault.New(fault.NotFound)
}

func (c *consents) Withdraw(_ context.Context, _ access.Actor, id uuid.UUID) error {
	before := len(c.all)
	c.all = slices.DeleteFunc(c.all, func(v consent.View) bool { return v.ID == id })
	if len(c.all) == before {
		return fault.New(fault.NotFound)
	}
	return nil
}

// applications keeps applications in memory.
type applications struct{ all []application.Application }

func (a *applications) Mine(context.Context, access.Actor, page.Request) (page.Page[application.Application], error) {
	return page.Page[application.Application]{Items: a.all}, nil
}

func (a *applications) Show(_ context.Context, _ access.Actor, id uuid.UUID) (application.Application, error) {
	for _, one := range a.all {
		if one.ID == id {
			return one, nil
		}
	}
	return application.Application{}, fault.New(fault.NotFound)
}

func (a *applications) Remove(_ context.Context, _ access.Actor, id uuid.UUID) error {
	a.all = slices.DeleteFunc(a.all, func(one application.Application) bool { return one.ID == id })
	return nil
}

// contributors are those for whom everybody acts.
type contributors struct{ all []contributor.WithRights }

func (c *contributors) Mine(
	_ context.Context, _ access.Actor, _ contributor.Search, request page.Request,
) (page.Page[contributor.WithRights], error) {
	if len(c.all) > request.Limit {
		return page.Page[contributor.WithRights]{Items: c.all[:request.Limit], Next: "more"}, nil
	}
	return page.Page[contributor.WithRights]{Items: c.all}, nil
}

func (c *contributors) Find(_ context.Context, _ access.Actor, id uuid.UUID) (contributor.WithRights, error) {
	for _, one := range c.all {
		if one.ID == id {
			return one, nil
		}
	}
	return contributor.WithRights{}, fault.New(fault.NotFound)
}

func (c *contributors) add(names ...string) {
	for _, name := range names {
		c.all = append(c.all, contributor.WithRights{Contributor: contributor.Contributor{ID: uuid.Must(uuid.NewV7()), LegalName: name}})
	}
}

func newWorld(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{
		World: pintest.New(t, d, pintest.Cheap), t: t, flows: &flows{open: map[uuid.UUID]*flow{}, code: "BCDFGHJK"},
		consents: &consents{}, contributors: &contributors{}, applications: &applications{},
		reach: access.ServiceSet{access.Declarations, access.Delegations},
	}
	w.mario, w.pin = w.Person(t, pintest.Mario, access.Citizen, false)
	w.federated = &federated{w: w, all: []federation.About{
		{ID: "cie", DisplayName: "CIE", Levels: []federation.Level{3}}, {ID: "spid", DisplayName: "SPID <uno>", Levels: []federation.Level{2, 3}},
	}}
	w.contributors.add("Forno Rossi S.r.l.", "Officina Bianchi")
	w.serve(pintest.PublicURL)
	return w
}

// serve has the world serve its pages under a public address.
func (w *world) serve(publicURL string) {
	w.t.Helper()
	guard := access.NewGuard(access.NewRepository(w.DB, w.Clock), w.Sessions, w.Clock, false)
	all, err := New(Config{PublicURL: publicURL, Institution: institution.Institution{
		Name: "Istituto di prova", Telephone: "06 0000", Page: "https://istituto.example/", PrivacyPage: "https://istituto.example/privacy",
		Logo: "https://static.istituto.example/logo.svg",
	}}, Deps{
		Sessions: w.Sessions, Federation: w.federated, PINs: w.PINs,
		Enter: func(ctx context.Context, id uuid.UUID, rule access.Rule) (access.Actor, error) {
			return guard.Enter(ctx, id, rule, access.Target{})
		},
		Browsers: browser.NewService(browser.Deps{DB: w.DB, Clock: w.Clock, Random: rand.Reader}),
		Flows:    w.flows, Consents: w.consents, Applications: w.applications, Contributors: w.contributors,
		Owner: func(context.Context, application.Application) (string, error) { return "Paghe Rossi S.r.l.", nil },
		Reach: func(context.Context, access.Actor) (access.ServiceSet, error) { return w.reach, nil },
		Titles: func(_ context.Context, codes []access.Service) ([]servicecatalog.Title, error) {
			titles := make([]servicecatalog.Title, len(codes))
			for i, code := range codes {
				titles[i] = servicecatalog.Title{Italian: "Servizio " + string(code), English: "Service " + string(code)}
			}
			return titles, nil
		},
		Clock: w.Clock, Random: rand.Reader,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	// What the edge does for a page.
	mux := http.NewServeMux()
	for _, p := range all {
		methods := p.Methods
		if methods == nil {
			methods = []string{http.MethodGet}
		}
		for _, method := range slices.Compact(slices.Sorted(slices.Values(methods))) {
			if method == http.MethodHead {
				continue // GET's pattern takes it
			}
			mux.HandleFunc(method+" "+p.Pattern, func(rw http.ResponseWriter, r *http.Request) {
				ctx := audit.WithOrigin(r.Context(), audit.Origin{RequestID: "request-1", Address: "192.0.2.1"})
				ctx = reqctx.WithRefused(ctx, func(refused reqctx.Refused) { w.refused = append(w.refused, refused) })
				if strings.HasPrefix(r.Header.Get("Accept-Language"), "en") {
					ctx = reqctx.WithLanguage(ctx, problem.English)
				}
				r = r.WithContext(ctx)
				err := p.Serve(rw, r)
				if f := problem.FaultOf(err); f != nil {
					status, _ := problem.Status(f.Code)
					p.Refuse(rw, r, f, status)
				} else if err != nil {
					w.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
				}
			})
		}
	}
	w.handler = mux
}

// client is a browser without scripts.
type client struct {
	w    *world
	http *http.Client
	base string
	lang string
	// header is sent with each form, as browsers do.
	header map[string]string
}

// RoundTrip implements http.RoundTripper without a network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w.handler.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func (w *world) client() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &client{
		w: w, base: pintest.PublicURL, lang: "it", header: map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"},
		http: &http.Client{
			Transport: w, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// shown is a page as it came.
type shown struct {
	t        *testing.T
	status   int
	header   http.Header
	body     string
	doc      *html.Node
	location string
	cookies  []*http.Cookie
	path     string
}

func (c *client) do(method, path string, form url.Values) shown {
	c.w.t.Helper()
	var body *strings.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	} else {
		body = strings.NewReader("")
	}
	r, err := http.NewRequestWithContext(context.Background(), method, c.base+path, body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", c.lang)
	if form != nil {
		r.Header.Set("Content-Type", formType)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var text strings.Builder
	if _, err := copyAll(&text, answer.Body); err != nil {
		c.w.t.Fatal(err)
	}
	s := shown{
		t: c.w.t, status: answer.StatusCode, header: answer.Header, body: text.String(), location: answer.Header.Get("Location"),
		cookies: answer.Cookies(), path: path,
	}
	if s.doc, err = html.Parse(strings.NewReader(s.body)); err != nil {
		c.w.t.Fatal(err)
	}
	return s
}

func (c *client) get(path string) shown {
	c.w.t.Helper()
	return c.do(http.MethodGet, path, nil)
}

// follow goes where redirects lead, within these pages.
func (c *client) follow(s shown) shown {
	c.w.t.Helper()
	for s.status == http.StatusSeeOther && strings.HasPrefix(s.location, "/") {
		s = c.get(s.location)
	}
	return s
}

// submit sends the form of a page that has the button or, without one, posts to the path. What is
// given takes the place of what stands there.
func (c *client) submit(s shown, action string, values url.Values) shown {
	c.w.t.Helper()
	form := s.form(action)
	for name, all := range values {
		if len(all) == 0 {
			form.Del(name)
			continue
		}
		form[name] = all
	}
	return c.do(http.MethodPost, action, form)
}

// login logs Mario in, beginning at a path that asks for it.
func (c *client) login(path string) shown {
	c.w.t.Helper()
	asked := c.follow(c.get(path))
	done := c.submit(asked, loginPath, url.Values{"tax_code": {pintest.Mario.Clear()}, "pin": {c.w.pin.Reveal()}})
	if done.status != http.StatusSeeOther {
		c.w.t.Fatalf("the login: %d %s", done.status, done.text())
	}
	return c.follow(done)
}

// authorize begins a flow and logs in, up to the page that asks for the consent.
func (c *client) authorize() shown {
	c.w.t.Helper()
	s := c.login(authorizePath + "?client_id=payroll")
	if s.status != http.StatusOK || !strings.HasPrefix(s.path, consentPath) {
		c.w.t.Fatalf("got %d at %s: %s", s.status, s.path, s.text())
	}
	return s
}

// all returns the elements of a name.
func (s shown) all(names ...string) []*html.Node {
	var found []*html.Node
	for n := range s.doc.Descendants() {
		if n.Type == html.ElementNode && slices.Contains(names, n.Data) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// form returns what a browser would send of the first form with the action.
func (s shown) form(action string) url.Values {
	s.t.Helper()
	for _, f := range s.all("form") {
		if attr(f, "action") != action {
			continue
		}
		values := url.Values{}
		for n := range f.Descendants() {
			if n.Type != html.ElementNode || n.Data != "input" {
				continue
			}
			if kind := attr(n, "type"); (kind == "radio" || kind == "checkbox") && !has(n, "checked") {
				continue
			}
			values.Add(attr(n, "name"), attr(n, "value"))
		}
		return values
	}
	s.t.Fatalf("%s has no form for %s: %s", s.path, action, s.body)
	return nil
}

// text is what can be read on the page.
func (s shown) text() string { return strings.Join(strings.Fields(textOf(s.doc)), " ") }

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return b.String()
}

// says ends the test unless the page has the status and the words.
func (s shown) says(status int, words ...string) shown {
	s.t.Helper()
	for _, word := range words {
		if !strings.Contains(s.text(), word) {
			s.t.Fatalf("%s does not say %q: %s", s.path, word, s.text())
		}
	}
	if s.status != status {
		s.t.Fatalf("%s: got %d, want %d: %s", s.path, s.status, status, s.text())
	}
	return s
}

const minute = time.Minute
