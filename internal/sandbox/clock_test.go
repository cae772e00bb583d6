package sandbox_test

import (
	"context"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

func TestSandboxClock_ClockMovesForwardsAndStaysMoved(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		if got := w.Clock(); !got.Now.Equal(start) || got.Offset != 0 {
			t.Fatalf("%+v", got)
		}
		moved, err := w.Move(request("moveSandboxClock", ""), sandbox.Move{Advance: "P1DT30M"})
		if want := start.Add(24*time.Hour + 30*time.Minute); err != nil || !moved.Now.Equal(want) ||
			moved.Offset != 24*time.Hour+30*time.Minute || !w.clock.Now().Equal(want) {
			t.Fatalf("%+v, %v; want %v", moved, err, want)
		}
		to := time.Date(2026, 5, 2, 10, 0, 0, 123456789, time.FixedZone("", 7200))
		if moved, err = w.Move(
			context.Background(), sandbox.Move{Now: &to},
		); err != nil || !moved.Now.Equal(to.Truncate(time.Microsecond)) {
			t.Fatalf("%+v, %v; want %v", moved, err, to)
		}
		if moved, err = w.Move(context.Background(), sandbox.Move{Advance: "P1M"}); err != nil ||
			!moved.Now.Equal(time.Date(2026, 6, 2, 8, 0, 0, 123456000, time.UTC)) {
			t.Fatalf("%+v, %v", moved, err)
		}
		w.machine.Advance(time.Hour)
		if got := w.Clock(); !got.Now.Equal(moved.Now.Add(time.Hour)) || got.Offset != moved.Offset {
			t.Errorf("time does not go on: %+v", got)
		}
		if n := w.count("audit_records"); n != 3 {
			t.Errorf("%d audit records, want 3", n)
		}
		// The next start finds the clock where it was.
		if again := open(t, d); again.Clock().Offset != moved.Offset {
			t.Errorf("offset %v after a restart, want %v", again.Clock().Offset, moved.Offset)
		}
	})
}

func TestSandboxClock_ClockRefusals(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	w := seeded(t, d)
	ctx := context.Background()
	at := func(instant time.Time) sandbox.Move { return sandbox.Move{Now: &instant} }
	for name, tt := range map[string]struct {
		in            sandbox.Move
		pointer, code string
	}{
		"a past instant":         {at(start.Add(-time.Microsecond)), "/now", "backwards"},
		"a negative duration":    {sandbox.Move{Advance: "-PT1S"}, "/advance", "backwards"},
		"no duration":            {sandbox.Move{Advance: "tomorrow"}, "/advance", "format"},
		"an empty duration":      {sandbox.Move{Advance: "P"}, "/advance", "format"},
		"more than 20 years":     {sandbox.Move{Advance: "P20YT1S"}, "/advance", "too-far"},
		"thousands of years":     {sandbox.Move{Advance: "P9999Y"}, "/advance", "too-far"},
		"an instant far away":    {at(start.AddDate(20, 0, 1)), "/now", "too-far"},
		"the end of all times":   {at(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)), "/now", "too-far"},
		"nothing":                {sandbox.Move{}, "", "variant"},
		"a duration and instant": {sandbox.Move{Advance: "PT1S", Now: &start}, "", "variant"},
	} {
		_, err := w.Move(ctx, tt.in)
		t.Run(name, func(t *testing.T) { wantField(t, err, tt.pointer, tt.code) })
	}
	if got := w.Clock(); got.Offset != 0 || w.count("audit_records") != 0 {
		t.Errorf("a refused move moved: %+v", got)
	}
	for _, standstill := range []sandbox.Move{{Advance: "PT0S"}, at(start)} {
		if got, err := w.Move(ctx, standstill); err != nil || got.Offset != 0 {
			t.Errorf("no move at all: %+v, %v", got, err)
		}
	}
	for range 5 {
		if _, err := w.Move(ctx, sandbox.Move{Advance: "P20Y"}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.Move(ctx, sandbox.Move{Advance: "PT1S"})
	wantField(t, err, "/advance", "too-far")
	if got := w.Clock(); !got.Now.Equal(start.AddDate(100, 0, 0)) {
		t.Errorf("%v, want 100 years later", got.Now)
	}
}

func TestSandboxClock_ARepeatedMoveMovesOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		to := start.Add(100 * 24 * time.Hour)
		for key, in := range map[string]sandbox.Move{"key-1": {Advance: "P60D"}, "key-2": {Now: &to}} {
			first, err := w.Move(request("moveSandboxClock", key), in)
			if err != nil {
				t.Fatal(err)
			}
			w.machine.Advance(time.Second)
			second, err := w.Move(request("moveSandboxClock", key), in)
			if err != nil || second.Offset != first.Offset {
				t.Errorf("the repeat moved by %v, error %v", second.Offset-first.Offset, err)
			}
		}
		if n := w.count("audit_records"); n != 2 {
			t.Errorf("%d audit records, want 2", n)
		}
	})
}

func TestSandboxClock_WhatWasPromisedBeforeAMoveIsSentBefore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		w.promise("pin.changed", w.who("Legal representative"), struct{}{})
		if _, err := w.Move(context.Background(), sandbox.Move{Advance: "P20D"}); err != nil {
			t.Fatal(err)
		}
		if n := w.count("sandbox_messages"); n != 1 {
			t.Fatalf("%d messages handed over, want 1", n)
		}
		if m := w.messages(sandbox.MessageFilter{})[0]; !m.SentAt.Equal(start) {
			t.Errorf("sent at %v, want %v", m.SentAt, start)
		}
	})
}

func TestSandboxClock_PublicSandboxKeepsClockAndData(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	w := open(t, d, func(deps *sandbox.Deps) { deps.Public = true })
	if err := w.Seed(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Move(context.Background(), sandbox.Move{Advance: "PT1S"}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("move: %v", err)
	}
	if err := w.Reset(context.Background()); !fault.Is(err, fault.Forbidden) {
		t.Errorf("reset: %v", err)
	}
	if got := w.Clock(); got.Offset != 0 {
		t.Errorf("%+v", got)
	}
}

// A jump does what falls due on the way, each at its instant.
func TestSandboxClock_AJumpPassesThroughWhatFallsDue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		if _, err := w.Move(context.Background(), sandbox.Move{Advance: "P7M"}); err != nil {
			t.Fatal(err)
		}
		got := map[string][]time.Time{}
		for _, m := range w.messages(sandbox.MessageFilter{Channel: "email"}) {
			if m.Subject == "Il Suo PIN va cambiato" {
				got[m.To] = append(got[m.To], m.SentAt)
			}
		}
		if len(got) == 0 {
			t.Fatal("nobody was reminded")
		}
		for to, sent := range got {
			if len(sent) != 3 || !sent[0].After(sent[1]) || !sent[1].After(sent[2]) || sent[0].Sub(sent[2]) != 29*24*time.Hour {
				t.Errorf("%s was reminded at %v", to, sent)
			}
		}
	})
}
