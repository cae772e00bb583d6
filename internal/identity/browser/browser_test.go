package browser_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/browser"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A browser's secret stands for one session, is kept as a digest, and is good no more once another
// stands in its place or the session is forgotten.
func TestBrowser_StandsForOneSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		ctx := context.Background()
		_, pin := w.Person(t, pintest.Mario, access.Citizen, false)
		s := w.Login(t, pintest.Mario, pin)
		b := browser.NewService(browser.Deps{DB: w.DB, Clock: w.Clock, Random: rand.Reader})
		want := func(known secret.Text, id uuid.UUID) {
			t.Helper()
			got, found, err := b.Session(ctx, known)
			if err != nil || got != id || found != (id != uuid.Nil) {
				t.Errorf("got %v, %v, %v, want %v", got, found, err, id)
			}
		}
		first, err := b.Open(ctx, s.SessionID, "")
		if err != nil || len(first.Reveal()) != 43 {
			t.Fatalf("got %d characters, %v", len(first.Reveal()), err)
		}
		want(first, s.SessionID)
		want("", uuid.Nil)
		want("made up", uuid.Nil)
		if n := w.Count(t, "page_sessions WHERE secret_hash = ?", first.Reveal()); n != 0 {
			t.Error("the secret is kept in clear")
		}
		second, err := b.Open(ctx, s.SessionID, first)
		if err != nil {
			t.Fatal(err)
		}
		want(first, uuid.Nil)
		want(second, s.SessionID)
		if err := b.Close(ctx, second); err != nil {
			t.Fatal(err)
		}
		want(second, uuid.Nil)
		third, err := b.Open(ctx, s.SessionID, "")
		if err != nil {
			t.Fatal(err)
		}
		w.Exec(t, "DELETE FROM sessions WHERE id = ?", s.SessionID)
		want(third, uuid.Nil)
	})
}
