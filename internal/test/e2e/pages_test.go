package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"diresco/api/client"
	"diresco/internal/platform/config"
)

// visitor is a browser without scripts: it keeps cookies and sends the forms that it is shown.
type visitor struct {
	w    *fixture
	http *http.Client
}

func (w *fixture) visitor() *visitor {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &visitor{w, &http.Client{Jar: jar}}
}

// visited is a page at the end of all redirects.
type visited struct {
	status int
	header http.Header
	path   string
	body   string
}

func (v *visitor) do(method, path string, form url.Values) visited {
	v.w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, v.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "null")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := v.http.Do(r)
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		v.w.t.Fatal(err)
	}
	return visited{answer.StatusCode, answer.Header, answer.Request.URL.Path, string(body)}
}

var (
	formOf  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	inputOf = regexp.MustCompile(`<input [^>]*>`)
	valueOf = regexp.MustCompile(`(name|value|type)="([^"]*)"`)
)

// submit sends the form of a page that leads to the action, with these values in the place of what
// stands there.
func (v *visitor) submit(page visited, action string, values map[string]string) visited {
	v.w.t.Helper()
	form := url.Values{}
	for _, found := range formOf.FindAllStringSubmatch(page.body, -1) {
		if found[1] != action {
			continue
		}
		for _, input := range inputOf.FindAllString(found[0], -1) {
			parts := map[string]string{}
			for _, part := range valueOf.FindAllStringSubmatch(input, -1) {
				parts[part[1]] = part[2]
			}
			if kind := parts["type"]; kind == "hidden" || strings.HasSuffix(input, " checked>") {
				form.Add(parts["name"], parts["value"])
			}
		}
		break
	}
	for name, value := range values {
		form.Set(name, value)
	}
	return v.do(http.MethodPost, action, form)
}

// letIn lets the sandbox's program act for a person, on the pages, and returns its tokens.
func (v *visitor) letIn(p client.SandboxPerson, scope string) answer {
	v.w.t.Helper()
	const verifier = "a-verifier-of-at-least-forty-three-characters-0123"
	const back = "http://127.0.0.1:4711/callback"
	sum := sha256.Sum256([]byte(verifier))
	login := v.do(http.MethodGet, "/oauth2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {"sandbox-payroll"}, "redirect_uri": {back}, "scope": {scope}, "state": {"s-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil)
	asked := v.submit(login, "/oauth2/login", map[string]string{"tax_code": p.TaxCode, "pin": p.Pin})
	if asked.status != http.StatusOK || asked.path != "/oauth2/consent" {
		v.w.t.Fatalf("got %d at %s: %s", asked.status, asked.path, asked.body)
	}
	left := v.submit(asked, "/oauth2/consent", map[string]string{"decision": "approve", "months": "1"})
	to, err := url.Parse(strings.TrimPrefix(left.header.Get("Refresh"), "0;url="))
	if err != nil || left.status != http.StatusOK || to.Query().Get("code") == "" || to.Query().Get("state") != "s-1" ||
		to.Query().Get("iss") != v.w.url {
		v.w.t.Fatalf("got %d %v: %s", left.status, left.header, left.body)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"sandbox-payroll"}, "code": {to.Query().Get("code")}, "redirect_uri": {back},
		"code_verifier": {verifier},
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, v.w.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answered, err := v.w.http.Do(r)
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer func() { _ = answered.Body.Close() }()
	body, err := io.ReadAll(answered.Body)
	if err != nil || answered.StatusCode != http.StatusOK {
		v.w.t.Fatalf("the tokens: %d %s, %v", answered.StatusCode, body, err)
	}
	return answer{answered.StatusCode, answered.Header, body}
}

// Somebody lets a program in on the pages, sees it there, and withdraws it. The program never had
// a PIN, and is out with its next request.
func TestPages_LetAProgramInAndOut(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		v := w.visitor()
		p := w.person(hasRole(client.ActingAsLegalRepresentative, client.CredentialLevelDispositive))
		tokens := v.letIn(p, "declarations offline_access")
		token, _ := tokens.field("access_token").(string)
		if got := w.do(http.MethodGet, "/v1/declarations", token, nil); got.status != http.StatusOK {
			t.Fatalf("the program reads: %d %s", got.status, got.body)
		}
		page := v.do(http.MethodGet, "/account/consents", nil)
		if page.status != http.StatusOK || !strings.Contains(page.body, "Paghe Facili") {
			t.Fatalf("got %d %s", page.status, page.body)
		}
		_, asks, _ := strings.Cut(page.body, `href="/account/consents?id=`)
		asks, _, _ = strings.Cut(asks, `"`)
		page = v.submit(v.do(http.MethodGet, "/account/consents?id="+asks, nil), "/account/consents", nil)
		if !strings.Contains(page.body, "The consent is withdrawn.") || strings.Contains(page.body, "Paghe Facili") {
			t.Errorf("got %d %s", page.status, page.body)
		}
		if got := w.do(http.MethodGet, "/v1/declarations", token, nil); got.status != http.StatusUnauthorized {
			t.Errorf("after that: %d %s", got.status, got.body)
		}
		if got := v.do(http.MethodGet, "/account/applications", nil); got.status != http.StatusOK {
			t.Errorf("got %d %s", got.status, got.body)
		}
		log := w.log.String()
		if strings.Contains(log, p.TaxCode) || strings.Contains(log, p.Pin) || strings.Contains(log, "diresco-browser") {
			t.Error("the log tells what was typed")
		}
		page = v.submit(page, "/account/logout", nil)
		if page.path != "/oauth2/login" || !strings.Contains(page.body, "You have logged out.") {
			t.Errorf("got %d at %s", page.status, page.path)
		}
	})
}

// An address that makes too many requests is told so on a page, in words.
func TestPages_AreLimitedByAddress(t *testing.T) {
	w := startWith(t, "sqlite:"+t.TempDir()+"/limited.db", cheapPINs, func(c *config.Config) { c.RateAddress = 3 })
	v := w.visitor()
	for range 3 {
		v.do(http.MethodGet, "/oauth2/login", nil)
	}
	got := v.do(http.MethodGet, "/oauth2/login", nil)
	if got.status != http.StatusTooManyRequests || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") ||
		got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "Try again in a moment.") {
		t.Errorf("got %d %v %s", got.status, got.header, got.body)
	}
}
