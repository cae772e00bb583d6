package declarationbatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = audit.WithOrigin(context.Background(), audit.Origin{
	Operation: "fileDeclarationBatch", RequestID: "request-1", Address: "192.0.2.1",
})

// fixture is an App with a company of two positions, for which its legal representative files.
type fixture struct {
	*world.App
	t       *testing.T
	service *declarationbatch.Service
	company world.Company
	by      access.Actor
}

func each(t *testing.T, test func(t *testing.T, w *fixture)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &fixture{App: world.New(t, d), t: t}
		w.service = process(w.App)
		w.company, w.by = w.Employer(t, world.Rome, world.Milan)
		test(t, w)
	})
}

// process is what files batches in one process on the database.
func process(a *world.App) *declarationbatch.Service {
	return declarationbatch.NewService(declarationbatch.Deps{
		Runner: a.Runner, Declarations: a.Declarations, Rights: a.Rights, Outbox: a.Outbox, Log: slog.New(slog.DiscardHandler),
	})
}

// entry is a right declaration.
func (w *fixture) entry(reference string) declarationbatch.Entry {
	return declarationbatch.Entry{Reference: reference, Declaration: w.company.Input(true)}
}

// list is so many right declarations, with the references 1, 2, 3 …
func (w *fixture) list(n int) declarationbatch.Input {
	var in declarationbatch.Input
	for i := range n {
		in.Entries = append(in.Entries, w.entry(fmt.Sprint(i+1)))
	}
	return in
}

func (w *fixture) taken(in declarationbatch.Input) uuid.UUID {
	w.t.Helper()
	b, err := w.service.File(ctx, w.by, w.company.ID, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if b.State != declarationbatch.Queued || b.Pending() != len(in.Entries) {
		w.t.Errorf("taken as %+v", b)
	}
	return b.ID
}

func (w *fixture) drain() {
	w.t.Helper()
	if err := w.service.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *fixture) shown(id uuid.UUID) declarationbatch.Batch {
	w.t.Helper()
	b, err := w.service.Show(ctx, w.by, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *fixture) items(id uuid.UUID) (all []declarationbatch.ItemView) {
	w.t.Helper()
	request := page.Request{Limit: 100, List: "listDeclarationBatchItems"}
	for {
		found, err := w.service.Items(ctx, w.by, id, "", request)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, found.Items...)
		if found.Next == "" {
			return all
		}
		request.Cursor = page.Bind(request.List, found.Next)
	}
}

// want checks what became of each item: its reference, state, and why it was refused.
func (w *fixture) want(id uuid.UUID, state declarationbatch.State, wanted ...string) {
	w.t.Helper()
	if b := w.shown(id); b.State != state {
		w.t.Errorf("the batch is %s, want %s", b.State, state)
	}
	var got []string
	for _, i := range w.items(id) {
		text := i.Reference + " " + string(i.State)
		f, err := i.Fault()
		if err != nil {
			w.t.Fatal(err)
		}
		if f != nil {
			text += " " + string(f.Code)
			if f.Reason != "" {
				text += " " + f.Reason
			}
			for _, field := range f.Fields {
				text += " " + field.Pointer + " " + field.Code
			}
		}
		if (i.State == declarationbatch.Filed) != (i.JWS != nil) || i.Content != "" && i.State != declarationbatch.Pending {
			text += " with receipt or content amiss"
		}
		got = append(got, text)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		w.t.Error(diff)
	}
}

// all is what want expects of so many items that fare alike.
func all(n int, outcome string) (wanted []string) {
	for i := range n {
		wanted = append(wanted, fmt.Sprint(i+1)+" "+outcome)
	}
	return wanted
}

// whole checks that what was filed is whole: each declaration once, with its number, receipt,
// reference and trace, and one message for each batch.
func (w *fixture) whole(declarations, batches int) {
	w.t.Helper()
	for what, query := range map[string]string{
		"declarations": "declarations WHERE state <> 'draft'", "numbers": "protocol_entries", "receipts": "protocol_entries WHERE jws IS NOT NULL",
		"references": "declaration_references", "items": "declaration_batch_items WHERE state = 'filed'",
		"traces": "audit_records WHERE operation = 'fileDeclarationBatch' AND subject_kind = 'declaration' AND request_id = 'request-1'",
	} {
		if n := w.Count(w.t, query); n != declarations {
			w.t.Errorf("%d %s, want %d", n, what, declarations)
		}
	}
	if n, others := w.Count(w.t, "outbox WHERE kind = 'declaration.batch_done'"), w.Count(w.t, "outbox"); n != batches || others != n {
		w.t.Errorf("%d messages of a batch, want %d, and %d in all", n, batches, others)
	}
}

func refused(t *testing.T, what string, err error, code fault.Code, fields ...string) {
	t.Helper()
	var got []string
	f, ok := err.(*fault.Fault) //nolint:errorlint // the service's own
	if !ok || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	for _, field := range f.Fields {
		got = append(got, field.Pointer+" "+field.Code)
	}
	if strings.Join(got, ", ") != strings.Join(fields, ", ") {
		t.Errorf("%s: fields %v, want %v", what, got, fields)
	}
}

// counts are how many items wait, are filed, refused and cancelled.
func counts(b declarationbatch.Batch) [4]int {
	return [4]int{b.Pending(), b.ItemsFiled, b.ItemsRefused, b.ItemsCancelled}
}
