package pin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/pin/pintest"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
)

func TestFirstAccess_IsToldOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := pintest.New(t, d, pintest.Cheap)
		p, text := w.Person(t, pintest.Mario, access.Citizen, true)
		given := w.Clock.Now()
		w.Clock.Advance(time.Hour)
		var told []time.Time
		boom := errors.New("boom")
		w.OnFirstAccess = func(_ context.Context, id uuid.UUID, at time.Time) error {
			if id != p.ID {
				t.Errorf("the first access of %v", id)
			}
			told = append(told, at)
			if len(told) == 1 {
				return boom
			}
			return nil
		}
		change := func(text secret.Text) (secret.Text, error) {
			by := w.MustActor(t, w.Login(t, pintest.Mario, text))
			r, err := w.PINs.Rotate(ctx, by)
			want(t, err, "")
			_, err = w.PINs.Confirm(ctx, by, r.ID, r.PIN)
			return r.PIN, err
		}
		if _, err := change(text); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		// What failed was no first access: the initial PIN still works.
		changed, err := change(text)
		want(t, err, "")
		_, err = change(changed)
		want(t, err, "")
		if len(told) != 2 || !told[1].Equal(given) {
			t.Errorf("told of %v, the PIN was given at %v", told, given)
		}
	})
}
