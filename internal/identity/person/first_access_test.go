package person_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/taxcode"
	"diresco/internal/test/dbtest"
)

// TestPerson_HalvesOfAPINVerifyTheirContacts at the first login with it: those that it was sent to,
// and no others.
func TestPerson_HalvesOfAPINVerifyTheirContacts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, ctx := open(t, d), context.Background()
		in := mario()
		in.TaxCode, in.Contacts = taxcode.MustParse("MKJRLA80A01L407X"), nil
		p, err := w.people.Create(ctx, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		const home = "Mario Rossi\nVia Roma 1\n00100 Roma RM"
		send := func(kind string, channel outbox.Channel, to string, state outbox.DeliveryState) {
			m, err := outbox.NewMessage(outbox.Kind{Name: kind}, p.ID, struct{}{}, w.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			m = m.To(channel, to)
			w.must(t, func(ctx context.Context) error {
				if err := w.outbox.Add(ctx, m); err != nil {
					return err
				}
				return d.From(ctx).Create(&outbox.Delivery{
					ID: uuid.Must(uuid.NewV7()), MessageID: new(m.ID), PersonID: &p.ID, Kind: kind, Channel: channel, Recipient: to,
					Locale: "it", State: state,
					NextAt: w.clock.Now(), DeadlineAt: w.clock.Now(), CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
				}).Error
			})
		}
		w.must(t, func(ctx context.Context) error {
			return w.people.AddUnverified(ctx, p.ID, person.NewContact{
				Kind: person.Mobile, Value: "333 7654321",
			}, person.NewContact{Kind: person.Email, Value: "giulia@example.it"},
				person.NewContact{Kind: person.PEC, Value: "giulia@pec.example"}, person.NewContact{Kind: person.Postal, Value: home})
		})
		// Halves of an earlier PIN prove nothing, nor does one that did not arrive, nor another
		// message.
		send("pin.half", outbox.Email, "giulia@example.it", outbox.Sent)
		w.clock.Advance(time.Hour)
		given := w.clock.Now()
		send("pin.half", outbox.PEC, "giulia@pec.example", outbox.Failed)
		send("contact.code", outbox.Email, "giulia@example.it", outbox.Delivered)
		send("pin.half", outbox.SMS, "+393337654321", outbox.Delivered)
		send("pin.half", outbox.Letter, home, outbox.HandedOver)
		w.clock.Advance(time.Hour)
		w.must(t, func(ctx context.Context) error {
			return w.book.FirstAccess(ctx, p.ID, outbox.Kind{Name: "pin.half"}, given)
		})
		counting := w.recovering(t, p.ID)
		if len(counting) != 2 || counting[0].Kind != person.Mobile && counting[1].Kind != person.Mobile {
			t.Errorf("%+v", counting)
		}
		for _, c := range counting {
			if c.Kind != person.Mobile && c.Kind != person.Postal || !c.VerifiedAt.Equal(w.clock.Now()) {
				t.Errorf("%+v", c)
			}
		}
		w.must(t, func(ctx context.Context) error {
			return w.people.AddVerified(ctx, p.ID, person.NewContact{Kind: person.Email, Value: "giulia@example.it"})
		})
		if counting := w.recovering(t, p.ID); len(counting) != 3 {
			t.Errorf("%d contacts count once an operator has verified one", len(counting))
		}
	})
}
