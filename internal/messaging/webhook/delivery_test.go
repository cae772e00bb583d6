package webhook_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/event"
	"diresco/internal/messaging/webhook"
	"diresco/internal/platform/clock"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// TestWebhook_SendsWhatHappened: signed as Standard Webhooks says, and without anybody's data.
func TestWebhook_SendsWhatHappened(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		filed := w.Submit(t, w.employer, w.company)
		w.append()
		w.drain(w.sender)
		if r.count() != 1 {
			t.Fatalf("%d were sent", r.count())
		}
		got := r.got()[0]
		if !got.verifies(t, hook.Secret) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("sent with %v", got.header)
		}
		tampered := received{got.header, append([]byte(" "), got.body...)}
		if tampered.verifies(t, hook.Secret) {
			t.Error("another body has the same signature")
		}
		v1a := ""
		for part := range strings.SplitSeq(got.header.Get("webhook-signature"), " ") {
			if rest, ok := strings.CutPrefix(part, "v1a,"); ok {
				v1a = rest
			}
		}
		signature, err := base64.StdEncoding.DecodeString(v1a)
		public, publicErr := base64.StdEncoding.DecodeString(strings.TrimPrefix(hook.PublicKey, "whpk_"))
		signed := got.id() + "." + got.header.Get("webhook-timestamp") + "." + string(got.body)
		if err != nil || publicErr != nil || !ed25519.Verify(public, []byte(signed), signature) {
			t.Errorf("the signature by the key: %v %v", err, publicErr)
		}
		var body map[string]any
		if err := json.Unmarshal(got.body, &body); err != nil {
			t.Fatal(err)
		}
		data, _ := body["data"].(map[string]any)
		subject, _ := data["subject"].(map[string]any)
		if body["type"] != "declaration.submitted" || data["event_id"] != got.id() || data["contributor_id"] != w.company.ID.String() ||
			subject["kind"] != "declaration" || subject["id"] != filed.ID.String() || len(body) != 3 || len(data) != 4 {
			t.Errorf("sent %s", got.body)
		}
		log := w.only(hook.ID)
		if log.State != webhook.Delivered || len(log.Attempts) != 1 || log.Attempts[0].Status != http.StatusOK {
			t.Errorf("the log has %+v", log)
		}
		if w.append(); r.count() != 1 {
			t.Error("it was sent again")
		}
	})
}

// TestWebhook_SendsFromHandToHand: what is appended is sent once it is committed, and not before.
func TestWebhook_SendsFromHandToHand(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		failing := true
		w.feed.OnAppended(func(context.Context, []event.Event) error {
			if failing {
				return errors.New("the transaction fails")
			}
			return nil
		})
		running, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); w.sender.Run(running) }()
		w.Submit(t, w.employer, w.company)
		if err := w.feed.Append(ctx); err == nil {
			t.Fatal("appended")
		}
		failing = false
		w.append()
		world.Eventually(t, "it is sent", func() bool { return r.count() > 0 })
		world.Eventually(t, "it is noted", func() bool { return w.only(hook.ID).State == webhook.Delivered })
		stop()
		<-done
		if r.count() != 1 {
			t.Errorf("%d were sent", r.count())
		}
		if n := w.Count(t, "webhook_deliveries WHERE lease_owner IS NOT NULL"); n != 1 {
			t.Errorf("%d went from hand to hand", n)
		}
	})
}

// TestWebhook_SendsWhatSomebodyMaySee: by a live consent with the scope, now.
func TestWebhook_SendsWhatSomebodyMaySee(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r, other := newReceiver(t), newReceiver(t)
		hook := w.add(r.URL)
		_, stranger := w.Employer(t)
		theirs := w.Software(t, stranger.PersonID, watching)
		if _, err := w.service.Add(ctx, stranger, theirs.Application.ID, webhook.Input{URL: other.URL}); err != nil {
			t.Fatal(err)
		}
		deaf := w.Software(t, w.employer.PersonID, nil) // without the scope
		if _, err := w.service.Add(ctx, w.employer, deaf.Application.ID, webhook.Input{URL: other.URL}); err != nil {
			t.Fatal(err)
		}
		w.happens()
		if r.count() != 1 || other.count() != 0 {
			t.Errorf("%d were sent, %d to others", r.count(), other.count())
		}
		// Types that are not wanted are not sent.
		picky := w.add(other.URL, "declaration.withdrawn")
		w.happens()
		if r.count() != 2 || len(w.log(picky.ID)) != 0 {
			t.Errorf("%d were sent, %d that were not wanted", r.count(), len(w.log(picky.ID)))
		}
		w.EndConsent(t, w.software.ConsentID)
		w.happens()
		if r.count() != 2 || len(w.log(hook.ID)) != 2 {
			t.Errorf("%d were sent after the consent ended", r.count()-2)
		}
	})
}

// TestWebhook_LooksAtRightsBeforeEachAttempt: what waited is cancelled by what ended meanwhile.
func TestWebhook_LooksAtRightsBeforeEachAttempt(t *testing.T) {
	for name, end := range map[string]func(w *fixture){
		"the consent":     func(w *fixture) { w.EndConsent(w.t, w.software.ConsentID) },
		"the right":       func(w *fixture) { w.Exec(w.t, "UPDATE contributor_roles SET withdrawn_at = ?", w.Clock.Now()) },
		"the application": func(w *fixture) { w.Exec(w.t, "UPDATE applications SET state = 'suspended'") },
		"its removal":     func(w *fixture) { w.Exec(w.t, "UPDATE applications SET removed_at = ?", w.Clock.Now()) },
		"the scope":       func(w *fixture) { w.Exec(w.t, `UPDATE applications SET scopes = '["declarations"]'`) },
		"the time":        func(w *fixture) { w.Clock.Advance(32 * day) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *fixture) {
				r := newReceiver(t)
				w.add(r.URL)
				r.answers(status(http.StatusServiceUnavailable))
				w.happens()
				if r.count() != 1 {
					t.Fatalf("%d were sent", r.count())
				}
				end(w)
				w.Clock.Advance(time.Minute)
				w.drain(w.sender)
				if r.count() != 1 || w.Count(t, "webhook_deliveries WHERE state = 'cancelled'") != 1 {
					t.Errorf("%d were sent", r.count())
				}
			})
		})
	}
}

// TestWebhook_TellsAnApplicationOfItsConsents, also when nobody may see anything any more.
func TestWebhook_TellsAnApplicationOfItsConsents(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r, other := newReceiver(t), newReceiver(t)
		w.add(r.URL)
		stranger := w.Software(t, w.employer.PersonID, watching)
		if _, err := w.service.Add(ctx, w.employer, stranger.Application.ID, webhook.Input{URL: other.URL}); err != nil {
			t.Fatal(err)
		}
		w.EndConsent(t, w.software.ConsentID)
		e := event.Event{
			ID: uuid.Must(uuid.NewV7()), Type: event.ConsentEnded, At: w.Clock.Now(), PersonID: &w.employer.PersonID,
			ApplicationID: &w.software.Application.ID, SubjectKind: "consent", SubjectID: w.software.ConsentID.String(),
		}
		w.Must(t, func(ctx context.Context) error { return w.sender.OnAppended(ctx, []event.Event{e}) })
		w.drain(w.sender)
		if r.count() != 1 || other.count() != 0 || strings.Contains(string(r.got()[0].body), w.employer.PersonID.String()) {
			t.Errorf("%d were sent, %d to others: %s", r.count(), other.count(), r.got())
		}
	})
}

// TestWebhook_TriesForThreeDays and then disables an endpoint that only failed, and tells its owner.
func TestWebhook_TriesForThreeDays(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		r.answers(func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, "not\x00 now\n", http.StatusInternalServerError)
		})
		w.happens()
		begun := w.Clock.Now()
		first := w.only(hook.ID)
		if wait := first.NextAt.Sub(begun); first.State != webhook.Waiting || wait < 5*time.Second || wait > 7*time.Second {
			t.Errorf("it waits for %s, in state %s", wait, first.State)
		}
		if a := first.Attempts[0]; a.Answer == nil || *a.Answer != "not now" || a.Outcome != webhook.Refused {
			t.Errorf("the attempt is %+v", a)
		}
		for w.only(hook.ID).State == webhook.Waiting {
			w.Clock.Advance(max(time.Minute, w.only(hook.ID).NextAt.Sub(w.Clock.Now())))
			w.drain(w.sender)
			if w.Clock.Now().Sub(begun) > 4*day {
				t.Fatal("it goes on for ever")
			}
		}
		if took := w.Clock.Now().Sub(begun); took < webhook.Patience || took > webhook.Patience+10*time.Minute || r.count() < 8 || r.count() > 15 {
			t.Errorf("%d attempts in %s", r.count(), took)
		}
		ids := map[string]bool{}
		for _, got := range r.got() {
			ids[got.id()] = true
		}
		shown := w.show(hook.ID)
		if len(ids) != 1 || shown.State != webhook.Disabled || *shown.DisabledReason != webhook.DisabledFailing {
			t.Errorf("%d ids, webhook %+v", len(ids), shown)
		}
		if w.Count(t, "outbox WHERE kind = 'webhook.disabled' AND person_id = ?", w.employer.PersonID) != 1 {
			t.Error("nobody was told")
		}
		// Nothing is sent to it until its owner enables it.
		sent := r.count()
		w.happens()
		enabled := webhook.Enabled
		if _, err := w.service.Change(ctx, w.employer, w.software.Application.ID, hook.ID, shown.Version, webhook.Change{State: &enabled}); err != nil {
			t.Fatal(err)
		}
		r.answers(nil)
		w.happens()
		if r.count() != sent+1 {
			t.Errorf("%d were sent", r.count()-sent)
		}
	})
}

// TestWebhook_OneThatTakesSomethingIsNotDisabled, however many others failed.
func TestWebhook_OneThatTakesSomethingIsNotDisabled(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		r.answers(status(http.StatusInternalServerError))
		w.happens()
		lost := w.only(hook.ID).EventID.String()
		r.answers(func(rw http.ResponseWriter, request *http.Request) {
			if request.Header.Get("webhook-id") == lost {
				rw.WriteHeader(http.StatusInternalServerError)
			}
		})
		w.Clock.Advance(2 * day)
		w.happens()
		w.Clock.Advance(2 * day)
		w.drain(w.sender)
		if w.show(hook.ID).State != webhook.Enabled || w.Count(t, "webhook_deliveries WHERE state = 'failed'") != 1 {
			t.Errorf("webhook %+v", w.show(hook.ID))
		}
	})
}

// TestWebhook_ObeysItsEndpoint: 410 ends it, Retry-After is waited for, redirects are not followed.
func TestWebhook_ObeysItsEndpoint(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		for header, want := range map[string]time.Duration{
			"3600": time.Hour, "900000": day, clock.System{}.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat): 2*time.Hour - 2*time.Second, "soon": 5 * time.Second,
		} {
			r.answers(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Retry-After", header)
				rw.WriteHeader(http.StatusTooManyRequests)
			})
			w.Exec(t, "DELETE FROM webhook_deliveries")
			fresh := w.newSender(w.DB, nil)
			w.Submit(t, w.employer, w.company)
			w.append()
			w.drain(fresh)
			if wait := w.only(hook.ID).NextAt.Sub(w.Clock.Now()); wait < want || wait > want+4*time.Second {
				t.Errorf("after %q it waits for %s, want %s", header, wait, want)
			}
		}
		inner := newReceiver(t)
		r.answers(func(rw http.ResponseWriter, request *http.Request) {
			http.Redirect(rw, request, inner.URL, http.StatusTemporaryRedirect)
		})
		w.drain(w.newSender(w.DB, nil))
		w.Clock.Advance(day)
		w.drain(w.newSender(w.DB, nil))
		if d := w.only(hook.ID); inner.count() != 0 || d.State != webhook.Waiting || d.Attempts[0].Status != http.StatusTemporaryRedirect {
			t.Errorf("a redirect: %d were sent there, %+v", inner.count(), d)
		}
		r.answers(status(http.StatusGone))
		w.Clock.Advance(day)
		w.drain(w.newSender(w.DB, nil))
		if shown := w.show(hook.ID); shown.State != webhook.Disabled || *shown.DisabledReason != webhook.DisabledGone {
			t.Errorf("webhook %+v", shown)
		}
		if w.Count(t, "outbox WHERE kind = 'webhook.disabled'") != 1 || w.Count(t, "webhook_deliveries WHERE state = 'waiting'") != 0 {
			t.Error("nobody was told, or something still waits")
		}
	})
}

// TestWebhook_ASlowEndpointHoldsUpNobody: the others are sent to meanwhile.
func TestWebhook_ASlowEndpointHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		slow, quick := newReceiver(t), newReceiver(t)
		w.add(slow.URL)
		w.add(quick.URL)
		gate := make(chan struct{})
		slow.answers(func(http.ResponseWriter, *http.Request) { <-gate })
		running, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); w.sender.Run(running) }()
		const many = 40
		for range many {
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		world.Eventually(t, "the quick one has all", func() bool { return quick.count() == many })
		if n := slow.count(); n > 16 {
			t.Errorf("%d are under way to the slow one", n)
		}
		close(gate)
		world.Eventually(t, "the slow one has all", func() bool { return slow.count() == many })
		stop()
		<-done
	})
}

// TestWebhook_LeavesAnEndpointAloneThatDoesNotAnswer: one finds out how it is, and not each.
func TestWebhook_LeavesAnEndpointAloneThatDoesNotAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		w.add(r.URL)
		r.answers(status(http.StatusBadGateway))
		for range 60 {
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		w.drain(w.sender)
		if n := r.count(); n < 5 || n > 20 {
			t.Errorf("%d were sent to one that does not answer", n)
		}
		r.answers(nil)
		for range 40 {
			w.Clock.Advance(10 * time.Minute)
			w.drain(w.sender)
		}
		if n := w.Count(t, "webhook_deliveries WHERE state = 'delivered'"); n != 60 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestWebhook_AnotherProcessTakesOver what one had in its hands when it died: under the same id.
func TestWebhook_AnotherProcessTakesOver(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w := newFixture(t, dbtest.Open(t, rawURL))
		r := newReceiver(t)
		w.add(r.URL)
		// It is sent, and the process dies before that is written.
		w.Submit(t, w.employer, w.company)
		w.append()
		w.drain(w.sender)
		w.Exec(t, "UPDATE webhook_deliveries SET state = 'waiting', next_at = ?, lease_owner = 'one that died'", w.Clock.Now().Add(time.Minute))
		w.Exec(t, "DELETE FROM webhook_attempts")
		other := w.newSender(dbtest.Open(t, rawURL), nil)
		w.drain(other)
		if r.count() != 1 {
			t.Errorf("%d were sent while the lease was good", r.count())
		}
		w.Clock.Advance(time.Minute)
		w.drain(other)
		if got := r.got(); len(got) != 2 || got[0].id() != got[1].id() || string(got[0].body) != string(got[1].body) {
			t.Errorf("%d were sent", len(got))
		}
	})
}

// TestWebhook_ManyProcessesShareTheWork: each delivery is one's, none is left.
func TestWebhook_ManyProcessesShareTheWork(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, rawURL string) {
		w := newFixture(t, dbtest.Open(t, rawURL))
		r := newReceiver(t)
		w.add(r.URL)
		const many = 300
		for range many {
			w.Submit(t, w.employer, w.company)
		}
		w.append()
		senders := []*webhook.Sender{w.sender, w.newSender(dbtest.Open(t, rawURL), nil), w.newSender(dbtest.Open(t, rawURL), nil)}
		world.Parallel(len(senders), func(i int) {
			if err := senders[i].Drain(ctx); err != nil {
				t.Error(err)
			}
		})
		w.drain(w.sender)
		ids := map[string]int{}
		for _, got := range r.got() {
			ids[got.id()]++
		}
		if len(ids) != many || r.count() != many {
			t.Errorf("%d events were sent %d times", len(ids), r.count())
		}
		if n := w.Count(t, "webhook_deliveries WHERE state = 'delivered'"); n != many {
			t.Errorf("%d are noted", n)
		}
	})
}

// TestWebhook_PurgesItsLog after 30 days, and seals anew what another key sealed.
func TestWebhook_PurgesItsLog(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		r := newReceiver(t)
		hook := w.add(r.URL)
		w.happens()
		w.Clock.Advance(29 * day)
		w.happens()
		w.Clock.Advance(2 * day)
		if err := w.sender.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if n := len(w.log(hook.ID)); n != 1 || w.Count(t, "webhook_attempts") != 1 {
			t.Errorf("the log has %d", n)
		}
	})
}
