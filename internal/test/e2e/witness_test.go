package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/golang-jwt/jwt/v5"
)

// witness sees all requests of a test and their answers. What is promised of every operation is
// looked at there, whatever the test is about.
type witness struct {
	mu sync.Mutex
	// changes are the requests that changed something, by operation, sender and Idempotency-Key.
	changes map[intent][]string
	// before are the keys of what was done before the test began, which may repeat it.
	before []string
	// secrets are those that were given out, by what they are.
	secrets map[string]string
}

// intent is what somebody wants once, however often it is sent.
type intent struct{ operation, sender, key string }

// shownOnce are members of answers that are secrets, with how long those are at least.
var shownOnce = map[string]int{
	"access_token": 40, "refresh_token": 20, "pin": 8, "secret": 20, "device_code": 20, "user_code": 8, "request_uri": 20,
}

// toldInMessages are members of the sandbox's messages in which codes and halves of a PIN stand.
const toldInMessages = "text"

// typed is a PIN, a half of one or a code that the service made.
var typed = regexp.MustCompile(`\b[2-9A-HJKMNP-Z]{8}(?:[2-9A-HJKMNP-Z]{8})?\b`)

// saw looks at one answer of an operation. It returns what is wrong with it.
func (w *witness) saw(request *http.Request, o *openapi3.Operation, response *http.Response, body []byte) error {
	rule, _ := o.Extensions["x-access"].(map[string]any)
	if kept := response.Header.Get("Cache-Control"); rule["to"] != "anyone" && kept != "no-store" {
		return fmt.Errorf("%s may be cached: %q", o.OperationID, kept)
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.OperationID == "resetSandbox" {
		clear(w.changes)
	}
	key := strings.Trim(request.Header.Get("Idempotency-Key"), `"`)
	if changes(request, o) && !slices.Contains(w.before, key) {
		id := response.Header.Get("Request-Id")
		if key == "" || o.Extensions["x-answer"] == "secret" {
			key = id // a repeat is a request of its own
		}
		of := intent{o.OperationID, senderOf(request), key}
		w.changes[of] = append(w.changes[of], id)
	}
	w.note(o.OperationID, body)
	return nil
}

// changes reports whether a request is one that changes something, of somebody's that is no test
// data.
func changes(request *http.Request, o *openapi3.Operation) bool {
	return request.Method != http.MethodHead && mayChange(request.Method, request.URL.Path, o)
}

// mayChange reports whether an operation changes something, as the contract tells.
func mayChange(method, path string, o *openapi3.Operation) bool {
	return method != http.MethodGet && !strings.HasSuffix(path, "-searches") && o.Extensions["x-idempotency"] != "none" &&
		!slices.Contains(o.Tags, "Sandbox")
}

// senderOf is whose keys a request has: those of a person, or of an application that acts for one.
func senderOf(request *http.Request) string {
	_, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return ""
	}
	return fmt.Sprint(claims["sub"], claims["client_id"])
}

// note keeps the secrets of an answer.
func (w *witness) note(what string, body []byte) {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return
	}
	w.noteIn(what, value)
}

func (w *witness) noteIn(what string, value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			w.noteIn(what, v)
		}
	case map[string]any:
		for name, v := range value {
			text, is := v.(string)
			least, secret := shownOnce[name]
			switch {
			case is && secret && len(text) >= least:
				w.secrets[text] = name + " of " + what
			case is && what == "listSandboxMessages" && name == toldInMessages:
				for _, code := range typed.FindAllString(text, -1) {
					if strings.ContainsAny(code, "23456789") && strings.ContainsAny(code, "ABCDEFGHJKMNPQRSTUVWXYZ") {
						w.secrets[code] = "what a message tells"
					}
				}
			default:
				w.noteIn(what, v)
			}
		}
	}
}

// word is what a secret could be in a text.
var word = regexp.MustCompile(`[A-Za-z0-9._~-]{8,}|\b[2-9A-HJKMNP-Za-hjkmnp-z]{4}[ -][2-9A-HJKMNP-Za-hjkmnp-z]{4}\b`)

// found names the secrets that stand in a text, in clear.
func (w *witness) found(text string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := map[string]bool{}
	for _, one := range word.FindAllString(text, -1) {
		one = strings.Trim(one, ".")
		for _, form := range []string{one, strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(one))} {
			if name, known := w.secrets[form]; known {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// tracedMore are operations that leave further records beside the one, with the reason.
var tracedMore = map[string]string{
	"fileDeclarationBatch":  "each declaration of it that is filed meanwhile has its own",
	"requestSmartTask":      "what it decides at once has its own",
	"startFederatedSession": "what a first login makes, notes or completes has its own",
}

// everyChangeLeftItsTrace looks at what every test leaves: a record of each change, under the request
// by which it was made, and no second one without a reason.
func (w *fixture) everyChangeLeftItsTrace() {
	w.t.Helper()
	w.witness.mu.Lock()
	defer w.witness.mu.Unlock()
	var ids []string
	for _, of := range w.witness.changes {
		ids = append(ids, of...)
	}
	records := map[[2]string]int{}
	for some := range slices.Chunk(ids, 500) {
		var rows []struct {
			RequestID, Operation string
			Records              int
		}
		err := w.app.DB.From(context.Background()).Raw(
			"SELECT request_id, operation, COUNT(*) AS records FROM audit_records WHERE request_id IN ? GROUP BY request_id, operation", some,
		).Scan(&rows).Error
		if err != nil {
			w.t.Error(err)
			return
		}
		for _, r := range rows {
			records[[2]string{r.RequestID, r.Operation}] = r.Records
		}
	}
	for of, requests := range w.witness.changes {
		n := 0
		for _, id := range requests {
			n += records[[2]string{id, of.operation}]
		}
		if n < 1 || n > 1 && tracedMore[of.operation] == "" {
			w.t.Errorf("%s left %d audit records with %d requests", of.operation, n, len(requests))
		}
	}
}

// noSecretStands looks at what every test leaves: no token, PIN, half or code that was given out
// stands in the log, or in a table that is not the sandbox's own.
func (w *fixture) noSecretStands() {
	w.t.Helper()
	if names := w.witness.found(w.log.String()); len(names) > 0 {
		w.t.Errorf("the log has %v", names)
	}
	if names := w.witness.found(w.dump()); len(names) > 0 {
		w.t.Errorf("the database has %v", names)
	}
}
