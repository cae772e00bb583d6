package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/messaging/channel/channeltest"
	"diresco/internal/messaging/channel/mail"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/secret"
	"diresco/internal/platform/smtpurl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func outgoing() channel.Outgoing {
	return channel.Outgoing{
		ID: uuid.MustParse("018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f"), Kind: "pin.changed", Channel: outbox.Email,
		To: "maria.rossi@posta.example", Locale: "it",
		Subject: "Il PIN è cambiato", Text: "Gentile utente,\n\nil PIN è cambiato: € 5.\n",
		HTML: "<p>Gentile utente,</p><p>il PIN è cambiato.</p>", Short: "no",
		CreatedAt: time.Date(2026, 3, 16, 8, 15, 2, 345678000, time.UTC),
	}
}

// sender makes a sender to a server as the URL names it. The connection goes to the test's server
// in any case.
func sender(t *testing.T, server *channeltest.SMTP, url string, c outbox.Channel) *mail.Sender {
	t.Helper()
	at, err := smtpurl.Parse(secret.Text(url))
	if err != nil {
		t.Fatal(err)
	}
	return mail.NewSender(mail.Config{Server: at, Channel: c, RootCAs: server.Roots(), Dial: server.Dial})
}

const relay = "smtp://mail.example.org?from=DiResCo+%3Cno-reply@diresco.example%3E"

// only returns the one message that the server took.
func only(t *testing.T, server *channeltest.SMTP) (channeltest.Mail, *netmail.Message) {
	t.Helper()
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d messages", len(mails))
	}
	m, err := netmail.ReadMessage(strings.NewReader(mails[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	return mails[0], m
}

// parts returns the parts of a multipart body by their type.
func parts(t *testing.T, m *netmail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%q, %v", m.Header.Get("Content-Type"), err)
	}
	found := map[string]string{}
	reader := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		found[part.Header.Get("Content-Type")] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func TestMail_AMessageLeavesEncryptedAndWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		options channeltest.SMTPOptions
		url     string
		user    string
	}{
		"STARTTLS": {channeltest.SMTPOptions{}, relay, ""},
		"STARTTLS, PLAIN": {
			channeltest.SMTPOptions{User: "u@b.it", Password: "p@ss:w"},
			"smtp://u%40b.it:p%40ss%3Aw@mail.example.org:587?from=DiResCo+%3Cno-reply@diresco.example%3E", "u@b.it",
		},
		"STARTTLS, LOGIN": {
			channeltest.SMTPOptions{User: "u", Password: "p", Mechanisms: "LOGIN"},
			"smtp://u:p@mail.example.org?from=DiResCo+%3Cno-reply@diresco.example%3E", "u",
		},
		"TLS from the start": {
			channeltest.SMTPOptions{TLS: true}, "smtps://mail.example.org?from=DiResCo+%3Cno-reply@diresco.example%3E", "",
		},
		"TLS and PLAIN": {
			channeltest.SMTPOptions{TLS: true, User: "u", Password: "p"},
			"smtps://u:p@mail.example.org?from=DiResCo+%3Cno-reply@diresco.example%3E", "u",
		},
		"loopback, encrypted": {channeltest.SMTPOptions{}, "smtp://localhost:25?from=DiResCo+%3Cno-reply@diresco.example%3E", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := channeltest.NewSMTP(t, tt.options)
			sent, err := sender(t, server, tt.url, outbox.Email).Send(t.Context(), outgoing())
			if err != nil {
				t.Fatal(err)
			}
			const id = "018f3b33-4d5e-7f60-9172-8a9b0c1d2e3f@diresco.example"
			if sent.State != outbox.Sent || sent.ProviderRef != id {
				t.Errorf("%+v", sent)
			}
			envelope, m := only(t, server)
			if envelope.From != "no-reply@diresco.example" || !slices.Equal(envelope.To, []string{"maria.rossi@posta.example"}) ||
				envelope.User != tt.user || !envelope.Encrypted {
				t.Errorf("%+v", envelope)
			}
			for header, want := range map[string]string{
				"From": `"DiResCo" <no-reply@diresco.example>`, "To": "<maria.rossi@posta.example>", "Message-Id": "<" + id + ">",
				"Auto-Submitted": "auto-generated",
				"Date":           "Mon, 16 Mar 2026 08:15:02 +0000", "Mime-Version": "1.0", "Content-Language": "it", "X-Tiporicevuta": "",
			} {
				if got := m.Header.Get(header); got != want {
					t.Errorf("%s: %q", header, got)
				}
			}
			if subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || subject != outgoing().Subject {
				t.Errorf("subject %q, %v", subject, err)
			}
			body := parts(t, m)
			if body["text/plain; charset=UTF-8"] != outgoing().Text ||
				body["text/html; charset=UTF-8"] != outgoing().HTML || len(body) != 2 {
				t.Errorf("%q", body)
			}
		})
	}
}

func TestMail_LoopbackMayBePlain(t *testing.T) {
	for _, user := range []string{"", "u:p@"} {
		options := channeltest.SMTPOptions{Plain: true}
		if user != "" {
			options.User, options.Password = "u", "p"
		}
		server := channeltest.NewSMTP(t, options)
		if _, err := sender(t, server, "smtp://"+user+"127.0.0.1:25?from=a@b.it", outbox.Email).Send(t.Context(), outgoing()); err != nil {
			t.Error(err)
		}
		if mail, _ := only(t, server); mail.Encrypted {
			t.Errorf("%+v", mail)
		}
	}
}

// Nothing, and above all no password, goes to a server that is not encrypted or not the right one.
func TestMail_NothingLeavesUnencrypted(t *testing.T) {
	const url = "smtp://u:hunter2@mail.example.org?from=a@b.it"
	for name, tt := range map[string]struct {
		options channeltest.SMTPOptions
		url     string
	}{
		"no STARTTLS":               {channeltest.SMTPOptions{Plain: true, User: "u", Password: "hunter2"}, url},
		"another's certificate":     {channeltest.SMTPOptions{Host: "mail.example.com", User: "u", Password: "hunter2"}, url},
		"another's, from the start": {channeltest.SMTPOptions{Host: "mail.example.com", TLS: true}, "smtps://mail.example.org?from=a@b.it"},
		"smtps to a plain server":   {channeltest.SMTPOptions{Plain: true}, "smtps://mail.example.org?from=a@b.it"},
		"no login offered":          {channeltest.SMTPOptions{}, url},
		"wrong password":            {channeltest.SMTPOptions{User: "u", Password: "another"}, url},
	} {
		t.Run(name, func(t *testing.T) {
			server := channeltest.NewSMTP(t, tt.options)
			_, err := sender(t, server, tt.url, outbox.Email).Send(t.Context(), outgoing())
			if err == nil || channeltest.Refusal(err) != nil || strings.Contains(err.Error(), "hunter2") || len(server.Mails()) != 0 {
				t.Errorf("%v, %d messages", err, len(server.Mails()))
			}
		})
	}
}

func TestMail_PECAsksForReceiptsWithoutTheMessage(t *testing.T) {
	server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
	if _, err := sender(t, server, relay, outbox.PEC).Send(t.Context(), outgoing()); err != nil {
		t.Fatal(err)
	}
	if _, m := only(t, server); m.Header.Get("X-TipoRicevuta") != "sintetica" {
		t.Errorf("%v", m.Header)
	}
}

func TestMail_ARepeatIsTheSameMessage(t *testing.T) {
	server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
	s := sender(t, server, relay, outbox.Email)
	for range 2 {
		if _, err := s.Send(t.Context(), outgoing()); err != nil {
			t.Fatal(err)
		}
	}
	if mails := server.Mails(); len(mails) != 2 || mails[0].Data != mails[1].Data {
		t.Errorf("%+v", mails)
	}
}

// What people chose to be called, or to write, adds no header, recipient or command.
func TestMail_NoInjection(t *testing.T) {
	evil := []string{
		"x\r\nBcc: thief@example.org", "x\nBcc: thief@example.org\n\nbody", "x\rBcc: thief@example.org",
		"x\x00\x1b\u0085\u2028Bcc: thief@example.org", ".", "\r\n.\r\n", "x\r\n.\r\nMAIL FROM:<a@b.it>\r\n",
		"=?utf-8?q?x=0D=0ABcc:_thief@example.org?=", strings.Repeat("parola ", 500), strings.Repeat("x", 3000), "--\n--x--\n", "%s%d",
	}
	for _, text := range evil {
		server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
		m := outgoing()
		m.Subject, m.Text, m.HTML, m.Locale = text, text, "<p>"+text+"</p>", "it\r\nBcc: thief@example.org"
		if _, err := sender(t, server, relay, outbox.Email).Send(t.Context(), m); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		envelope, got := only(t, server)
		if !slices.Equal(envelope.To, []string{m.To}) || got.Header.Get("Bcc") != "" || got.Header.Get("To") != "<"+m.To+">" {
			t.Errorf("%q: to %v, %v", text, envelope.To, got.Header)
		}
		if want := 9; len(got.Header) != want {
			t.Errorf("%q: %d headers: %v", text, len(got.Header), got.Header)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "\r\n\x00") {
			t.Errorf("%q: subject %q, %v", text, subject, err)
		}
		if plain := parts(t, got)["text/plain; charset=UTF-8"]; plain != strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text) {
			t.Errorf("%q became %q", text, plain)
		}
	}
}

func TestMail_AddressesThatAreNone(t *testing.T) {
	server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
	s := sender(t, server, relay, outbox.Email)
	for _, to := range []string{
		"", "maria", "@posta.example", "maria@", "maria@posta", "Maria <maria@posta.example>", "<maria@posta.example>",
		"maria@posta.example, thief@example.org", "maria@posta.example,thief@example.org",
		"maria@posta.example\r\nRCPT TO:<thief@example.org>", "maria\r\n@posta.example", "maria@posta.example\n", " maria@posta.example",
		`"maria rossi"@posta.example`, "maria@posta.example (thief@example.org)",
		"maria@[127.0.0.1]", "maria@127.0.0.1:25", "a@b@posta.example", "màrià@posta.example", "maria@pos ta.example",
		"group: maria@posta.example;", strings.Repeat("x", 65) + "@posta.example",
		"maria@" + strings.Repeat("x", 64) + ".example", "maria@posta..example", "maria@-posta.example",
	} {
		m := outgoing()
		m.To = to
		_, err := s.Send(t.Context(), m)
		if refused := channeltest.Refusal(err); refused == nil || refused.Reason != "malformed-address" {
			t.Errorf("%q: %v", to, err)
		}
	}
	m := outgoing()
	m.To = "maria+diresco@città.example"
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	if envelope, _ := only(t, server); !slices.Equal(envelope.To, []string{"maria+diresco@xn--citt-3na.example"}) {
		t.Errorf("%v", envelope.To)
	}
}

func TestMail_WhatTheServerRefuses(t *testing.T) {
	for _, tt := range []refusalCase{
		{"RCPT", "550 5.1.1 <maria.rossi@posta.example> unknown", true},
		{"RCPT", "550 no such user maria.rossi@posta.example", true},
		{"RCPT", "550 <maria.rossi@posta.example>: Recipient address rejected: User unknown in virtual mailbox table", true},
		{"RCPT", "550 sorry, no mailbox here by that name. (#5.1.1)", true},
		{"RCPT", "550 5.1.0 user unknown", true},
		{"RCPT", "553 5.1.3 bad address", true},
		{"RCPT", "556 5.1.10 the domain takes no mail", true},
		{"RCPT", "550 5.2.1 mailbox closed", true},
		{".", "550 5.1.1 unknown after all", true},
		// Our own misfortune is not the recipient's.
		{"RCPT", "554 5.7.1 <maria.rossi@posta.example>: Relay access denied", false},
		{"RCPT", "550 5.7.1 blocked", false},
		{"RCPT", "550 relay not permitted", false},
		{"RCPT", "550 maria.rossi@posta.example", false},
		{"RCPT", "551 user not local", false},
		{"RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", false},
		{"RCPT", "550 (#5.7.1) no such user", false},
		{"RCPT", "550 relaying denied, no such user here", false},
		{"RCPT", "550 5.1.1 relaying denied", false},
		{"RCPT", "550 sender verify failed: no such user", false},
		{"RCPT", "550 5.4.1 Recipient address rejected: Access denied", false},
		{"RCPT", "550 mailbox unavailable (host 5.1.1.25)", false},
		{"RCPT", "556 the domain takes no mail", false},
		{".", "550 no such user", false},
		{"RCPT", "550 5.1.8 sender's domain not found", false},
		{"RCPT", "552 5.2.2 mailbox full", false},
		{"RCPT", "554 no service", false},
		{"RCPT", "503 5.5.1 bad sequence", false},
		{"RCPT", "450 4.2.0 greylisted maria.rossi@posta.example", false},
		{"RCPT", "421 4.3.2 closing", false},
		{"RCPT", "!", false},
		{"CONNECT", "554 5.7.1 blocked", false},
		{"CONNECT", "!", false},
		{"EHLO", "!", false},
		{"STARTTLS", "454 4.7.0 not now", false},
		{"STARTTLS", "!", false},
		{"MAIL", "550 5.1.0 sender unknown", false},
		{"DATA", "554 5.7.1 maria.rossi@posta.example", false},
		{".", "554 5.7.1 spam: il PIN è cambiato", false},
		{".", "451 4.3.0 later", false},
		{".", "!", false},
		{"RCPT", "550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 gsmtp", true},
	} {
		// Nothing depends on whether the server offers codes (RFC 2034): those that do not send
		// them all the same.
		for _, bare := range []bool{false, true} {
			server := channeltest.NewSMTP(t, channeltest.SMTPOptions{BareCodes: bare})
			server.Answer(tt.command, tt.answer)
			refuse(t, server, tt)
		}
	}
}

// refusalCase is what a server answers, and whether that speaks of the recipient.
type refusalCase struct {
	command, answer string
	refused         bool
}

func refuse(t *testing.T, server *channeltest.SMTP, tt refusalCase) {
	t.Helper()
	_, err := sender(t, server, relay, outbox.Email).Send(t.Context(), outgoing())
	refused := channeltest.Refusal(err)
	if err == nil || (refused != nil) != tt.refused || len(server.Mails()) != 0 {
		t.Errorf("%s %s: %v, %d messages", tt.command, tt.answer, err, len(server.Mails()))
		return
	}
	if refused != nil && refused.Reason != "unknown-address" {
		t.Errorf("%s %s: %v", tt.command, tt.answer, err)
	}
	if strings.Contains(err.Error(), "maria") || strings.Contains(err.Error(), "PIN") {
		t.Errorf("%s %s: the error says too much: %v", tt.command, tt.answer, err)
	}
}

// A server that takes the message and then misbehaves has taken it: it must not go out twice.
func TestMail_ATakenMessageIsSent(t *testing.T) {
	for _, farewell := range []string{"!", "500 what?"} {
		server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
		server.Answer("QUIT", farewell)
		if _, err := sender(t, server, relay, outbox.Email).Send(t.Context(), outgoing()); err != nil {
			t.Errorf("%s: %v", farewell, err)
		}
	}
}

func TestMail_ASilentServerIsLeft(t *testing.T) {
	for _, command := range []string{"CONNECT", "EHLO", "RCPT", "."} {
		server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
		server.Answer(command, "-")
		ctx, cancel := context.WithCancel(t.Context())
		s := sender(t, server, relay, outbox.Email)
		result := make(chan error)
		go func() {
			_, err := s.Send(ctx, outgoing())
			result <- err
		}()
		server.Reached(t, command)
		cancel()
		err := <-result
		if err == nil || channeltest.Refusal(err) != nil || unknown(err) != (command == ".") {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// unknown reports whether an error says that the message may have been taken.
func unknown(err error) bool {
	var noAnswer *channel.NoAnswer
	return errors.As(err, &noAnswer)
}

// A server that has the whole message and hangs up may have taken it. One that answers has not.
func TestMail_NoAnswerIsNotNotSent(t *testing.T) {
	for _, tt := range []struct {
		command, answer string
		unknown         bool
	}{
		{".", "!", true},
		{".", "421 4.3.2 closing", false},
		{".", "451 4.3.0 later", false},
		{".", "554 5.7.1 spam", false},
		{"DATA", "!", false},
		{"RCPT", "!", false},
		{"CONNECT", "!", false},
	} {
		server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
		server.Answer(tt.command, tt.answer)
		if _, err := sender(t, server, relay, outbox.Email).Send(t.Context(), outgoing()); err == nil || unknown(err) != tt.unknown {
			t.Errorf("%s %s: %v", tt.command, tt.answer, err)
		}
	}
}

// deadlines is a connection that notes until when it may wait. A server may see a connection before
// its client has it, so that first there is none.
type deadlines struct {
	net.Conn
	set   chan struct{} // closed with the first
	mu    sync.Mutex
	until time.Time
}

// SetDeadline implements net.Conn.
func (d *deadlines) SetDeadline(until time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until.IsZero() {
		close(d.set)
	}
	d.until = until
	return d.Conn.SetDeadline(until)
}

func (d *deadlines) left(t *testing.T) time.Duration {
	t.Helper()
	select {
	case <-d.set:
	case <-time.After(time.Minute):
		t.Fatal("the connection waits for ever")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until.Sub(clock.System{}.Now())
}

// A server may take 10 minutes before its last word, and the times that RFC 5321 names before.
func TestMail_EachStageHasItsTime(t *testing.T) {
	for command, least := range map[string]time.Duration{
		"CONNECT": 4 * time.Minute, "MAIL": 4 * time.Minute, "RCPT": 4 * time.Minute, "DATA": time.Minute, ".": 9 * time.Minute,
	} {
		server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
		server.Answer(command, "-")
		at, err := smtpurl.Parse(relay)
		if err != nil {
			t.Fatal(err)
		}
		watched := make(chan *deadlines, 1)
		s := mail.NewSender(mail.Config{Server: at, Channel: outbox.Email, RootCAs: server.Roots(), Dial: func(
			ctx context.Context, network, address string,
		) (net.Conn, error) {
			connection, err := server.Dial(ctx, network, address)
			d := &deadlines{Conn: connection, set: make(chan struct{})}
			watched <- d
			return d, err
		}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = s.Send(ctx, outgoing()) // it is cut off
		}()
		server.Reached(t, command)
		if left := (<-watched).left(t); left < least {
			t.Errorf("%s: %v", command, left)
		}
		cancel()
		<-ended
	}
	if mail.MaxTime > outbox.MailTimeout {
		t.Errorf("a hand-over may take %v and is left %v", mail.MaxTime, outbox.MailTimeout)
	}
}

func TestMail_NobodyListens(t *testing.T) {
	server := channeltest.NewSMTP(t, channeltest.SMTPOptions{})
	server.Close()
	if _, err := sender(t, server, relay, outbox.Email).Send(t.Context(), outgoing()); err == nil || channeltest.Refusal(err) != nil {
		t.Error(err)
	}
}

// TestMail_CheckLogsInAndSendsNothing: before going live a server is tried as far as a message
// would go, without one.
func TestMail_CheckLogsInAndSendsNothing(t *testing.T) {
	const withLogin = "smtp://u:hunter2@mail.example.org?from=no-reply@diresco.example"
	for name, tt := range map[string]struct {
		options channeltest.SMTPOptions
		url     string
		fine    bool
	}{
		"let in":         {channeltest.SMTPOptions{}, relay, true},
		"logged in":      {channeltest.SMTPOptions{User: "u", Password: "hunter2"}, withLogin, true},
		"wrong password": {channeltest.SMTPOptions{User: "u", Password: "other"}, withLogin, false},
		"no encryption":  {channeltest.SMTPOptions{Plain: true}, relay, false},
		"another's name": {channeltest.SMTPOptions{Host: "other.example.org"}, relay, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := channeltest.NewSMTP(t, tt.options)
			err := sender(t, server, tt.url, outbox.Email).Check(t.Context())
			if (err == nil) != tt.fine || err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
			if mails := server.Mails(); len(mails) != 0 {
				t.Errorf("it sent %d messages", len(mails))
			}
		})
	}
}
