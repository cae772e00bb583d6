package outbox_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
)

// TestOutbox_RoutesWhatABookKnows: it is as what a worker routes, and the worker routes the rest.
func TestOutbox_RoutesWhatABookKnows(t *testing.T) {
	type state struct {
		Kind, Message string
		Channel       *string
		Waits         *string
		LastError     *string
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		w := o.worker(d, map[outbox.Channel]outbox.Sender{outbox.Email: o.post})
		read := func() (found []state) {
			t.Helper()
			if err := d.From(context.Background()).Raw(`SELECT m.kind, m.state AS message, x.channel, x.state AS waits, x.last_error FROM outbox m
				LEFT JOIN deliveries x ON x.message_id = m.id AND x.created_at = m.created_at AND x.next_at >= m.created_at AND x.attempts = 0
				UNION ALL SELECT x.kind, 'in its delivery', x.channel, x.state, x.last_error FROM deliveries x WHERE x.message_id IS NULL
				ORDER BY 1`).Scan(&found).Error; err != nil {
				t.Fatal(err)
			}
			return found
		}
		promise := func(book outbox.Book) {
			t.Helper()
			now := o.clock.Now()
			if err := d.InTx(context.Background(), func(ctx context.Context) error {
				return outbox.New(d).AddRouted(ctx, book, now, message(t, "to.nobody", now), message(t, "to.one", now),
					message(t, "to.phones", now).To(outbox.SMS, "+393331234567"), message(t, "to.strangers", now))
			}); err != nil {
				t.Fatal(err)
			}
		}
		book, err := w.Look(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		email, sms, queued, absent := "email", "sms", "queued", "channel-not-configured"
		promise(book)
		want := []state{
			{"to.nobody", "routed", nil, nil, nil},
			{"to.one", "in its delivery", &email, &queued, nil},
			{"to.phones", "routed", &sms, &queued, &absent},
			{"to.strangers", "queued", nil, nil, nil},
		}
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("with a book:\n%s", diff)
		}
		if err := w.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if sent := o.post.all(); len(sent) != 2 || sent[0].Kind == sent[1].Kind {
			t.Errorf("%d messages were sent", len(sent))
		}
		for _, table := range []string{"delivery_attempts", "deliveries", "outbox"} {
			if err := d.InTx(context.Background(), func(ctx context.Context) error { return d.From(ctx).Exec("DELETE FROM " + table).Error }); err != nil {
				t.Fatal(err)
			}
		}
		promise(nil)
		for _, s := range read() {
			if s.Message != "queued" || s.Waits != nil {
				t.Errorf("without a book %s is %s", s.Kind, s.Message)
			}
		}
	})
}

// story is what is seen of a message to one recipient, but for its ids.
type story struct {
	Sent      []outbox.Outgoing
	Told      outbox.Message
	Subject   string
	Delivery  outbox.Delivery
	Attempts  []string
	Addresses []outbox.Address
	Listed    int
}

// TestOutbox_AMessageInItsDeliveryIsLikeAnyOther: nobody can tell whether a message has a row of its
// own. It is refused, tried again on request, taken and delivered.
func TestOutbox_AMessageInItsDeliveryIsLikeAnyOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tell := func(routed bool) story {
			t.Helper()
			o := newOffice(t, d)
			s, w := o.service(), o.worker(d, everywhere(o.post))
			m := message(t, "to.one", o.clock.Now())
			book, err := w.Look(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !routed {
				book = nil
			}
			if err := d.InTx(context.Background(), func(ctx context.Context) error {
				return outbox.New(d).AddRouted(ctx, book, o.clock.Now(), m)
			}); err != nil {
				t.Fatal(err)
			}
			if rows := o.count("outbox WHERE id = ?", m.ID); rows == 1 == routed {
				t.Errorf("routed at once (%v), it has %d rows beside its delivery", routed, rows)
			}
			o.post.refuse(func(outbox.Outgoing) error { return &outbox.Refused{Reason: "unknown-address", Certain: true} })
			o.drain()
			o.post.refuse(nil)
			o.clock.Advance(time.Minute)
			if _, err := s.Retry(context.Background(), access.Actor{PersonID: uuid.Must(uuid.NewV7())}, o.delivery(m).ID); err != nil {
				t.Fatal(err)
			}
			o.drain()
			got := story{Sent: o.post.all(), Delivery: o.delivery(m)}
			if err := w.Report(context.Background(), outbox.Report{Channel: outbox.Email, DeliveryID: got.Delivery.ID, Delivered: true}); err != nil {
				t.Fatal(err)
			}
			got.Delivery = o.delivery(m)
			told, err := s.Notifications(context.Background(), access.Actor{PersonID: *m.PersonID}, page.Request{})
			if err != nil || len(told.Items) != 1 || len(told.Items[0].Deliveries) != 1 || told.Items[0].ID != m.ID {
				t.Fatalf("%+v, %v", told, err)
			}
			got.Told, got.Subject = told.Items[0].Message, told.Items[0].Subject
			for _, a := range told.Items[0].Deliveries[0].Attempts {
				got.Attempts = append(got.Attempts, a.Outcome)
			}
			if got.Addresses, err = outbox.New(d).Reached(context.Background(), outbox.Kind{Name: m.Kind}, *m.PersonID, m.CreatedAt); err != nil {
				t.Fatal(err)
			}
			listed, err := s.List(context.Background(), access.Actor{}, outbox.Filter{State: outbox.Delivered}, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range listed.Items {
				if l.ID == got.Delivery.ID && l.Message() == m.ID {
					got.Listed++
				}
			}
			for i := range got.Sent {
				if got.Sent[i].ID != got.Delivery.ID {
					t.Errorf("it was sent as %s, its delivery is %s", got.Sent[i].ID, got.Delivery.ID)
				}
				got.Sent[i].ID = uuid.Nil
			}
			got.Told.ID, got.Told.PersonID = uuid.Nil, nil
			got.Told.DeadlineAt = time.Time{} // that of the delivery, which a retry prolongs
			got.Delivery.ID, got.Delivery.MessageID, got.Delivery.PersonID = uuid.Nil, nil, nil
			got.Delivery.ProviderRef, got.Delivery.Data = nil, nil
			return got
		}
		apart, together := tell(false), tell(true)
		if diff := cmp.Diff(apart, together); diff != "" {
			t.Errorf("with a row of its own (-) and without (+):\n%s", diff)
		}
		if want := []string{"failed", "sent", "delivered"}; !slices.Equal(together.Attempts, want) || together.Listed != 1 ||
			together.Told.Data == "" || len(together.Addresses) != 1 || together.Delivery.State != outbox.Delivered {
			t.Errorf("%+v", together)
		}
	})
}

// TestOutbox_WhatSomebodyWasToldIsOneList: messages with a row and those in their deliveries are paged
// through together, the newest first.
func TestOutbox_WhatSomebodyWasToldIsOneList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		book, err := o.Look(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		me := uuid.Must(uuid.NewV7())
		var want []uuid.UUID
		for i := range 7 {
			m, err := outbox.NewMessage(outbox.Kind{Name: []string{"to.one", "to.nobody", "to.strangers"}[i%3]}, me, struct{}{}, o.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := d.InTx(context.Background(), func(ctx context.Context) error {
				return outbox.New(d).AddRouted(ctx, book, o.clock.Now(), m)
			}); err != nil {
				t.Fatal(err)
			}
			want = append(want, m.ID)
			if i != 3 { // two at one instant
				o.clock.Advance(time.Second)
			}
		}
		slices.Reverse(want)
		if n := o.count("deliveries WHERE message_id IS NULL"); n != 3 {
			t.Fatalf("%d messages are in their deliveries", n)
		}
		for size := 1; size <= len(want); size++ {
			var seen []uuid.UUID
			for request := (page.Request{Limit: size}); ; {
				found, err := o.service().Notifications(context.Background(), access.Actor{PersonID: me}, request)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range found.Items {
					seen = append(seen, n.ID)
				}
				if request.Cursor = found.Next; found.Next == "" {
					break
				}
			}
			if !slices.Equal(seen, want) {
				t.Errorf("by %d: %v, want %v", size, seen, want)
			}
		}
	})
}
