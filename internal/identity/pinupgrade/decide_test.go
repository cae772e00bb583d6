package pinupgrade_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestPINUpgrade_AcceptedThePINIsDispositive(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.Company(t, world.Rome)
		by := w.Colleague(t, company.ID, access.LegalRepresentative, access.Ordinary)
		waiting := w.Submit(t, by, company)
		u := w.request(by)
		w.Clock.Advance(time.Minute)
		desk := w.operator(world.Rome)
		got, err := w.service.Decide(asked("decidePinUpgrade"), desk, u.ID, review.Decision{
			Outcome: review.Accepted, Reason: "Documento valido",
		})
		if err != nil {
			t.Fatal(err)
		}
		now, reason := w.Clock.Now(), "Documento valido"
		want := u
		want.State, want.DecidedAt, want.DecidedBy, want.Reason, want.Version = pinupgrade.Accepted, &now, &desk.PersonID, &reason, 2
		if diff := cmp.Diff(want, got.Upgrade); diff != "" || got.FamilyName != "Rossi" || got.TaxCode != by.TaxCode {
			t.Error(diff)
		}
		if shown, err := w.service.Show(ctx, by, u.ID); err != nil || !cmp.Equal(want, shown) {
			t.Errorf("as it is stored: %v\n%s", err, cmp.Diff(want, shown))
		}
		if level := w.again(by).CredentialLevel; level != access.Dispositive {
			t.Errorf("at the next request the session has %s credentials", level)
		}
		if got := state(t, w, waiting.ID); got != declaration.Submitted {
			t.Errorf("what waited is %s", got)
		}
		if diff := cmp.Diff([]string{
			"declaration.awaiting_credentials", pinupgrade.Received.Name, pinupgrade.Decided.Name, pinupgrade.BecameDispositive.Name,
			"declaration.completed",
		}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		if n := w.Count(t, "audit_records WHERE request_id = 'request-1'"); n != 1 ||
			w.Count(
				t, "audit_records WHERE operation = 'decidePinUpgrade' AND person_id = ? AND subject_id = ?", desk.PersonID, u.ID.String(),
			) != 1 {
			t.Errorf("%d audit records of the decision", n)
		}
		for _, outcome := range []review.Outcome{review.Accepted, review.NotAccepted} {
			_, err := w.service.Decide(ctx, desk, u.ID, review.Decision{Outcome: outcome, Reason: "Altro"})
			conflict(t, "decided once more", err, "upgrade-decided")
		}
	})
}

func TestPINUpgrade_NotAcceptedNothingChanges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.Company(t, world.Rome)
		by := w.Colleague(t, company.ID, access.LegalRepresentative, access.Ordinary)
		waiting := w.Submit(t, by, company)
		u := w.request(by)
		w.Clock.Advance(time.Minute)
		w.decide(w.operator(world.Rome), u.ID, review.NotAccepted)
		if w.again(by).CredentialLevel != access.Ordinary || state(t, w, waiting.ID) != declaration.AwaitingCredentials {
			t.Error("what was not accepted had an effect")
		}
		if diff := cmp.Diff([]string{
			"declaration.awaiting_credentials", pinupgrade.Received.Name, pinupgrade.Decided.Name,
		}, w.messages(by.PersonID)); diff != "" {
			t.Error(diff)
		}
		shown, err := w.service.Show(ctx, by, u.ID)
		if err != nil || shown.Reason == nil || *shown.Reason != "Documento leggibile e valido" {
			t.Errorf("its holder sees %+v, %v", shown, err)
		}
	})
}

func TestPINUpgrade_WhoDecides(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		office := world.Rome
		own := w.enter(w.Person(t, func(p *world.Person) {
			p.CredentialLevel, p.UserClass, p.OfficeCode = access.Ordinary, access.Operator, &office
		}).ID)
		u := w.request(own)
		yes := review.Decision{Outcome: review.Accepted, Reason: "Va bene"}
		for _, c := range []struct {
			name string
			by   access.Actor
			id   uuid.UUID
			want fault.Code
		}{
			{"one's own", own, u.ID, fault.Forbidden},
			{"another office", w.operator(world.Milan), u.ID, fault.NotFound},
			{"no request", w.operator(world.Rome), uuid.Must(uuid.NewV7()), fault.NotFound},
		} {
			if _, err := w.service.Decide(ctx, c.by, c.id, yes); !fault.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		desk := w.operator(world.Rome)
		_, err := w.service.Decide(ctx, desk, u.ID, review.Decision{Outcome: review.Outcome(pinupgrade.Submitted), Reason: "a\x00b"})
		refused(t, "what is no decision", err, fault.Invalid, "/outcome", "enum", "/reason", "pattern")
		if w.again(own).CredentialLevel != access.Ordinary {
			t.Error("a refused decision had an effect")
		}
	})
}

// TestPINUpgrade_WhoIssuedThePINDoesNotDecide while that PIN from the counter waits for somebody
// else's confirmation.
func TestPINUpgrade_WhoIssuedThePINDoesNotDecide(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by, issuer := w.citizen(), w.operator(world.Rome)
		id, now := uuid.Must(uuid.NewV7()), w.Clock.Now()
		w.Exec(t, `INSERT INTO counter_pins (id, person_id, issued_by, issued_at, dispositive_at, attachments)
			VALUES (?, ?, ?, ?, ?, '[]')`, id, by.PersonID, issuer.PersonID, now, now.Add(24*time.Hour))
		w.Exec(t, `INSERT INTO pins (person_id, hash, initial, changed_at, change_due_at, counter_pin_id)
			VALUES (?, 'x', ?, ?, ?, ?)`, by.PersonID, false, now, now, id)
		u := w.request(by)
		for _, outcome := range []review.Outcome{review.Accepted, review.NotAccepted} {
			_, err := w.service.Decide(ctx, issuer, u.ID, review.Decision{Outcome: outcome, Reason: "Va bene"})
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.Forbidden || f.Reason != "second-person" {
				t.Errorf("%s by who issued the PIN: %v", outcome, err)
			}
		}
		w.decide(w.operator(world.Rome), u.ID, review.Accepted)
		if level := w.again(by).CredentialLevel; level != access.Dispositive {
			t.Errorf("%s credentials", level)
		}
	})
}

func TestPINUpgrade_DecidedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		by := w.citizen()
		u := w.request(by)
		desks := []access.Actor{w.operator(world.Rome), w.operator(world.Rome)}
		var done atomic.Int64
		world.Parallel(8, func(i int) {
			outcome := review.Accepted
			if i%2 == 0 {
				outcome = review.NotAccepted
			}
			_, err := w.service.Decide(ctx, desks[i/4], u.ID, review.Decision{Outcome: outcome, Reason: "Va bene"})
			if err == nil {
				done.Add(1)
			} else {
				conflict(t, "another", err, "upgrade-decided")
			}
		})
		shown, err := w.service.Show(ctx, by, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if level := w.again(by).CredentialLevel; done.Load() != 1 || (shown.State == pinupgrade.Accepted) != (level == access.Dispositive) {
			t.Errorf("decided %d times: %s, %s", done.Load(), shown.State, level)
		}
	})
}

// Nothing that is filed while the decision is made is left waiting. The decision completes it, or
// it finds the credentials dispositive.
func TestPINUpgrade_NothingIsLeftWaitingBehindADecision(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.Company(t, world.Rome)
		desk := w.operator(world.Rome)
		for range 5 {
			by := w.Colleague(t, company.ID, access.LegalRepresentative, access.Ordinary)
			u := w.request(by)
			world.Parallel(8, func(i int) {
				if i == 4 {
					w.decide(desk, u.ID, review.Accepted)
					return
				}
				if _, err := w.Declarations.Draft(ctx, by, company.ID, company.Input(true)); err != nil {
					t.Error(err)
				}
			})
			if n := w.Count(t, "declarations WHERE person_id = ? AND state = 'submitted'", by.PersonID); n != 7 {
				t.Errorf("%d of 7 are submitted", n)
			}
		}
	})
}

func TestPINUpgrade_ListsOfAnOffice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		desk := w.operator(world.Rome)
		var ids []uuid.UUID
		for range 5 {
			ids = append(ids, w.request(w.citizen()).ID)
		}
		in := w.input()
		in.OfficeCode = world.Milan
		elsewhere, err := w.service.Request(ctx, w.citizen(), in)
		if err != nil {
			t.Fatal(err)
		}
		w.decide(desk, ids[1], review.Accepted)
		w.decide(desk, ids[3], review.NotAccepted)
		for _, c := range []struct {
			by    access.Actor
			state pinupgrade.State
			want  []uuid.UUID
		}{
			{desk, "", ids},
			{desk, pinupgrade.Submitted, []uuid.UUID{ids[0], ids[2], ids[4]}},
			{desk, pinupgrade.Accepted, ids[1:2]},
			{desk, pinupgrade.NotAccepted, ids[3:4]},
			{w.operator(world.Milan), "", []uuid.UUID{elsewhere.ID}},
		} {
			var got []uuid.UUID
			cursor := ""
			for {
				part, err := w.service.OfOffice(ctx, c.by, c.state, page.Request{Limit: 2, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range part.Items {
					got = append(got, h.ID)
					if h.TaxCode.IsZero() || len(h.Attachments) != 2 {
						t.Errorf("listed as %+v", h)
					}
				}
				if cursor = part.Next; cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s in state %q:\n%s", c.by.OfficeCode, c.state, diff)
			}
		}
	})
}

// TestPINUpgrade_ARepeatedDecisionAfterAMove: what an office decided is not told again to who has
// left it, kept answers included.
func TestPINUpgrade_ARepeatedDecisionAfterAMove(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		company := w.Company(t, world.Rome)
		u := w.request(w.Colleague(t, company.ID, access.LegalRepresentative, access.Ordinary))
		desk := w.operator(world.Rome)
		decide := func(by access.Actor) error {
			_, err := w.service.Decide(world.WithKey(ctx, by, "one-decision"), by, u.ID, review.Decision{
				Outcome: review.Accepted, Reason: "Documento valido",
			})
			return err
		}
		if err := decide(desk); err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "UPDATE idempotency_keys SET status = 200, headers = '{}', body = ?", []byte("{}"))
		desk.OfficeCode = world.Milan
		refused(t, "from another office", decide(desk), fault.NotFound)
	})
}
