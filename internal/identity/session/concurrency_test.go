package session_test

import (
	"context"
	"testing"
	"time"

	"diresco/internal/identity/pin/pintest"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// Activity is written for all sessions that were used. One that an operation holds at that moment
// is not left out, and the others do not wait for it.
func TestSession_ActivityBesideAnOperation(t *testing.T) {
	// On SQLite one comes after the other anyway.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := pintest.New(t, d, pintest.Cheap)
	_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	free, held := w.Login(t, pintest.Mario, pin), w.Login(t, pintest.Mario, pin)
	w.Clock.Advance(time.Minute)
	w.MustActor(t, held)
	w.MustActor(t, free)
	seen := func() int { return w.Count(t, "sessions WHERE last_seen_at = ?", w.Clock.Now()) }
	written := make(chan struct{})
	err := d.InTx(ctx, func(ctx context.Context) error {
		if err := d.From(ctx).Exec("SELECT 1 FROM sessions WHERE id = ? FOR SHARE", held.SessionID).Error; err != nil {
			return err
		}
		go func() {
			defer close(written)
			w.Sessions.Flush(context.Background())
		}()
		world.Eventually(t, "the free one is written", func() bool { return seen() == 1 })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-written
	if n := seen(); n != 2 {
		t.Errorf("%d of 2 are written", n)
	}
}

// Two sessions that end each other at the same moment: one of them does.
func TestSession_TwoSessionsEndEachOther(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := pintest.New(t, d, pintest.Cheap)
	_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	for range 20 {
		a, b := w.MustActor(t, w.Login(t, pintest.Mario, pin)), w.MustActor(t, w.Login(t, pintest.Mario, pin))
		errs := make([]error, 2)
		world.Parallel(2, func(i int) {
			by, other := a, b
			if i == 1 {
				by, other = b, a
			}
			errs[i] = w.Sessions.End(ctx, by, other.SessionID)
		})
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[1] != nil || !fault.Is(errs[0], fault.SessionEnded) {
			t.Fatalf("%v and %v", errs[0], errs[1])
		}
	}
}

// Whoever files holds the session until the end of the group. So what is filed comes before the
// instant at which the session ended.
func TestSession_EndsAtAnInstantAfterWhatItLetIn(t *testing.T) {
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := pintest.New(t, d, pintest.Cheap)
	p, pin := w.Person(t, pintest.Mario, access.Citizen, false)
	for name, end := range map[string]func(by, other access.Actor) error{
		"logout":       func(by, _ access.Actor) error { return w.Sessions.End(context.Background(), by, by.SessionID) },
		"from another": func(by, other access.Actor) error { return w.Sessions.End(context.Background(), other, by.SessionID) },
		"all of somebody": func(_, _ access.Actor) error {
			return d.InTx(context.Background(), func(ctx context.Context) error {
				return w.Sessions.EndAllOf(ctx, p.ID, session.EndedSuspended)
			})
		},
		"a new PIN": func(by, _ access.Actor) error {
			return d.InTx(context.Background(), func(ctx context.Context) error {
				_, err := w.Sessions.Replace(ctx, by, session.EndedPINChanged)
				return err
			})
		},
	} {
		by, other := w.MustActor(t, w.Login(t, pintest.Mario, pin)), w.MustActor(t, w.Login(t, pintest.Mario, pin))
		released := world.EndBeside(t, d, w.Clock, func() error { return end(by, other) },
			"SELECT 1 FROM sessions WHERE id = ? FOR SHARE", by.SessionID)
		if n := w.Count(t, "sessions WHERE id = ? AND ended_at >= ?", by.SessionID, released); n != 1 {
			t.Errorf("%s: it ended before what it let in", name)
		}
	}
}
