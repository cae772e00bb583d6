package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"diresco/internal/test/dbtest"
)

// What is written off the path of requests is written before the database is closed.
func TestShutdown_WritesWhatWasStillInMemory(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w := start(t, rawURL)
		f := w.filer()
		once := header{"Idempotency-Key", "the-last-contact"}
		w.clock.Advance(2 * time.Minute)
		w.do(http.MethodGet, "/v1/backoffice/declarations", f.token, nil, header{
			"Request-Id", "the-last-refusal",
		}).want(t, http.StatusForbidden, "")
		w.do(http.MethodPost, "/v1/me/contacts", f.token, map[string]any{"kind": "email", "value": "ultima@example.org"}, once).
			want(t, http.StatusCreated, "")
		w.stop()

		d := dbtest.Open(t, rawURL)
		for what, query := range map[string]string{
			"the refusal": "SELECT count(*) FROM access_log WHERE request_id = 'the-last-refusal'",
			"the answer":  "SELECT count(*) FROM idempotency_keys WHERE key = 'the-last-contact' AND status = 201",
		} {
			var n int
			if err := d.From(context.Background()).Raw(query).Scan(&n).Error; err != nil || n != 1 {
				t.Errorf("%s was written %d times, %v", what, n, err)
			}
		}
		var seen time.Time
		err := d.From(context.Background()).Raw("SELECT last_seen_at FROM sessions ORDER BY created_at DESC LIMIT 1").Scan(&seen).Error
		if err != nil || !seen.Equal(w.clock.Now()) {
			t.Errorf("the session was last seen at %s, %v", seen, err)
		}
		if log := w.log.String(); strings.Contains(log, "database is closed") {
			t.Errorf("something was written too late:\n%s", log)
		}
	})
}
