package declaration_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// TestDeclaration_WhereItsFilerIsToldIsDecidedWithIt: nobody has to look at the message again before
// it is sent, and a declaration without its delivery is none.
func TestDeclaration_WhereItsFilerIsToldIsDecidedWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := world.New(t, d)
		c, by := a.Employer(t)
		people := person.NewService(person.Deps{Runner: a.Runner})
		email := person.NewContact{Kind: person.Email, Value: "m@posta.example"}
		a.Must(t, func(ctx context.Context) error { return people.AddVerified(ctx, by.PersonID, email) })
		mend := a.Break(t, "INSERT", "deliveries")
		if _, err := a.Declarations.Draft(ctx, by, c.ID, c.Input(true)); err == nil {
			t.Error("it is filed without its delivery")
		}
		mend()
		if n := a.Count(t, "declarations") + a.Count(t, "outbox") + a.Count(t, "protocol_entries"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		filed := a.Submit(t, by, c)
		type delivery struct{ Kind, Channel, Recipient, Locale, Waits string }
		var found []delivery
		if err := d.From(ctx).Raw(`SELECT kind, channel, recipient, locale, state AS waits FROM deliveries
			WHERE message_id IS NULL AND data LIKE ? AND person_id = ?`, "%"+*filed.ProtocolNumber+"%", by.PersonID).Scan(&found).Error; err != nil {
			t.Fatal(err)
		}
		want := []delivery{{"declaration.received", "email", email.Value, "it", "queued"}}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%s:\n%s", *filed.ProtocolNumber, diff)
		}
		a.Exec(t, "UPDATE contacts SET bounced_at = ? WHERE person_id = ?", a.Clock.Now(), by.PersonID)
		a.Submit(t, by, c)
		if n, routed := a.Count(t, "deliveries"), a.Count(t, "outbox WHERE state = 'routed'"); n != 1 || routed != 1 {
			t.Errorf("who cannot be reached is told nowhere: %d deliveries, %d messages routed", n, routed)
		}
	})
}
