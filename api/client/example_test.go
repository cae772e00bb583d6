package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/uuid"

	"diresco/api/client"
)

// Log in, declare for one's contributor, and have the receipt in the same answer.
func Example() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()

	// In the sandbox a session is given away; an application asks people for theirs (App).
	session := must(must(client.New(server, client.Options{})).OpenSandboxSessionWithResponse(ctx, "rep-rome", nil)).JSON201
	api := must(client.New(server, client.Options{Tokens: client.StaticToken(session.AccessToken)}))

	contributor := must(api.ListContributorsWithResponse(ctx, nil)).JSON200.Items[0]
	position := must(api.ListPositionsWithResponse(ctx, contributor.ContributorId, nil)).JSON200.Items[0]
	of := must(api.ShowDeclarationTypeWithResponse(ctx, "RIOC", nil)).JSON200

	submit := true
	// A key that is kept makes it safe to file again after a crash: nothing is filed twice.
	filed, err := api.DraftDeclarationWithResponse(ctx, contributor.ContributorId,
		&client.DraftDeclarationParams{IdempotencyKey: uuid.NewString()},
		client.DeclarationDraft{Type: of.Code, PositionId: position.PositionId, Content: of.ContentExample, Submit: &submit})
	if err != nil {
		fmt.Println(err) // a *Problem says which fields are wrong
		return
	}
	receipt := must(api.VerifyReceiptWithResponse(ctx, nil, client.ReceiptToVerify{Jws: filed.JSON201.Receipt.Jws})).JSON200
	fmt.Println(filed.JSON201.State, receipt.Valid, *receipt.ProtocolNumber == *filed.JSON201.ProtocolNumber)
	// Output: submitted true true
}

// A program without a browser shows a code, which its user types on any device.
func ExampleApp_StartDevice() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()

	app := must(client.Discover(ctx, client.AppConfig{
		Issuer: strings.TrimSuffix(server, "/v1"), ClientID: "sandbox-payroll", Scopes: []string{"declarations", "offline_access"},
	}))
	device := must(app.StartDevice(ctx))
	// Show device.VerificationURI and device.UserCode. Somebody logs in there, types the code and agrees:
	somebody(server, "rep-rome").typesCode(device.VerificationURI, device.UserCode)

	device.Interval = 1 // only the first question may come so soon
	first := must(app.WaitForDevice(ctx, device))
	tokens := must(app.Begin(ctx, &client.MemoryStore{}, first)) // a FileStore lets the program come back tomorrow
	api := must(client.New(server, client.Options{Tokens: tokens}))
	fmt.Println(len(must(api.ListContributorsWithResponse(ctx, nil)).JSON200.Items) > 0)
	// Output: true
}

// A refusal is an error with a code and the fields that are wrong.
func ExampleProblem() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()
	api, contributor, position := representative(ctx, server)

	submit := true
	_, err := api.DraftDeclarationWithResponse(ctx, contributor, &client.DraftDeclarationParams{}, client.DeclarationDraft{
		Type: "RIOC", PositionId: position, Submit: &submit, Content: []byte(`{"worker_tax_code":"RSSMRA80A01H501X"}`),
	})
	var p *client.Problem
	if errors.As(err, &p) && p.Code == client.ProblemCodeValidationFailed {
		fmt.Println(p.Code, p.Fields()[0].Place(), p.Fields()[0].Code)
	}
	// Output: validation-failed /content/average_monthly_pay required
}

// A list is gone through page by page, as if it were one.
func ExampleAPI_AllDeclarations() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()
	api, contributor, position := representative(ctx, server)
	for range 3 {
		fileOne(ctx, api, contributor, position)
	}

	limit := int32(1)
	n := 0
	for declaration, err := range api.AllDeclarations(ctx, contributor, client.ListDeclarationsParams{Limit: &limit}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if declaration.Type == "RIOC" {
			n++
		}
		if n == 3 {
			break // nothing more is asked for
		}
	}
	fmt.Println(n)
	// Output: 3
}

// What happens is heard of, without asking again and again, and without missing anything.
func ExampleAPI_FollowEvents() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()
	api, contributor, position := representative(ctx, server)

	after := "latest"
	begin := must(api.ListEventsWithResponse(ctx, &client.ListEventsParams{After: &after})).JSON200.NextCursor
	filed := fileOne(ctx, api, contributor, position)

	for event, err := range api.FollowEvents(ctx, client.EventOptions{After: begin}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Type, event.Subject.Id == filed.DeclarationId)
		break // keep event.Cursor to go on from there tomorrow
	}
	// Output: declaration.submitted true
}

// A receipt is verified without asking anybody, by the keys that are published.
func ExampleReceiptVerifier() {
	server, end := exampleSandbox()
	defer end()
	ctx := context.Background()
	api, contributor, position := representative(ctx, server)
	filed := fileOne(ctx, api, contributor, position)

	verifier := must(client.FetchReceiptVerifier(ctx, strings.TrimSuffix(server, "/v1"), nil))
	receipt, err := verifier.Verify(filed.Receipt.Jws)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(receipt.ProtocolNumber == *filed.ProtocolNumber, must(receipt.MatchesContent(filed.Content)), receipt.Filer.Is(somebody(server, "rep-rome").taxCode))
	_, err = verifier.Verify(filed.Receipt.Jws[:len(filed.Receipt.Jws)-4] + "AAAA")
	fmt.Println(errors.Is(err, client.ErrNotAReceipt))
	// Output:
	// true true true
	// true
}

// An endpoint believes what is signed by its secret, and nothing else.
func ExampleWebhookVerifier() {
	verifier := must(client.NewWebhookVerifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	endpoint := func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10)))
		call, err := verifier.Verify(r.Header, body)
		if err != nil {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		// Store it by call.Data.EventID, answer at once, and look at the subject afterwards.
		fmt.Println(call.Type, call.Data.Subject.Kind)
	}

	for _, header := range []http.Header{signedCall(), {}} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hook", strings.NewReader(payload))
		r.Header = header
		w := httptest.NewRecorder()
		endpoint(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// declaration.submitted declaration
	// 200
	// 401
}

// representative returns the API of a legal representative, with a company and a position.
func representative(ctx context.Context, server string) (api *client.API, contributor, position uuid.UUID) {
	session := must(must(client.New(server, client.Options{})).OpenSandboxSessionWithResponse(ctx, "rep-rome", nil)).JSON201
	api = must(client.New(server, client.Options{Tokens: client.StaticToken(session.AccessToken)}))
	contributor = must(api.ListContributorsWithResponse(ctx, nil)).JSON200.Items[0].ContributorId
	position = must(api.ListPositionsWithResponse(ctx, contributor, nil)).JSON200.Items[0].PositionId
	return api, contributor, position
}

// fileOne files a declaration.
func fileOne(ctx context.Context, api *client.API, contributor, position uuid.UUID) *client.Declaration {
	of := must(api.ShowDeclarationTypeWithResponse(ctx, "RIOC", nil)).JSON200
	submit := true
	return must(api.DraftDeclarationWithResponse(ctx, contributor, &client.DraftDeclarationParams{}, client.DeclarationDraft{
		Type: of.Code, PositionId: position, Content: of.ContentExample, Submit: &submit,
	})).JSON201
}
