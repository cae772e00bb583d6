package account

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/calendar"
)

// view is what every page shows, and what it alone shows.
type view struct {
	Lang  string
	Title string
	// Site is the institution's name.
	Site string
	// Other leads to the page in the other language; "" where it cannot be shown again.
	Other string
	// Person is who has logged in; "" where nobody has.
	Person string
	// Here is the path of the page, which forms post to.
	Here  string
	Token string
	// LogoutToken is that of the form that logs out.
	LogoutToken string
	// Flow and Next are where things go on.
	Flow, Next string
	// Done says what has just been done; "" for nothing.
	Done string
	// Errors are what is wrong with a form, in the order of its fields.
	Errors []wrong
	Data   any
}

// wrong is something that a form was refused for.
type wrong struct {
	// Field is the id of the field; "" where it is none.
	Field string
	Text  string
}

// Wrong returns what is wrong with a field.
func (p view) Wrong(field string) string {
	for _, w := range p.Errors {
		if w.Field == field {
			return w.Text
		}
	}
	return ""
}

// show writes a page.
func (v *visit) show(status int, name string, p view) error {
	p.Lang, p.Site, p.Here = v.lang.String(), v.s.config.Institution.Name, v.r.URL.Path
	if p.Site == "" {
		p.Site = "Diresco"
	}
	if v.browser != "" {
		p.Token = v.token(p.Here)
	}
	if v.by != nil {
		p.Person, p.LogoutToken = v.by.GivenName+" "+v.by.FamilyName, v.token(logoutPath)
	}
	if v.r.Method != http.MethodPost && !eventful[p.Here] {
		p.Other = v.otherLanguage()
	}
	var body bytes.Buffer
	if err := v.s.templates[v.lang].ExecuteTemplate(&body, name+".html", p); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang.String())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", v.policy)
	v.w.WriteHeader(status)
	_, err := v.w.Write(body.Bytes())
	return err
}

// otherLanguage leads to this page in the other language.
func (v *visit) otherLanguage() string {
	sent, query := v.r.URL.Query(), url.Values{}
	query.Set("lang", other(v.lang).String())
	if flow := sent.Get("flow"); v.onward("", flow, "") != "" {
		query.Set("flow", flow)
	}
	if next := sent.Get("next"); places[next] != "" {
		query.Set("next", next)
	}
	if id, ok := v.asked(); ok {
		query.Set("id", id.String())
	}
	return v.r.URL.Path + "?" + query.Encode()
}

func other(lang problem.Language) problem.Language {
	if lang == problem.Italian {
		return problem.English
	}
	return problem.Italian
}

// t returns a text in the language of the visit.
func (v *visit) t(name string, args ...any) string { return text(v.lang, name, args...) }

// text returns a text, with the arguments in it.
func text(lang problem.Language, name string, args ...any) string {
	found, ok := texts[lang][name]
	switch {
	case !ok:
		return name
	case len(args) == 0:
		return found
	}
	return fmt.Sprintf(found, args...)
}

// functions are what the templates call.
func (s *site) functions(lang problem.Language) template.FuncMap {
	return template.FuncMap{
		"t":      func(name string, args ...any) string { return text(lang, name, args...) },
		"date":   func(t time.Time) string { return dateText(lang, t) },
		"moment": func(t time.Time) string { return momentText(lang, t) },
		"other":  func() string { return other(lang).String() },
		"groups": groups,
		"scope":  func(name string) string { return text(lang, "scope."+name) },
		"scopes": plainScopes,
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
}

// plainScopes leaves out what another scope includes: to be told twice makes nobody wiser.
func plainScopes(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		wider, reads := strings.CutSuffix(scope, ".read")
		return reads && slices.Contains(scopes, wider)
	})
}

// dateText writes the day that it is in Rome.
func dateText(lang problem.Language, t time.Time) string {
	d := calendar.DateIn(t)
	return fmt.Sprintf("%d %s %d", d.Day, months[lang][d.Month-1], d.Year)
}

// momentText writes the day and the time in Rome.
func momentText(lang problem.Language, t time.Time) string {
	return text(lang, "moment", dateText(lang, t), t.In(calendar.Rome).Format("15:04"))
}

// groups writes a PIN in groups of four, as it is easier to copy.
func groups(pin string) string {
	var parts []string
	for len(pin) > 4 {
		parts, pin = append(parts, pin[:4]), pin[4:]
	}
	return strings.Join(append(parts, pin), " ")
}
