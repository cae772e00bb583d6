package webhook_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"diresco/internal/messaging/webhook"
)

// waiting makes deliveries that wait, and an attempt at each that had an outcome.
func (w *fixture) waiting(hook uuid.UUID, outcomes ...webhook.Outcome) []webhook.View {
	w.t.Helper()
	for range outcomes {
		w.Submit(w.t, w.employer, w.company)
	}
	w.append()
	views := w.log(hook)
	if len(views) != len(outcomes) {
		w.t.Fatalf("%d deliveries", len(views))
	}
	for i := range views {
		views[i].Attempts = []webhook.Attempt{{
			ID: uuid.Must(uuid.NewV7()), DeliveryID: views[i].ID, At: w.Clock.Now(), Outcome: outcomes[i], Status: http.StatusOK,
		}}
	}
	return views
}

// TestWebhook_OutcomesAreWrittenTwice: a commit whose answer is lost is tried again.
func TestWebhook_OutcomesAreWrittenTwice(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		hook := w.add(newReceiver(t).URL)
		views := w.waiting(hook.ID, webhook.Took)
		for range 2 {
			if err := w.sender.Settle(ctx, views...); err != nil {
				t.Fatal(err)
			}
		}
		if d := w.only(hook.ID); d.State != webhook.Delivered || d.Tries != 1 || len(d.Attempts) != 1 {
			t.Errorf("it is %+v", d)
		}
	})
}

// TestWebhook_OneOutcomeThatCannotBeWritten keeps the others from nothing.
func TestWebhook_OneOutcomeThatCannotBeWritten(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		hook := w.add(newReceiver(t).URL)
		views := w.waiting(hook.ID, webhook.Took, webhook.Refused, webhook.Took)
		w.Exec(t, "UPDATE webhook_deliveries SET lease_owner = ?", w.sender.Owner())
		views[1].State = "no state"
		if err := w.sender.Write(ctx, views...); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, "webhook_deliveries WHERE state = 'delivered'"); n != 2 {
			t.Errorf("%d are noted", n)
		}
	})
}

// TestWebhook_OneThatCannotBeSignedHoldsUpNobody: its deliveries wait, the others are sent.
func TestWebhook_OneThatCannotBeSignedHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r, other := newReceiver(t), newReceiver(t)
		broken := w.add(r.URL)
		w.add(other.URL)
		w.Exec(t, "UPDATE webhook_secrets SET sealed = 'k9:nobody can open it' WHERE webhook_id = ?", broken.ID)
		for range 20 {
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		w.drain(w.sender)
		if other.count() != 20 || r.count() != 0 {
			t.Errorf("%d were sent, %d unsigned", other.count(), r.count())
		}
		if n := w.Count(t, "webhook_deliveries WHERE webhook_id = ? AND state = 'waiting'", broken.ID); n != 20 {
			t.Errorf("%d wait", n)
		}
	})
}

// TestWebhook_GoneIsGone, whatever else was taken at the same time, and the trail says so.
func TestWebhook_GoneIsGone(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		hook := w.add(newReceiver(t).URL)
		if err := w.sender.WriteGone(ctx, w.waiting(hook.ID, webhook.Refused, webhook.Took)...); err != nil {
			t.Fatal(err)
		}
		if shown := w.show(hook.ID); shown.State != webhook.Disabled || *shown.DisabledReason != webhook.DisabledGone {
			t.Errorf("webhook %+v", shown)
		}
		if n := w.Count(t, "audit_records WHERE operation = 'disableWebhook' AND subject_kind = 'webhook' AND subject_id = ?",
			hook.ID.String()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// TestWebhook_IsLeftAloneForAsLongAsItAsks: nothing else is sent to it meanwhile.
func TestWebhook_IsLeftAloneForAsLongAsItAsks(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		w.add(r.URL)
		r.answers(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(http.StatusTooManyRequests)
		})
		w.happens()
		r.answers(nil)
		w.Clock.Advance(50 * time.Minute)
		if w.happens(); r.count() != 1 {
			t.Errorf("%d were sent", r.count()-1)
		}
		w.Clock.Advance(20 * time.Minute)
		if w.drain(w.sender); r.count() != 3 {
			t.Errorf("%d were sent after it", r.count()-1)
		}
	})
}

// TestWebhook_OneFailureLongAgoDisablesNothing: what failed was cancelled, and nobody asked since.
func TestWebhook_OneFailureLongAgoDisablesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		r.answers(status(http.StatusInternalServerError))
		w.happens()
		w.EndConsent(t, w.software.ConsentID)
		w.Clock.Advance(time.Hour)
		w.drain(w.sender)
		w.Clock.Advance(5 * day)
		if _, err := w.service.Ping(ctx, w.employer, w.software.Application.ID, hook.ID); err != nil {
			t.Fatal(err)
		}
		w.drain(w.sender)
		if shown := w.show(hook.ID); r.count() != 2 || shown.State != webhook.Enabled {
			t.Errorf("%d were sent, webhook %+v", r.count(), shown)
		}
	})
}

// TestWebhook_TellsTheTimeOfTheWorld: libraries refuse what was signed at another time.
func TestWebhook_TellsTheTimeOfTheWorld(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		w.Clock.Advance(10 * day)
		w.happens()
		lib, err := standardwebhooks.NewWebhook(hook.Secret.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		got := r.got()[0]
		if err := lib.Verify(got.body, got.header); err != nil {
			seconds, _ := strconv.ParseInt(got.header.Get("webhook-timestamp"), 10, 64)
			t.Errorf("signed at %s: %v", time.Unix(seconds, 0), err)
		}
	})
}
