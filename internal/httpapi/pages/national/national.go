// Package national has the pages on the way to and from the providers of national identities: where
// their answers arrive, what is posted to them, and why a login did not succeed. They work without
// scripts.
package national

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/pages/layout"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/secret"
)

//go:embed assets
var assets embed.FS

const (
	// maxForm is how long an answer may be that is posted, in bytes.
	maxForm  = 256 << 10
	formType = "application/x-www-form-urlencoded"
)

// Logins takes the answers of providers; see federation.Service.
type Logins interface {
	Answer(ctx context.Context, protocol federation.Protocol, state secret.Text, values url.Values) (returnTo string, err error)
	Form(ctx context.Context, ticket secret.Text) (federation.Departure, error)
}

// SAML is what providers of SPID and CIE ask this service itself; see spid.Service.
type SAML interface {
	Metadata(kind federation.Kind) []byte
	Logout(r *http.Request) (federation.Departure, error)
}

// site is what all pages share.
type site struct {
	logins      Logins
	saml        SAML
	institution institution.Institution
	templates   [2]*template.Template
}

// New returns the pages. Without SAML there are none for its providers.
func New(logins Logins, saml SAML, in institution.Institution) ([]pages.Page, error) {
	s := &site{logins: logins, saml: saml, institution: in}
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		whole, err := layout.New(in, template.FuncMap{"t": func(name string) string { return texts[lang][name] }})
		if err != nil {
			return nil, err
		}
		if s.templates[lang], err = whole.ParseFS(assets, "assets/*.html"); err != nil {
			return nil, err
		}
	}
	all := []pages.Page{
		// A login whose answer is posted has its state in RelayState, the other in state.
		{Pattern: spid.AnswerPath, Methods: []string{http.MethodPost}, Serve: s.assertion, Refuse: s.refuse},
		// Each request uses a login up, so none is for the headers alone.
		{Pattern: openid.CallbackPath, Methods: []string{http.MethodGet}, Serve: s.callback, Refuse: s.refuse},
		{Pattern: card.LoginPath, Methods: []string{http.MethodGet}, Serve: s.card, Refuse: s.refuse},
		{Pattern: federation.FormPath + "{ticket}", Serve: s.form, Refuse: s.refuse},
	}
	if saml != nil {
		all = append(all, s.forProviders()...)
	}
	return all, nil
}

// assertion takes an answer that a provider has the browser post.
func (s *site) assertion(w http.ResponseWriter, r *http.Request) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != formType {
		return fault.New(fault.UnsupportedMediaType)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxForm)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return fault.Wrap(fault.Malformed, err)
	}
	values, err := url.ParseQuery(body.String())
	if err != nil {
		return fault.New(fault.Malformed)
	}
	return s.answer(w, r, federation.SAML, "RelayState", values)
}

// callback takes an answer with which a provider sends the browser back.
func (s *site) callback(w http.ResponseWriter, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Malformed)
	}
	return s.answer(w, r, federation.OpenIDConnect, "state", values)
}

// answer leads the browser back to where the login was begun, or says why it cannot.
func (s *site) answer(w http.ResponseWriter, r *http.Request, protocol federation.Protocol, state string, values url.Values) error {
	for _, sent := range values {
		if len(sent) > 1 || !utf8.ValidString(sent[0]) {
			return fault.New(fault.Malformed)
		}
	}
	origin := audit.OriginOf(r.Context())
	origin.Operation = federation.OpLogin
	ctx := audit.WithOrigin(r.Context(), origin)
	returnTo, err := s.logins.Answer(ctx, protocol, secret.Text(values.Get(state)), values)
	var refusal *federation.Refusal
	switch {
	case errors.Is(err, federation.ErrUnknown):
		noteRefused(ctx)
		return s.notice(w, r, http.StatusNotFound, unknownLogin, texts[languageOf(r)]["unknown.text"])
	case errors.As(err, &refusal):
		noteRefused(ctx)
		if returnTo, err = described(returnTo, Reason(languageOf(r), refusal)); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	w.Header().Set("Location", returnTo)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// noteRefused leaves in the access log that nobody was let in, as a wrong PIN does.
func noteRefused(ctx context.Context) {
	reqctx.NoteRefused(ctx, reqctx.Refused{Operation: federation.OpLogin, Fault: fault.New(fault.InvalidCredentials)})
}

// described adds words for the person to an address with an error.
func described(address, words string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("error_description", words)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// form shows the button that leads on to a provider.
func (s *site) form(w http.ResponseWriter, r *http.Request) error {
	departure, err := s.logins.Form(r.Context(), secret.Text(r.PathValue("ticket")))
	if errors.Is(err, federation.ErrUnknown) {
		return s.notice(w, r, http.StatusNotFound, unknownLogin, texts[languageOf(r)]["unknown.text"])
	}
	if err != nil {
		return err
	}
	return s.leave(w, r, "leave", r.URL.Path, departure)
}

// leave shows the button that posts a form to a provider.
func (s *site) leave(w http.ResponseWriter, r *http.Request, name, here string, departure federation.Departure) error {
	target, err := url.Parse(departure.URL)
	if err != nil {
		return err
	}
	words := texts[languageOf(r)]
	// Browsers hold what follows upon a form to this, too, and a provider may go on at another host.
	return s.show(w, r, http.StatusOK, "leave", target.Scheme+"://"+target.Host+" https:", view{
		Title: words[name+".title"], Text: words[name+".text"], Here: here, Departure: departure,
	})
}

// refuse shows a fault in words. It is called for what the edge refused, too.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int) {
	_, detail, _ := problem.Words(languageOf(r), f.Code)
	if reason := problem.ReasonText(languageOf(r), f.Reason); reason != "" {
		detail = reason
	}
	// There is nobody left to tell who could do something about it.
	_ = s.notice(w, r, status, "failed", detail)
}

// notice shows why something cannot go on.
func (s *site) notice(w http.ResponseWriter, r *http.Request, status int, name, text string) error {
	v := view{Title: texts[languageOf(r)][name+".title"], Text: text}
	switch {
	case r.Method != http.MethodPost:
		v.Here = r.URL.Path
	case name == unknownLogin:
		// What was posted cannot be asked for again, and without a state every login is unknown.
		v.Here = openid.CallbackPath
	}
	return s.show(w, r, status, "notice", "", v)
}

// unknownLogin is the notice about a login that nobody began here, or that is over.
const unknownLogin = "unknown"

// view is what a page shows.
type view struct {
	Lang, Title, Site string
	// Here is the path of a page that can be shown again in the other language, Other, and "" for any
	// other.
	Here, Other string
	Text        string
	Departure   federation.Departure
}

// show writes a page, whose forms may be sent to one origin, or to none.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name, formsTo string, v view) error {
	lang := languageOf(r)
	v.Lang, v.Other, v.Site = lang.String(), problem.English.String(), s.institution.Name
	if lang == problem.English {
		v.Other = problem.Italian.String()
	}
	if v.Site == "" {
		v.Site = "Diresco"
	}
	var body bytes.Buffer
	if err := s.templates[lang].ExecuteTemplate(&body, name+".html", v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang.String())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", s.policy(formsTo))
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}

// policy is a page's Content-Security-Policy.
func (s *site) policy(formsTo string) string {
	images, forms := "'self'", "'none'"
	if u, err := url.Parse(s.institution.Logo); err == nil && u.Scheme == "https" && u.Host != "" {
		images += " https://" + u.Host
	}
	if formsTo != "" {
		forms = formsTo
	}
	return strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "img-src " + images, "base-uri 'none'", "frame-ancestors 'none'", "form-action " + forms,
	}, "; ")
}

// languageOf is the language that a page is in: the one that was chosen on it, else the browser's.
func languageOf(r *http.Request) problem.Language {
	wanted := r.URL.Query().Get("lang")
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		if wanted == lang.String() {
			return lang
		}
	}
	return reqctx.LanguageOf(r.Context())
}
