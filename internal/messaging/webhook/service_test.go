package webhook_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/messaging/webhook"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/test/world"
)

// random is the system's source of randomness.
type random struct{}

// Read implements io.Reader.
func (random) Read(p []byte) (int, error) { return rand.Read(p) }

// keyed is a request with an idempotency key.
func keyed(by access.Actor, operation, key string) context.Context {
	return world.WithKey(audit.WithOrigin(ctx, audit.Origin{Operation: operation}), by, key)
}

// TestWebhook_ShowsItsSecretOnce: neither a repeat nor a look shows it, and the database holds it
// sealed.
func TestWebhook_ShowsItsSecretOnce(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		app := w.software.Application.ID
		in := webhook.Input{URL: "https://a.example/"}
		made, err := w.service.Add(keyed(w.employer, "addWebhook", "k"), w.employer, app, in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.service.Add(keyed(w.employer, "addWebhook", "k"), w.employer, app, in)
		if err != nil || again.ID != made.ID || again.Secret != "" {
			t.Errorf("a repeat: %v %v", again, err)
		}
		if text := made.Secret.Reveal(); !strings.HasPrefix(text, "whsec_") || len(text) != 6+32 {
			t.Error("the secret has another form")
		}
		rotated, err := w.service.Rotate(keyed(w.employer, "rotateWebhookSecret", "r"), w.employer, app, made.ID)
		if err != nil || rotated.Secret == "" || rotated.Secret == made.Secret {
			t.Errorf("rotated: %v", err)
		}
		repeated, err := w.service.Rotate(keyed(w.employer, "rotateWebhookSecret", "r"), w.employer, app, made.ID)
		if err != nil || repeated.Secret != "" || w.Count(t, "webhook_secrets") != 2 {
			t.Errorf("rotated again: %v", err)
		}
		for _, known := range []webhook.Shown{made, rotated} {
			plain := strings.TrimPrefix(known.Secret.Reveal(), "whsec_")
			if w.Count(t, "webhook_secrets WHERE sealed LIKE ?", "%"+plain+"%") != 0 {
				t.Error("a secret stands in the database")
			}
		}
		if n := w.Count(t, "audit_records WHERE subject_kind = 'webhook' AND subject_id = ?", made.ID.String()); n != 2 {
			t.Errorf("%d records", n)
		}
	})
}

// TestWebhook_RotatesItsSecret: for a day what is sent is signed with both.
func TestWebhook_RotatesItsSecret(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		w.happens()
		rotated, err := w.service.Rotate(ctx, w.employer, w.software.Application.ID, hook.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(webhook.SecretOverlap - time.Second)
		w.happens()
		w.Clock.Advance(time.Second)
		w.happens()
		for i, want := range []struct{ old, fresh bool }{{true, false}, {true, true}, {false, true}} {
			got := r.got()[i]
			if got.verifies(t, hook.Secret) != want.old || got.verifies(t, rotated.Secret) != want.fresh {
				t.Errorf("the message %d is signed with %s", i, got.header.Get("webhook-signature"))
			}
		}
		for range 4 {
			_, err = w.service.Rotate(ctx, w.employer, w.software.Application.ID, hook.ID)
		}
		if err != nil {
			t.Errorf("four more: %v", err)
		}
		if _, err = w.service.Rotate(ctx, w.employer, w.software.Application.ID, hook.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("one more than may be in force: %v", err)
		}
		w.Clock.Advance(webhook.SecretOverlap)
		if err := w.sender.Purge(ctx); err != nil || w.Count(t, "webhook_secrets") != 1 {
			t.Errorf("%d secrets are kept, %v", w.Count(t, "webhook_secrets"), err)
		}
	})
}

// TestWebhook_IsManagedByWhoManagesTheApplication, with dispositive credentials; for others there is
// none.
func TestWebhook_IsManagedByWhoManagesTheApplication(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		hook := w.add("https://a.example/")
		app := w.software.Application.ID
		_, stranger := w.Employer(t)
		theirs := w.Software(t, stranger.PersonID, watching)
		ordinary := w.employer
		ordinary.CredentialLevel = access.Ordinary
		type operation func(by access.Actor, app uuid.UUID) error
		state := webhook.Disabled
		changing := map[string]operation{
			"add": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Add(ctx, by, app, webhook.Input{URL: "https://a.example/"})
				return err
			},
			"change": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Change(ctx, by, app, hook.ID, fault.AnyVersion, webhook.Change{State: &state})
				return err
			},
			"remove": func(by access.Actor, app uuid.UUID) error { return w.service.Remove(ctx, by, app, hook.ID) },
			"rotate": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Rotate(ctx, by, app, hook.ID)
				return err
			},
			"ping": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Ping(ctx, by, app, hook.ID)
				return err
			},
			"replay": func(by access.Actor, app uuid.UUID) error {
				from := w.Clock.Now().Add(-time.Hour)
				_, err := w.service.Replay(ctx, by, app, hook.ID, webhook.Replay{From: &from})
				return err
			},
		}
		reading := map[string]operation{
			"list": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.List(ctx, by, app, page.Request{})
				return err
			},
			"show": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Show(ctx, by, app, hook.ID)
				return err
			},
			"log": func(by access.Actor, app uuid.UUID) error {
				_, err := w.service.Deliveries(ctx, by, app, hook.ID, webhook.Filter{}, page.Request{})
				return err
			},
		}
		for name, do := range changing {
			if err := do(ordinary, app); !fault.Is(err, fault.DispositiveRequired) {
				t.Errorf("%s with ordinary credentials: %v", name, err)
			}
			reading[name] = do
		}
		for name, do := range reading {
			if err := do(stranger, app); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s by a stranger: %v", name, err)
			}
			if err := do(stranger, theirs.Application.ID); name != "add" && name != "list" && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s as if it were theirs: %v", name, err)
			}
		}
		if w.show(hook.ID).Version != 1 {
			t.Error("somebody changed it")
		}
		if err := w.service.Remove(ctx, w.employer, app, hook.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Show(ctx, w.employer, app, hook.ID); !fault.Is(err, fault.NotFound) || w.Count(t, "webhook_secrets WHERE webhook_id = ?", hook.ID) != 0 {
			t.Errorf("removed: %v", err)
		}
	})
}

// TestWebhook_AnApplicationHasTen, and what is wrong is named.
func TestWebhook_AnApplicationHasTen(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		app := w.software.Application.ID
		_, err := w.service.Add(ctx, w.employer, app, webhook.Input{URL: "https://a.example/", EventTypes: []string{"declaration.submitted", "x"}})
		refused(t, "an unknown type", err, "/event_types/1", "enum")
		_, err = w.service.Add(ctx, w.employer, app, webhook.Input{URL: "https://a.example/", EventTypes: []string{"consent.given", "consent.given"}})
		refused(t, "a type twice", err, "/event_types/1", "duplicate")
		world.Parallel(webhook.AtMost+2, func(i int) {
			_, err := w.service.Add(ctx, w.employer, app, webhook.Input{URL: fmt.Sprintf("https://a%d.example/", i)})
			if err != nil && !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
		if n := w.Count(t, "webhooks"); n != webhook.AtMost {
			t.Errorf("%d webhooks", n)
		}
		first, err := w.service.List(ctx, w.employer, app, page.Request{Limit: 7})
		if err != nil || len(first.Items) != 7 {
			t.Fatalf("%d listed, %v", len(first.Items), err)
		}
		rest, err := w.service.List(ctx, w.employer, app, page.Request{Limit: 7, Cursor: first.Next})
		if err != nil || len(rest.Items) != 3 || rest.Next != "" {
			t.Errorf("%d listed, %v", len(rest.Items), err)
		}
		made := rest.Items[0]
		if _, err := w.service.Change(ctx, w.employer, app, made.ID, made.Version+1, webhook.Change{}); !fault.Is(err, fault.PreconditionFailed) {
			t.Errorf("another version: %v", err)
		}
	})
}

// TestWebhook_Replays one delivery, or a period with what was missed, under the same ids.
func TestWebhook_Replays(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook, app := w.add(r.URL), w.software.Application.ID
		w.happens()
		sent := w.only(hook.ID)
		w.Clock.Advance(time.Minute)
		replay := func(in webhook.Replay) webhook.Replayed {
			t.Helper()
			done, err := w.service.Replay(ctx, w.employer, app, hook.ID, in)
			if err != nil {
				t.Fatal(err)
			}
			w.drain(w.sender)
			return done
		}
		if done := replay(webhook.Replay{DeliveryID: &sent.ID}); done.Count != 1 || r.count() != 2 || r.got()[1].id() != r.got()[0].id() {
			t.Errorf("one again: %+v, %d sent", done, r.count())
		}
		if again := w.only(hook.ID); len(again.Attempts) != 2 || again.State != webhook.Delivered {
			t.Errorf("the log has %+v", again)
		}
		// What happened while it was disabled.
		state := webhook.Disabled
		if _, err := w.service.Change(ctx, w.employer, app, hook.ID, fault.AnyVersion, webhook.Change{State: &state}); err != nil {
			t.Fatal(err)
		}
		from := w.Clock.Now()
		if _, err := w.service.Replay(ctx, w.employer, app, hook.ID, webhook.Replay{From: &from}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a disabled one: %v", err)
		}
		if _, err := w.service.Ping(ctx, w.employer, app, hook.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("a ping of a disabled one: %v", err)
		}
		w.happens()
		w.Clock.Advance(time.Minute)
		state = webhook.Enabled
		if _, err := w.service.Change(ctx, w.employer, app, hook.ID, fault.AnyVersion, webhook.Change{State: &state}); err != nil {
			t.Fatal(err)
		}
		before := r.count()
		if done := replay(webhook.Replay{From: &from}); done.Count != 1 || r.count() != before+1 {
			t.Errorf("what was missed: %+v, %d sent", done, r.count()-before)
		}
		begin := sent.At.Add(-time.Second)
		once := keyed(w.employer, "replayWebhookDeliveries", "k")
		done, err := w.service.Replay(once, w.employer, app, hook.ID, webhook.Replay{From: &begin})
		if err != nil || done.Count != 2 {
			t.Errorf("all: %+v, %v", done, err)
		}
		if again, err := w.service.Replay(once, w.employer, app, hook.ID, webhook.Replay{From: &begin}); err != nil || again.Count != 2 {
			t.Errorf("a repeat: %+v, %v", again, err)
		}
		w.drain(w.sender)
		if r.count() != before+3 {
			t.Errorf("%d were sent", r.count())
		}
		old, unknown, to := w.Clock.Now().Add(-31*day), uuid.New(), begin
		for what, test := range map[string]struct {
			in            webhook.Replay
			pointer, code string
		}{
			"nothing":                  {webhook.Replay{}, "/from", "required"},
			"both":                     {webhook.Replay{DeliveryID: &sent.ID, From: &begin}, "/from", "not-applicable"},
			"longer ago than the log":  {webhook.Replay{From: &old}, "/from", "before-log"},
			"an end before its begin":  {webhook.Replay{From: &begin, To: &to}, "/to", "not-after"},
			"somebody else's delivery": {webhook.Replay{DeliveryID: &unknown}, "/delivery_id", "unknown-delivery"},
		} {
			_, err := w.service.Replay(ctx, w.employer, app, hook.ID, test.in)
			refused(t, what, err, test.pointer, test.code)
		}
		w.EndConsent(t, w.software.ConsentID)
		if done := replay(webhook.Replay{From: &begin}); done.Count != 0 {
			t.Errorf("without a consent: %+v", done)
		}
	})
}

// TestWebhook_Pings with a signed event that is about nothing.
func TestWebhook_Pings(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL, "declaration.decided")
		r.answers(status(http.StatusNoContent))
		v, err := w.service.Ping(ctx, w.employer, w.software.Application.ID, hook.ID)
		if err != nil || v.State != webhook.Waiting {
			t.Fatalf("%+v, %v", v, err)
		}
		w.drain(w.sender)
		if got := r.got(); len(got) != 1 || !got[0].verifies(t, hook.Secret) || !strings.Contains(string(got[0].body), `"type":"webhook.ping"`) {
			t.Errorf("sent %v", got)
		}
		if d := w.only(hook.ID); d.ID != v.ID || d.Attempts[0].Status != http.StatusNoContent {
			t.Errorf("the log has %+v", d)
		}
		w.Exec(t, "UPDATE applications SET state = 'suspended'")
		if _, err := w.service.Ping(ctx, w.employer, w.software.Application.ID, hook.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("of a suspended application: %v", err)
		}
	})
}
