package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/app"
	"diresco/internal/identity/pin"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// cheapPINs makes hashing quick: what it costs is not what these tests are about.
var cheapPINs = pin.HasherOptions{Memory: 64, Time: 1, Slots: 4, Queue: 256, Wait: 30 * time.Second}

// fixture is a running sandbox with a clock that stands still until the test moves it.
type fixture struct {
	t     *testing.T
	app   *app.App
	clock *clock.Manual
	url   string
	dir   string
	log   *syncBuffer
	// dma is a list of public employees of the filer's, once there is one.
	dma  string
	http *http.Client
	// witness has seen all that was asked and answered.
	witness *witness
	// stop ends the server in order; it is done at the test's end if not before.
	stop func()
}

// syncBuffer is a buffer that the server writes and the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start opens a sandbox on the database.
func start(t *testing.T, databaseURL string) *fixture {
	t.Helper()
	return startWith(t, databaseURL, cheapPINs)
}

// startWith opens a sandbox that hashes PINs in the given way and is configured otherwise than by
// default.
func startWith(t *testing.T, databaseURL string, hashing pin.HasherOptions, configure ...func(*config.Config)) *fixture {
	t.Helper()
	return startAs(t, databaseURL, app.Options{PIN: hashing}, configure...)
}

// startAs opens a sandbox with what the options replace, configured otherwise than by default.
func startAs(t *testing.T, databaseURL string, o app.Options, configure ...func(*config.Config)) *fixture {
	t.Helper()
	w := &fixture{t: t, clock: clock.NewManual(time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)), dir: t.TempDir(), log: &syncBuffer{}}
	listener := httptest.NewUnstartedServer(nil)
	c := config.Config{
		Addr: listener.Listener.Addr().String(), PublicURL: "http://" + listener.Listener.Addr().String(), DataDir: w.dir,
		DatabaseURL: secret.Text(databaseURL), BlobURL: "file://" + w.dir + "/blobs", RatePerson: 1_000_000, RateApplication: 1_000_000, RateAddress: 1_000_000,
	}
	for _, change := range configure {
		change(&c)
	}
	var err error
	o.Sandbox, o.Version, o.Clock = true, "test", w.clock
	o.Log = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.app, err = app.Open(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = w.app.Handler()
	listener.Start()
	w.url = listener.URL
	transport := newContractTransport(t)
	w.http, w.witness = &http.Client{Transport: transport}, transport.witness
	w.stop = sync.OnceFunc(func() {
		w.app.EndStreams() // a listener waits for what goes on
		listener.Close()
		w.trailNamesRights()
		w.everyChangeLeftItsTrace()
		w.noSecretStands()
		if err := w.app.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// each runs the test on a sandbox of its own for each kind of database. On PostgreSQL the service
// works as the role that it is given in production.
func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		if strings.HasPrefix(rawURL, "postgres") {
			rawURL = dbtest.Restricted(t, rawURL)
		}
		test(t, start(t, rawURL))
	})
}

// eachAsOwner is each for tests that begin the sandbox anew, which deletes what the service never
// deletes.
func eachAsOwner(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.EachURL(t, func(t *testing.T, rawURL string) { test(t, start(t, rawURL)) })
}

// as returns a client with the access token, or without one when it is empty.
func (w *fixture) as(token string) *client.ClientWithResponses {
	w.t.Helper()
	authorize := func(_ context.Context, r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	}
	c, err := client.NewClientWithResponses(w.url+"/v1", client.WithHTTPClient(w.http), client.WithRequestEditorFn(authorize))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// people lists the sandbox's people.
func (w *fixture) people() []client.SandboxPerson {
	w.t.Helper()
	limit := client.Limit(100)
	r, err := w.as("").ListSandboxPeopleWithResponse(context.Background(), &client.ListSandboxPeopleParams{Limit: &limit})
	if err != nil || r.JSON200 == nil {
		w.t.Fatalf("people: %v %s", err, r.Body)
	}
	return r.JSON200.Items
}

// person returns the first of the sandbox's people that fits.
func (w *fixture) person(fits func(client.SandboxPerson) bool) client.SandboxPerson {
	w.t.Helper()
	for _, p := range w.people() {
		if fits(p) {
			return p
		}
	}
	w.t.Fatal("the sandbox has no such person")
	return client.SandboxPerson{}
}

func hasRole(role client.ActingAs, level client.CredentialLevel) func(client.SandboxPerson) bool {
	return func(p client.SandboxPerson) bool {
		return len(p.Roles) > 0 && p.Roles[0].Role == role && p.CredentialLevel == level
	}
}

func operatorOf(office string) func(client.SandboxPerson) bool {
	return func(p client.SandboxPerson) bool {
		return p.UserClass == client.UserClassOperator && p.OfficeCode != nil && *p.OfficeCode == office
	}
}

// login starts a session and fails the test if that is refused.
func (w *fixture) login(taxCode, pin string) client.Session {
	w.t.Helper()
	r, err := w.as("").StartSessionWithResponse(context.Background(), nil, client.SessionStart{TaxCode: taxCode, Pin: pin})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.JSON201 == nil {
		w.t.Fatalf("login: %d %s", r.StatusCode(), r.Body)
	}
	return *r.JSON201
}

func (w *fixture) loginAs(p client.SandboxPerson) client.Session {
	w.t.Helper()
	return w.login(p.TaxCode, p.Pin)
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem returns the slug of the problem that was answered.
func (a answer) problem() string {
	var p struct{ Type string }
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Type[strings.LastIndex(p.Type, "/")+1:]
}

// field returns the value at a path of the answer's JSON object.
func (a answer) field(path ...string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

// header is one header of a request.
type header struct{ name, value string }

// do sends a request as it stands, for what the generated client would never send.
func (w *fixture) do(method, path, token string, body any, headers ...header) answer {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, w.url+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	response, err := w.http.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.Header.Get("Content-Type") == "text/event-stream" {
		// It has no end.
		return answer{status: response.StatusCode, header: response.Header}
	}
	read, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header, body: read}
}

// key is a fresh idempotency key.
func key() header { return header{"Idempotency-Key", uuid.NewString()} }

// want fails the test unless the answer has the status and, when it is a refusal, the problem.
func (a answer) want(t *testing.T, status int, problem string) answer {
	t.Helper()
	if a.status != status || problem != "" && a.problem() != problem {
		t.Fatalf("answered %d %s, want %d %s: %s", a.status, a.problem(), status, problem, a.body)
	}
	return a
}

// decode reads the body as JSON.
func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatal(err)
	}
}

// withNotes returns the example with a free text.
func withNotes(t *testing.T, example json.RawMessage, notes string) map[string]any {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal(example, &content); err != nil {
		t.Fatal(err)
	}
	content["notes"] = notes
	return content
}
