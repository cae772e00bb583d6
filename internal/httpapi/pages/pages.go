// Package pages serves what stands outside the contract. These are the contract itself, its
// documentation, the page of each problem, the page that verifies receipts, and the public keys.
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
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	swagger "github.com/swaggest/swgui/v5/static"

	"diresco/api"
	"diresco/internal/httpapi/etag"
	"diresco/internal/httpapi/problem"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
	"diresco/internal/platform/weakly"
)

//go:embed assets
var assets embed.FS

// assetsPath is where scripts and styles are.
const assetsPath = "/assets/"

// Config is what the pages are told by the configuration.
type Config struct {
	// Contract is openapi.yaml as it was written, for /openapi.yaml and /docs.
	Contract func() []byte
	// Spec is the contract as it was read.
	Spec *openapi3.T
	// Sandbox shows where the test data is.
	Sandbox bool
	// Institution is whose name the pages bear.
	Institution institution.Institution
}

const (
	contentType     = "Content-Type"
	contentLanguage = "Content-Language"
	cacheControl    = "Cache-Control"
	// publicFor lets caches keep what is the same for everybody.
	publicFor = "public, max-age=300"
)

// pagePolicy lets a page use what this service serves and, for the institution's logo, its origin.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// policyFor is the policy of pages that bear a logo from elsewhere, which may be empty.
func policyFor(logo string) string {
	u, err := url.Parse(logo)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return pagePolicy
	}
	return strings.Replace(pagePolicy, "img-src 'self'", "img-src 'self' https://"+u.Host, 1)
}

// file is something that is served as it is, worked out once.
type file struct {
	contentType string
	policy      string // Content-Security-Policy; empty for the strictest
	open        bool   // to scripts of any origin
	negotiated  bool   // by Accept
	plain       func() ([]byte, error)
	gzip        func() []byte
	tag         func() string
}

// Page is what is served at one place outside the contract.
type Page struct {
	// Pattern is its path as net/http writes patterns.
	Pattern string
	// Serve answers, or returns an error before it has written anything.
	Serve func(w http.ResponseWriter, r *http.Request) error
	// Methods are those that it takes; without any, GET and HEAD.
	Methods []string
	// Counts says that Serve finds out who sent a request and calls reqctx.Count. What nobody proved
	// to have sent counts for the address.
	Counts bool
	// Refuse, where it is set, shows a fault to somebody who reads pages. Others get a problem.
	Refuse func(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int)
}

// pages are what is served outside the contract: the contract itself, its documentation, and what
// links in answers lead to.
type pages struct {
	files map[string]*file
	// problems are the pages of problems, and that of "" lists them. problemIndex is for programs.
	problems     map[string]*file
	problemIndex *file
	// forGenerators is made when somebody asks for it.
	forGenerators func() (*file, error)
	publicKeys    func(context.Context) (any, error)
	// policy is that of HTML pages.
	policy string
	// colours is the style sheet with the institution's.
	colours []byte
}

// New returns all pages. What publicKeys returns is shown as the key set.
func New(config Config, publicKeys func(context.Context) (any, error)) ([]Page, error) {
	p := &pages{files: map[string]*file{}, problems: map[string]*file{}, publicKeys: publicKeys, policy: policyFor(config.Institution.Logo)}
	p.colours = colours(config.Institution.Palette())
	contract, by := config.Contract, config.Institution // and not config, which would hold the parsed contract
	p.files["/openapi.yaml"] = newLargeFile("application/yaml; charset=utf-8", func() ([]byte, error) { return contract(), nil })
	p.files["/openapi.json"] = newLargeFile("application/json", api.GetSpecJSON)
	for _, f := range p.files {
		f.open = true
	}
	p.forGenerators = sync.OnceValues(func() (*file, error) {
		contractJSON, err := api.GetSpecJSON()
		if err != nil {
			return nil, fmt.Errorf("contract: %w", err)
		}
		content, err := forGenerators(contractJSON)
		if err != nil {
			return nil, err
		}
		f := newFile("application/json", "", content)
		f.open = true
		return f, nil
	})
	templates, err := template.New("").Funcs(template.FuncMap{"institution": func() institution.Institution {
		return by
	}}).ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, err
	}
	for path, name := range map[string]string{"/": "index.html", "/docs": "docs.html", "/verify": "verify.html"} {
		if err := p.addHTML(templates, path, name, config); err != nil {
			return nil, err
		}
	}
	p.addProblems(templates, config.Spec)
	if err := p.addSamples(config.Spec); err != nil {
		return nil, err
	}
	if err := p.addAssets(); err != nil {
		return nil, err
	}
	return p.list(), nil
}

func (p *pages) add(path, mediaType string, content []byte) {
	p.files[path] = newFile(mediaType, "", content)
}

func newFile(mediaType, policy string, content []byte) *file {
	plain := func() ([]byte, error) { return content, nil }
	return &file{contentType: mediaType, policy: policy, plain: plain, gzip: sync.OnceValue(func() []byte {
		return compress(content)
	}), tag: sync.OnceValue(func() string { return etag.Computed(content) })}
}

// newLargeFile is a file that is made when somebody asks for it, and not kept for long but
// compressed. What it is made of is part of the program, so that it can always be made.
func newLargeFile(mediaType string, create func() ([]byte, error)) *file {
	kept := weakly.Kept(func() (*[]byte, error) {
		content, err := create()
		return &content, err
	})
	plain := func() ([]byte, error) {
		content, err := kept()
		if err != nil {
			return nil, err
		}
		return *content, nil
	}
	packed := sync.OnceValues(func() ([]byte, string) {
		content, err := plain()
		if err != nil {
			panic(err)
		}
		return compress(content), etag.Computed(content)
	})
	return &file{contentType: mediaType, plain: plain, gzip: func() []byte {
		zipped, _ := packed()
		return zipped
	}, tag: func() string {
		_, tag := packed()
		return tag
	}}
}

const htmlType = "text/html; charset=utf-8"

func (p *pages) addHTML(templates *template.Template, path, name string, data any) error {
	var content bytes.Buffer
	if err := templates.ExecuteTemplate(&content, name, data); err != nil {
		return err
	}
	p.files[path] = newFile(htmlType, p.policy, content.Bytes())
	return nil
}

// newHTML is a page that is written when somebody asks for it.
func (p *pages) newHTML(templates *template.Template, name string, data any) *file {
	f := newLargeFile(htmlType, func() ([]byte, error) {
		var content bytes.Buffer
		err := templates.ExecuteTemplate(&content, name, data)
		return content.Bytes(), err
	})
	f.policy = p.policy
	return f
}

// addAssets takes the scripts and styles: the service's own and those of Swagger UI. The latter
// come compressed and are unpacked only for who cannot take them so.
func (p *pages) addAssets() error {
	for _, name := range []string{"style.css", "verify.js", "docs.js", "docs.css"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		p.add(assetsPath+name, assetType(name), content)
	}
	p.add(assetsPath+"institution.css", assetType("institution.css"), p.colours)
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		p.files[assetsPath+name] = newZippedFile(assetType(name), func() []byte {
			zipped, err := swagger.FS.ReadFile(name + ".gz")
			if err != nil {
				// It is part of the program.
				panic(err)
			}
			return zipped
		})
	}
	return nil
}

// newZippedFile is a file that the program has compressed, and that is not kept beside that.
func newZippedFile(mediaType string, read func() []byte) *file {
	kept := weakly.Kept(func() (*[]byte, error) {
		zipped := read()
		return &zipped, nil
	})
	zipped := func() []byte {
		content, _ := kept()
		return *content
	}
	return &file{contentType: mediaType, plain: func() ([]byte, error) {
		return decompress(zipped())
	}, gzip: zipped, tag: sync.OnceValue(func() string { return etag.Computed(zipped()) })}
}

// colours is a style sheet that sets the properties which style.css draws with.
func colours(p institution.Palette) []byte {
	return fmt.Appendf(nil, `:root { --bar: %s; --bar-pressed: %s; --bar-ink: %s; --link: %s; }
@media (prefers-color-scheme: dark) { :root { --link: %s; } }
`, p.Bar, p.BarPressed, p.BarInk, p.Link, p.LinkDark)
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

// list says where each page is.
func (p *pages) list() []Page {
	all := []Page{
		{Pattern: problem.PagesPath, Serve: p.serveProblems},
		{Pattern: strings.TrimSuffix(problem.PagesPath, "/"), Serve: p.serveProblems},
		{Pattern: problem.PagesPath + "{slug}", Serve: p.serveProblem},
		{Pattern: "/.well-known/jwks.json", Serve: p.serveKeys},
		{Pattern: "/openapi.client.json", Serve: func(w http.ResponseWriter, r *http.Request) error {
			f, err := p.forGenerators()
			if err != nil {
				return err
			}
			return f.serve(w, r)
		}},
		{Pattern: "/favicon.ico", Serve: serveNothing},
	}
	for path, f := range p.files {
		all = append(all, Page{Pattern: path, Serve: f.serve})
	}
	return all
}

// Asset serves a style sheet that is the same for everybody.
func Asset(path string, content []byte) Page {
	return Page{Pattern: path, Serve: newFile(assetType(path), "", content).serve}
}

// serveNothing answers browsers that ask for an icon.
func serveNothing(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set(cacheControl, publicFor)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// serve answers with the file, compressed where the caller can take that.
func (f *file) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set(cacheControl, publicFor)
	h.Set("Vary", "Accept-Encoding, Accept-Language, Origin")
	if f.negotiated {
		h.Set("Vary", "Accept, Accept-Encoding, Accept-Language, Origin")
	}
	h.Set(contentType, f.contentType)
	h.Del(contentLanguage) // these hold both languages, or one whoever asks
	if f.open {
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
	}
	var content []byte
	tag := strings.TrimSuffix(f.tag(), `"`) + `-gzip"`
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		content = f.gzip()
	} else {
		var err error
		if content, err = f.plain(); err != nil {
			return err
		}
		tag = f.tag()
	}
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	return nil
}

func takesGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(part string) bool {
		coding, quality, _ := strings.Cut(part, ";")
		quality = strings.ReplaceAll(quality, " ", "")
		return strings.TrimSpace(coding) == "gzip" && strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" ||
			strings.TrimSpace(part) == "gzip"
	})
}

// serveKeys shows the public halves of the keys that tokens and receipts were ever signed with.
func (p *pages) serveKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := p.publicKeys(r.Context())
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set(cacheControl, publicFor)
	h.Del(contentLanguage)
	h.Set(contentType, "application/jwk-set+json")
	h.Set("ETag", etag.Computed(encoded))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(encoded))
	return nil
}
