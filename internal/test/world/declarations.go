package world

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/idempotency"
)

// Type is a declaration type that comes with the program, in one step and with a worker.
const Type = "RIOC"

// Worker is the worker in Content.
const Worker = "RSSMRA80A01H501U"

// Content is a complete content for Type.
func Content() json.RawMessage { return ContentFor(Worker) }

// ContentFor is a complete content for Type about another worker.
func ContentFor(worker string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(
		`{"worker_tax_code":%q,"mandatory_communication_code":"1700021200123456","average_monthly_pay":"1850.00","employer_contribution_rate":23.81}`,
		worker,
	))
}

// Input is a complete declaration at the company's first position.
func (c Company) Input(submit bool) declaration.Input {
	return declaration.Input{Type: Type, PositionID: c.Positions[0].ID, Content: Content(), Submit: submit}
}

// WithKey returns a context that claims an idempotency key of the actor's.
func WithKey(ctx context.Context, by access.Actor, key string) context.Context {
	return idempotency.WithClaim(ctx, Claim(by, key))
}

// Claim returns a claim of one of the actor's idempotency keys.
func Claim(by access.Actor, key string) *idempotency.Claim {
	return &idempotency.Claim{Scope: "person:" + by.PersonID.String(), Key: key, Operation: "draftDeclaration", RequestMAC: "mac"}
}

// Submit files a complete declaration for the company and ends the test when that fails.
func (a *App) Submit(t testing.TB, by access.Actor, c Company) declaration.View {
	t.Helper()
	return a.Draft(t, by, c, c.Input(true))
}

// Draft makes what the input says and ends the test when that fails.
func (a *App) Draft(t testing.TB, by access.Actor, c Company, in declaration.Input) declaration.View {
	t.Helper()
	d, err := a.Declarations.Draft(context.Background(), by, c.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
