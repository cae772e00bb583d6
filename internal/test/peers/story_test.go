//go:build peers

package peers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// site is an address at which the program is reached.
type site struct {
	t   *testing.T
	url string
}

// request is one request; parts that are empty are left out.
type request struct {
	method, path, token string
	header              map[string]string
	body                any
}

// answer is a response that was read as it came, compressed or not.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// plain leaves to the tests what the library would do with compression.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}, Timeout: patience}

func (s site) send(r request) (answer, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(encoded)
	}
	sent, err := http.NewRequestWithContext(s.t.Context(), r.method, s.url+r.path, body)
	if err != nil {
		return answer{}, err
	}
	if r.body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if r.method == http.MethodPost {
		sent.Header.Set("Idempotency-Key", uuid.NewString())
	}
	if r.token != "" {
		sent.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, value := range r.header {
		sent.Header.Set(name, value)
	}
	response, err := plain.Do(sent)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, errors.Join(errNoAnswer, err)
	}
	return answer{response.StatusCode, response.Header, read}, nil
}

// do sends a request that must be answered with the status.
func (s site) do(r request, status int) answer {
	s.t.Helper()
	a, err := s.send(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if a.status != status {
		s.t.Fatalf("%s %s answered %d, want %d: %s", r.method, r.path, a.status, status, a.body)
	}
	return a
}

// field returns what stands at a path of names in the body.
func (a answer) field(t *testing.T, names ...string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, name := range names {
		if list, is := value.([]any); is {
			if len(list) == 0 {
				t.Fatalf("an empty list in %s", a.body)
			}
			value = list[0]
		}
		object, is := value.(map[string]any)
		if !is {
			t.Fatalf("no %s in %s", name, a.body)
		}
		value = object[name]
	}
	return value
}

// employer is somebody who declares for a contributor.
type employer struct {
	site
	token, contributor, position string
	content                      any
}

// employer logs the first of the sandbox's people in, who is a legal representative.
func (s site) employer() employer {
	s.t.Helper()
	person := s.do(request{method: http.MethodGet, path: "/v1/sandbox/people?limit=1"}, http.StatusOK)
	session := s.do(request{method: http.MethodPost, path: "/v1/sessions", body: map[string]any{
		"tax_code": person.field(s.t, "items", "tax_code"), "pin": person.field(s.t, "items", "pin"),
	}}, http.StatusCreated)
	e := employer{site: s, token: session.field(s.t, "access_token").(string)}
	e.contributor = e.do(request{method: http.MethodGet, path: "/v1/contributors", token: e.token}, http.StatusOK).
		field(s.t, "items", "contributor_id").(string)
	positions := "/v1/contributors/" + e.contributor + "/positions"
	e.position = e.do(request{method: http.MethodGet, path: positions, token: e.token}, http.StatusOK).
		field(s.t, "items", "position_id").(string)
	e.content = e.do(request{method: http.MethodGet, path: "/v1/declaration-types/RIOC"}, http.StatusOK).field(s.t, "content_example")
	return e
}

// declare drafts a declaration, or files it.
func (e employer) declare(submit bool) answer {
	e.t.Helper()
	body := map[string]any{"type": "RIOC", "position_id": e.position, "content": e.content}
	if submit {
		body["submit"] = true
	}
	return e.do(
		request{method: http.MethodPost, path: "/v1/contributors/" + e.contributor + "/declarations", token: e.token, body: body},
		http.StatusCreated,
	)
}

// story logs in, files many declarations at once, and reads and verifies their receipts.
func (s site) story(filings int) {
	t := s.t
	t.Helper()
	e := s.employer()
	numbers := make(chan string, filings)
	var all sync.WaitGroup
	for range filings {
		all.Go(func() {
			body := map[string]any{"type": "RIOC", "position_id": e.position, "content": e.content, "submit": true}
			a, err := e.send(
				request{method: http.MethodPost, path: "/v1/contributors/" + e.contributor + "/declarations", token: e.token, body: body},
			)
			if err != nil || a.status != http.StatusCreated {
				t.Errorf("filed: %d %s, %v", a.status, a.body, err)
				return
			}
			numbers <- a.field(t, "protocol_number").(string)
		})
	}
	all.Wait()
	close(numbers)
	seen := map[string]bool{}
	for number := range numbers {
		if seen[number] {
			t.Errorf("number %s was given twice", number)
		}
		seen[number] = true
	}
	if len(seen) != filings {
		t.Errorf("%d of %d were filed", len(seen), filings)
	}
	filed := e.declare(true)
	path := "/v1/declarations/" + filed.field(t, "declaration_id").(string)
	receipt := func(kind string) []byte {
		t.Helper()
		accept := map[string]string{"Accept": kind}
		return e.do(request{method: http.MethodGet, path: path + "/receipt", token: e.token, header: accept}, http.StatusOK).body
	}
	body := map[string]any{"jws": string(receipt("application/jose"))}
	verified := e.do(request{method: http.MethodPost, path: "/v1/receipt-verifications", body: body}, http.StatusOK)
	if verified.field(t, "valid") != true {
		t.Errorf("the receipt is %s", verified.body)
	}
	if !strings.HasPrefix(string(receipt("application/pdf")), "%PDF-") {
		t.Error("the receipt is no PDF")
	}
	e.do(request{method: http.MethodGet, path: "/v1/declarations", token: e.token}, http.StatusOK)
	e.do(request{method: http.MethodDelete, path: "/v1/sessions/current", token: e.token}, http.StatusNoContent)
	e.do(request{method: http.MethodGet, path: "/v1/me", token: e.token}, http.StatusUnauthorized)
}
