package webhook_test

import (
	"context"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/messaging/webhook"
)

// TestWebhook_ReplaysInTheOrderOfTime: what became known late is not left out, a repeat is told the
// same, and the rest is had from where it ended.
func TestWebhook_ReplaysInTheOrderOfTime(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		hook, app := w.add(newReceiver(t).URL), w.software.Application.ID
		begin := w.Clock.Now()
		for range 6 {
			w.Clock.Advance(time.Second)
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		w.drain(w.sender)
		// The last one became known last, and happened first.
		w.Exec(t, "UPDATE events SET at = ? WHERE position = (SELECT MAX(position) FROM events)", begin.Add(500*time.Millisecond))
		w.Exec(t, "DELETE FROM webhook_deliveries")
		w.service.LookAt(3)
		once := keyed(w.employer, "replayWebhookDeliveries", "k")
		done, err := w.service.Replay(once, w.employer, app, hook.ID, webhook.Replay{From: &begin})
		if err != nil || done.Count != 3 || done.Until == nil || !done.Until.Equal(begin.Add(2*time.Second)) {
			t.Fatalf("replayed %+v, %v", done, err)
		}
		if n := w.Count(t, "webhook_deliveries d JOIN events e ON e.id = d.event_id WHERE e.at <= ?", *done.Until); n != 3 {
			t.Errorf("%d of the first three", n)
		}
		// Another replay takes over what this one had sent again.
		if _, err := w.service.Replay(ctx, w.employer, app, hook.ID, webhook.Replay{From: &begin}); err != nil {
			t.Fatal(err)
		}
		again, err := w.service.Replay(once, w.employer, app, hook.ID, webhook.Replay{From: &begin})
		if err != nil || again.Count != done.Count || again.Until == nil || !again.Until.Equal(*done.Until) {
			t.Errorf("a repeat: %+v, %v", again, err)
		}
		w.service.LookAt(100)
		rest, err := w.service.Replay(ctx, w.employer, app, hook.ID, webhook.Replay{From: done.Until})
		if err != nil || rest.Until != nil || w.Count(t, "webhook_deliveries") != 6 {
			t.Errorf("the rest: %+v, %v", rest, err)
		}
	})
}

// TestWebhook_TheFeedGoesOnWhileOneIsChanged; SQLite has one writer anyway.
func TestWebhook_TheFeedGoesOnWhileOneIsChanged(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		if w.DB.Dialect() == db.SQLite {
			return
		}
		hook := w.add("https://a.example/")
		w.Submit(t, w.employer, w.company)
		w.Must(t, func(locked context.Context) error {
			if err := w.service.Lock(locked, w.software.Application.ID, hook.ID); err != nil {
				return err
			}
			return w.feed.Append(ctx)
		})
		if n := len(w.log(hook.ID)); n != 1 {
			t.Errorf("%d deliveries", n)
		}
	})
}
