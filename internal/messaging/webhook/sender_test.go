package webhook_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/event"
	"diresco/internal/messaging/webhook"
	"diresco/internal/test/world"
)

// panics are rights that panic where one subject is among what they are asked about.
type panics struct {
	webhook.Rights
	subject string
}

// Watching implements webhook.Rights.
func (p panics) Watching(ctx context.Context, sessions []uuid.UUID, events []access.About) (map[uuid.UUID][]int, error) {
	for _, e := range events {
		if e.SubjectID == p.subject {
			panic("a defect")
		}
	}
	return p.Rights.Watching(ctx, sessions, events)
}

// TestWebhook_ADefectDoesNotStopTheFeed: what has it gets no delivery, and all else goes on.
func TestWebhook_ADefectDoesNotStopTheFeed(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		bad := w.Submit(t, w.employer, w.company)
		w.Submit(t, w.employer, w.company)
		feed := event.NewFeed(event.Deps{DB: w.DB, Clock: w.Clock, Log: slog.New(slog.DiscardHandler)})
		broken := w.newSender(w.DB, func(o *webhook.Options) { o.Rights = panics{o.Rights, bad.ID.String()} })
		feed.OnAppended(broken.OnAppended)
		if err := feed.Append(ctx); err != nil {
			t.Fatal(err)
		}
		if n := w.Count(t, "webhook_deliveries"); n != 1 {
			t.Errorf("%d deliveries", n)
		}
		from := w.Clock.Now().Add(-time.Hour)
		again, err := w.service.Replay(ctx, w.employer, w.software.Application.ID, hook.ID, webhook.Replay{From: &from})
		if err != nil || again.Count != 2 {
			t.Errorf("a replay: %+v, %v", again, err)
		}
	})
}

// TestWebhook_OneApplicationHasItsShare: slow endpoints of one leave the others theirs.
func TestWebhook_OneApplicationHasItsShare(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		slow, quick := newReceiver(t), newReceiver(t)
		gate := make(chan struct{})
		slow.answers(func(http.ResponseWriter, *http.Request) { <-gate })
		for range 3 {
			w.add(slow.URL)
		}
		other := w.Software(t, w.employer.PersonID, watching)
		if _, err := w.service.Add(ctx, w.employer, other.Application.ID, webhook.Input{URL: quick.URL}); err != nil {
			t.Fatal(err)
		}
		w.append()
		w.sender.Bound(6, 4)
		running, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); w.sender.Run(running) }()
		for range 10 {
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		world.Eventually(t, "the quick one has all", func() bool { return quick.count() == 10 })
		if n := slow.count(); n > 4 {
			t.Errorf("%d are under way to the slow ones", n)
		}
		close(gate)
		world.Eventually(t, "the slow ones have all", func() bool { return slow.count() == 30 })
		stop()
		<-done
	})
}

// TestWebhook_OnlyThoseConcernedAreLookedAt for an event: not each one that there is.
func TestWebhook_OnlyThoseConcernedAreLookedAt(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		w.add("https://a.example/")
		_, stranger := w.Employer(t)
		theirs := w.Software(t, stranger.PersonID, watching)
		if _, err := w.service.Add(ctx, stranger, theirs.Application.ID, webhook.Input{URL: "https://b.example/"}); err != nil {
			t.Fatal(err)
		}
		w.Submit(t, w.employer, w.company)
		w.feed.OnAppended(func(ctx context.Context, events []event.Event) error {
			n, err := w.sender.Concerned(ctx, events)
			if n != 1 {
				t.Errorf("%d are looked at", n)
			}
			return err
		})
		w.append()
	})
}

// TestWebhook_EndsWhileTheFeedGoesOn: what is appended meanwhile is left for others.
func TestWebhook_EndsWhileTheFeedGoesOn(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		w.add(r.URL)
		running, stop := context.WithCancel(ctx)
		stop()
		w.sender.Run(running)
		w.Submit(t, w.employer, w.company)
		w.append()
		if n := w.Count(t, "webhook_deliveries WHERE lease_owner IS NULL AND state = 'waiting'"); n != 1 || r.count() != 0 {
			t.Errorf("%d are left, %d were sent", n, r.count())
		}
		w.drain(w.newSender(w.DB, nil))
		if r.count() != 1 {
			t.Errorf("%d were sent", r.count())
		}
	})
}
