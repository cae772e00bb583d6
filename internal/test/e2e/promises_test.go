package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"diresco/api/client"
)

// TestPromises_OneIntentOneDeclaration: one key, fifty at once, one row and fifty equal answers.
func TestPromises_OneIntentOneDeclaration(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		once := key()
		answers := make([]answer, 50)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), once)
			})
		}
		all.Wait()
		for _, a := range answers {
			if a.status != http.StatusCreated || !bytes.Equal(a.body, answers[0].body) ||
				a.header.Get("ETag") != answers[0].header.Get("ETag") || a.header.Get("Location") != answers[0].header.Get("Location") {
				t.Fatalf("answers differ: %d %s\n%s", a.status, a.body, answers[0].body)
			}
		}
		listed, _ := w.do(http.MethodGet, f.path, f.token, nil).field("items").([]any)
		if len(listed) != 1 {
			t.Errorf("%d declarations were filed", len(listed))
		}
		other := f.draft(map[string]any{"submit": false})
		w.do(http.MethodPost, f.path, f.token, other, once).want(t, http.StatusUnprocessableEntity, "idempotency-key-reused")
		quoted := header{once.name, `"` + once.value + `"`}
		if a := w.do(
			http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), quoted,
		); !bytes.Equal(a.body, answers[0].body) {
			t.Error("the quoted key is another key")
		}
		w.do(http.MethodPost, f.path, f.token, f.draft(nil)).want(t, http.StatusBadRequest, "malformed-request")
	})
}

// TestPromises_NoForeignFields: what only the server sets is refused, and so is what the contract
// does not know.
func TestPromises_NoForeignFields(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		for _, field := range []string{
			"state", "declaration_id", "protocol_number", "submitted_at", "filed_by", "contributor_id", "receipt", "person_id", "whatever",
		} {
			a := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{field: "x"}), key()).want(
				t, http.StatusUnprocessableEntity, "validation-failed",
			)
			if !strings.Contains(string(a.body), `"/`+field+`"`) {
				t.Errorf("%s is not named in %s", field, a.body)
			}
		}
		content := withNotes(t, f.example, "x")
		content["unknown_field"] = 1
		a := w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"content": content, "submit": true}), key()).want(
			t, http.StatusUnprocessableEntity, "validation-failed",
		)
		if !strings.Contains(string(a.body), `"/content/unknown_field"`) {
			t.Errorf("the field is not named in %s", a.body)
		}
	})
}

// TestPromises_EveryChangeLeavesItsTrace: one audit row for each changing operation, and rows for
// refusals and reads of another's data.
func TestPromises_EveryChangeLeavesItsTrace(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		count := func(table, where string, args ...any) int64 {
			var n int64
			if err := w.app.DB.From(context.Background()).Table(table).Where(where, args...).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		step := func(operation string, send func(id string) answer) answer {
			id := "trace-" + operation
			a := send(id)
			if n := count("audit_records", "request_id = ?", id); n != 1 {
				t.Errorf("%s left %d audit rows", operation, n)
			}
			if n := count("audit_records", "request_id = ? AND operation = ? AND person_id = ? AND outcome = 'done' "+
				"AND address <> ''", id, operation, f.person.PersonId); n != 1 {
				t.Errorf("the audit row of %s does not tell who did what, from where", operation)
			}
			return a
		}
		named := func(id string) header { return header{"Request-Id", id} }
		draft := step("draftDeclaration", func(id string) answer {
			return w.do(http.MethodPost, f.path, f.token, f.draft(nil), key(), named(id)).want(t, http.StatusCreated, "")
		})
		path := draft.header.Get("Location")
		step("changeDeclaration", func(id string) answer {
			return w.do(http.MethodPatch, path, f.token, map[string]any{"content": map[string]any{"notes": "a"}}, named(id), header{
				"If-Match", `"1"`,
			}, header{"Content-Type", "application/merge-patch+json"}).want(t, http.StatusOK, "")
		})
		step("submitDeclaration", func(id string) answer {
			return w.do(http.MethodPost, path+"/submission", f.token, nil, key(), named(id)).want(t, http.StatusOK, "")
		})
		step("withdrawDeclaration", func(id string) answer {
			return w.do(http.MethodPost, path+"/withdrawal", f.token, nil, key(), named(id)).want(t, http.StatusOK, "")
		})
		step("startSession", func(id string) answer {
			return w.do(http.MethodPost, "/v1/sessions", "", map[string]any{
				"tax_code": f.person.TaxCode, "pin": f.person.Pin,
			}, named(id)).want(t, http.StatusCreated, "")
		})

		stranger := w.loginAs(w.createPerson(map[string]any{}))
		w.do(http.MethodGet, path, stranger.AccessToken, nil, named("trace-refused")).want(t, http.StatusNotFound, "not-found")
		w.do(http.MethodGet, path, f.token, nil, named("trace-read-it")).want(t, http.StatusOK, "")
		w.do(http.MethodPost, "/v1/sessions", "", map[string]any{
			"tax_code": f.person.TaxCode, "pin": wrongPIN,
		}, named("trace-failed-login")).want(
			t, http.StatusUnauthorized, "",
		)
		w.app.AccessLog.Flush(context.Background())
		for _, id := range []string{"trace-refused", "trace-read-it", "trace-failed-login"} {
			if n := count("access_log", "request_id = ?", id); n != 1 {
				t.Errorf("%s left %d rows in the access log", id, n)
			}
		}
		if log := w.log.String(); strings.Contains(log, f.person.TaxCode) || strings.Contains(log, f.person.Pin) ||
			strings.Contains(log, f.token) {
			t.Error("the log holds a tax code, a PIN or a token")
		}
	})
}

// TestPromises_NothingPersonalIsCachedOrCrossed: many users at once, each sees what is theirs
// alone.
func TestPromises_NothingPersonalIsCachedOrCrossed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		const users, rounds = 64, 160
		type user struct {
			person client.SandboxPerson
			token  string
		}
		people := make([]user, users)
		for i := range people {
			p := w.createPerson(map[string]any{"given_name": fmt.Sprintf("Utente %c%c", 'A'+i/26, 'A'+i%26)})
			people[i] = user{p, w.loginAs(p).AccessToken}
		}
		var all sync.WaitGroup
		for _, u := range people {
			all.Go(func() {
				for range rounds {
					a := w.do(http.MethodGet, "/v1/me", u.token, nil)
					if a.status != http.StatusOK || a.field("person_id") != u.person.PersonId.String() ||
						a.header.Get("Cache-Control") != "no-store" {
						t.Errorf("answered %d %s with Cache-Control %q", a.status, a.body, a.header.Get("Cache-Control"))
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// naughty are values that break careless programs.
var naughty = []string{
	"", " ", "NULL", "undefined", "true", "0", "-1", "1e309", "NaN", "'; DROP TABLE people; --", `" OR ""="`, "<script>alert(1)</script>",
	"../../../etc/passwd", "%00", "\\", "${jndi:x}", "{{7*7}}",
	"\t\r\n", "\u202etxt.exe", "à̖̗", "Ω≈ç√∫˜µ≤≥÷", "田中さん", "👩‍👩‍👧‍👧", "\ufeff", "ﷺ", strings.Repeat("a", 10_000),
	strings.Repeat("è", 5_000), "\x7f", "\u0085", "\u2028",
}

// TestPromises_BadInputIsNeverAFailure: every string of every body with naughty values, and bodies
// cut, doubled, too deep and too long.
func TestPromises_BadInputIsNeverAFailure(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		send := func(path, token, body string) {
			t.Helper()
			if a := w.do(http.MethodPost, path, token, body, key()); a.status >= 500 || a.status < 200 {
				t.Errorf("%s answered %d to %.80q: %s", path, a.status, body, a.body)
			}
		}
		bodies := []struct {
			path, token string
			body        map[string]any
		}{
			{"/v1/sessions", "", map[string]any{"tax_code": "RSSMRA80A01H501U", "pin": "x"}},
			{"/v1/sessions/current/tokens", "", map[string]any{"refresh_token": "x"}},
			{"/v1/contributor-searches", f.token, map[string]any{"tax_code": "x", "legal_name": "x"}},
			{"/v1/declaration-searches", f.token, map[string]any{"worker_tax_code": "x", "type": "x", "state": "x"}},
			{f.path, f.token, f.draft(map[string]any{"step": "x", "right_id": "x", "supersedes_id": "x"})},
			{"/v1/receipt-verifications", "", map[string]any{"jws": "x"}},
			{"/v1/sandbox/people", "", map[string]any{"tax_code": "x", "given_name": "x", "family_name": "x", "office_code": "x"}},
		}
		for _, b := range bodies {
			for field := range b.body {
				for _, value := range naughty {
					changed := map[string]any{}
					for name, v := range b.body {
						changed[name] = v
					}
					changed[field] = value
					encoded, err := json.Marshal(changed)
					if err != nil {
						t.Fatal(err)
					}
					send(b.path, b.token, string(encoded))
				}
			}
			whole, err := json.Marshal(b.body)
			if err != nil {
				t.Fatal(err)
			}
			text := string(whole)
			for _, bad := range []string{
				text[:len(text)/2], text + text, strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 50_000), "null", "[]", "1", `""`,
				`{"a":"\u0000"}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}",
			} {
				send(b.path, b.token, bad)
			}
		}
		a := w.do(http.MethodPost, f.path, f.token, `{"type":"RIOC","content":"`+strings.Repeat("a", 2<<20)+`"}`, key())
		a.want(t, http.StatusRequestEntityTooLarge, "")
		for _, text := range []string{`\u0000`, `\ud800`} {
			body := strings.Replace(mustJSON(t, f.draft(map[string]any{"content": withNotes(t, f.example, "PLACE")})), "PLACE", text, 1)
			w.do(http.MethodPost, f.path, f.token, body, key()).want(t, http.StatusUnprocessableEntity, "validation-failed")
		}
		for _, text := range []string{"田中さん", "👩‍👩‍👧‍👧", "<script>alert(1)</script>", "Ω≈ç√∫˜µ≤≥÷", `"\/`, "'; DROP TABLE people; --"} {
			filed := w.do(
				http.MethodPost, f.path, f.token, f.draft(map[string]any{"content": withNotes(t, f.example, text)}), key(),
			).want(t, http.StatusCreated, "")
			if got := w.do(http.MethodGet, filed.header.Get("Location"), f.token, nil).field("content", "notes"); got != text {
				t.Errorf("%q came back as %q", text, got)
			}
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPromises_MetricsNameRoutesOnly: what operators see counts requests by route, and names
// nobody.
func TestPromises_MetricsNameRoutesOnly(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		f := w.filer()
		w.do(http.MethodGet, f.path, f.token, nil).want(t, http.StatusOK, "")
		recorder := httptest.NewRecorder()
		w.app.AdminHandler().ServeHTTP(recorder, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", nil))
		metrics := recorder.Body.String()
		if !strings.Contains(metrics, `http_route="/v1/contributors/{contributor_id}/declarations"`) ||
			strings.Contains(metrics, f.contributor.String()) || strings.Contains(metrics, f.person.TaxCode) {
			t.Errorf("metrics are\n%s", metrics)
		}
	})
}
