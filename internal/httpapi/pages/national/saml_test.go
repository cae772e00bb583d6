package national_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/pages/national"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/institution"
)

// service answers as it is told.
type service struct {
	federation.Departure
	err error
}

func (service) Metadata(kind federation.Kind) []byte {
	return []byte("<metadata of=\"" + string(kind) + "\"/>")
}

func (s service) Logout(*http.Request) (federation.Departure, error) { return s.Departure, s.err }

func page(t *testing.T, s service, path string) pages.Page {
	t.Helper()
	all, err := national.New(nil, s, institution.Institution{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Pattern == path {
			return p
		}
	}
	t.Fatal("no page")
	return pages.Page{}
}

func do(t *testing.T, p pages.Page, method, target, body string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	return w, p.Serve(w, request)
}

func TestMetadata(t *testing.T) {
	w, err := do(t, page(t, service{}, spid.MetadataPath), http.MethodGet, spid.MetadataPath, "")
	if err != nil || w.Body.String() != `<metadata of="spid"/>` || w.Header().Get("Content-Type") != "application/samlmetadata+xml" {
		t.Errorf("%v %s", err, w.Body)
	}
}

func TestLogout_Redirect(t *testing.T) {
	p := page(t, service{Departure: federation.Departure{URL: "https://idp.example.it/x?SAMLResponse=y"}}, spid.LogoutPath)
	w, err := do(t, p, http.MethodGet, spid.LogoutPath, "")
	if err != nil || w.Code != http.StatusSeeOther || w.Header().Get("Location") != "https://idp.example.it/x?SAMLResponse=y" ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %d %v", err, w.Code, w.Header())
	}
}

// The page with a form runs no script, and posts to the provider alone.
func TestLogout_Form(t *testing.T) {
	p := page(t, service{Departure: federation.Departure{
		URL: "https://idp.example.it/x", Form: []federation.Field{{Name: "SAMLResponse", Value: `a"><script>`}},
	}}, spid.LogoutPath)
	w, err := do(t, p, http.MethodPost, spid.LogoutPath, "SAMLRequest=x")
	body := w.Body.String()
	if err != nil || w.Code != http.StatusOK || strings.Contains(body, "<script>") ||
		!strings.Contains(body, `action="https://idp.example.it/x"`) || !strings.Contains(body, `name="SAMLResponse"`) {
		t.Errorf("%v %d %s", err, w.Code, body)
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") ||
		!strings.Contains(policy, "form-action https://idp.example.it https:") {
		t.Error(policy)
	}
}

func TestLogout_Refused(t *testing.T) {
	p := page(t, service{err: spid.ErrLogout}, spid.LogoutPath)
	for name, body := range map[string]string{"nobody's": "SAMLRequest=x", "no form": "%", "too long": strings.Repeat("a", 64<<10+1)} {
		if _, err := do(t, p, http.MethodPost, spid.LogoutPath, body); !fault.Is(err, fault.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := do(t, page(t, service{err: broken}, spid.LogoutPath), http.MethodPost, spid.LogoutPath, ""); !errors.Is(err, broken) {
		t.Error(err)
	}
}
