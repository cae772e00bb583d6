package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/internal/test/world"
)

// hookReceiver is an endpoint that keeps what it is sent.
type hookReceiver struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
	bodies  []string
}

func newHookReceiver(t *testing.T) *hookReceiver {
	t.Helper()
	r := &hookReceiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.headers, r.bodies = append(r.headers, request.Header.Clone()), append(r.bodies, string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// of returns what came of a type, and false before it did.
func (r *hookReceiver) of(kind string) (http.Header, string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, body := range r.bodies {
		if strings.Contains(body, `"type":"`+kind+`"`) {
			return r.headers[i], body, true
		}
	}
	return nil, "", false
}

// TestWebhook_FromItsFirstPingToItsRemoval is the story of one in a sandbox, as its owner sees it.
func TestWebhook_FromItsFirstPingToItsRemoval(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		s := w.software(f.person.PersonId, nil)
		r := newHookReceiver(t)
		path := "/v1/applications/" + s.application.String() + "/webhooks"
		in, once := map[string]any{"url": r.URL + "/hooks"}, key()
		made := w.do(http.MethodPost, path, f.token, in, once).want(t, http.StatusCreated, "")
		secret, _ := made.field("secret").(string)
		id, _ := made.field("webhook_id").(string)
		one := path + "/" + id
		if !strings.HasPrefix(secret, "whsec_") || made.header.Get("Location") != one || made.header.Get("ETag") != `"1"` {
			t.Fatalf("made as %s", made.body)
		}
		again := w.do(http.MethodPost, path, f.token, in, once).want(t, http.StatusCreated, "")
		if again.field("webhook_id") != id || again.field("secret") != nil {
			t.Errorf("again %s", again.body)
		}
		shown := w.do(http.MethodGet, one, f.token, nil).want(t, http.StatusOK, "")
		if shown.field("secret") != nil || shown.field("state") != "enabled" {
			t.Errorf("shown as %s", shown.body)
		}
		verified := func(kind, known string) string {
			t.Helper()
			var header http.Header
			var body string
			world.Eventually(t, kind+" comes", func() (ok bool) {
				header, body, ok = r.of(kind)
				return ok
			})
			lib, err := standardwebhooks.NewWebhook(known)
			if err == nil {
				err = lib.VerifyIgnoringTimestamp([]byte(body), header)
			}
			if err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			return body
		}
		w.do(http.MethodPost, one+"/pings", f.token, nil, key()).want(t, http.StatusAccepted, "")
		verified("webhook.ping", secret)
		filed := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		location := filed.header.Get("Location")
		if body := verified("declaration.submitted", secret); !strings.Contains(body, location+`"`) {
			t.Errorf("sent %s, want a link to %s", body, location)
		}
		world.Eventually(t, "both are in the log", func() bool {
			log := w.do(http.MethodGet, one+"/deliveries?state=delivered", f.token, nil).want(t, http.StatusOK, "")
			items, _ := log.field("items").([]any)
			return len(items) == 2
		})
		rotated := w.do(http.MethodPost, one+"/secrets", f.token, nil, key()).want(t, http.StatusCreated, "")
		if rotated.field("secret") == nil || rotated.field("secret") == secret || rotated.header.Get("ETag") != `"2"` {
			t.Errorf("rotated to %s", rotated.body)
		}
		from := w.clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		replayed := w.do(http.MethodPost, one+"/replays", f.token, map[string]any{"from": from}, key()).want(t, http.StatusAccepted, "")
		if n, _ := replayed.field("count").(float64); n < 1 {
			t.Errorf("replayed %s", replayed.body)
		}
		patch := header{"Content-Type", "application/merge-patch+json"}
		w.do(http.MethodPatch, one, f.token, map[string]any{"state": "disabled"}, patch).want(t, http.StatusPreconditionRequired, "precondition-required")
		w.do(http.MethodPatch, one, f.token, map[string]any{"state": "disabled"}, patch, header{"If-Match", `"2"`}).want(t, http.StatusOK, "")
		w.do(http.MethodPost, one+"/pings", f.token, nil, key()).want(t, http.StatusConflict, "conflict")
		for _, language := range []string{"it", "en"} {
			w.do(http.MethodPost, path, f.token, map[string]any{"url": "https://10.0.0.1/"}, key(), header{"Accept-Language", language}).
				want(t, http.StatusUnprocessableEntity, "validation-failed")
		}
		// An application never manages where it is told.
		w.do(http.MethodGet, path, w.token(f.token, s, everyScope), nil).want(t, http.StatusForbidden, "forbidden")
		w.do(http.MethodDelete, one, f.token, nil).want(t, http.StatusNoContent, "")
		w.do(http.MethodGet, one, f.token, nil).want(t, http.StatusNotFound, "not-found")
	})
}
