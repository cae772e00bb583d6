package idempotency_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// parallel sends the same request with the same key n times at once, round robin to the processes.
// It checks that all get the same declaration, and returns that one.
func parallel(t *testing.T, n int, processes []*world.App, by access.Actor, c world.Company, submit bool) declaration.View {
	t.Helper()
	results := make([]declaration.View, n)
	world.Parallel(n, func(i int) {
		ctx := world.WithKey(audit.WithOrigin(context.Background(), audit.Origin{Operation: "draftDeclaration"}), by, "one intent")
		var err error
		if results[i], err = processes[i%len(processes)].Declarations.Draft(ctx, by, c.ID, c.Input(submit)); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	})
	for i, r := range results {
		if diff := cmp.Diff(results[0], r); diff != "" {
			t.Fatalf("request 0 and %d got different answers:\n%s", i, diff)
		}
	}
	a := processes[0]
	for table, want := range map[string]bool{
		"declarations": true, "audit_records": true, "idempotency_keys": true, "protocol_entries": submit, "protocol_entries WHERE jws IS NOT NULL": submit,
		"outbox": submit,
	} {
		if got := a.Count(t, table); (got == 1) != want || got > 1 {
			t.Errorf("%d rows in %s", got, table)
		}
	}
	return results[0]
}

func TestIdempotency_OneIntentIsOneDeclaration(t *testing.T) {
	for name, submit := range map[string]bool{"drafted": false, "filed": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				a := world.New(t, d)
				c, by := a.Employer(t)
				got := parallel(t, 50, []*world.App{a}, by, c, submit)
				if submit && (got.ProtocolNumber == nil || *got.ProtocolNumber != "INPS.7000.16/03/2026.0000001" || got.JWS == "") {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestIdempotency_OneIntentIsOneDeclarationAcrossProcesses(t *testing.T) {
	for name, submit := range map[string]bool{"drafted": false, "filed": true} {
		t.Run(name, func(t *testing.T) {
			rawURL := dbtest.Postgres(t)
			a := world.New(t, dbtest.Open(t, rawURL))
			b := a.Twin(t, dbtest.Open(t, rawURL))
			c, by := a.Employer(t)
			parallel(t, 50, []*world.App{a, b}, by, c, submit)
		})
	}
}

func TestIdempotency_TheKeyOutlivesACrash(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		a := world.New(t, dbtest.Open(t, rawURL))
		c, by := a.Employer(t)
		// The caller is gone before the answer: the submission is in its transaction already and is
		// made all the same.
		a.Signer.Gate = world.NewGate()
		ctx, cancel := context.WithCancel(world.WithKey(context.Background(), by, "k"))
		result := make(chan error, 1)
		go func() {
			_, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(true))
			result <- err
		}()
		a.Signer.Gate.Reached()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Fatalf("the caller that went away got %v", err)
		}
		a.Signer.Gate.Open()
		a.Register.Close()

		b := a.Twin(t, dbtest.Open(t, rawURL))
		again, err := b.Declarations.Draft(world.WithKey(context.Background(), by, "k"), by, c.ID, c.Input(true))
		if err != nil {
			t.Fatal(err)
		}
		if *again.ProtocolNumber != "INPS.7000.16/03/2026.0000001" || again.State != declaration.Submitted ||
			b.Count(t, "declarations") != 1 {
			t.Errorf("the repeat got %s, and %d declarations are there", *again.ProtocolNumber, b.Count(t, "declarations"))
		}
	})
}

func TestIdempotency_SubmittingADraftAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		submit := func(key string) (declaration.View, error) {
			return a.Declarations.Submit(world.WithKey(context.Background(), by, key), by, draft.ID)
		}
		first, err := submit("k")
		if err != nil {
			t.Fatal(err)
		}
		again, err := submit("k")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("the repeat got something else:\n%s", diff)
		}
		if _, err := submit("another key"); !fault.Is(err, fault.Conflict) {
			t.Errorf("another request for what is filed already gave %v", err)
		}
		if n := a.Count(t, "idempotency_keys"); n != 1 {
			t.Errorf("%d keys are remembered: the refused one too", n)
		}
		withdraw := func() (declaration.View, error) {
			return a.Declarations.Withdraw(world.WithKey(context.Background(), by, "w"), by, draft.ID)
		}
		withdrawn, err := withdraw()
		if err != nil {
			t.Fatal(err)
		}
		again, err = withdraw()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(withdrawn, again); diff != "" || withdrawn.State != declaration.Withdrawn {
			t.Errorf("withdrawn: %s; the repeat got something else:\n%s", withdrawn.State, diff)
		}
	})
}

// A repeat gets the first answer, whatever became of the declaration since.
func TestIdempotency_ARepeatSaysWhatWasTrueThen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		draft := a.Draft(t, by, c, c.Input(false))
		for name, file := range map[string]func() (declaration.View, error){
			"at once": func() (declaration.View, error) {
				return a.Declarations.Draft(world.WithKey(context.Background(), by, "1"), by, c.ID, c.Input(true))
			},
			"a draft": func() (declaration.View, error) {
				return a.Declarations.Submit(world.WithKey(context.Background(), by, "2"), by, draft.ID)
			},
		} {
			first, err := file()
			if err != nil {
				t.Fatal(err)
			}
			a.Clock.Advance(time.Minute)
			if _, err := a.Declarations.Withdraw(context.Background(), by, first.ID); err != nil {
				t.Fatal(err)
			}
			again, err := file()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	})
}

func TestIdempotency_ARefusedDeclarationLeavesItsKeyFree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		missing := c.ID
		for name, in := range map[string]declaration.Input{
			"wrong content": {
				Type: world.Type, PositionID: c.Positions[0].ID, Content: []byte(`{"worker_tax_code":1}`), Submit: true,
			},
			"nothing to supersede": {
				Type: world.Type, PositionID: c.Positions[0].ID, Content: world.Content(), Submit: true, SupersedesID: &missing,
			},
			"nothing to supersede, drafts": {
				Type: world.Type, PositionID: c.Positions[0].ID, Content: world.Content(), SupersedesID: &missing,
			},
		} {
			ctx := world.WithKey(context.Background(), by, "k")
			if _, err := a.Declarations.Draft(ctx, by, c.ID, in); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
			if n := a.Count(t, "idempotency_keys"); n != 0 {
				t.Errorf("%s: %d keys", name, n)
			}
		}
		if _, err := a.Declarations.Draft(world.WithKey(context.Background(), by, "k"), by, c.ID, c.Input(true)); err != nil {
			t.Errorf("the key after refusals: %v", err)
		}
	})
}

func TestIdempotency_AStoredAnswerIsGivenAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		answers := newAnswers(t, d)
		c, by := a.Employer(t)
		for name, submit := range map[string]bool{"drafted": false, "filed": true} {
			ctx := world.WithKey(context.Background(), by, name)
			if _, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(submit)); err != nil {
				t.Fatal(err)
			}
			if !idempotency.ClaimOf(ctx).Taken() {
				t.Fatalf("%s: the first request does not hold its key", name)
			}
			want := idempotency.Answer{
				Status: 201, Headers: map[string]string{"ETag": `"1"`, "Content-Type": "application/json"},
				Body: []byte("{\"stored\": \"as it was\"}\x00\xff"),
			}
			answers.Remember(idempotency.ClaimOf(ctx), want)
			answers.Flush(context.Background())
			repeat := world.WithKey(context.Background(), by, name)
			_, err := a.Declarations.Draft(repeat, by, c.ID, c.Input(submit))
			var replay *idempotency.Replay
			if !errors.As(err, &replay) || replay.Answer == nil {
				t.Fatalf("%s: the repeat gave %v", name, err)
			}
			if diff := cmp.Diff(want, *replay.Answer); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
			if idempotency.ClaimOf(repeat).Taken() {
				t.Errorf("%s: the repeat holds the key, so that its answer would be stored over the first", name)
			}
		}
	})
}
