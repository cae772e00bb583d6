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
	"net"
	"net/textproto"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"diresco/internal/kernel/outbox"
	"diresco/internal/messaging/channel"
	"diresco/internal/platform/smtpurl"
)

// timeout is for making a connection with its greetings, and again for handing the message over.
const timeout = 12 * time.Second

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
		c.Dial = new(net.Dialer).DialContext
	}
	return &Sender{config: c}
}

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
		return channel.Sent{}, failed("not connected", err)
	}
	err = client.SendWithSMTPClient(session, message)
	if !message.IsDelivered() {
		// No farewell: in the midst of a message it would end the message.
		return channel.Sent{}, refusedOr(err)
	}
	_ = client.CloseWithSMTPClient(session) // the message was taken, whatever the server says now
	return channel.Sent{State: outbox.Sent, ProviderRef: MessageID(m, s.config.Server)}, nil
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
		gomail.WithPort(server.Port), gomail.WithTimeout(timeout), gomail.WithHELO(server.Domain()), gomail.WithTLSPolicy(policy),
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
		return nil, &channel.Refused{Reason: "malformed-address"}
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m)))
	from := s.config.Server.From
	message.FromMailAddress(&from)
	if err := message.To(to); err != nil {
		return nil, &channel.Refused{Reason: "malformed-address"}
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

// domains are written in ASCII, and checked for the length of their labels.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// recipient takes an address as every server understands it. That is visible ASCII, one @, no name,
// no quotes, no comment, and a domain that has a dot, with its national letters written in ASCII.
func recipient(address string) (string, bool) {
	name, domain, found := strings.Cut(address, "@")
	if !found || name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"<>()[]\,;:`, r)
	}) {
		return "", false
	}
	domain, err := domains.ToASCII(domain)
	if err != nil || !strings.Contains(domain, ".") {
		return "", false
	}
	return name + "@" + domain, true
}

// oneLine makes a header's value one line, and no encoded word by accident.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return strings.ReplaceAll(s, "=?", "= ?")
}

// aboutRecipient tells whether a refusal of RCPT says that there is no such recipient. Others speak
// of the server, of the sender or of us, or will pass: a relay that does not know us must not make
// every address a bad one (RFC 3463, RFC 5321 section 4.2.3).
func aboutRecipient(code int, enhanced string) bool {
	switch enhanced {
	case "":
		return code == 550 || code == 551 || code == 553 || code == 556
	case "5.1.7", "5.1.8": // the sender's address
		return false
	case "5.2.1": // the mailbox is closed
		return true
	}
	return strings.HasPrefix(enhanced, "5.1.")
}

// refusedOr tells a recipient that does not exist from a failure. Servers repeat addresses in what
// they answer, so only their codes are kept.
func refusedOr(err error) error {
	var sending *gomail.SendError
	if !errors.As(err, &sending) {
		return failed("not sent", err)
	}
	code, enhanced := sending.ErrorCode(), sending.EnhancedStatusCode()
	if code >= 500 && (sending.Reason == gomail.ErrSMTPRcptTo || sending.Reason == gomail.ErrSMTPDataClose && enhanced != "") &&
		aboutRecipient(code, enhanced) {
		return &channel.Refused{Reason: "unknown-address"}
	}
	stage := map[gomail.SendErrReason]string{
		gomail.ErrSMTPMailFrom: "sender not taken", gomail.ErrSMTPRcptTo: "recipient not taken", gomail.ErrSMTPData: "message not taken",
		gomail.ErrSMTPDataClose: "message not taken", gomail.ErrWriteContent: "connection broke off",
	}[sending.Reason]
	if stage == "" {
		stage = "not sent"
	}
	if code == 0 {
		return errors.New("smtp: " + stage)
	}
	return fmt.Errorf("smtp: %s: server answered %s", stage, strings.TrimSpace(fmt.Sprint(code, " ", enhanced)))
}

// failed makes an error of the connection presentable: of an answer of the server only the code.
func failed(stage string, err error) error {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return fmt.Errorf("smtp: %s: server answered %d", stage, answer.Code)
	}
	return fmt.Errorf("smtp: %s: %w", stage, err)
}
