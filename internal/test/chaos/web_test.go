package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
)

// site is a server as its clients see it.
type site struct {
	url  string
	http *http.Client
}

func newSite(t *testing.T, url string) site {
	t.Helper()
	connections := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(connections.CloseIdleConnections)
	return site{url: url, http: &http.Client{Transport: connections, Timeout: patience}}
}

// request is one request; parts that are empty are left out.
type request struct {
	method, path, token, key string
	// accept is the form of the answer that is wanted.
	accept string
	// ifMatch names the version that is replaced.
	ifMatch string
	// body is sent as JSON, but for csv, which is sent as it is.
	body any
}

// csv is a file of lines of values.
type csv string

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends the request once. Its error means that there is no whole answer.
func (s site) send(ctx context.Context, r request) (answer, error) {
	var body io.Reader
	kind := ""
	switch content := r.body.(type) {
	case nil:
	case csv:
		body, kind = strings.NewReader(string(content)), "text/csv"
	default:
		encoded, err := json.Marshal(content)
		if err != nil {
			return answer{}, err
		}
		body, kind = bytes.NewReader(encoded), "application/json"
	}
	sent, err := http.NewRequestWithContext(ctx, r.method, s.url+r.path, body)
	if err != nil {
		return answer{}, err
	}
	for name, value := range map[string]string{
		"Idempotency-Key": r.key, "Accept": r.accept, "If-Match": r.ifMatch, "Content-Type": kind,
	} {
		if value != "" {
			sent.Header.Set(name, value)
		}
	}
	if r.token != "" {
		sent.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := s.http.Do(sent)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{status: response.StatusCode, header: response.Header, body: read}, nil
}

// do sends a request that must be answered.
func (s site) do(t *testing.T, r request) answer {
	t.Helper()
	a, err := s.send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// get reads a path.
func (s site) get(t *testing.T, path, token string) answer {
	t.Helper()
	return s.do(t, request{method: http.MethodGet, path: path, token: token})
}

// post sends a body to a path, with a key of its own.
func (s site) post(t *testing.T, path, token string, body any) answer {
	t.Helper()
	return s.do(t, request{method: http.MethodPost, path: path, token: token, key: uuid.NewString(), body: body})
}

func credentials(taxCode, pin string) map[string]string {
	return map[string]string{"tax_code": taxCode, "pin": pin}
}

// login starts a session that must be granted.
func (s site) login(t *testing.T, taxCode, pin string) client.Session {
	t.Helper()
	return decode[client.Session](t, s.post(t, "/v1/sessions", "", credentials(taxCode, pin)).want(t, http.StatusCreated, ""))
}

// want fails the test unless the answer has the status and, when it is a refusal, the problem.
func (a answer) want(t *testing.T, status int, problem string) answer {
	t.Helper()
	if a.status != status || a.problem() != problem {
		t.Fatalf("answered %d %s, want %d %s: %s", a.status, a.problem(), status, problem, a.body)
	}
	return a
}

// problem is the slug of the problem that was answered; empty when it is none.
func (a answer) problem() string {
	var p struct{ Type string }
	if a.header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Type[strings.LastIndex(p.Type, "/")+1:]
}

// decode reads the body as JSON.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// retryAfter is how long a client leaves a server alone that did not serve it.
const retryAfter = 10 * time.Millisecond
