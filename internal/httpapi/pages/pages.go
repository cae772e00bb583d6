// Package pages serves what stands outside the contract: the contract itself, its documentation, the page of each problem, the page
// that verifies receipts, and the public keys.
package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"

	"github.com/labstack/echo/v4"
	swagger "github.com/swaggest/swgui/v5/static"
)

//go:embed assets
var assets embed.FS

// assetsPath is where scripts and styles are.
const assetsPath = "/assets/"

// Config is what the pages are told by the configuration.
type Config struct {
	// Contract is openapi.yaml as it was written, for /openapi.yaml and /docs.
	Contract []byte
	// Sandbox shows where the test data is.
	Sandbox bool
}

// Values and names of headers.
var publicFor = []string{"public, max-age=300"}

const (
	jsonType        = "application/json"
	contentType     = "Content-Type"
	cacheControl    = "Cache-Control"
	securityPolicy  = "Content-Security-Policy"
	contentLanguage = "Content-Language"
)

// pagePolicy lets a page use what this service serves and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is something that is served as it is, worked out once.
type file struct {
	contentType string
	policy      string // Content-Security-Policy; empty for the strictest
	plain       func() ([]byte, error)
	gzip        func() []byte
	tag         string
}

// Pages are what is served outside the contract: the contract itself, its documentation, and what links in answers lead to.
type Pages struct {
	files      map[string]*file
	problems   map[string]*file
	publicKeys func(context.Context) (any, error)
}

func New(config Config, publicKeys func(context.Context) (any, error)) (*Pages, error) {
	p := &Pages{files: map[string]*file{}, problems: map[string]*file{}, publicKeys: publicKeys}
	contractJSON, err := api.GetSpecJSON()
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	p.add("/openapi.yaml", "application/yaml; charset=utf-8", config.Contract)
	p.add("/openapi.json", jsonType, contractJSON)
	templates, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, err
	}
	for path, name := range map[string]string{"/": "index.html", "/docs": "docs.html", "/verify": "verify.html"} {
		if err := p.addHTML(p.files, templates, path, name, config); err != nil {
			return nil, err
		}
	}
	for _, code := range problem.Codes() {
		if err := p.addHTML(p.problems, templates, string(code), "problem.html", problemView(code)); err != nil {
			return nil, err
		}
	}
	return p, p.addAssets()
}

func (p *Pages) add(path, mediaType string, content []byte) {
	p.files[path] = newFile(mediaType, "", content)
}

func newFile(mediaType, policy string, content []byte) *file {
	plain := func() ([]byte, error) { return content, nil }
	return &file{contentType: mediaType, policy: policy, plain: plain, gzip: sync.OnceValue(func() []byte { return compress(content) }), tag: etag.Computed(content)}
}

func (p *Pages) addHTML(into map[string]*file, templates *template.Template, path, name string, data any) error {
	var content bytes.Buffer
	if err := templates.ExecuteTemplate(&content, name, data); err != nil {
		return err
	}
	into[path] = newFile("text/html; charset=utf-8", pagePolicy, content.Bytes())
	return nil
}

// addAssets takes the scripts and styles: the service's own and those of Swagger UI, which come compressed and are
// unpacked only for who cannot take them so.
func (p *Pages) addAssets() error {
	for _, name := range []string{"style.css", "verify.js", "docs.js", "docs.css"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		p.add(assetsPath+name, assetType(name), content)
	}
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		zipped, err := swagger.FS.ReadFile(name + ".gz")
		if err != nil {
			return err
		}
		plain := sync.OnceValues(func() ([]byte, error) { return decompress(zipped) })
		p.files[assetsPath+name] = &file{contentType: assetType(name), plain: plain, gzip: func() []byte { return zipped }, tag: etag.Computed(zipped)}
	}
	return nil
}

func assetType(name string) string {
	if strings.HasSuffix(name, ".css") {
		return "text/css; charset=utf-8"
	}
	return "text/javascript; charset=utf-8"
}

func compress(content []byte) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	// A buffer takes everything.
	_, _ = w.Write(content)
	_ = w.Close()
	return zipped.Bytes()
}

func decompress(zipped []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// problemText is one kind of problem in one language.
type problemText struct {
	Lang                string
	Title, Detail, Help string
}

// problemPage is what a problem's page shows.
type problemPage struct {
	Slug   string
	Status int
	Texts  []problemText
}

func problemView(code fault.Code) problemPage {
	status, _ := problem.Status(code)
	view := problemPage{Slug: string(code), Status: status}
	for _, lang := range []problem.Language{problem.Italian, problem.English} {
		title, detail, help := problem.Words(lang, code)
		view.Texts = append(view.Texts, problemText{Lang: lang.String(), Title: title, Detail: detail, Help: help})
	}
	return view
}

// Register mounts the pages.
func (p *Pages) Register(router *echo.Echo) {
	both := []string{http.MethodGet, http.MethodHead}
	for path, f := range p.files {
		router.Match(both, path, func(c echo.Context) error { return f.serve(c) })
	}
	router.Match(both, problem.PagesPath+":slug", func(c echo.Context) error {
		f, ok := p.problems[c.Param("slug")]
		if !ok {
			return fault.New(fault.NotFound)
		}
		return f.serve(c)
	})
	router.Match(both, "/.well-known/jwks.json", p.serveKeys)
	router.Match(both, "/favicon.ico", func(c echo.Context) error {
		c.Response().Header()[cacheControl] = publicFor
		return c.NoContent(http.StatusNoContent)
	})
}

// serve answers with the file, compressed where the caller can take that.
func (f *file) serve(c echo.Context) error {
	h := c.Response().Header()
	h[cacheControl] = publicFor
	h.Set("Vary", "Accept-Encoding, Accept-Language, Origin")
	h.Set(contentType, f.contentType)
	h.Del(contentLanguage) // these hold both languages, or one whoever asks
	if f.policy != "" {
		h.Set(securityPolicy, f.policy)
	}
	var content []byte
	tag := strings.TrimSuffix(f.tag, `"`) + `-gzip"`
	if takesGzip(c.Request()) {
		h.Set("Content-Encoding", "gzip")
		content = f.gzip()
	} else {
		var err error
		if content, err = f.plain(); err != nil {
			return err
		}
		tag = f.tag
	}
	h.Set("ETag", tag)
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
	return nil
}

func takesGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(part string) bool {
		coding, quality, _ := strings.Cut(part, ";")
		quality = strings.ReplaceAll(quality, " ", "")
		return strings.TrimSpace(coding) == "gzip" && strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || strings.TrimSpace(part) == "gzip"
	})
}

// serveKeys shows the public halves of the keys that tokens and receipts were ever signed with.
func (p *Pages) serveKeys(c echo.Context) error {
	keys, err := p.publicKeys(c.Request().Context())
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h[cacheControl] = publicFor
	h.Del(contentLanguage)
	h.Set(contentType, "application/jwk-set+json")
	h.Set("ETag", etag.Computed(encoded))
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(encoded))
	return nil
}
