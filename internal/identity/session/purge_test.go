package session_test

import (
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/test/dbtest"
)

func TestSession_WhatIsLongOverIsForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		_, text := w.Person(t, pintest.Mario, access.Citizen, false)
		w.Login(t, pintest.Mario, text)
		w.Clock.Advance(30*24*time.Hour + 12*time.Hour - time.Second)
		w.Login(t, pintest.Mario, text)
		for _, want := range []int{2, 1} {
			if err := w.Sessions.Purge(ctx); err != nil {
				t.Fatal(err)
			}
			if n := w.Count(t, "sessions"); n != want {
				t.Errorf("%d sessions, want %d", n, want)
			}
			w.Clock.Advance(time.Second)
		}
	})
}
