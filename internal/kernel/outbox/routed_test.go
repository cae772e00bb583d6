package outbox_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"diresco/db"
	"diresco/internal/kernel/outbox"
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
				ORDER BY m.kind`).Scan(&found).Error; err != nil {
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
			{"to.one", "routed", &email, &queued, nil},
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
