package notification_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/notification"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// post is every channel; it refuses what goes to those who are not there.
type post struct {
	absent map[string]bool
	sent   []outbox.Outgoing
}

func (p *post) Send(_ context.Context, m outbox.Outgoing) (outbox.Taken, error) {
	if p.absent[m.To] {
		return outbox.Taken{}, &outbox.Refused{Reason: "unknown-address", Certain: true}
	}
	p.sent = append(p.sent, m)
	return outbox.Taken{}, nil
}

// fixture is an outbox with people who have contacts.
type fixture struct {
	*world.App
	t      *testing.T
	people *person.Service
	worker *outbox.Worker
	post   *post
}

func newWorld(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	w := &fixture{App: world.New(t, d), t: t, post: &post{absent: map[string]bool{}}}
	keys, err := keyring.ParseDataKeys(secret.Text("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))))
	if err != nil {
		t.Fatal(err)
	}
	w.people = person.NewService(person.Deps{Runner: w.Runner})
	w.worker = outbox.NewWorker(outbox.Options{
		DB: d, Clock: w.Clock, Keys: keys, Router: notification.NewRouter(d, w.Clock, w.people), Random: rand.Reader,
		Log:     slog.New(slog.DiscardHandler),
		Senders: map[outbox.Channel]outbox.Sender{outbox.SMS: w.post, outbox.Email: w.post, outbox.PEC: w.post, outbox.Letter: w.post},
	})
	return w
}

// somebody makes a person with verified contacts.
func (w *fixture) somebody(contacts ...person.NewContact) uuid.UUID {
	w.t.Helper()
	p := w.Person(w.t, nil)
	w.Must(w.t, func(ctx context.Context) error { return w.people.AddVerified(ctx, p.ID, contacts...) })
	return p.ID
}

// tell promises a message and returns where it, and what follows from it, went.
func (w *fixture) tell(kind string, personID uuid.UUID, change ...func(outbox.Message) outbox.Message) []string {
	w.t.Helper()
	m, err := outbox.NewMessage(outbox.Kind{Name: kind}, personID, struct{}{}, w.Clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range change {
		m = c(m)
	}
	w.post.sent = nil
	w.Must(w.t, func(ctx context.Context) error { return w.Outbox.Add(ctx, m) })
	if err := w.worker.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	var to []string
	for _, sent := range w.post.sent {
		to = append(to, sent.Kind+" "+sent.To+" "+sent.Locale)
	}
	return to
}

func TestRouter_AContactThatBouncesIsNotUsedAnyMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		email, mobile := person.NewContact{
			Kind: person.Email, Value: "m@posta.example",
		}, person.NewContact{Kind: person.Mobile, Value: "+393331234567"}
		me, other := w.somebody(email, mobile), w.somebody(email)
		w.post.absent[email.Value] = true
		if got := w.tell("pin.changed", me); !slices.Equal(got, []string{"contact.bounced +393331234567 it"}) {
			t.Errorf("told %v", got)
		}
		if text := w.post.sent[0].Short; !strings.Contains(text, "m***@posta.example") {
			t.Errorf("the message says %q", text)
		}
		delete(w.post.absent, email.Value)
		if got := w.tell("pin.changed", me); !slices.Equal(got, []string{"pin.changed +393331234567 it"}) {
			t.Errorf("then told %v", got)
		}
		// The contact of the one says nothing about that of the other.
		if got := w.tell("pin.changed", other); !slices.Equal(got, []string{"pin.changed m@posta.example it"}) {
			t.Errorf("another was told %v", got)
		}
		w.post.absent[email.Value] = true
		if got := w.tell("pin.changed", other); got != nil {
			t.Errorf("who has no other contact was told %v", got)
		}
		// An address that is nobody's contact, and nobody at all.
		gone := func(m outbox.Message) outbox.Message { return m.To(outbox.Email, email.Value) }
		if got := w.tell("pin.changed", w.somebody(mobile), gone); got != nil {
			t.Errorf("told %v", got)
		}
		if got := w.tell("pin.changed", uuid.Nil, gone); got != nil {
			t.Errorf("told %v", got)
		}
		if n := w.Count(t, "contacts WHERE bounced_at IS NOT NULL"); n != 2 {
			t.Errorf("%d contacts have bounced, want 2", n)
		}
	})
}

// A mailbox that is no PEC stays a way to reach its holder, who is told.
func TestRouter_APECThatIsNoneIsAnEmailFromNowOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		pec := person.NewContact{Kind: person.PEC, Value: "m@posta.example"}
		me := w.somebody(pec)
		if got := w.tell("pin.changed", me); !slices.Equal(got, []string{"pin.changed m@posta.example it"}) {
			t.Fatalf("told %v", got)
		}
		sent := w.post.sent[0]
		w.post.sent = nil
		report := outbox.Report{Channel: outbox.PEC, DeliveryID: sent.ID, Reason: "no-certified-mailbox", Uncertified: true}
		for range 2 {
			if err := w.worker.Report(context.Background(), report); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.worker.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(w.post.sent) != 1 || w.post.sent[0].Kind != "contact.uncertified" || w.post.sent[0].Channel != outbox.Email {
			t.Errorf("told %+v", w.post.sent)
		}
		if w.Count(t, "contacts WHERE kind = 'email' AND verified_at IS NOT NULL AND bounced_at IS NULL") != 1 ||
			w.Count(t, "contacts") != 1 {
			t.Error("the contact is lost")
		}
	})
}

func TestRouter_PeopleAreToldAsTheyPrefer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		email, mobile := person.NewContact{
			Kind: person.Email, Value: "m@posta.example",
		}, person.NewContact{Kind: person.Mobile, Value: "+393331234567"}
		me := w.somebody(email, mobile)
		w.Exec(
			t,
			"INSERT INTO notification_preferences (person_id, language, preferred_channel, muted, version, updated_at) VALUES (?, 'en', "+
				"'sms', '[\"declarations\"]', 2, ?)",
			me, w.Clock.Now(),
		)
		if got := w.tell("pin.changed", me); !slices.Equal(got, []string{"pin.changed +393331234567 en"}) ||
			!strings.Contains(w.post.sent[0].Text, "Dear user") {
			t.Errorf("told %v", got)
		}
		if got := w.tell("declaration.received", me); got != nil {
			t.Errorf("muted, and told %v", got)
		}
		toEmail := func(m outbox.Message) outbox.Message { return m.To(outbox.Email, "elsewhere@posta.example") }
		if got := w.tell("pin.changed", me, toEmail); !slices.Equal(got, []string{"pin.changed elsewhere@posta.example en"}) {
			t.Errorf("told %v", got)
		}
		if n := w.Count(t, "outbox WHERE state <> 'routed'"); n != 0 {
			t.Errorf("%d messages are not routed", n)
		}
	})
}
