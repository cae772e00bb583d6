package sandbox_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/sandbox"
	"diresco/internal/test/dbtest"
)

func (w *fixture) messages(f sandbox.MessageFilter) []sandbox.Message {
	w.t.Helper()
	found, err := w.Messages(context.Background(), f, page.Request{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found.Items
}

func received(number string) map[string]string {
	return map[string]string{"protocol_number": number, "type": "151-2015", "title": "Assunzione", "submitted_at": "2026-03-02T09:00:00Z"}
}

func TestSandboxMessages_MessagesAreHandedOverWhenListed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		p := w.who("Legal representative")
		if got := w.messages(sandbox.MessageFilter{}); len(got) != 0 {
			t.Fatalf("%d messages before anything happened", len(got))
		}
		w.promise("declaration.received", p, received("INPS.7000.02/03/2026.0000001"))
		w.machine.Advance(time.Minute)
		w.promise("pin.changed", p, struct{}{})
		got := w.messages(sandbox.MessageFilter{})
		if len(got) != 2 {
			t.Fatalf("%d messages, want 2", len(got))
		}
		if !strings.Contains(got[0].Subject, "PIN") || got[0].SentAt.Before(got[1].SentAt) {
			t.Errorf("the newest is not first: %+v", got)
		}
		if m := got[1]; m.Channel != "email" || m.To != "marco.bianchi@posta.example" ||
			!strings.Contains(m.Text, "INPS.7000.02/03/2026.0000001") || !m.SentAt.Equal(start) {
			t.Errorf("%+v", m)
		}
		again := w.messages(sandbox.MessageFilter{})
		if len(again) != 2 || again[0] != got[0] || again[1] != got[1] {
			t.Errorf("listed again: %+v", again)
		}
		var queued int64
		if err := d.From(context.Background()).Table("outbox").Where("state <> 'routed'").Count(&queued).Error; err != nil || queued != 0 {
			t.Errorf("%d messages are not marked as routed, error %v", queued, err)
		}
		err := d.From(context.Background()).Table("deliveries").Where("state <> 'sent'").Count(&queued).Error
		if err != nil || queued != 0 {
			t.Errorf("%d deliveries are not marked as sent, error %v", queued, err)
		}
	})
}

func TestSandboxMessages_MessagesByRecipientAndChannel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		mobileOnly, err := w.CreatePerson(
			context.Background(), sandbox.PersonInput{Contacts: []person.NewContact{{Kind: person.Mobile, Value: "+393339999999"}}},
		)
		if err != nil {
			t.Fatal(err)
		}
		unreachable, err := w.CreatePerson(context.Background(), sandbox.PersonInput{Contacts: []person.NewContact{}})
		if err != nil {
			t.Fatal(err)
		}
		w.promise("declaration.received", w.who("another company"), received("INPS.4900.02/03/2026.0000001"))
		w.promise("declaration.received", mobileOnly, received("INPS.7000.02/03/2026.0000002"))
		w.promise("pin.changed", unreachable, struct{}{})
		// Of an attack all contacts are told, each once.
		w.promise("pin.many_wrong_tries", w.who("Legal representative"), map[string]int{"tries": 100})
		if n := len(w.messages(sandbox.MessageFilter{})); n != 5 {
			t.Errorf("%d messages, want 5", n)
		}
		for name, tt := range map[string]struct {
			filter sandbox.MessageFilter
			want   int
		}{
			"to an address":       {sandbox.MessageFilter{To: "giulia.colombo@posta.example"}, 1},
			"to a part of it":     {sandbox.MessageFilter{To: "giulia"}, 0},
			"by SMS":              {sandbox.MessageFilter{Channel: "sms"}, 2},
			"by PEC":              {sandbox.MessageFilter{Channel: "pec"}, 1},
			"to a number by SMS":  {sandbox.MessageFilter{To: "+393339999999", Channel: "sms"}, 1},
			"to a number by mail": {sandbox.MessageFilter{To: "+393339999999", Channel: "email"}, 0},
			"by letter":           {sandbox.MessageFilter{Channel: "letter"}, 0},
		} {
			if got := w.messages(tt.filter); len(got) != tt.want {
				t.Errorf("%s: %d messages, want %d", name, len(got), tt.want)
			}
		}
		if m := w.messages(sandbox.MessageFilter{To: "+393339999999"})[0]; m.Subject != "" ||
			!strings.Contains(m.Text, "INPS.7000.02/03/2026.0000002") || strings.Contains(m.Text, "\n") {
			t.Errorf("SMS %+v", m)
		}
	})
}

func TestSandboxMessages_MessagesInPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		p := w.who("Legal representative")
		for range 450 {
			w.promise("pin.changed", p, struct{}{})
		}
		seen := map[string]bool{}
		cursor := ""
		for {
			found, err := w.Messages(context.Background(), sandbox.MessageFilter{}, page.Request{Limit: 100, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found.Items {
				seen[m.ID.String()] = true
			}
			if cursor = found.Next; cursor == "" {
				break
			}
		}
		if len(seen) != 450 {
			t.Errorf("%d messages on all pages, want 450", len(seen))
		}
	})
}

func TestSandboxMessages_ParallelListsSeeWhatWasPromised(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		p := w.who("Legal representative")
		for round := range 10 {
			w.promise("pin.changed", p, struct{}{})
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					found, err := w.Messages(context.Background(), sandbox.MessageFilter{}, page.Request{Limit: 100})
					if err != nil || len(found.Items) != round+1 {
						t.Errorf("%d messages, want %d; error %v", len(found.Items), round+1, err)
					}
				})
			}
			wg.Wait()
		}
	})
}

// promiseTo puts a message with one recipient into the outbox.
func (w *fixture) promiseTo(kind string, to sandbox.Person, data any, by outbox.Channel, recipient string) {
	w.t.Helper()
	m, err := outbox.NewMessage(outbox.Kind{Name: kind}, to.ID, data, w.clock.Now())
	if err == nil {
		err = w.db.InTx(context.Background(), func(ctx context.Context) error { return w.outbox.Add(ctx, m.To(by, recipient)) })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestSandboxMessages_LettersCanBeSeen(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := seeded(t, d)
		p := w.who("Legal representative")
		w.promiseTo("pin.changed", p, struct{}{}, outbox.Letter, "Marco Bianchi\nVia Roma 1\n00100 Roma RM")
		w.promise("pin.changed", p, struct{}{})
		if got := w.messages(sandbox.MessageFilter{}); len(got) != 2 {
			t.Fatalf("%d messages, want 2", len(got))
		}
		m := w.messages(sandbox.MessageFilter{Channel: "letter"})[0]
		if !strings.Contains(m.Text, "Gentile utente") || m.Subject == "" || m.To != "Marco Bianchi\nVia Roma 1\n00100 Roma RM" {
			t.Errorf("%+v", m)
		}
		letter, err := w.Letter(context.Background(), m.ID)
		if err != nil || !strings.HasPrefix(string(letter), "%PDF Marco Bianchi") {
			t.Errorf("%q, %v", letter, err)
		}
		var states []string
		if err := d.From(context.Background()).Raw("SELECT state FROM deliveries ORDER BY channel DESC").Scan(&states).Error; err != nil ||
			!slices.Equal(states, []string{"handed_over", "sent"}) {
			t.Errorf("deliveries are %v, error %v", states, err)
		}
		for _, id := range []uuid.UUID{w.messages(sandbox.MessageFilter{Channel: "email"})[0].ID, uuid.Must(uuid.NewV7())} {
			if _, err := w.Letter(context.Background(), id); !fault.Is(err, fault.NotFound) {
				t.Errorf("the letter of what is none: %v", err)
			}
		}
	})
}
