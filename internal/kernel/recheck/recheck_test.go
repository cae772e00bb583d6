package recheck_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/recheck"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// fixture is a company with its legal representative.
type fixture struct {
	*world.App
	company world.Company
	rep     access.Actor
}

func newWorld(t *testing.T, d *db.DB) fixture {
	t.Helper()
	w := fixture{App: world.New(t, d)}
	w.company, w.rep = w.Employer(t)
	return w
}

func check(ctx context.Context, t *testing.T, w fixture, held ...recheck.Claim) []fault.Code {
	t.Helper()
	outcomes, err := w.Recheck.All(ctx, held)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]fault.Code, len(outcomes))
	for i, outcome := range outcomes {
		var f *fault.Fault
		if errors.As(outcome, &f) {
			codes[i] = f.Code
		}
	}
	return codes
}

func role(id uuid.UUID) access.Right {
	return access.Right{ID: id, Links: []access.Link{{Kind: access.RoleLink, ID: id}}}
}

func TestRecheck_WhatEndedIsSeenAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		right := w.rep.Rights[0].ID
		other := w.Person(t, nil).ID
		w.Role(t, other, w.company.ID, access.Employer)
		ended, suspended := w.Session(t, w.rep.PersonID, func(s *world.Session) { s.EndedAt = &s.CreatedAt }), w.Session(t, other, nil)
		w.Exec(t, "UPDATE people SET suspended_at = ? WHERE id = (SELECT person_id FROM sessions WHERE id = ?)", w.Clock.Now(), suspended)
		gone := w.Role(t, w.Person(t, nil).ID, w.company.ID, access.Employer)
		w.WithdrawRole(t, gone)
		nobody := uuid.Must(uuid.NewV7())
		err := d.InTx(context.Background(), func(ctx context.Context) error {
			got := check(ctx, t, w,
				recheck.Claim{SessionID: w.rep.SessionID, Right: role(right)}, recheck.Claim{SessionID: ended, Right: role(right)},
				recheck.Claim{SessionID: suspended, Right: role(right)},
				recheck.Claim{SessionID: w.rep.SessionID, Right: role(gone)}, recheck.Claim{SessionID: nobody, Right: role(right)},
				recheck.Claim{SessionID: w.rep.SessionID, Right: role(nobody)},
				recheck.Claim{SessionID: w.rep.SessionID, Right: role(right)},
				// What one does for oneself takes no right, and a session all the same.
				recheck.Claim{SessionID: w.rep.SessionID}, recheck.Claim{SessionID: ended}, recheck.Claim{SessionID: suspended},
				recheck.Claim{SessionID: nobody})
			for i, want := range []fault.Code{
				"", fault.SessionEnded, fault.SessionEnded, fault.NotFound, fault.SessionEnded, fault.NotFound, "",
				"", fault.SessionEnded, fault.SessionEnded, fault.SessionEnded,
			} {
				if got[i] != want {
					t.Errorf("%d: %q, want %q", i, got[i], want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// ends are the three ways in which somebody loses the right to file.
var ends = []struct {
	name, statement string
	subject         func(access.Actor) uuid.UUID
	want            fault.Code
}{
	{"logout", "UPDATE sessions SET ended_at = ? WHERE id = ?", func(a access.Actor) uuid.UUID { return a.SessionID }, fault.SessionEnded},
	{"withdrawal of the role", "UPDATE contributor_roles SET withdrawn_at = ? WHERE id = ?", func(a access.Actor) uuid.UUID {
		return a.Rights[0].ID
	}, fault.NotFound},
	{"suspension", "UPDATE people SET suspended_at = ? WHERE id = ?", func(a access.Actor) uuid.UUID {
		return a.PersonID
	}, fault.SessionEnded},
}

// waits reports whether some statement of the database waits for a lock.
func waits(t *testing.T, d *db.DB) bool {
	t.Helper()
	var n int
	err := d.From(context.Background()).Raw(
		"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
	).Scan(&n).Error
	if err != nil {
		t.Error(err)
	}
	return n > 0
}

func TestRecheck_AnEndWaitsForWhoWasLetIn(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			d := dbtest.Open(t, dbtest.Postgres(t))
			w := newWorld(t, d)
			held := recheck.Claim{SessionID: w.rep.SessionID, Right: w.rep.Rights[0]}
			done := make(chan struct{})
			err := d.InTx(context.Background(), func(ctx context.Context) error {
				if got := check(ctx, t, w, held); got[0] != "" {
					t.Errorf("before: %q", got[0])
				}
				go func() {
					defer close(done)
					w.Exec(t, e.statement, w.Clock.Now(), e.subject(w.rep))
				}()
				ended := func() bool {
					select {
					case <-done:
						return true
					default:
						return false
					}
				}
				world.Eventually(t, "the end waits, or does not", func() bool { return ended() || waits(t, d) })
				if ended() {
					t.Error("it ended in the middle of a transaction that was let in")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			<-done
			_ = d.InTx(context.Background(), func(ctx context.Context) error {
				if got := check(ctx, t, w, held); got[0] != e.want {
					t.Errorf("afterwards: %q", got[0])
				}
				return nil
			})
		})
	}
}

func TestRecheck_WhoComesDuringAnEndWaitsForIt(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			d := dbtest.Open(t, dbtest.Postgres(t))
			w := newWorld(t, d)
			held := recheck.Claim{SessionID: w.rep.SessionID, Right: w.rep.Rights[0]}
			outcome := make(chan fault.Code, 1)
			err := d.InTx(context.Background(), func(ctx context.Context) error {
				if err := d.From(ctx).Exec(e.statement, w.Clock.Now(), e.subject(w.rep)).Error; err != nil {
					return err
				}
				go func() {
					_ = d.InTx(context.Background(), func(ctx context.Context) error {
						outcome <- check(ctx, t, w, held)[0]
						return nil
					})
				}()
				world.Eventually(t, "the request waits, or does not", func() bool { return len(outcome) > 0 || waits(t, d) })
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := <-outcome; got != e.want {
				t.Errorf("got %q, want %q", got, e.want)
			}
		})
	}
}

// TestRecheck_ALostPostEndsWhatIsDoneByIt: who works here does so until the end of the operation,
// or not at all.
func TestRecheck_ALostPostEndsWhatIsDoneByIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		p := w.Operator(t, world.Rome)
		session := w.Session(t, p.ID, nil)
		by, err := w.Guard.Enter(context.Background(), session, access.Rule{To: access.ToSession}, access.Target{})
		if err != nil {
			t.Fatal(err)
		}
		still := func(want fault.Code) {
			t.Helper()
			err := d.InTx(context.Background(), func(ctx context.Context) error { return w.Recheck.InTx(ctx, by, by.Office()) })
			var f *fault.Fault
			if err == nil && want != "" || err != nil && (!errors.As(err, &f) || f.Code != want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		still("")
		w.Exec(t, "UPDATE people SET office_code = ? WHERE id = ?", world.Milan, p.ID)
		still(fault.Forbidden)
		w.Exec(t, "UPDATE people SET office_code = NULL, user_class = 'administrator' WHERE id = ?", p.ID)
		still(fault.Forbidden)
		w.Exec(t, "UPDATE sessions SET ended_at = ? WHERE id = ?", w.Clock.Now(), session)
		still(fault.SessionEnded)
	})
}
