package protocol_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const kind = "slip"

var errStore = errors.New("the disk of slips is full")

// slip is the simplest thing that can be filed; it may be refused, or fail late.
type slip struct {
	refused bool
	failing bool
}

// slips is the handler of slips. The gate, where there is one, holds up the first group that is
// stored.
type slips struct{ gate *world.Gate }

func (slips) Check(_ context.Context, entries []*protocol.Entry[slip]) error {
	for _, e := range entries {
		if e.Content.refused {
			e.Refuse(fault.Because(fault.Conflict, "slip-refused"))
		}
	}
	return nil
}

func (s slips) Store(_ context.Context, entries []*protocol.Entry[slip]) error {
	s.gate.Pass()
	for _, e := range entries {
		if e.Content.failing {
			return errStore
		}
		message, err := outbox.NewMessage(
			outbox.Kind{Name: "slip.filed"}, e.By.PersonID, map[string]string{"number": e.Number.String()}, e.At,
		)
		if err != nil {
			return err
		}
		e.Messages = append(e.Messages, message)
	}
	return nil
}

// lane files slips in a register.
type lane struct {
	*protocol.Lane[slip]
	register *protocol.Register
}

func newLane(r *protocol.Register, gate *world.Gate) lane {
	return lane{protocol.NewLane(r, kind, slips{gate}), r}
}

// filer is somebody who files slips.
type filer struct {
	actor access.Actor
	right access.Right
}

func newFiler(t *testing.T, a *world.App) filer {
	t.Helper()
	_, actor := a.Employer(t)
	return filer{actor, actor.Rights[0]}
}

func (f filer) filing(office string, s slip) protocol.Filing[slip] {
	id := uuid.Must(uuid.NewV7())
	return protocol.Filing[slip]{Content: s, Header: protocol.Header{
		Office: office, SubjectID: id, By: f.actor, Right: f.right, Digest: "sha-256:00",
		Trace:  operation.Trace{Right: f.right, SubjectKind: kind, SubjectID: id.String()},
		Origin: audit.Origin{Operation: "fileSlip", RequestID: "request-1", Address: "192.0.2.1"},
	}}
}

func (f filer) claimed(office, key string, s slip) protocol.Filing[slip] {
	filing := f.filing(office, s)
	filing.Claim = world.Claim(f.actor, key)
	return filing
}

// outcome is what one caller of File got.
type outcome struct {
	entry protocol.Entry[slip]
	err   error
}

// later files without waiting for the result.
func later(r lane, f protocol.Filing[slip]) <-chan outcome {
	result := make(chan outcome, 1)
	go func() {
		entry, err := r.File(context.Background(), f)
		result <- outcome{entry, err}
	}()
	return result
}

// together files all of it in one group, in order. The group comes behind a first slip that is held
// up at the gate.
func together(t *testing.T, r lane, gate *world.Gate, first protocol.Filing[slip], filings ...protocol.Filing[slip]) []outcome {
	t.Helper()
	held := later(r, first)
	gate.Reached()
	results := make([]<-chan outcome, len(filings))
	for i, f := range filings {
		results[i] = later(r, f)
		world.Eventually(t, "the filing waits", func() bool { return r.register.Waiting() == i+1 })
	}
	gate.Open()
	if got := <-held; got.err != nil {
		t.Fatalf("the first filing: %v", got.err)
	}
	outcomes := make([]outcome, len(filings))
	for i, result := range results {
		outcomes[i] = <-result
	}
	return outcomes
}

func mustFile(t *testing.T, r lane, f protocol.Filing[slip]) protocol.Entry[slip] {
	t.Helper()
	entry, err := r.File(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// line is a line of the register.
type line struct {
	OfficeCode string
	Year       int
	Number     int
	At         time.Time
	SubjectID  uuid.UUID
}

func lines(t *testing.T, a *world.App, office string) []line {
	t.Helper()
	var all []line
	err := a.DB.From(context.Background()).Raw(
		"SELECT office_code, year, number, at, subject_id FROM protocol_entries WHERE office_code = ? ORDER BY year, number", office,
	).Scan(&all).Error
	if err != nil {
		t.Fatal(err)
	}
	return all
}
