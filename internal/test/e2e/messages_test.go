package e2e

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// TestMessages_AndHowTheyFare: who filed is told and sees it, the back office sees that it was sent
// and no more.
func TestMessages_AndHowTheyFare(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		ctx := context.Background()
		f := w.filer()
		w.do(http.MethodPost, f.path, f.token, f.draft(map[string]any{"submit": true}), key()).want(t, http.StatusCreated, "")
		told := func() client.NotificationList {
			t.Helper()
			r, err := w.as(f.token).ListNotificationsWithResponse(ctx, nil)
			if err != nil || r.JSON200 == nil {
				t.Fatalf("%v %s", err, r.Body)
			}
			return *r.JSON200
		}
		// A sandbox sends what is due before it shows how that went.
		if before := told(); len(before.Items) != 1 || before.Items[0].Kind != "declaration.received" ||
			len(before.Items[0].Deliveries) != 1 {
			t.Fatalf("%+v", before)
		}
		sent, err := w.as("").ListSandboxMessagesWithResponse(ctx, nil)
		if err != nil || sent.JSON200 == nil || len(sent.JSON200.Items) != 1 {
			t.Fatalf("%v %s", err, sent.Body)
		}
		message := sent.JSON200.Items[0]
		n := told().Items[0]
		if n.Subject != message.Subject || len(n.Deliveries) != 1 || n.Deliveries[0].State != client.DeliveryStateSent ||
			n.Deliveries[0].To == message.To || len(n.Deliveries[0].Attempts) != 1 {
			t.Errorf("%+v of %+v", n, message)
		}
		// Another sees none of it.
		stranger := w.loginAs(w.createPerson(map[string]any{}))
		if a := w.do(
			http.MethodGet, "/v1/me/notifications", stranger.AccessToken, nil,
		).want(t, http.StatusOK, ""); len(a.field("items").([]any)) != 0 {
			t.Errorf("a stranger sees %s", a.body)
		}

		w.do(http.MethodGet, "/v1/backoffice/deliveries", f.token, nil).want(t, http.StatusForbidden, "forbidden")
		operator := w.loginAs(w.person(operatorOf("7000"))).AccessToken
		elsewhere := w.loginAs(w.person(operatorOf("4900"))).AccessToken
		a := w.do(http.MethodGet, "/v1/backoffice/deliveries", elsewhere, nil).want(t, http.StatusOK, "")
		if len(a.field("items").([]any)) != 0 {
			t.Errorf("another office sees %s", a.body)
		}
		state, channel := client.DeliveryStateSent, client.MessageChannelEmail
		listed, err := w.as(operator).ListDeliveriesWithResponse(ctx, &client.ListDeliveriesParams{State: &state, Channel: &channel})
		if err != nil || listed.JSON200 == nil || len(listed.JSON200.Items) != 1 {
			t.Fatalf("%v %s", err, listed.Body)
		}
		d := listed.JSON200.Items[0]
		if d.MessageId != n.NotificationId || d.DeliveryId != message.MessageId || d.To != n.Deliveries[0].To || d.Attempts != 1 ||
			bytes.Contains(listed.Body, []byte(message.To)) {
			t.Errorf("%s", listed.Body)
		}
		retry := func(id uuid.UUID, status int, problem string) answer {
			t.Helper()
			return w.do(http.MethodPost, "/v1/backoffice/deliveries/"+id.String()+"/retries", operator, nil, key()).want(t, status, problem)
		}
		retry(d.DeliveryId, http.StatusConflict, "conflict")
		w.do(http.MethodPost, "/v1/backoffice/deliveries/"+d.DeliveryId.String()+"/retries", elsewhere, nil, key()).want(
			t, http.StatusNotFound, "not-found",
		)
		retry(uuid.Must(uuid.NewV7()), http.StatusNotFound, "not-found")
		w.execute("UPDATE deliveries SET state = 'dead' WHERE id = ?", d.DeliveryId)
		if again := retry(d.DeliveryId, http.StatusAccepted, ""); again.field("state") != "queued" || again.header.Get("Location") == "" {
			t.Errorf("%s", again.body)
		}
		w.do(http.MethodGet, "/v1/sandbox/messages", "", nil).want(t, http.StatusOK, "")
		if n := told().Items[0]; n.Deliveries[0].State != client.DeliveryStateSent || len(n.Deliveries[0].Attempts) != 2 {
			t.Errorf("after the retry: %+v", n)
		}
	})
}

// execute changes the database behind the service's back.
func (w *fixture) execute(statement string, args ...any) {
	w.t.Helper()
	if err := w.app.DB.InTx(context.Background(), func(ctx context.Context) error {
		return w.app.DB.From(ctx).Exec(statement, args...).Error
	}); err != nil {
		w.t.Fatal(err)
	}
}

// TestMessages_LettersOfTheSandbox: a letter can be seen as the print house would get it.
func TestMessages_LettersOfTheSandbox(t *testing.T) {
	each(t, func(t *testing.T, w *fixture) {
		p := w.createPerson(map[string]any{})
		w.execute(`INSERT INTO outbox (id, kind, person_id, channel, recipient, data, state, created_at, deadline_at)
			VALUES (?, 'pin.changed', ?, 'letter', ?, '{}', 'queued', ?, ?)`,
			uuid.Must(uuid.NewV7()), p.PersonId, "Mario Rossi\nVia Roma 1\n00100 Roma RM", w.clock.Now(), w.clock.Now().AddDate(0, 1, 0))
		w.execute(`INSERT INTO outbox (id, kind, person_id, data, state, created_at, deadline_at)
			VALUES (?, 'pin.changed', ?, '{}', 'queued', ?, ?)`,
			uuid.Must(uuid.NewV7()), p.PersonId, w.clock.Now(), w.clock.Now().AddDate(0, 1, 0))
		r, err := w.as("").ListSandboxMessagesWithResponse(context.Background(), nil)
		if err != nil || r.JSON200 == nil || len(r.JSON200.Items) != 2 {
			t.Fatalf("%v %s", err, r.Body)
		}
		for _, m := range r.JSON200.Items {
			path := "/v1/sandbox/messages/" + m.MessageId.String() + "/letter"
			if m.Channel != client.MessageChannelLetter {
				if m.Letter != nil {
					t.Errorf("%s has a letter", m.Channel)
				}
				w.do(http.MethodGet, path, "", nil).want(t, http.StatusNotFound, "not-found")
				continue
			}
			if m.Letter == nil || *m.Letter != path {
				t.Errorf("letter %v", m.Letter)
			}
			letter := w.do(http.MethodGet, path, "", nil).want(t, http.StatusOK, "")
			if !bytes.HasPrefix(letter.body, []byte("%PDF-")) || letter.header.Get("Content-Type") != "application/pdf" {
				t.Errorf("%d bytes of %s", len(letter.body), letter.header.Get("Content-Type"))
			}
			w.do(http.MethodGet, path, "", nil, header{"If-None-Match", letter.header.Get("ETag")}).want(t, http.StatusNotModified, "")
		}
	})
}
