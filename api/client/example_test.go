package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"diresco/api/client"
	"diresco/internal/app"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
)

// Log in, declare for one's contributor, and have the receipt in the same answer.
func Example() {
	server, end := exampleSandbox()
	defer end()
	ctx, tester := context.Background(), must(client.NewClientWithResponses(server))

	people := must(tester.ListSandboxPeopleWithResponse(ctx, nil)).JSON200.Items
	me := people[0]
	session := must(tester.StartSessionWithResponse(ctx, nil, client.SessionStart{TaxCode: me.TaxCode, Pin: me.Pin})).JSON201

	api := must(client.NewClientWithResponses(server, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+session.AccessToken)
		return nil
	})))
	contributor := must(api.ListContributorsWithResponse(ctx, nil)).JSON200.Items[0]
	position := must(api.ListPositionsWithResponse(ctx, contributor.ContributorId, nil)).JSON200.Items[0]
	of := must(api.ShowDeclarationTypeWithResponse(ctx, "RIOC", nil)).JSON200

	submit := true
	// Keep the key until there is an answer: a repeat with the same key files nothing twice.
	filed, err := api.DraftDeclarationWithResponse(ctx, contributor.ContributorId,
		&client.DraftDeclarationParams{IdempotencyKey: uuid.NewString()},
		client.DeclarationDraft{Type: of.Code, PositionId: position.PositionId, Content: of.ContentExample, Submit: &submit})
	if err != nil || filed.JSON201 == nil {
		// Every refusal is a problem, with the fields that are wrong.
		fmt.Println(err, filed.ApplicationproblemJSONDefault)
		return
	}
	receipt := must(api.VerifyReceiptWithResponse(ctx, nil, client.ReceiptToVerify{Jws: filed.JSON201.Receipt.Jws})).JSON200
	fmt.Println(filed.JSON201.State, receipt.Valid, *receipt.ProtocolNumber == *filed.JSON201.ProtocolNumber)
	// Output: submitted true true
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// exampleSandbox starts a sandbox and returns the base address of its API.
func exampleSandbox() (server string, end func()) {
	dir := must(os.MkdirTemp("", "diresco-client-"))
	listener := httptest.NewUnstartedServer(nil)
	address := listener.Listener.Addr().String()
	a := must(app.Open(context.Background(), config.Config{
		Addr: address, PublicURL: "http://" + address, DataDir: dir, DatabaseURL: secret.Text("sqlite:" + filepath.Join(dir, "diresco.db")),
		BlobURL: "file://" + dir + "/blobs", RatePerson: 600, RateApplication: 600, RateAddress: 600,
	}, app.Options{Sandbox: true, Log: slog.New(slog.DiscardHandler)}))
	listener.Config.Handler = a.Handler()
	listener.Start()
	return listener.URL + "/v1", func() {
		listener.Close()
		_ = a.Close()
		_ = os.RemoveAll(dir)
	}
}
