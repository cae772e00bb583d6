package declaration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// promise is a row of the outbox.
type promise struct {
	Kind     string
	PersonID uuid.UUID
	Data     string
}

func promises(t *testing.T, a *world.App) []promise {
	t.Helper()
	var all []promise
	if err := a.DB.From(ctx).Raw("SELECT kind, person_id, data FROM outbox ORDER BY created_at, id").Scan(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDeclaration_FilingADraft(t *testing.T) {
	for _, c := range []struct {
		level   access.CredentialLevel
		state   declaration.State
		message string
	}{
		{access.Dispositive, declaration.Submitted, "declaration.received"},
		{access.Ordinary, declaration.AwaitingCredentials, "declaration.awaiting_credentials"},
	} {
		t.Run(string(c.level), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				company := a.Company(t, world.Rome)
				by := a.Colleague(t, company.ID, access.LegalRepresentative, c.level)
				draft := a.Draft(t, by, company, company.Input(false))
				a.Clock.Advance(time.Hour)
				got, err := a.Declarations.Submit(asked("submitDeclaration"), by, draft.ID)
				if err != nil {
					t.Fatal(err)
				}
				at, number := a.Clock.Now(), "INPS.7000.16/03/2026.0000001"
				digest := declaration.DigestOf(world.Type, 1, company.ID, company.Positions[0].ID, draft.Content)
				want := draft
				want.State, want.Version, want.UpdatedAt, want.ListedAt, want.SubmittedAt = c.state, 2, at, at, &at
				want.ProtocolNumber, want.Digest, want.JWS = &number, &digest, got.JWS
				if diff := cmp.Diff(want, got); diff != "" || got.JWS == "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(got, show(t, a, by, draft.ID)); diff != "" {
					t.Errorf("as it is stored:\n%s", diff)
				}
				data, _ := json.Marshal(map[string]string{
					"protocol_number": number, "submitted_at": "2026-03-16T09:15:00Z", "title": titleOf(t, a, world.Type),
					"type": world.Type,
				})
				if diff := cmp.Diff([]promise{{c.message, by.PersonID, string(data)}}, promises(t, a)); diff != "" {
					t.Error(diff)
				}
				if n := a.Count(t, "audit_records WHERE operation = 'submitDeclaration' AND subject_id "+
					"= ? AND at = ?", draft.ID.String(), at); n != 1 || a.Count(t, "audit_records") != 2 {
					t.Errorf("%d audit records of the submission, %d in all", n, a.Count(t, "audit_records"))
				}
				var entry struct {
					Kind, Digest string
					SubjectID    uuid.UUID
					At           time.Time
				}
				if err := d.From(ctx).Table("protocol_entries").Take(&entry).Error; err != nil {
					t.Fatal(err)
				}
				if entry.Kind != declaration.Kind || entry.Digest != digest || entry.SubjectID != draft.ID || !entry.At.Equal(at) {
					t.Errorf("the register says %+v", entry)
				}
			})
		})
	}
}

func titleOf(t *testing.T, a *world.App, code string) string {
	t.Helper()
	typ, err := a.Types.Get(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	return typ.Title.IT
}

func TestDeclaration_FilingAtOnceIsTheSameAsFilingADraft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		drafted := submit(t, a, by, a.Draft(t, by, c, c.Input(false)).ID)
		atOnce := a.Submit(t, by, c)
		if diff := cmp.Diff(atOnce, show(t, a, by, atOnce.ID)); diff != "" {
			t.Errorf("as it is stored:\n%s", diff)
		}
		later := atOnce.SubmittedAt.Add(-time.Microsecond)
		if *atOnce.ProtocolNumber != "INPS.7000.16/03/2026.0000002" || !later.Equal(*drafted.SubmittedAt) {
			t.Errorf("%s at %v after %s at %v", *atOnce.ProtocolNumber, atOnce.SubmittedAt, *drafted.ProtocolNumber, drafted.SubmittedAt)
		}
		// But for what makes it another declaration, nothing differs.
		for _, f := range []*declaration.View{&drafted, &atOnce} {
			f.ID, f.Version, f.CreatedAt, f.UpdatedAt, f.ListedAt = uuid.Nil, 0, time.Time{}, time.Time{}, time.Time{}
			f.SubmittedAt, f.ProtocolNumber, f.JWS = nil, nil, ""
		}
		if diff := cmp.Diff(drafted, atOnce); diff != "" {
			t.Error(diff)
		}
		if a.Count(t, "audit_records") != 3 || a.Count(t, "outbox") != 2 {
			t.Errorf("%d audit records, %d messages", a.Count(t, "audit_records"), a.Count(t, "outbox"))
		}
	})
}

func TestDeclaration_AnIncompleteDraftIsNotFiled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		in := c.Input(false)
		in.Content = json.RawMessage(`{"worker_tax_code":"` + world.Worker + `","average_monthly_pay":"1850.00"}`)
		draft := a.Draft(t, by, c, in)
		_, err := a.Declarations.Submit(ctx, by, draft.ID)
		refused(
			t, "incomplete", err, fault.Invalid, "/content/employer_contribution_rate", "required", "/content/mandatory_communication_code",
			"required",
		)
		conditionalType := shipped(t, "151-2015", 1)
		conditionalType.Code = "PROVA"
		publish(t, a, conditionalType)
		in = declaration.Input{Type: "PROVA", PositionID: c.Positions[0].ID, Content: json.RawMessage(
			`{"worker_tax_code":"RSSMRA80A01H501U","disability_type":"over_79_percent","contract_type":"fixed_term","annual_taxable_pay":"23400.00","monthly_payments":13}`)}
		conditional := a.Draft(t, by, c, in)
		_, err = a.Declarations.Submit(ctx, by, conditional.ID)
		refused(t, "without what its kind of contract needs", err, fault.Invalid, "/content/contract_months", "required")
		change := declaration.Change{Content: json.RawMessage(`{"contract_months":12}`)}
		if _, err := a.Declarations.Change(ctx, by, conditional.ID, 1, change); err != nil {
			t.Fatal(err)
		}
		submit(t, a, by, conditional.ID)
		if got := show(t, a, by, draft.ID); got.State != declaration.Draft || got.Version != 1 {
			t.Errorf("the incomplete one is %s at version %d", got.State, got.Version)
		}
		if n := a.Count(t, "protocol_entries"); n != 1 {
			t.Errorf("%d lines in the register", n)
		}
	})
}

func TestDeclaration_ADraftIsFiledOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		var filed atomic.Int64
		world.Parallel(20, func(int) {
			_, err := a.Declarations.Submit(ctx, by, draft.ID)
			if err == nil {
				filed.Add(1)
			} else {
				conflict(t, "another submission", err, "declaration-not-draft")
			}
		})
		if filed.Load() != 1 || a.Count(t, "protocol_entries") != 1 || a.Count(t, "outbox") != 1 {
			t.Errorf("filed %d times, %d lines, %d messages", filed.Load(), a.Count(t, "protocol_entries"), a.Count(t, "outbox"))
		}
	})
}

// Whatever happens to a draft while it is filed, what is filed is what was checked and signed.
func TestDeclaration_FilingWhileADraftIsChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		for round := range 10 {
			draft := a.Draft(t, by, c, c.Input(false))
			outcomes := make([]error, 3)
			world.Parallel(3, func(i int) {
				switch i {
				case 0:
					_, outcomes[0] = a.Declarations.Submit(ctx, by, draft.ID)
				case 1:
					_, outcomes[1] = a.Declarations.Change(
						ctx, by, draft.ID, 1, declaration.Change{Content: json.RawMessage(`{"average_monthly_pay":null}`)},
					)
				case 2:
					if round%2 == 1 {
						outcomes[2] = a.Declarations.Discard(ctx, by, draft.ID)
					} else {
						outcomes[2] = fault.New(fault.NotFound)
					}
				}
			})
			left, err := a.Declarations.Show(ctx, by, draft.ID)
			switch {
			case outcomes[2] == nil:
				refused(t, "a discarded draft", err, fault.NotFound)
				if outcomes[0] == nil {
					t.Error("filed and discarded")
				}
			case err != nil:
				t.Fatal(err)
			case outcomes[0] == nil:
				if outcomes[1] == nil || left.State != declaration.Submitted || left.Content != draft.Content ||
					*left.Digest != declaration.DigestOf(left.Type, left.TypeVersion, left.ContributorID, left.PositionID, left.Content) {
					t.Errorf("filed, and changed with %v: %+v", outcomes[1], left)
				}
			default:
				// It was changed, before the register looked (a conflict) or before it was read
				// (incomplete).
				if !fault.Is(outcomes[0], fault.Conflict) && !fault.Is(outcomes[0], fault.Invalid) || outcomes[1] != nil {
					t.Errorf("not filed: %v, and not changed: %v", outcomes[0], outcomes[1])
				}
			}
		}
	})
}

// Of two submissions in one group, the first may be refused for a reason that does not concern the
// second.
func TestDeclaration_ARefusedSubmissionDoesNotTakeTheDraftWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		old := a.Submit(t, by, c)
		in := c.Input(false)
		in.SupersedesID = &old.ID
		draft := a.Draft(t, by, c, in).Declaration
		typ, err := a.Types.Get(ctx, world.Type)
		if err != nil {
			t.Fatal(err)
		}
		stale, right := declaration.NewEntry(draft, typ, by, 7), declaration.NewEntry(draft, typ, by, 1)
		again := declaration.NewEntry(draft, typ, by, 1)
		handler := declaration.NewHandler(d)
		entries := []*declaration.Entry{stale, right, again}
		if err := d.InTx(ctx, func(ctx context.Context) error { return handler.Check(ctx, entries) }); err != nil {
			t.Fatal(err)
		}
		conflict(t, "with a version that is not the last", stale.Err, "declaration-changed")
		if right.Err != nil {
			t.Errorf("with the last version, after that: %v", right.Err)
		}
		conflict(t, "the same again", again.Err, "declaration-not-draft")
	})
}

func TestDeclaration_TheWindowOfAType(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		opens, closes := world.Start.Add(time.Hour), world.Start.Add(2*time.Hour)
		a.Exec(t, "UPDATE declaration_types SET opens_at = ?, closes_at = ? WHERE code = ?", opens, closes, world.Type)
		a.Types = declaration.NewTypes(d, a.Clock)
		b := a.Twin(t, d)
		draft := b.Draft(t, by, c, c.Input(false))
		for _, step := range []struct {
			at   time.Time
			open bool
		}{
			{world.Start, false},
			{opens.Add(-time.Microsecond), false},
			{opens, true},
			{closes.Add(-time.Microsecond), true},
			{closes, false},
		} {
			b.Clock.Advance(step.at.Sub(b.Clock.Now()))
			_, err := b.Declarations.Draft(ctx, by, c.ID, c.Input(true))
			if step.open && err != nil {
				t.Errorf("at %v: %v", step.at, err)
			}
			if !step.open {
				conflict(t, fmt.Sprint(step.at), err, "type-not-open")
				_, err = b.Declarations.Submit(ctx, by, draft.ID)
				conflict(t, fmt.Sprint("a draft at ", step.at), err, "type-not-open")
			}
		}
		if n := b.Count(t, "protocol_entries"); n != 2 {
			t.Errorf("%d were filed", n)
		}
	})
}

// The time that the protocol gives decides about the window. A clock that is behind does not set it
// back.
func TestDeclaration_TheWindowIsKeptByTheTimeOfTheProtocol(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		closes := world.Start.Add(time.Second)
		a.Exec(t, "UPDATE declaration_types SET closes_at = ? WHERE code = ?", closes, world.Type)
		// Another machine, whose clock is ahead, filed last.
		a.Exec(
			t, "INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES (?, 2026, 1, ?)", world.Rome,
			closes.Add(-2*time.Microsecond),
		)
		if got := a.Submit(t, by, c); !got.SubmittedAt.Equal(closes.Add(-time.Microsecond)) {
			t.Errorf("filed at %v", got.SubmittedAt)
		}
		_, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(true))
		conflict(t, "at the closing", err, "type-not-open")
	})
}

func TestDeclaration_APositionThatClosedTakesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		a.Exec(t, "UPDATE positions SET state = 'ceased' WHERE id = ?", c.Positions[0].ID)
		_, err := a.Declarations.Submit(ctx, by, draft.ID)
		refused(t, "filed at a closed position", err, fault.Invalid, "/position_id", "position-ceased")
	})
}
