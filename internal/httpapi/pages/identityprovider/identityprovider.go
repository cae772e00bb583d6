// Package identityprovider has the pages of the sandbox's identity provider: where whoever tests
// chooses who logs in, and what programs ask of such a provider. They work without scripts.
package identityprovider

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/pages/layout"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/sandbox/idp"
)

//go:embed assets
var assets embed.FS

const (
	stylePath   = "/assets/identity-provider.css"
	contentType = "Content-Type"
	jsonType    = "application/json"
	htmlType    = "text/html; charset=utf-8"
	xmlType     = "application/samlmetadata+xml"
	// maxBody is how long a form of a program may be, in bytes.
	maxBody = 64 << 10
	// pagePolicy has no form-action: forms end at the application that began, wherever that is.
	pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// Provider is the sandbox's identity provider; see idp.Provider.
type Provider interface {
	Metadata(ctx context.Context) ([]byte, error)
	ReadSAML(r *http.Request) (string, error)
	ReadOpenID(query url.Values) (string, error)
	Waiting(id string) (idp.Request, error)
	Answer(id string, choice idp.Choice) (idp.Answer, error)
	Discovery() map[string]any
	PublicKeys() any
	Token(r *http.Request) (map[string]any, error)
	Userinfo(token string) (map[string]any, error)
}

// People are who can log in; see sandbox.Service.
type People interface {
	Identities(ctx context.Context) ([]idp.Person, error)
	Identity(ctx context.Context, key string) (idp.Person, error)
}

// Deps are what the pages work with. All are needed.
type Deps struct {
	Provider Provider
	People   People
}

type site struct {
	Deps
	templates [2]*template.Template
}

// New returns the pages.
func New(d Deps) ([]pages.Page, error) {
	s := &site{Deps: d}
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		whole, err := layout.New(institution.Institution{}, template.FuncMap{
			"t": func(name string) string { return texts[lang][name] },
		})
		if err != nil {
			return nil, err
		}
		if s.templates[lang], err = whole.ParseFS(assets, "assets/*.html"); err != nil {
			return nil, err
		}
	}
	style, err := assets.ReadFile("assets/identity-provider.css")
	if err != nil {
		return nil, err
	}
	get := []string{http.MethodGet}
	return append(
		programs(d.Provider),
		// What is chosen stands in the address, so that commands choose as people do. Each choice
		// ends something: nothing answers who asks for the headers alone.
		pages.Page{Pattern: idp.Path, Methods: get, Serve: s.choose},
		pages.Page{Pattern: idp.SAMLPath, Methods: []string{http.MethodGet, http.MethodPost}, Serve: s.begin(d.Provider.ReadSAML)},
		pages.Page{Pattern: idp.AuthorizePath, Methods: get, Serve: s.begin(func(r *http.Request) (string, error) {
			return d.Provider.ReadOpenID(r.URL.Query())
		})},
		pages.Page{Pattern: idp.MetadataPath, Serve: s.metadata},
		pages.Asset(stylePath, style),
	), nil
}

// programs are what programs ask of a provider of OpenID Connect.
func programs(p Provider) []pages.Page {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	return []pages.Page{
		{Pattern: idp.DiscoveryPath, Methods: get, Serve: program(func(*http.Request) (any, error) { return p.Discovery(), nil })},
		{Pattern: idp.KeysPath, Methods: get, Serve: program(func(*http.Request) (any, error) { return p.PublicKeys(), nil })},
		{Pattern: idp.TokenPath, Methods: post, Serve: program(func(r *http.Request) (any, error) { return p.Token(r) })},
		{Pattern: idp.UserinfoPath, Methods: get, Serve: program(func(r *http.Request) (any, error) {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			return p.Userinfo(token)
		})},
	}
}

// begin takes a request and sends the browser to where somebody chooses.
func (s *site) begin(read func(r *http.Request) (string, error)) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		id, err := read(r)
		var invalid *idp.Invalid
		switch {
		case errors.As(err, &invalid):
			return s.notice(w, r, http.StatusBadRequest, "invalid", invalid.Text)
		case err != nil:
			return err
		}
		return redirect(w, idp.Path+"?"+url.Values{"request": {id}}.Encode())
	}
}

func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (s *site) metadata(w http.ResponseWriter, r *http.Request) error {
	text, err := s.Provider.Metadata(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set(contentType, xmlType)
	_, err = w.Write(text)
	return err
}

// program answers in JSON what programs ask.
func program(ask func(r *http.Request) (any, error)) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status := http.StatusOK
		value, err := ask(r)
		var refused *idp.ProtocolError
		switch {
		case errors.As(err, &refused):
			status, value = refused.Status, map[string]string{"error": refused.Code, "error_description": refused.Description}
		case errors.Is(err, idp.ErrDown):
			status, value = http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"}
		case err != nil:
			return err
		}
		return writeJSON(w, status, value)
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Del("Content-Language")
	w.Header().Set(contentType, jsonType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(encoded)
	return err
}

// view is what a page shows.
type view struct {
	Lang, Title string
	// Other leads to the page in the other language; "" where it cannot be shown again.
	Other     string
	OtherLang string
	// Wrong says what was wrong with a choice; "" for nothing.
	Wrong string
	Data  any
}

// languageOf returns the language that was chosen on the page, else the browser's.
func languageOf(r *http.Request) problem.Language {
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		if r.URL.Query().Get("lang") == lang.String() {
			return lang
		}
	}
	return reqctx.LanguageOf(r.Context())
}

func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) error {
	lang := languageOf(r)
	v.Lang, v.OtherLang = lang.String(), problem.Italian.String()
	if lang == problem.Italian {
		v.OtherLang = problem.English.String()
	}
	if v.Other != "" {
		v.Other += "&lang=" + v.OtherLang
	}
	var body bytes.Buffer
	if err := s.templates[lang].ExecuteTemplate(&body, name+".html", v); err != nil {
		return err
	}
	h := w.Header()
	h.Set(contentType, htmlType)
	h.Set("Content-Language", v.Lang)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", pagePolicy)
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}

// notice is a page that says why something cannot go on.
func (s *site) notice(w http.ResponseWriter, r *http.Request, status int, name, detail string) error {
	text := texts[languageOf(r)]
	return s.show(w, r, status, "notice", view{Title: text[name+".title"], Data: []string{text[name+".text"], detail}})
}

// choice is one that can be chosen.
type choice struct {
	Value, Text string
	Chosen      bool
}

// form is what is chosen from.
type form struct {
	Request, Provider string
	Level             int
	People            []choice
	Levels, Outcomes  []choice
}

// choose shows what can be chosen and, once something is, ends the request.
func (s *site) choose(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	id := query.Get("request")
	waiting, err := s.Provider.Waiting(id)
	if errors.Is(err, idp.ErrUnknown) {
		return s.notice(w, r, http.StatusNotFound, "over", "")
	}
	if err != nil {
		return err
	}
	key := query.Get("person")
	if key == "" {
		return s.ask(w, r, http.StatusOK, waiting, "")
	}
	chosen := idp.Choice{Level: waiting.Level, Outcome: idp.Granted}
	if chosen.Person, err = s.People.Identity(r.Context(), key); fault.Is(err, fault.NotFound) {
		return s.ask(w, r, http.StatusUnprocessableEntity, waiting, "wrong.person")
	} else if err != nil {
		return err
	}
	if level := query.Get("level"); level != "" {
		// What is no number is no level either.
		chosen.Level, _ = strconv.Atoi(level)
	}
	if outcome := query.Get("outcome"); outcome != "" {
		chosen.Outcome = idp.Outcome(outcome)
	}
	back, err := s.Provider.Answer(id, chosen)
	switch {
	case errors.Is(err, idp.ErrChoice):
		return s.ask(w, r, http.StatusUnprocessableEntity, waiting, "wrong.choice")
	case errors.Is(err, idp.ErrUnknown):
		return s.notice(w, r, http.StatusNotFound, "over", "")
	case errors.Is(err, idp.ErrDown):
		return s.notice(w, r, http.StatusServiceUnavailable, "down", "")
	case err != nil:
		return err
	}
	return s.leave(w, r, chosen, back)
}

// ask shows what can be chosen.
func (s *site) ask(w http.ResponseWriter, r *http.Request, status int, waiting idp.Request, wrong string) error {
	people, err := s.People.Identities(r.Context())
	if err != nil {
		return err
	}
	text := texts[languageOf(r)]
	data := form{Request: waiting.ID, Provider: waiting.Provider, Level: waiting.Level}
	for i, p := range people {
		named := p.FamilyName + " " + p.GivenName
		if p.Description != "" {
			named += " – " + p.Description
		}
		data.People = append(data.People, choice{p.Key, named, i == 0})
	}
	for _, level := range []string{"1", "2", "3"} {
		data.Levels = append(data.Levels, choice{level, text["level."+level], level == strconv.Itoa(waiting.Level)})
	}
	for _, outcome := range idp.Outcomes() {
		data.Outcomes = append(data.Outcomes, choice{string(outcome), text["outcome."+string(outcome)], outcome == idp.Granted})
	}
	return s.show(w, r, status, "choose", view{
		Title: text["choose.title"], Other: idp.Path + "?" + url.Values{"request": {waiting.ID}}.Encode(), Wrong: text[wrong], Data: data,
	})
}

// leave sends the browser back, or shows the form that does. Programs get what they have to send.
func (s *site) leave(w http.ResponseWriter, r *http.Request, chosen idp.Choice, back idp.Answer) error {
	if strings.Contains(r.Header.Get("Accept"), jsonType) {
		fields := map[string]string{}
		for _, f := range back.Form {
			fields[f.Name] = f.Value
		}
		return writeJSON(w, http.StatusOK, map[string]any{"url": back.URL, "form": fields})
	}
	if back.Form == nil {
		return redirect(w, back.URL)
	}
	text := texts[languageOf(r)]
	name := "granted"
	if len(back.Told) == 0 {
		name = "failed"
	}
	return s.show(w, r, http.StatusOK, "leave", view{Title: text["leave."+name+".title"], Data: struct {
		idp.Answer
		Text, Button string
		Number       int
	}{back, text["leave."+name+".text"], text["leave."+name+".button"], chosen.Outcome.Number()}})
}
