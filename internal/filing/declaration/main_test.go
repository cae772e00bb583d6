package declaration_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// asked returns a context as the edge makes it for an operation of the contract.
func asked(operation string) context.Context {
	return audit.WithOrigin(ctx, audit.Origin{Operation: operation, RequestID: "request-1", Address: "192.0.2.1"})
}

// refused checks that an error is a fault of the kind, with these fields (pointer and code in
// turn).
func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	var want []fault.Field
	for i := 0; i < len(fields); i += 2 {
		want = append(want, fault.Field{Pointer: fields[i], Code: fields[i+1]})
	}
	if diff := cmp.Diff(want, f.Fields, cmpopts.IgnoreFields(fault.Field{}, "Right")); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

// conflict checks that an error is a conflict for the reason.
func conflict(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Errorf("%s: %v, want a conflict: %s", what, err, reason)
	}
}

// show is what a request is shown, where the actor's session lets one in, else what the service
// shows.
func show(t *testing.T, a *world.App, by access.Actor, id uuid.UUID) declaration.View {
	t.Helper()
	if entered, err := a.Guard.Enter(ctx, by.SessionID, showing, access.Target{DeclarationID: id}); err == nil {
		by = entered
	}
	d, err := a.Declarations.Show(ctx, by, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func submit(t *testing.T, a *world.App, by access.Actor, id uuid.UUID) declaration.View {
	t.Helper()
	d, err := a.Declarations.Submit(ctx, by, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// setState moves a submitted declaration as the office's decision will.
func setState(t *testing.T, a *world.App, id uuid.UUID, state declaration.State) {
	t.Helper()
	a.Exec(t, "UPDATE declarations SET state = ? WHERE id = ?", state, id)
}

// ceased adds a position that is closed.
func ceased(t *testing.T, a *world.App, c world.Company) uuid.UUID {
	t.Helper()
	p := contributor.Position{
		ID: uuid.Must(uuid.NewV7()), ContributorID: c.ID, Number: "99" + c.Positions[0].Number[2:], Scheme: "aziende",
		OfficeCode: world.Rome, State: contributor.PositionCeased, CreatedAt: a.Clock.Now(),
	}
	a.Must(t, func(ctx context.Context) error { return a.DB.From(ctx).Create(&p).Error })
	return p.ID
}
