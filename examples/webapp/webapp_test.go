package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWebapp_IsServedWithItsPolicy(t *testing.T) {
	t.Parallel()
	h, err := newHandler("http://127.0.0.1:5173", "https://diresco.example", "client-1")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+path, nil)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer
	}
	for path, kind := range map[string]string{
		"/": "text/html", "/callback?code=c&state=s": "text/html", "/app.js": "text/javascript", "/style.css": "text/css", "/config.json": "application/json",
	} {
		answer := ask("127.0.0.1:5173", path)
		policy := answer.Header().Get("Content-Security-Policy")
		if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), kind) ||
			!strings.Contains(policy, "connect-src 'self' https://diresco.example;") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %d %v", path, answer.Code, answer.Header())
		}
	}
	if got := ask("127.0.0.1:5173", "/config.json").Body.String(); got != `{"client_id":"client-1","service":"https://diresco.example"}` {
		t.Error(got)
	}
	if got := ask("127.0.0.1:5173", "/main.go"); got.Code != http.StatusNotFound {
		t.Errorf("the program is served: %d", got.Code)
	}
	if got := ask("localhost:5173", "/callback?code=c"); got.Code != http.StatusTemporaryRedirect || got.Header().Get("Location") != "http://127.0.0.1:5173/" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	for _, wrong := range []string{"", "diresco.example", "https://diresco.example/v1", "https://a.example; script-src *"} {
		if _, err := newHandler("http://127.0.0.1:5173", wrong, "client-1"); err == nil {
			t.Errorf("%q is taken for a service", wrong)
		}
	}
}
