package person_test

import (
	"context"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/test/dbtest"
)

// What a broken relay did to contacts is undone for its period, and nothing else.
func TestContact_BouncesOfAPeriodAreUndone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		email, mobile := w.contact(t, person.Email), w.contact(t, person.Mobile)
		bounce := func(c person.Contact) {
			t.Helper()
			w.must(t, func(ctx context.Context) error {
				_, err := w.people.Bounce(ctx, c.PersonID, c.Kind.Channel(), c.Value)
				return err
			})
		}
		bounce(mobile)
		w.clock.Advance(time.Hour)
		from := w.clock.Now()
		bounce(email)
		if states := []person.ContactState{w.show(t, email.ID).State(), w.show(t, mobile.ID).State()}; states[0] != person.Bounced ||
			states[1] != person.Bounced {
			t.Fatalf("%v", states)
		}
		undo := func(want int, which person.Bounces) {
			t.Helper()
			if n, err := w.people.UndoBounces(ctx, which); err != nil || n != want {
				t.Errorf("%+v: %d, %v", which, n, err)
			}
		}
		undo(0, person.Bounces{From: from, Until: from.Add(time.Minute), Kind: person.KindOf(outbox.PEC)})
		undo(0, person.Bounces{From: from.Add(time.Second), Until: from.Add(time.Minute)})
		undo(1, person.Bounces{From: from, Until: from.Add(time.Minute), Kind: person.Email})
		undo(0, person.Bounces{From: from, Until: from.Add(time.Minute)})
		if got := w.show(t, email.ID); got.State() != person.Verified || !got.Recovers(w.clock.Now()) {
			t.Errorf("%+v", got)
		}
		if got := w.show(t, mobile.ID); got.State() != person.Bounced {
			t.Errorf("what bounced before is %s", got.State())
		}
		var rows int64
		if err := d.From(ctx).Table("audit_records").Where("subject_kind = 'contact' AND subject_id = ?", email.ID.String()).
			Count(&rows).Error; err != nil || rows != 1 {
			t.Errorf("%d audit rows, %v", rows, err)
		}
	})
}
