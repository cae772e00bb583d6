package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"diresco/internal/app"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/secret"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// house is the real service with an administrator, and with what its messages leave by inside the
// test.
type house struct {
	*fixture
	token      string
	email, pec *channeltest.SMTP
	gateway    *channeltest.Gateway
	spool      string
}

const (
	reportKey = secret.Text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	adminCode = "RSSMRA80A01H501U"
)

// openHouse opens the service as its administrator would, and logs in.
func openHouse(t *testing.T, databaseURL string) *house {
	t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	h := &house{
		fixture: &fixture{t: t, dir: t.TempDir(), log: &syncBuffer{}, http: &http.Client{Transport: newContractTransport(t)}},
		email:   channeltest.NewSMTP(t, channeltest.SMTPOptions{User: "u", Password: "p"}),
		pec:     channeltest.NewSMTP(t, channeltest.SMTPOptions{}),
		gateway: channeltest.NewGateway(t), spool: t.TempDir(),
	}
	c, err := config.Read([]string{
		"DIRESCO_DATABASE_URL=" + databaseURL, "DIRESCO_ADDR=" + listener.Listener.Addr().String(), "DIRESCO_DATA_DIR=" + h.dir,
		"DIRESCO_ADMIN_ADDR=",
		"DIRESCO_SMTP_URL=smtp://u:p@" + h.email.Address() + "?from=DiResCo+%3Cno-reply@diresco.example%3E",
		"DIRESCO_PEC_SMTP_URL=smtp://" + h.pec.Address() + "?from=diresco@pec.example",
		"DIRESCO_PEC_SPOOL_DIR=" + h.spool, "DIRESCO_SMS_GATEWAY_URL=" + h.gateway.URL(), "DIRESCO_SMS_GATEWAY_TOKEN=t",
		"DIRESCO_SMS_REPORT_SECRET=" + reportKey.Reveal(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Serve(); err != nil {
		t.Fatal(err)
	}
	initial, err := app.CreateAdministrator(context.Background(), c, app.NewAdministrator{
		TaxCode: adminCode, Office: "7000", GivenName: "Mario", FamilyName: "Rossi",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.app, err = app.Open(context.Background(), c, app.Options{
		Version: "test", Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), PIN: cheapPINs,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = h.app.Handler()
	listener.Start()
	h.url = listener.URL
	t.Cleanup(func() {
		listener.Close()
		if err := h.app.Close(); err != nil {
			t.Error(err)
		}
	})
	first := h.login(adminCode, initial.Reveal())
	rotation := h.do(http.MethodPost, "/v1/me/pin/rotations", first.AccessToken, nil, key()).want(t, http.StatusCreated, "")
	pin, _ := rotation.field("pin").(string)
	id, _ := rotation.field("rotation_id").(string)
	h.do(
		http.MethodPost, "/v1/me/pin/rotations/"+id+"/confirmation", first.AccessToken, map[string]any{"pin": pin},
	).want(t, http.StatusOK, "")
	h.token = h.login(adminCode, pin).AccessToken
	return h
}

// letters returns the plain text of the messages that a server took, the newest last.
func letters(t *testing.T, server *channeltest.SMTP) []string {
	t.Helper()
	var all []string
	for _, taken := range server.Mails() {
		m, err := mail.ReadMessage(strings.NewReader(taken.Data))
		if err != nil {
			t.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// prove adds a contact and proves it with the code that the channel brings.
func (h *house) prove(kind, value string, texts func() []string) {
	h.t.Helper()
	path := h.addContact(h.token, kind, value).want(h.t, http.StatusCreated, "").header.Get("Location")
	var code string
	world.Eventually(h.t, "a code by "+kind, func() bool {
		for _, text := range slices.Backward(texts()) {
			if code = codeInText.FindString(text); code != "" {
				return true
			}
		}
		return false
	})
	h.verifyContact(h.token, path, code).want(h.t, http.StatusOK, "")
	if strings.Contains(h.log.String(), code) || strings.Contains(h.log.String(), value) {
		h.t.Errorf("the log has the code or the address of %s", kind)
	}
}

// delivery returns a delivery as the back office sees it.
func (h *house) delivery(channel, id string) map[string]any {
	h.t.Helper()
	items, _ := h.do(
		http.MethodGet, "/v1/backoffice/deliveries?channel="+channel, h.token, nil,
	).want(h.t, http.StatusOK, "").field("items").([]any)
	for _, item := range items {
		if d, _ := item.(map[string]any); d["delivery_id"] == id {
			return d
		}
	}
	return nil
}

// report sends a report of the SMS gateway, signed with the key, some seconds from now.
func (h *house) report(key secret.Text, seconds int64, body string) answer {
	h.t.Helper()
	stamp := strconv.FormatInt(clock.System{}.Now().Unix()+seconds, 10)
	return h.do(http.MethodPost, "/v1/sms-reports", "", body, header{
		"Webhook-Id", "msg_1",
	}, header{"Webhook-Timestamp", stamp}, header{"Webhook-Signature", channeltest.Sign(key, "msg_1", stamp, body)})
}

// TestChannels_MessagesReallyLeave: codes arrive by e-mail, PEC and SMS, and what the channels say
// afterwards is seen.
func TestChannels_MessagesReallyLeave(t *testing.T) {
	dbtest.EachURL(t, func(t *testing.T, databaseURL string) {
		h := openHouse(t, databaseURL)
		h.prove("email", "mario@posta.example", func() []string { return letters(t, h.email) })
		h.prove("pec", "mario@pec.example", func() []string { return letters(t, h.pec) })
		h.prove("mobile", "+393331234567", func() (all []string) {
			for _, m := range h.gateway.Messages() {
				all = append(all, m.Text)
			}
			return all
		})
		if taken := h.email.Mails()[0]; !taken.Encrypted || taken.User != "u" || taken.From != "no-reply@diresco.example" ||
			!slices.Equal(taken.To, []string{"mario@posta.example"}) {
			t.Errorf("%+v", taken)
		}

		// The SMS: the gateway's word, once it is signed.
		id := h.gateway.Messages()[0].MessageID
		world.Eventually(t, "an SMS that is noted as sent", func() bool { return h.delivery("sms", id)["state"] == "sent" })
		delivered := fmt.Sprintf(`{ "message_id": %q, "state": "delivered" }`, id)
		for name, a := range map[string]answer{
			"unsigned": h.do(http.MethodPost, "/v1/sms-reports", "", delivered),
			"stale":    h.report(reportKey, -301, delivered),
			"too soon": h.report(reportKey, 310, delivered),
			"another":  h.report("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, delivered),
		} {
			if a.status != http.StatusUnauthorized || a.problem() != "unauthenticated" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if d := h.delivery("sms", id); d["state"] != "sent" {
			t.Errorf("%v", d)
		}
		for range 2 {
			h.report(reportKey, 0, delivered).want(t, http.StatusNoContent, "")
		}
		h.report(reportKey, 0, fmt.Sprintf(`{"message_id":%q,"state":"failed","reason":"late"}`, id)).want(t, http.StatusNoContent, "")
		if d := h.delivery("sms", id); d["state"] != "delivered" || d["to"] != "**********567" {
			t.Errorf("%v", d)
		}
		h.report(reportKey, 0, `{"message_id":"019d0000-0000-7000-8000-000000000000","state":"delivered"}`).want(
			t, http.StatusNotFound, "not-found",
		)
		h.report(reportKey, 0, `{"message_id":"x","state":"lost"}`).want(t, http.StatusUnprocessableEntity, "validation-failed")

		// The PEC: its provider's receipt, in the spool.
		message, err := mail.ReadMessage(strings.NewReader(h.pec.Mails()[0].Data))
		if err != nil {
			t.Fatal(err)
		}
		id, to := strings.Trim(message.Header.Get("Message-Id"), "<>"), strings.Trim(message.Header.Get("To"), "<>")
		receipt := "From: posta-certificata@provider.example\r\nX-Ricevuta: avvenuta-consegna\r\nX-Riferimento-Message-ID: <" + id +
			">\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" +
			"Content-Type: application/xml; name=daticert.xml\r\n\r\n<postacert tipo=\"avvenuta-consegna\" " +
			"errore=\"nessuno\"><dati><msgid>" +
			id + "</msgid><consegna>" + to + "</consegna></dati></postacert>\r\n--m--\r\n\r\n--s\r\n" +
			"Content-Type: application/pkcs7-signature\r\n\r\nx\r\n--s--\r\n"
		if err := os.WriteFile(filepath.Join(h.spool, "1.part"), []byte(receipt), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(h.spool, "1.part"), filepath.Join(h.spool, "1.eml")); err != nil {
			t.Fatal(err)
		}
		world.Eventually(t, "a receipt that is read", func() bool {
			_, err := os.Stat(filepath.Join(h.spool, "done", "1.eml"))
			return err == nil
		})
		reference, _, _ := strings.Cut(strings.Trim(message.Header.Get("Message-Id"), "<>"), "@")
		if d := h.delivery("pec", reference); d["state"] != "delivered" {
			t.Errorf("%v", d)
		}
		h.followTheManual()
	})
}

// followTheManual has an SMS refused and does what docs/operations.md says then, to the letter.
func (h *house) followTheManual() {
	h.t.Helper()
	h.gateway.Answer(http.StatusBadRequest, "")
	h.addContact(h.token, "email", "mario.rossi@posta.example").want(h.t, http.StatusCreated, "")
	var refused map[string]any
	world.Eventually(h.t, "an SMS that is refused", func() bool {
		items, _ := h.do(http.MethodGet, "/v1/backoffice/deliveries?state=failed&channel=sms", h.token, nil).field("items").([]any)
		if len(items) == 1 {
			refused, _ = items[0].(map[string]any)
		}
		return refused != nil
	})
	id := fmt.Sprint(refused["delivery_id"])
	h.gateway.Answer(http.StatusAccepted, "")
	// Blocks that need a process of their own are run by the chaos tests.
	blocks := slices.DeleteFunc(shellBlocks(h.t, "docs/operations.md"), func(block string) bool { return !strings.Contains(block, "$API") })
	if len(blocks) != 3 {
		h.t.Fatalf("the manual has %d shell blocks", len(blocks))
	}
	run := func(script string) string {
		command := exec.CommandContext(h.t.Context(), "bash", "-c", "set -euo pipefail\n"+script)
		command.Env = append(os.Environ(), "API="+h.url+"/v1", "TOKEN="+h.token, "SECRET="+reportKey.Reveal(), "MESSAGE="+id)
		out, err := command.CombinedOutput()
		if err != nil {
			h.t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := run(blocks[1] + blocks[2]); !strings.Contains(out, `"last_error":"refused-by-gateway"`) ||
		!strings.Contains(out, `"state":"queued"`) {
		h.t.Errorf("%s", out)
	}
	world.Eventually(h.t, "an SMS that is sent again", func() bool { return h.delivery("sms", id)["state"] == "sent" })
	if out := run(blocks[0]); strings.TrimSpace(out) != "204" {
		h.t.Errorf("%s", out)
	}
	if d := h.delivery("sms", id); d["state"] != "delivered" {
		h.t.Errorf("%v", d)
	}
}
