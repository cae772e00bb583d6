package api_test

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"diresco/api"
)

const contractFile = "../openapi.yaml"

// The sections of the contract stand in the order in which documentation shows them. First comes
// what most come for, last what is for the office and for tests.
var sections = []string{
	"Declarations", "Declaration batches", "Receipts", "Declaration types", "Contributors", "Tickets", "Appointments", "Smart tasks", "Electronic file", "Public bodies", "Surveys", "Sessions", "PIN", "Me", "Consents", "Services", "Offices", "Users", "Enrolments",
	"Delegations", "Sub-delegations", "Applications", "Webhooks", "Events", "Status", "Back office", "Channels", "Sandbox",
}

func contract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// eachOperation runs check as a subtest for every operation.
func eachOperation(t *testing.T, check func(t *testing.T, path, method string, op *openapi3.Operation)) {
	t.Helper()
	for path, item := range contract(t).Paths.Map() {
		for method, op := range item.Operations() {
			t.Run(op.OperationID, func(t *testing.T) { check(t, path, method, op) })
		}
	}
}

func TestContract_IsValidOpenAPI(t *testing.T) {
	doc := contract(t)
	if doc.OpenAPI != "3.0.3" {
		t.Errorf("openapi is %s", doc.OpenAPI)
	}
	if err := doc.Validate(
		context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaPatternValidation(),
	); err != nil {
		t.Error(err)
	}
}

func TestContract_EmbeddedContractIsTheContract(t *testing.T) {
	embedded, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(contract(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(embedded)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("the embedded contract is stale: run go generate ./api/...")
	}
}

func TestContract_SectionsAreInOrder(t *testing.T) {
	var got []string
	for _, tag := range contract(t).Tags {
		got = append(got, tag.Name)
	}
	if diff := cmp.Diff(sections, got); diff != "" {
		t.Error(diff)
	}
}

func TestContract_OperationsAreDescribed(t *testing.T) {
	seen := map[string]string{}
	eachOperation(t, func(t *testing.T, path, method string, op *openapi3.Operation) {
		if op.OperationID == "" || op.Summary == "" || op.Description == "" {
			t.Error("operationId, summary and description are needed")
		}
		if other, twice := seen[op.OperationID]; twice {
			t.Errorf("also the id of %s", other)
		}
		seen[op.OperationID] = method + " " + path
		if len(op.Tags) != 1 || !slices.Contains(sections, op.Tags[0]) {
			t.Errorf("tags are %v, want one section", op.Tags)
		}
	})
}

// access is the form of x-access. The server refuses to start with an operation that has none.
type access struct {
	To      string   `json:"to"`
	Classes []string `json:"classes"`
	Service string   `json:"service"`
	Forced  bool     `json:"forced"`
	Fresh   bool     `json:"fresh"`
	Strong  bool     `json:"strong"`
	Shared  bool     `json:"shared"`
	// Passive operations are no activity of the session.
	Passive bool `json:"passive"`
	// Scopes let applications in.
	Scopes []string `json:"scopes"`
	// Dispositive credentials open the back office, and nothing else asks for them here.
	Dispositive bool `json:"dispositive"`
}

func TestContract_EveryOperationSaysWhoMayCallIt(t *testing.T) {
	classes := contract(t).Components.Schemas["UserClass"].Value.Enum
	eachOperation(t, func(t *testing.T, path, _ string, op *openapi3.Operation) {
		raw, err := json.Marshal(op.Extensions["x-access"])
		if err != nil {
			t.Fatal(err)
		}
		var a access
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&a); err != nil {
			t.Fatalf("x-access %s: %v", raw, err)
		}
		if !slices.Contains([]string{
			"anyone", "session", "contributor", "declaration", "delegation", "delegate", "office", "position", "ticket", "smart_task", "dma",
		}, a.To) {
			t.Errorf("x-access to %q", a.To)
		}
		for _, class := range a.Classes {
			if !slices.Contains(classes, any(class)) {
				t.Errorf("unknown user class %q", class)
			}
		}
		if op.Tags[0] == "Back office" &&
			(len(a.Classes) == 0 || slices.Contains(a.Classes, "citizen") || slices.Contains(a.Classes, "institutional_intermediary")) {
			t.Errorf("the back office is open to %v", a.Classes)
		}
		if inside := strings.HasPrefix(path, "/backoffice/"); inside != a.Dispositive || inside != (op.Tags[0] == "Back office") {
			t.Errorf("%s needs dispositive credentials: %v", path, a.Dispositive)
		}
		// What is scoped by the path must be checked against the path.
		for _, scope := range []string{"contributor", "declaration", "delegation", "delegate"} {
			if inPath := strings.Contains(path, "{"+scope+"_id}"); inPath != (a.To == scope) {
				t.Errorf("access is to %s but the path is %s", a.To, path)
			}
		}
		if wantService := strings.Contains(op.Tags[0], "Declarations") || op.Tags[0] == "Receipts"; wantService &&
			strings.Contains(path, "_id}") && a.Service != "declarations" {
			t.Errorf("service is %q", a.Service)
		}
		if op.Security == nil {
			t.Fatal("no security of its own")
		}
		want := openapi3.SecurityRequirements{{"bearer": {}}}
		if a.To == "anyone" {
			want = openapi3.SecurityRequirements{{}, {"bearer": {}}}
		}
		if diff := cmp.Diff(want, *op.Security); diff != "" {
			t.Errorf("security does not fit access to %s: %s", a.To, diff)
		}
		if (a.Forced || a.Fresh || a.Shared) && a.To != "session" && a.To != "office" {
			t.Error("forced, fresh and shared are properties of a session")
		}
	})
}

// TestOperations_StandInNoGoList keeps what the edge does with an operation in the contract, where
// it is read together with it. The pages do some of what operations do, and are traced under their
// names.
func TestOperations_StandInNoGoList(t *testing.T) {
	ids := map[string]bool{}
	for _, item := range contract(t).Paths.Map() {
		for _, op := range item.Operations() {
			ids[op.OperationID] = true
		}
	}
	files := 0
	err := filepath.WalkDir("../internal/httpapi", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasSuffix(filepath.ToSlash(name), "pages/account") {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if value, err := strconv.Unquote(literal.Value); err == nil && ids[value] {
				t.Errorf("%s names %s: say it in the contract, as an extension of the operation", set.Position(literal.Pos()), value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no file found")
	}
}

// nowhere is the one operation that makes what can be asked for at no address.
const nowhere = "startFederatedLogin"

func TestContract_EveryResponseHasAnExampleAndTheCommonHeaders(t *testing.T) {
	common := []string{
		"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Request-Id", "Cache-Control", "Vary", "Access-Control-Allow-Origin",
	}
	eachOperation(t, func(t *testing.T, _, _ string, op *openapi3.Operation) {
		for status, ref := range op.Responses.Map() {
			response := ref.Value
			wanted := common
			if status >= "400" {
				wanted = append(slices.Clone(wanted), "Content-Language")
			}
			if (status == "201" || status == "202") && op.OperationID != nowhere {
				wanted = append(slices.Clone(wanted), "Location")
			}
			if status == "429" || status == "503" {
				wanted = append(slices.Clone(wanted), "Retry-After")
			}
			for _, name := range wanted {
				if response.Headers[name] == nil {
					t.Errorf("%s: no header %s", status, name)
				}
			}
			for mediaType, media := range response.Content {
				if strings.HasSuffix(mediaType, "json") && media.Example == nil && len(media.Examples) == 0 {
					t.Errorf("%s %s: no example", status, mediaType)
				}
				if status >= "400" && mediaType != "application/problem+json" {
					t.Errorf("%s answers %s", status, mediaType)
				}
			}
		}
		if op.RequestBody != nil {
			for mediaType, media := range op.RequestBody.Value.Content {
				if media.Example == nil && len(media.Examples) == 0 {
					t.Errorf("body %s: no example", mediaType)
				}
			}
		}
	})
}

func TestContract_PostsTakeAnIdempotencyKey(t *testing.T) {
	required := []string{
		"takeDeclarationInCharge", "decideDeclaration",
		"takeTicketInCharge", "commentTicket", "routeTicket", "closeTicket", "reopenTicket",
		"draftDeclaration", "submitDeclaration", "withdrawDeclaration", "fileDeclarationBatch", "cancelDeclarationBatch",
		"addContact", "verifyContact", "resendContactCode",
		"filePinRequest", "decidePinRequest", "decidePinUpgrade", "registerPerson", "suspendPerson", "addOperator", "confirmOperator",
		"confirmIssuedPin", "keepPinDocument", "retryDelivery",
		"requestSmartTask", "publishDeclarationType", "confirmIdentity", "grantContributorRole", "grantIntermediaryRole", "fileEnrolment", "decideEnrolment", "importRegister",
		"draftDelegation", "sendDelegationOtp", "activateDelegation", "revokeDelegation", "draftDelegationBatch", "grantSubDelegation",
		"revokeSubDelegation", "registerApplication", "decideApplication", "suspendApplication",
		"openTicket", "addTicketComment", "remindTicket",
		"bookAppointment", "confirmAppointment", "rescheduleAppointment", "cancelAppointment", "publishSlots", "withdrawSlot", "markAppointment",
		"addWebhook", "rotateWebhookSecret", "pingWebhook", "replayWebhookDeliveries", "publishSurvey", "closeSurvey",
		"fileDmaSubmission",
	}
	eachOperation(t, func(t *testing.T, _, method string, op *openapi3.Operation) {
		key := op.Parameters.GetByInAndName("header", "Idempotency-Key")
		if (key != nil) != (method == "POST") {
			t.Fatalf("%s has the header: %t", method, key != nil)
		}
		if key != nil && key.Required != slices.Contains(required, op.OperationID) {
			t.Errorf("required is %t", key.Required)
		}
	})
}

func TestContract_IdempotencyKeyForms(t *testing.T) {
	schema := contract(t).Components.Schemas["IdempotencyKeyValue"].Value
	for key, want := range map[string]bool{
		"12345678": true, `"12345678"`: true, strings.Repeat("k", 255): true, `"` + strings.Repeat("k", 255) + `"`: true,
		"1234567": false, `"1234567"`: false, `"12345678`: false, "1234 5678": false, "12345678\u00e8": false,
		strings.Repeat("k", 256): false,
	} {
		if got := schema.VisitJSON(key) == nil; got != want {
			t.Errorf("%q accepted: %t", key, got)
		}
	}
}

// receipts answers showReceipt in the first form that the caller names; every other operation would
// panic.
type receipts struct{ api.StrictServerInterface }

func (receipts) ShowReceipt(_ context.Context, r api.ShowReceiptRequestObject) (api.ShowReceiptResponseObject, error) {
	switch accept := *r.Params.Accept; {
	case strings.HasPrefix(accept, "application/jose"):
		return api.ShowReceipt200ApplicationjoseResponse{Body: strings.NewReader("a.b.c")}, nil
	case strings.HasPrefix(accept, "application/pdf"):
		return api.ShowReceipt200ApplicationpdfResponse{Body: strings.NewReader("%PDF")}, nil
	default:
		return api.ShowReceipt200JSONResponse{}, nil
	}
}

func TestContract_ReceiptHandlerCanChooseTheForm(t *testing.T) {
	e := echo.New()
	api.RegisterHandlers(e, api.NewStrictHandler(receipts{}, nil))
	for accept, want := range map[string]string{
		"application/jose":                                   "application/jose",
		"application/pdf, application/json;q=0.5":            "application/pdf",
		"application/json":                                   "application/json",
		"text/html, application/xhtml+xml, */*;q=0.8, x/y=1": "application/json",
	} {
		request := httptest.NewRequestWithContext(
			t.Context(), http.MethodGet, "/declarations/018f3b20-2d4e-7f60-9b72-8d9e0f1a2b3c/receipt", nil,
		)
		request.Header.Set("Accept", accept)
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, request)
		if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || got != want {
			t.Errorf("Accept: %s: got %d %s %s", accept, answer.Code, got, answer.Body)
		}
	}
}
