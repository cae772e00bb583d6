package notification_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/notification"
	"diresco/internal/test/dbtest"
)

// TestBook_SaysWhatTheRouterWould: whoever reads ahead where messages go finds what the router finds
// later, for every kind of message.
func TestBook_SaysWhatTheRouterWould(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		email := person.NewContact{Kind: person.Email, Value: "m@posta.example"}
		pec := person.NewContact{Kind: person.PEC, Value: "m@pec.example"}
		mobile := person.NewContact{Kind: person.Mobile, Value: "+393331234567"}
		bounced, unverified := w.somebody(email, mobile), w.somebody(mobile, pec)
		w.Exec(t, "UPDATE contacts SET bounced_at = ? WHERE person_id = ? AND kind = 'email'", w.Clock.Now(), bounced)
		w.Exec(t, "UPDATE contacts SET verified_at = NULL WHERE person_id = ? AND kind = 'pec'", unverified)
		muting, choosing := w.somebody(email), w.somebody(email, pec, mobile)
		for id, wants := range map[uuid.UUID][]any{muting: {"it", nil, `["declarations"]`}, choosing: {"en", "sms", "[]"}} {
			w.Exec(t, "INSERT INTO notification_preferences (person_id, language, preferred_channel, muted, version, updated_at) "+
				"VALUES ( ?, ?, ?, ?, 1, ?)", id, wants[0], wants[1], wants[2], w.Clock.Now())
		}
		people := []uuid.UUID{w.somebody(), w.somebody(mobile, email, pec), bounced, unverified, muting, choosing}
		router := notification.NewRouter(d, w.Clock, w.people)
		books := []outbox.Book{w.looked(router.Look(context.Background(), people))}
		if d.Dialect() == db.Postgres {
			w.Must(t, func(ctx context.Context) error {
				var batch direct.Batch
				found := router.LookIn(&batch, people)
				if err := batch.Send(ctx, d); err != nil {
					return err
				}
				books = append(books, w.looked(found()))
				return nil
			})
		}
		var messages []outbox.Message
		for _, kind := range outbox.Kinds() {
			for _, id := range people {
				m, err := outbox.NewMessage(kind, id, struct{}{}, w.Clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				messages = append(messages, m, m.To(outbox.Email, "elsewhere@posta.example"))
			}
		}
		want, err := router.Route(context.Background(), messages)
		if err != nil {
			t.Fatal(err)
		}
		nowhere := 0
		for n, book := range books {
			for i, m := range messages {
				to, known := book(m)
				if diff := cmp.Diff(want[i], to); diff != "" || !known {
					t.Errorf("book %d: %s (known: %v), router (-) and book (+) differ:\n%s", n, m.Kind, known, diff)
				}
				if len(to) == 0 {
					nowhere++
				}
			}
			for _, m := range []outbox.Message{{PersonID: new(w.somebody(email))}, outbox.Message{}.To(outbox.Email, email.Value)} {
				if to, known := book(m); known || to != nil {
					t.Errorf("a book knows a stranger: %v", to)
				}
			}
		}
		if nowhere == 0 || nowhere == len(books)*len(messages) {
			t.Errorf("%d of %d messages go nowhere", nowhere, len(books)*len(messages))
		}
	})
}

func (w *fixture) looked(b outbox.Book, err error) outbox.Book {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}
