// Package mail hands e-mail and PEC (posta elettronica certificata) to an SMTP server.
package mail

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/hostname"
	"diresco/internal/platform/smtpurl"
)

// The time-outs of the stages of a hand-over, as RFC 5321 section 4.5.3.2 has them. A server may
// look for viruses before its last word; who hangs up on it gets the message delivered and sends it
// again.
const (
	dialTimeout     = 30 * time.Second
	greetingTimeout = 5 * time.Minute // and what follows it: TLS and login
	commandTimeout  = 5 * time.Minute // MAIL, and again RCPT
	dataTimeout     = 2 * time.Minute
	writeTimeout    = 3 * time.Minute // the whole message, which is short
	finalTimeout    = 10 * time.Minute
	farewellTimeout = 5 * time.Second
)

// MaxTime is how long one hand-over takes at most.
const MaxTime = dialTimeout + greetingTimeout + 2*commandTimeout + dataTimeout + writeTimeout + finalTimeout + farewellTimeout

// Config says by which server messages leave.
type Config struct {
	Server smtpurl.Server
	// Channel is outbox.Email or outbox.PEC.
	Channel outbox.Channel
	// RootCAs and Dial are for tests; nil is the real thing.
	RootCAs *x509.CertPool
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Sender hands messages to the server, each in a connection of its own.
type Sender struct{ config Config }

// NewSender returns a sender for a server. The connection is encrypted: from its first byte for
// smtps, else by STARTTLS, without which nothing is sent. Only towards a server on this machine
// STARTTLS may be missing.
func NewSender(c Config) *Sender {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &Sender{config: c}
}

// malformed is the reason of a refusal: what stands there is no address.
const malformed = "malformed-address"

// MessageID is the Message-ID of a delivery, without its brackets: every repeat has the same.
func MessageID(m channel.Outgoing, s smtpurl.Server) string { return m.ID.String() + "@" + s.Domain() }

// Send implements channel.Sender.
func (s *Sender) Send(ctx context.Context, m channel.Outgoing) (channel.Sent, error) {
	message, err := s.compose(m)
	if err != nil {
		return channel.Sent{}, err
	}
	// The library is told what dials, so that the connection is closed here whatever happens. Not
	// all of the library's errors close it.
	connections := &connections{dial: s.config.Dial}
	defer connections.close()
	stop := context.AfterFunc(ctx, connections.close)
	defer stop()
	client, err := s.client(connections)
	if err != nil {
		return channel.Sent{}, fmt.Errorf("smtp: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return channel.Sent{}, failed(connecting, err)
	}
	if err := handOver(session, message); err != nil {
		// No farewell: in the midst of a message it would end the message.
		return channel.Sent{}, err
	}
	// The message was taken, whatever the server says now, and there is no waiting for it.
	if session.UpdateDeadline(farewellTimeout) == nil {
		_ = session.Quit()
	}
	return channel.Sent{State: outbox.Sent, ProviderRef: MessageID(m, s.config.Server)}, nil
}

// handOver gives a message to a server that has greeted. Each stage has a time of its own. An
// answer that does not come to the final dot is *channel.NoAnswer: the server may have taken it.
func handOver(session *smtp.Client, message *gomail.Msg) error {
	from, err := message.GetSender(false)
	if err != nil {
		return failed(namingSender, err)
	}
	to, err := message.GetRecipients()
	if err != nil || len(to) != 1 {
		return &channel.Refused{Reason: malformed, Certain: true}
	}
	if err := timed(session, commandTimeout, func() error { return session.Mail(from) }); err != nil {
		return refusedOr(namingSender, err)
	}
	if err := timed(session, commandTimeout, func() error { return session.Rcpt(to[0]) }); err != nil {
		return refusedOr(namingRecipient, err)
	}
	var body io.WriteCloser
	if err := timed(session, dataTimeout, func() error { body, err = session.Data(); return err }); err != nil {
		return refusedOr(beginningMessage, err)
	}
	if err := timed(session, writeTimeout, func() error { _, err := message.WriteTo(body); return err }); err != nil {
		return failed(writing, err)
	}
	err = timed(session, finalTimeout, body.Close)
	var answer *textproto.Error
	if err != nil && !errors.As(err, &answer) {
		return &channel.NoAnswer{Err: failed("no answer to the end of the message", err)}
	}
	if err != nil {
		return refusedOr(ending, err)
	}
	return nil
}

// timed does one stage, which ends after its time.
func timed(session *smtp.Client, most time.Duration, do func() error) error {
	if err := session.UpdateDeadline(most); err != nil {
		return err
	}
	return do()
}

// client makes a client for one message.
func (s *Sender) client(c *connections) (*gomail.Client, error) {
	server := s.config.Server
	encryption := &tls.Config{ServerName: server.Host, MinVersion: tls.VersionTLS12, RootCAs: s.config.RootCAs}
	policy := gomail.TLSMandatory
	if server.Loopback() {
		// There is nobody in between, and such a server has a certificate of its own making, if it
		// has one.
		policy, encryption.InsecureSkipVerify = gomail.TLSOpportunistic, true
	}
	dial := c.open
	if server.TLS {
		policy = gomail.NoTLS // there is nothing left to start
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return c.openTLS(ctx, network, address, encryption)
		}
	}
	options := []gomail.Option{
		gomail.WithPort(server.Port), gomail.WithTimeout(greetingTimeout), gomail.WithHELO(server.Domain()), gomail.WithTLSPolicy(policy),
		gomail.WithTLSConfig(encryption),
		gomail.WithDialContextFunc(dial), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if server.User != "" {
		options = append(options, gomail.WithUsername(server.User), gomail.WithPassword(server.Password.Reveal()),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(server.Host, options...)
}

// compose writes a message. It returns *channel.Refused for an address that is none.
func (s *Sender) compose(m channel.Outgoing) (*gomail.Msg, error) {
	to, ok := recipient(m.To)
	if !ok {
		return nil, &channel.Refused{Reason: malformed, Certain: true}
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m)))
	from := s.config.Server.From
	message.FromMailAddress(&from)
	if err := message.To(to); err != nil {
		return nil, &channel.Refused{Reason: malformed, Certain: true}
	}
	message.Subject(oneLine(m.Subject))
	message.SetMessageIDWithValue(MessageID(m, s.config.Server))
	message.SetDateWithValue(m.CreatedAt.UTC())
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetGenHeader("Content-Language", oneLine(m.Locale))
	if s.config.Channel == outbox.PEC {
		// The receipt of delivery should not bring the message back: it may hold a secret.
		message.SetGenHeader("X-TipoRicevuta", "sintetica")
	}
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return message, nil
}

// boundary is the line between the parts of a message. It is the same for a repeat, and not to be
// found in the parts, since it is a digest of them.
func boundary(m channel.Outgoing) string {
	digest := sha256.New()
	for _, part := range []string{m.ID.String(), m.Text, m.HTML} {
		_, _ = fmt.Fprintf(digest, "%d:%s", len(part), part) // a digest takes everything
	}
	return hex.EncodeToString(digest.Sum(nil)[:24])
}

// recipient takes an address as every server understands it. That is visible ASCII, one @, no name,
// no quotes, no comment, and a domain that has a dot, with its national letters written in ASCII.
func recipient(address string) (string, bool) {
	name, domain, found := strings.Cut(address, "@")
	if !found || name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"<>()[]\,;:`, r)
	}) {
		return "", false
	}
	domain, ok := hostname.ASCII(domain)
	if !ok {
		return "", false
	}
	return name + "@" + domain, true
}

// oneLine makes a header's value one line, and no encoded word by accident.
func oneLine(s string) string { return strings.ReplaceAll(channel.OneLine(s), "=?", "= ?") }
