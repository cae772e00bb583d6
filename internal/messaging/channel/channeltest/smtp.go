// Package channeltest has what messages leave by, inside the test process: an SMTP server and an
// SMS gateway. Both keep what they get and can be told to fail.
package channeltest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// Mail is a message as the server got it.
type Mail struct {
	// From and To are the envelope's.
	From string
	To   []string
	// Data is the message with its headers.
	Data string
	// User is who logged in; Encrypted tells whether the connection was.
	User      string
	Encrypted bool
}

// SMTPOptions say how the server is. The zero value offers STARTTLS and wants no login.
type SMTPOptions struct {
	// Host is the name in the certificate; mail.example.org if empty.
	Host string
	// TLS encrypts from the first byte; Plain has no encryption at all.
	TLS, Plain bool
	// User and Password are asked for, if set, by Mechanisms, which are PLAIN and LOGIN if empty.
	User, Password, Mechanisms string
	// BareCodes keeps it from offering ENHANCEDSTATUSCODES, as many servers do that send them.
	BareCodes bool
}

// SMTP is a mail server on a loopback address.
type SMTP struct {
	options  SMTPOptions
	listener net.Listener
	config   *tls.Config
	roots    *x509.CertPool

	mu       sync.Mutex
	mails    []Mail
	answers  map[string]string
	reached  map[string]chan struct{}
	sessions map[net.Conn]bool
	open     sync.WaitGroup
}

// NewSMTP starts a server, which ends with the test.
func NewSMTP(t testing.TB, o SMTPOptions) *SMTP {
	t.Helper()
	if o.Host == "" {
		o.Host = "mail.example.org"
	}
	if o.Mechanisms == "" {
		o.Mechanisms = "PLAIN LOGIN"
	}
	certificate, roots := Certificate(t, o.Host)
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SMTP{
		options: o, listener: listener, config: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		roots:   roots,
		answers: map[string]string{}, reached: map[string]chan struct{}{}, sessions: map[net.Conn]bool{},
	}
	s.open.Go(s.accept)
	t.Cleanup(s.Close)
	return s
}

// Address is where the server listens, host:port.
func (s *SMTP) Address() string { return s.listener.Addr().String() }

// Roots are the authorities that its certificate is from.
func (s *SMTP) Roots() *x509.CertPool { return s.roots }

// Dial connects to the server, whatever address is asked for.
func (s *SMTP) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, s.Address())
}

// Answer makes the server answer a command with a line from now on. The command is CONNECT, EHLO,
// STARTTLS, AUTH, MAIL, RCPT, DATA, or "." for the end of a message. With the line "" the server
// answers as usual, with "-" not at all, and with "!" it hangs up.
func (s *SMTP) Answer(command, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[command] = line
}

// Reached waits until a client stands before an answer to the command.
func (s *SMTP) Reached(t testing.TB, command string) {
	t.Helper()
	select {
	case <-s.reach(command):
	case <-time.After(patience):
		t.Fatalf("no client came to %s", command)
	}
}

func (s *SMTP) reach(command string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached[command] == nil {
		s.reached[command] = make(chan struct{}, 1)
	}
	return s.reached[command]
}

// Mails returns what the server took.
func (s *SMTP) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Close ends the server: nothing listens any more.
func (s *SMTP) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for connection := range s.sessions {
		_ = connection.Close()
	}
	s.mu.Unlock()
	s.open.Wait()
}

func (s *SMTP) accept() {
	for {
		connection, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.sessions[connection] = true
		s.mu.Unlock()
		s.open.Go(func() {
			defer func() {
				_ = connection.Close()
				s.mu.Lock()
				delete(s.sessions, connection)
				s.mu.Unlock()
			}()
			s.serve(connection)
		})
	}
}

// session is one connection.
type session struct {
	server *SMTP
	conn   net.Conn
	text   *textproto.Conn
	mail   Mail
}

func (s *SMTP) serve(connection net.Conn) {
	c := &session{server: s, conn: connection}
	if s.options.TLS {
		c.conn = tls.Server(connection, s.config)
		c.mail.Encrypted = true
	}
	c.text = textproto.NewConn(c.conn)
	if !c.say("CONNECT", "220 "+s.options.Host+" ready") {
		return
	}
	for {
		line, err := c.text.ReadLine()
		if err != nil {
			return
		}
		command, rest, _ := strings.Cut(line, " ")
		command = strings.ToUpper(command)
		if command == "QUIT" {
			c.say(command, "221 bye")
			return
		}
		if !c.do(command, rest) {
			return
		}
	}
}

// do answers one command and reports whether the conversation goes on.
func (c *session) do(command, rest string) bool {
	o := c.server.options
	switch {
	case command == "EHLO":
		return c.say(command, c.greeting())
	case command == "STARTTLS" && !o.TLS && !o.Plain:
		return c.startTLS()
	case command == "AUTH" && o.User != "":
		return c.login(rest)
	case o.User != "" && c.mail.User == "":
		return c.say(command, "530 5.7.0 log in first")
	case command == "MAIL":
		c.mail.From, c.mail.To = envelope(rest), nil
		return c.say(command, "250 2.1.0 fine")
	case command == "RCPT":
		c.mail.To = append(c.mail.To, envelope(rest))
		return c.say(command, "250 2.1.5 fine")
	case command == "DATA":
		return c.data()
	case command == "RSET", command == "NOOP":
		return c.say(command, "250 2.0.0 fine")
	}
	return c.say(command, "500 5.5.1 unknown command")
}

func (c *session) greeting() string {
	o := c.server.options
	lines := []string{o.Host, "8BITMIME"}
	if !o.BareCodes {
		lines = append(lines, "ENHANCEDSTATUSCODES")
	}
	if !o.TLS && !o.Plain && !c.mail.Encrypted {
		lines = append(lines, "STARTTLS")
	}
	if o.User != "" {
		lines = append(lines, "AUTH "+o.Mechanisms)
	}
	return "250-" + strings.Join(lines[:len(lines)-1], "\r\n250-") + "\r\n250 " + lines[len(lines)-1]
}

func (c *session) startTLS() bool {
	if !c.say("STARTTLS", "220 go on") {
		return false
	}
	encrypted := tls.Server(c.conn, c.server.config)
	if encrypted.HandshakeContext(context.Background()) != nil {
		return false
	}
	c.conn, c.text, c.mail.Encrypted = encrypted, textproto.NewConn(encrypted), true
	return true
}

// login understands PLAIN with its first answer, and LOGIN.
func (c *session) login(rest string) bool {
	mechanism, first, _ := strings.Cut(rest, " ")
	var user, password string
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		if parts := strings.Split(decode(first), "\x00"); len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case "LOGIN":
		user, password = c.ask("Username:"), c.ask("Password:")
	}
	if o := c.server.options; user != o.User || password != o.Password {
		return c.say("AUTH", "535 5.7.8 wrong password for "+user)
	}
	c.mail.User = user
	return c.say("AUTH", "235 2.7.0 welcome")
}

func (c *session) ask(question string) string {
	if c.text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(question))) != nil {
		return ""
	}
	line, err := c.text.ReadLine()
	if err != nil {
		return ""
	}
	return decode(line)
}

func decode(s string) string {
	plain, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(plain)
}

// data takes a message. What it holds is noted only once its end has been answered well.
func (c *session) data() bool {
	if !c.say("DATA", "354 go on") {
		return false
	}
	if c.answer("DATA", "354") != "354" {
		return true
	}
	data, err := io.ReadAll(bufio.NewReader(c.text.DotReader()))
	if err != nil {
		return false
	}
	m := c.mail
	m.Data = string(data)
	if c.answer(".", "250") == "250" {
		c.server.mu.Lock()
		c.server.mails = append(c.server.mails, m)
		c.server.mu.Unlock()
	}
	return c.say(".", "250 2.0.0 taken")
}

// answer is what the server was told to say to a command, or what it says by itself.
func (c *session) answer(command, usual string) string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if line := c.server.answers[command]; line != "" {
		return line
	}
	return usual
}

// say answers a command and reports whether the conversation goes on.
func (c *session) say(command, usual string) bool {
	select {
	case c.server.reach(command) <- struct{}{}:
	default:
	}
	switch line := c.answer(command, usual); line {
	case "-":
		return true
	case "!":
		return false
	default:
		return c.text.PrintfLine("%s", line) == nil
	}
}

func envelope(rest string) string {
	_, after, _ := strings.Cut(rest, "<")
	address, _, _ := strings.Cut(after, ">")
	return address
}
