package senders_test

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"gocloud.dev/blob/memblob"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/senders"
	"diresco/internal/platform/config"
)

func TestSenders_OnlyWhatIsConfiguredIsThere(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	smtp, gateway := "SMTP_URL=smtp://relay.example.org?from=a@b.it", "SMS_GATEWAY_URL=https://sms.example.org"
	for _, tt := range []struct {
		environ []string
		want    []outbox.Channel
	}{
		{nil, []outbox.Channel{outbox.Letter}},
		{[]string{smtp}, []outbox.Channel{outbox.Email, outbox.Letter}},
		{[]string{"PEC_" + smtp}, []outbox.Channel{outbox.Letter, outbox.PEC}},
		{[]string{gateway, "SMS_GATEWAY_TOKEN=x"}, []outbox.Channel{outbox.Letter, outbox.SMS}},
		{
			[]string{smtp, "PEC_" + smtp, gateway, "SMS_GATEWAY_TOKEN=x"},
			[]outbox.Channel{outbox.Email, outbox.Letter, outbox.PEC, outbox.SMS},
		},
	} {
		environ := slices.Clone(tt.environ)
		for i := range environ {
			environ[i] = "DIRESCO_" + environ[i]
		}
		c, err := config.Read(environ)
		if err != nil {
			t.Fatal(err)
		}
		all, err := senders.New(c, bucket)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v", tt.environ, got)
		}
		if spool, err := senders.Spool(c, nil, slog.New(slog.DiscardHandler)); spool != nil || err != nil {
			t.Errorf("a spool that nobody asked for, %v", err)
		}
	}
}

func TestSenders_EachChannelGoesItsWay(t *testing.T) {
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	email, pec := channeltest.NewSMTP(t, channeltest.SMTPOptions{}), channeltest.NewSMTP(t, channeltest.SMTPOptions{})
	gateway := channeltest.NewGateway(t)
	c, err := config.Read([]string{
		"DIRESCO_SMTP_URL=smtp://" + email.Address() + "?from=a@b.it", "DIRESCO_PEC_SMTP_URL=smtp://" + pec.Address() + "?from=a@pec.it",
		"DIRESCO_SMS_GATEWAY_URL=" + gateway.URL(), "DIRESCO_SMS_GATEWAY_TOKEN=x", "DIRESCO_SMS_SENDER=DiResCo",
		"DIRESCO_PEC_SPOOL_DIR=" + t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := senders.New(c, bucket)
	if err != nil {
		t.Fatal(err)
	}
	to := map[outbox.Channel]string{
		outbox.Email: "m@posta.example", outbox.PEC: "m@pec.example", outbox.SMS: "+393331234567", outbox.Letter: "M. Rossi\n00100 Roma",
	}
	for by, sender := range all {
		if _, err := sender.Send(t.Context(), outbox.Outgoing{
			ID: uuid.Must(uuid.NewV7()), Channel: by, To: to[by], Locale: "it", Subject: "s", Text: "t", Short: "k",
		}); err != nil {
			t.Errorf("%s: %v", by, err)
		}
	}
	if mails := email.Mails(); len(mails) != 1 || mails[0].From != "a@b.it" || mails[0].To[0] != to[outbox.Email] {
		t.Errorf("%+v", mails)
	}
	if mails := pec.Mails(); len(mails) != 1 || mails[0].From != "a@pec.it" || mails[0].To[0] != to[outbox.PEC] {
		t.Errorf("%+v", mails)
	}
	if messages := gateway.Messages(); len(messages) != 1 || messages[0].Sender != "DiResCo" || messages[0].To != to[outbox.SMS] {
		t.Errorf("%+v", messages)
	}
	if letter, err := bucket.List(nil).Next(t.Context()); err != nil || letter == nil {
		t.Errorf("no letter: %v", err)
	}
	if spool, err := senders.Spool(c, nil, slog.New(slog.DiscardHandler)); spool == nil || err != nil {
		t.Errorf("the spool is missing, %v", err)
	}
	c.PECCA = filepath.Join(t.TempDir(), "ca.pem")
	for _, content := range []string{"", "no certificate"} {
		if content != "" {
			if err := os.WriteFile(c.PECCA, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := senders.Spool(c, nil, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("authorities %q are taken", content)
		}
	}
}
