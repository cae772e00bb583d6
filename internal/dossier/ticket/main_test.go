package ticket_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/platform/attachment"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// The beginnings of files.
const (
	pdf = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"
	png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
)

// fixture is an App in which tickets are opened.
type fixture struct {
	*world.App
	t *testing.T
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	return &fixture{App: world.New(t, d), t: t}
}

func (w *fixture) upload(name, content string) *attachment.Upload {
	w.t.Helper()
	u, err := attachment.Spool(strings.NewReader(content), name, w.t.TempDir(), attachment.MaxSize)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = u.Close() })
	return u
}

// about is a ticket about the first position of a company.
func about(c world.Company) ticket.New {
	return ticket.New{
		ContributorID: c.ID, PositionID: &c.Positions[0].ID, Topic: "payments-refunds", Subject: "Rimborso dell'F24 di maggio",
		Text: "È stato versato due volte.\nSi chiede il rimborso.", Email: new("studio@example.com"), Phone: new("333 1234567"),
	}
}

func (w *fixture) open(by access.Actor, in ticket.New) ticket.Ticket {
	w.t.Helper()
	opened, err := w.Tickets.File(ctx, by, in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return opened
}

// enterTicket lets the holder of a session in to a ticket, as a request does.
func (w *fixture) enterTicket(by access.Actor, id uuid.UUID) (access.Actor, error) {
	return w.Guard.Enter(ctx, by.SessionID, access.Rule{To: access.ToTicket, Service: access.Dossier}, access.Target{AffairID: id})
}

// blobs lists what is stored.
func (w *fixture) blobs() []string {
	w.t.Helper()
	var keys []string
	list := w.Blobs.List(nil)
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
}

// told lists what was promised about tickets: kind, channel and address.
func (w *fixture) told() []string {
	w.t.Helper()
	var lines []string
	if err := w.DB.From(ctx).Raw("SELECT kind || ' ' || channel || ' ' || recipient FROM outbox WHERE kind LIKE 'ticket.%' " +
		"ORDER BY created_at, kind, channel").Scan(&lines).Error; err != nil {
		w.t.Fatal(err)
	}
	return lines
}

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

func conflict(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.Conflict || f.Reason != reason {
		t.Errorf("%s: %v, want a conflict: %s", what, err, reason)
	}
}

// enterDossier lets a session in to the dossier of a contributor.
func (w *fixture) enterDossier(session, contributorID uuid.UUID) access.Actor {
	w.t.Helper()
	rule := access.Rule{To: access.ToContributor, Service: access.Dossier}
	by, err := w.Guard.Enter(ctx, session, rule, access.Target{ContributorID: contributorID})
	if err != nil {
		w.t.Fatal(err)
	}
	return by
}
