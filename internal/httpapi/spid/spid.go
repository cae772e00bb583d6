// Package spid serves what the providers of SPID and CIE ask this service itself: its metadata for
// SPID, and logout. The place to which people bring answers is elsewhere.
package spid

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/fault"
)

// maxForm is how many bytes a request for logout has.
const maxForm = 64 << 10

// Service is what providers ask; see spid.Service.
type Service interface {
	Metadata(kind federation.Kind) []byte
	Logout(r *http.Request) (federation.Departure, error)
}

// New returns the pages.
func New(service Service) []pages.Page {
	return []pages.Page{
		{Pattern: spid.MetadataPath, Serve: func(w http.ResponseWriter, _ *http.Request) error {
			h := w.Header()
			h.Set("Content-Type", "application/samlmetadata+xml")
			h.Set("Cache-Control", "public, max-age=300")
			h.Del("Content-Language")
			_, err := w.Write(service.Metadata(federation.SPID))
			return err
		}},
		{
			Pattern: spid.LogoutPath, Methods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
			Serve: func(w http.ResponseWriter, r *http.Request) error { return logout(w, r, service) },
		},
	}
}

// logout answers a provider by way of the browser.
func logout(w http.ResponseWriter, r *http.Request, service Service) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if len(r.URL.RawQuery) > maxForm || r.ParseForm() != nil {
		return fault.New(fault.Malformed)
	}
	departure, err := service.Logout(r)
	if errors.Is(err, spid.ErrLogout) {
		return fault.New(fault.Malformed)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if departure.Form == nil {
		w.Header().Set("Location", departure.URL)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return form(w, reqctx.LanguageOf(r.Context()), departure)
}

// texts are the words on the page with a form.
var texts = map[problem.Language]struct{ Lang, Title, Text, Button string }{
	problem.Italian: {"it", "Uscita", "Hai chiesto di uscire. Torna al tuo gestore d'identità per concludere.", "Continua"},
	problem.English: {"en", "Log out", "You asked to log out. Go back to your identity provider to finish.", "Continue"},
}

var formPage = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="{{.Lang}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<link rel="stylesheet" href="/assets/style.css"></head>
<body><main><h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<form method="post" action="{{.URL}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button type="submit">{{.Button}}</button>
</form></main></body>
</html>
`))

// form writes a page whose one button posts the answer to the provider.
func form(w http.ResponseWriter, language problem.Language, d federation.Departure) error {
	to, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	words := texts[language]
	var body bytes.Buffer
	if err := formPage.Execute(&body, struct {
		Lang, Title, Text, Button, URL string
		Fields                         []federation.Field
	}{words.Lang, words.Title, words.Text, words.Button, d.URL, d.Form}); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", words.Lang)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; base-uri 'none'; form-action "+to.Scheme+"://"+to.Host+" https:; frame-ancestors 'none'")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body.Bytes())
	return err
}
