package entity_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"diresco/internal/httpapi/pages/entity"
	"diresco/internal/platform/fault"
)

// member knows one entity, and cannot tell about another now.
type member struct{}

func (member) Configuration() (string, error) { return "configuration", nil }

func (member) Resolve(_ context.Context, subject, anchor, typ string) (string, error) {
	switch subject {
	case "https://a.example":
		return strings.Join([]string{"resolved", anchor, typ}, " "), nil
	case "https://down.example":
		return "", fault.New(fault.Unavailable)
	}
	return "", fault.New(fault.NotFound)
}

func TestEntity_Answers(t *testing.T) {
	mux := http.NewServeMux()
	for _, page := range entity.New(member{}) {
		mux.HandleFunc(page.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := page.Serve(w, r); err != nil {
				t.Error(err)
			}
		})
	}
	const resolve = "/federation/oidc/resolve?"
	for target, want := range map[string]struct {
		status      int
		media, body string
	}{
		"/.well-known/openid-federation":                                               {200, "application/entity-statement+jwt", "configuration"},
		resolve + "sub=https://a.example&trust_anchor=https://t.example&entity_type=x": {200, "application/resolve-response+jwt", "resolved https://t.example x"},
		resolve + "sub=https://a.example&anchor=https://t.example&type=y":              {200, "application/resolve-response+jwt", "resolved https://t.example y"},
		resolve + "sub=https://b.example&trust_anchor=https://t.example":               {404, "application/json", `"error":"not_found"`},
		resolve + "sub=https://down.example&trust_anchor=https://t.example":            {503, "application/json", `"error":"temporarily_unavailable"`},
		resolve + "sub=https://a.example":                                              {400, "application/json", `"error":"invalid_request"`},
		resolve + "trust_anchor=https://t.example":                                     {400, "application/json", `"error":"invalid_request"`},
		resolve + "trust_anchor=https://t.example&sub=" + strings.Repeat("a", 1000):    {400, "application/json", `"error":"invalid_request"`},
	} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
		if answer.Code != want.status || answer.Header().Get("Content-Type") != want.media || !strings.Contains(answer.Body.String(), want.body) {
			t.Errorf("%s: %d %s %s", target, answer.Code, answer.Header().Get("Content-Type"), answer.Body)
		}
	}
}
