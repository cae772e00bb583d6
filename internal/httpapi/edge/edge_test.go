package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/metric/noop"

	"diresco"
	"diresco/api"
	"diresco/internal/httpapi/pages"
	"diresco/internal/httpapi/problem"
	"diresco/internal/httpapi/reqctx"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
)

var (
	mine          = uuid.MustParse("018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e0f")
	anothers      = uuid.MustParse("018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e00")
	aPosition     = uuid.MustParse("018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a")
	aDeclaration  = uuid.MustParse("018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c")
	myPerson      = uuid.MustParse("018f3a10-5b7c-7d2e-9a41-0c5d6e7f8091")
	mySession     = uuid.MustParse("018f3b21-3e5f-7a71-8c83-9e0f1a2b3c4d")
	anApplication = uuid.MustParse("018f3b22-4f6a-7b82-9d94-0f1a2b3c4d5e")
)

// handlers answers for the services. What a test does not set is what it does not call.
type handlers struct {
	api.StrictServerInterface
	start  func(api.StartSessionRequestObject) (api.StartSessionResponseObject, error)
	draft  func(context.Context, api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error)
	show   func(context.Context) (api.ShowDeclarationResponseObject, error)
	me     func(context.Context) (api.ShowMeResponseObject, error)
	create func(context.Context)
	form   func(*reqctx.Form)
	raw    func(context.Context, *reqctx.Raw, api.DraftDelegationBatchRequestObject)
}

func (h *handlers) ShowStatus(context.Context, api.ShowStatusRequestObject) (api.ShowStatusResponseObject, error) {
	return api.ShowStatus200JSONResponse{Status: api.StatusStatusUp}, nil
}

func (h *handlers) StartSession(_ context.Context, r api.StartSessionRequestObject) (api.StartSessionResponseObject, error) {
	return h.start(r)
}

func (h *handlers) RenewSession(context.Context, api.RenewSessionRequestObject) (api.RenewSessionResponseObject, error) {
	return api.RenewSession200JSONResponse{SessionId: mySession}, nil
}

func (h *handlers) ConfirmPinRotation(context.Context, api.ConfirmPinRotationRequestObject) (api.ConfirmPinRotationResponseObject, error) {
	return nil, fault.InvalidFields(fault.Field{Pointer: "/pin", Code: fault.FieldWrongPIN})
}

func (h *handlers) DraftDeclaration(ctx context.Context, r api.DraftDeclarationRequestObject) (api.DraftDeclarationResponseObject, error) {
	if h.draft != nil {
		return h.draft(ctx, r)
	}
	return drafted(r.Body.Content), nil
}

func drafted(content json.RawMessage) api.DraftDeclaration201JSONResponse {
	return api.DraftDeclaration201JSONResponse{
		Body:    api.Declaration{DeclarationId: aDeclaration, Content: content},
		Headers: api.DraftDeclaration201ResponseHeaders{ETag: `"1"`, Location: "/v1/declarations/" + aDeclaration.String()},
	}
}

func (h *handlers) ShowDeclaration(ctx context.Context, _ api.ShowDeclarationRequestObject) (api.ShowDeclarationResponseObject, error) {
	if h.show != nil {
		return h.show(ctx)
	}
	return api.ShowDeclaration200JSONResponse{
		Body:    api.Declaration{DeclarationId: aDeclaration, Content: json.RawMessage(`{}`)},
		Headers: api.ShowDeclaration200ResponseHeaders{ETag: `"3"`},
	}, nil
}

func (h *handlers) ChangeDeclaration(_ context.Context, r api.ChangeDeclarationRequestObject) (api.ChangeDeclarationResponseObject, error) {
	return api.ChangeDeclaration200JSONResponse{
		Body:    api.Declaration{DeclarationId: aDeclaration, Content: r.Body.Content},
		Headers: api.ChangeDeclaration200ResponseHeaders{ETag: `"4"`},
	}, nil
}

func (h *handlers) SubmitDeclaration(context.Context, api.SubmitDeclarationRequestObject) (api.SubmitDeclarationResponseObject, error) {
	return api.SubmitDeclaration200JSONResponse{Body: api.Declaration{DeclarationId: aDeclaration, Content: json.RawMessage(`{}`)}}, nil
}

func (h *handlers) ListMyDeclarations(context.Context, api.ListMyDeclarationsRequestObject) (api.ListMyDeclarationsResponseObject, error) {
	return api.ListMyDeclarations200JSONResponse{}, nil
}

func (h *handlers) SearchContributors(context.Context, api.SearchContributorsRequestObject) (api.SearchContributorsResponseObject, error) {
	return api.SearchContributors200JSONResponse{}, nil
}

func (h *handlers) ShowReceipt(_ context.Context, r api.ShowReceiptRequestObject) (api.ShowReceiptResponseObject, error) {
	if *r.Params.Accept == "application/pdf" {
		return api.ShowReceipt200ApplicationpdfResponse{Body: strings.NewReader("%PDF"), ContentLength: 4}, nil
	}
	return api.ShowReceipt200JSONResponse{Body: api.Receipt{ProtocolNumber: *r.Params.Accept}}, nil
}

func (h *handlers) ShowMe(ctx context.Context, _ api.ShowMeRequestObject) (api.ShowMeResponseObject, error) {
	if h.me != nil {
		return h.me(ctx)
	}
	return api.ShowMe200JSONResponse{PersonId: reqctx.ActorOf(ctx).PersonID}, nil
}

func (h *handlers) ListOffices(context.Context, api.ListOfficesRequestObject) (api.ListOfficesResponseObject, error) {
	return api.ListOffices200JSONResponse{}, nil
}

func (h *handlers) ShowSandboxClock(context.Context, api.ShowSandboxClockRequestObject) (api.ShowSandboxClockResponseObject, error) {
	return api.ShowSandboxClock200JSONResponse{}, nil
}

func (h *handlers) CreateSandboxContributor(
	ctx context.Context, r api.CreateSandboxContributorRequestObject,
) (api.CreateSandboxContributorResponseObject, error) {
	if h.create != nil {
		h.create(ctx)
	}
	name := "no body"
	if r.Body != nil {
		name = *r.Body.LegalName
	}
	return api.CreateSandboxContributor201JSONResponse{
		Body:    api.SandboxContributor{LegalName: name},
		Headers: api.CreateSandboxContributor201ResponseHeaders{Location: "/v1/sandbox/contributors"},
	}, nil
}

// rows is an access log in memory.
type rows struct {
	mu   sync.Mutex
	rows []audit.Access
}

func (r *rows) Add(_ context.Context, row audit.Access) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row)
}

// answers keeps what is to be remembered.
type answers struct{ kept []idempotency.Answer }

func (a *answers) Remember(_ *idempotency.Claim, answer idempotency.Answer) {
	a.kept = append(a.kept, answer)
}

// guard lets the session see mine, nothing of anothers.
type guard struct {
	asked []access.Rule
	// office is where whoever is let in works.
	office string
}

func (g *guard) EnterAs(_ context.Context, caller access.Caller, rule access.Rule, target access.Target) (access.Actor, error) {
	id := caller.SessionID
	g.asked = append(g.asked, rule)
	actor := access.Actor{SessionID: id, PersonID: myPerson, OfficeCode: g.office}
	if g.office != "" {
		actor.UserClass = access.Operator
	}
	if caller.ClientID != "" {
		actor.Grant = &access.Grant{ApplicationID: anApplication, ClientID: caller.ClientID, Scopes: caller.Scopes}
		if !slices.ContainsFunc(rule.Scopes, actor.Grant.Has) {
			return actor, &fault.Fault{Code: fault.Forbidden, Reason: access.ReasonScope, Allowed: rule.Scopes}
		}
	}
	if id != mySession {
		actor.Grant = nil // nobody looked
		return actor, fault.New(fault.SessionEnded)
	}
	switch rule.To {
	case access.ToContributor:
		actor.ContributorID = target.ContributorID
		if target.ContributorID != mine {
			return actor, fault.New(fault.NotFound)
		}
	case access.ToDeclaration:
		actor.ContributorID = mine
		if target.DeclarationID != aDeclaration {
			return actor, fault.New(fault.NotFound)
		}
	case access.ToOffice:
		if g.office == "" {
			return actor, fault.New(fault.Forbidden)
		}
	case access.ToAnyone, access.ToSession, access.ToDelegate, access.ToDelegation, access.ToPosition, access.ToTicket, access.ToSmartTask, access.ToDMA:
	}
	return actor, nil
}

// world is an edge with fakes around it.
type world struct {
	t        testing.TB
	handlers *handlers
	log      *bytes.Buffer
	access   *rows
	answers  *answers
	guard    *guard
	http     http.Handler
	sights   map[string]Sight
	proofs   *proofs
}

func parseToken(_ context.Context, token string) (access.Caller, error) {
	switch token {
	case "live":
		return access.Caller{SessionID: mySession, PersonID: myPerson}, nil
	case "another":
		return access.Caller{SessionID: uuid.UUID{15: 7}, PersonID: myPerson}, nil
	case "somebody":
		return access.Caller{SessionID: uuid.UUID{15: 8}, PersonID: uuid.UUID{15: 9}}, nil
	case "software":
		return access.Caller{SessionID: mySession, PersonID: myPerson, ClientID: "payroll", Scopes: []string{"declarations.read"}}, nil
	case "bound-software":
		return access.Caller{
			SessionID: mySession, PersonID: myPerson, ClientID: "payroll", Scopes: []string{"declarations.read"},
			Binding: access.Binding{Key: boundKey},
		}, nil
	case "ended-software":
		return access.Caller{SessionID: aDeclaration, PersonID: myPerson, ClientID: "payroll", Scopes: []string{"declarations.read"}}, nil
	case "ended":
		return access.Caller{SessionID: aDeclaration, PersonID: myPerson}, nil
	case "expired":
		return access.Caller{}, fault.Because(fault.Unauthenticated, problem.ReasonTokenExpired)
	default:
		return access.Caller{}, fault.Because(fault.Unauthenticated, problem.ReasonTokenInvalid)
	}
}

func testMACs(parts ...[]byte) []string {
	sum := sha256.Sum256(bytes.Join(parts, []byte{0}))
	return []string{hex.EncodeToString(sum[:])}
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	return newWorldWith(t, nil, change...)
}

// newWorldWith is newWorld with further pages.
func newWorldWith(t testing.TB, further []pages.Page, change ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, handlers: &handlers{}, log: &bytes.Buffer{}, access: &rows{}, answers: &answers{}, guard: &guard{},
		sights: map[string]Sight{}, proofs: newProofs(),
	}
	config := Config{PublicURL: "https://diresco.example", Contract: diresco.Contract, PersonRate: 100_000, ApplicationRate: 100_000, AddressRate: 100_000}
	for _, c := range change {
		c(&config)
	}
	deps := Deps{
		Tokens: parseToken, Proofs: w.proofs, Guard: w.guard, AccessLog: w.access, Answers: w.answers, MACs: testMACs, Sights: w.sights, Pages: further,
		ApplicationOf: func(context.Context, string) (uuid.UUID, error) { return anApplication, nil },
		PublicKeys:    func(context.Context) (any, error) { return map[string]any{"keys": []any{}}, nil },
		Log:           slog.New(slog.NewJSONHandler(w.log, nil)), Meter: noop.Meter{},
	}
	if _, bench := t.(*testing.B); bench {
		deps.Log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	}
	var err error
	if w.http, err = New(config, deps, w.handlers); err != nil {
		t.Fatal(err)
	}
	return w
}

// on is the same world for a subtest.
func (w *world) on(t *testing.T) *world {
	again := *w
	again.t = t
	return &again
}

func sandboxed(c *Config) { c.Sandbox = true }

// unhurried is for what is fuzzed, which asks for more in a minute than anybody may.
func unhurried(c *Config) {
	c.PersonRate, c.ApplicationRate, c.AddressRate = math.MaxInt32, math.MaxInt32, math.MaxInt32
}

// ask is a request; a header without a value is not sent.
type ask struct {
	method, path, body string
	header             map[string]string
	token              string
	address            string
	chunked            bool
}

func (w *world) do(a ask) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.serve(w.request(a))
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.http.ServeHTTP(answer, r)
	return answer
}

func (w *world) request(a ask) *http.Request {
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
		if a.chunked {
			body = io.MultiReader(body)
		}
	}
	r := httptest.NewRequestWithContext(context.Background(), a.method, a.path, body)
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for name, value := range a.header {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	if a.address != "" {
		r.RemoteAddr = a.address
	}
	return r
}

// problem checks that the answer is a problem of the status and kind, and returns it.
func (w *world) problem(answer *httptest.ResponseRecorder, status int, code fault.Code) api.Problem {
	w.t.Helper()
	var p api.Problem
	if answer.Code != status || answer.Header().Get("Content-Type") != "application/problem+json" {
		w.t.Fatalf(
			"got %d %s %s, want a problem with status %d (%s)", answer.Code, answer.Header().Get("Content-Type"), answer.Body, status, code,
		)
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
		w.t.Fatal(err)
	}
	if want := "https://diresco.example/problems/" + string(code); p.Type != want || int(p.Status) != status || p.Title == "" ||
		p.Detail == "" || p.Instance != "urn:request:"+answer.Header().Get("Request-Id") {
		w.t.Fatalf("got %+v, want type %s", p, want)
	}
	if answer.Header().Get("Cache-Control") != "no-store" {
		w.t.Errorf("a problem may be cached: %q", answer.Header().Get("Cache-Control"))
	}
	return p
}

func (w *world) outcomes() []string {
	var all []string
	for _, r := range w.access.rows {
		all = append(all, r.Operation+" "+r.Outcome)
	}
	return all
}

const draftPath = "/v1/contributors/018f3a12-0a1b-7c3d-8e4f-5a6b7c8d9e0f/declarations"

const draftBody = `{"type":"RIOC","position_id":"018f3a12-0b2c-7d4e-9f50-6b7c8d9e0f1a","content":{"b":1,"a":"è"}}`

// draft asks for a draft, with what makes it right unless the test changes it.
func draft(body string) ask {
	return ask{
		method: http.MethodPost, path: draftPath, body: body, token: "live", header: map[string]string{"Idempotency-Key": "key-00000001"},
	}
}

func (a ask) with(header ...string) ask {
	a.header = maps.Clone(a.header)
	if a.header == nil {
		a.header = map[string]string{}
	}
	for pair := range slices.Chunk(header, 2) {
		a.header[pair[0]] = pair[1]
	}
	return a
}

func TestEdge_EveryOperationIsServedUnderItsRule(t *testing.T) {
	contract, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	operations, err := readOperations(contract)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*operation{}
	for _, op := range operations {
		byID[op.id] = op
	}
	for _, c := range []struct {
		id         string
		rule       access.Rule
		remembered bool
		sandbox    bool
		cacheable  bool
		reads      bool
	}{
		{id: "showStatus", rule: access.Rule{To: access.ToAnyone}},
		{id: "startSession", rule: access.Rule{To: access.ToAnyone}},
		{id: "rotatePin", rule: access.Rule{To: access.ToSession, Forced: true, Fresh: true}},
		{
			id: "draftDeclaration",
			rule: access.Rule{
				To: access.ToContributor, Service: access.Declarations,
				Classes: []access.UserClass{access.Citizen, access.InstitutionalIntermediary},
			},
			remembered: true,
		},
		{
			id: "submitDeclaration",
			rule: access.Rule{
				To: access.ToDeclaration, Service: access.Declarations,
				Classes: []access.UserClass{access.Citizen, access.InstitutionalIntermediary},
			},
			remembered: true,
		},
		{id: "showDeclaration", rule: access.Rule{To: access.ToDeclaration, Service: access.Declarations}, reads: true},
		{id: "searchDeclarations", rule: access.Rule{To: access.ToContributor, Service: access.Declarations}, reads: true},
		{id: "searchMyDeclarations", rule: access.Rule{To: access.ToSession}},
		{id: "verifyReceipt", rule: access.Rule{To: access.ToAnyone}},
		{
			id:   "listOfficeDeclarations",
			rule: access.Rule{To: access.ToOffice, Classes: []access.UserClass{access.Operator}, Dispositive: true}, reads: true,
		},
		{
			id: "activateDelegation",
			rule: access.Rule{
				To: access.ToDelegation, Strong: true, Service: access.Delegations,
				Classes: []access.UserClass{access.Citizen, access.InstitutionalIntermediary},
			},
			remembered: true,
		},
		{id: "listDelegations", rule: access.Rule{To: access.ToSession}, reads: true},
		{id: "showSubDelegation", rule: access.Rule{To: access.ToSession}, reads: true},
		{id: "listOffices", rule: access.Rule{To: access.ToAnyone}, cacheable: true},
		{id: "createSandboxPerson", rule: access.Rule{To: access.ToAnyone}, remembered: true, sandbox: true},
	} {
		op := byID[c.id]
		if op == nil {
			t.Errorf("%s is missing", c.id)
			continue
		}
		if op.rule.To != c.rule.To || op.rule.Forced != c.rule.Forced || op.rule.Fresh != c.rule.Fresh || op.rule.Strong != c.rule.Strong ||
			op.rule.Service != c.rule.Service || op.rule.Dispositive != c.rule.Dispositive || !slices.Equal(
			op.rule.Classes, c.rule.Classes,
		) {
			t.Errorf("%s: rule %+v, want %+v", c.id, op.rule, c.rule)
		}
		if op.remembered != c.remembered || op.sandbox != c.sandbox || (op.cacheable != nil) != c.cacheable || op.readsOthers != c.reads {
			t.Errorf("%s: remembered %v, sandbox %v, cacheable %v, reads %v", c.id, op.remembered, op.sandbox, op.cacheable, op.readsOthers)
		}
	}
}

func TestEdge_AnOperationWithoutARightRuleStopsTheStart(t *testing.T) {
	for name, extension := range map[string]any{
		"none": nil, "unknown to": map[string]any{"to": "everybody"}, "unknown member": map[string]any{"to": "session", "forcd": true},
		"unknown class":   map[string]any{"to": "session", "classes": []string{"pirate"}},
		"unknown service": map[string]any{"to": "session", "service": "x"},
		"no target":       map[string]any{"to": "contributor"}, "narrowed anyone": map[string]any{"to": "anyone", "fresh": true},
		"anyone logged in": map[string]any{"to": "anyone", "strong": true},
		"anyone applying":  map[string]any{"to": "anyone", "dispositive": true},
	} {
		t.Run(name, func(t *testing.T) {
			contract, err := api.GetSpec()
			if err != nil {
				t.Fatal(err)
			}
			me := contract.Paths.Value("/me").Get
			me.Extensions = map[string]any{"x-access": extension}
			if extension == nil {
				me.Extensions = nil
			}
			if _, err := readOperations(contract); err == nil || !strings.Contains(err.Error(), "/me") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEdge_ThereIsNoEdgeWithoutItsParts(t *testing.T) {
	if _, err := New(Config{Contract: diresco.Contract, PersonRate: 1, AddressRate: 1}, Deps{}, &handlers{}); err == nil {
		t.Error("an edge without a guard was made")
	}
}

func TestEdge_TheRequestTellsItsPattern(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/v1/declarations/" + aDeclaration.String(): "GET /v1/declarations/{declaration_id}", "/problems/conflict": "GET /problems/:slug",
		"/nowhere/at/all": "unmatched",
	} {
		r := w.request(ask{method: http.MethodGet, path: path, token: "live"})
		w.serve(r)
		if r.Pattern != want {
			t.Errorf("%s: got %q, want %q", path, r.Pattern, want)
		}
	}
}

func TestEdge_OneLineForEachRequestWithNothingThatWasSent(t *testing.T) {
	w := newWorld(t)
	w.do(ask{method: http.MethodGet, path: "/v1/declarations/" + aDeclaration.String() + "?secret=hunter2", token: "live"})
	w.do(ask{method: http.MethodGet, path: "/nowhere/hunter2"})
	w.do(ask{method: "HUNTER2", path: "/v1/me"})
	if text := w.log.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "HUNTER2") ||
		strings.Contains(text, aDeclaration.String()) || strings.Contains(text, "live") {
		t.Errorf("the log holds what was sent: %s", text)
	}
	var line struct {
		Msg, Method, Route string
		Status             int
		Duration           time.Duration
		RequestID          string `json:"request_id"`
	}
	if err := json.NewDecoder(w.log).Decode(&line); err != nil {
		t.Fatal(err)
	}
	if line.Msg != "request" || line.Method != "GET" || line.Route != "GET /v1/declarations/{declaration_id}" || line.Status != 400 ||
		line.RequestID == "" {
		t.Errorf("got %+v", line)
	}
}
