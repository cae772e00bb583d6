package person_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/platform/fault"
	"diresco/internal/test/dbtest"
)

// The row is written as earlier releases wrote it: a letter with a code outlives an upgrade.
func TestContactCode_OfAnEarlierReleaseIsGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		ctx, id, contact, now := context.Background(), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), w.clock.Now()
		key, mac := w.keys.MAC("one-time code contact-code", id[:], []byte("K7Q3W9ZP"))
		err := d.InTx(ctx, func(ctx context.Context) error {
			err := d.From(ctx).Exec(
				"INSERT INTO contacts (id, person_id, kind, value, created_at) VALUES (?, ?, 'postal', 'Via Roma 1', ?)", contact,
				w.by.PersonID, now,
			).Error
			if err != nil {
				return err
			}
			return d.From(ctx).Exec(`INSERT INTO one_time_codes (id, purpose, subject_id, mac_key, mac, created_at, expires_at, used_at,
				ended_at)
				VALUES (?, 'contact-code', ?, ?, ?, ?, ?, NULL, NULL)`, id, contact, key, mac, now, now.Add(30*day)).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.book.Verify(ctx, w.by, contact, "K7Q3W9ZQ"); !fault.Is(err, fault.CodeInvalid) {
			t.Errorf("a wrong one: %v", err)
		}
		if got, err := w.book.Verify(ctx, w.by, contact, "K7Q3W9ZP"); err != nil || got.State() != person.Verified {
			t.Errorf("the right one: %s, %v", got.State(), err)
		}
	})
}
