// Package smtpurl reads the URL that says by which server e-mail leaves, and as whom.
package smtpurl

import (
	"errors"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	"diresco/internal/platform/egress"
	"diresco/internal/platform/secret"
)

// Server is what a URL says.
type Server struct {
	Host string
	Port int
	// TLS tells that the connection is encrypted from its first byte (smtps); else it becomes so by
	// STARTTLS.
	TLS bool
	// User is empty for a server that wants no login.
	User     string
	Password secret.Text
	// From is the sender of every message.
	From mail.Address
}

// errURL repeats nothing of the URL, which may hold a password.
var errURL = errors.New("not an SMTP URL such as smtp://USER:PASSWORD@HOST:587?from=ADDRESS")

// Parse reads smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS or smtps://…; the ports are 587 and 465
// unless the URL says otherwise. The address may have a name before it: "Name <address>".
func Parse(raw secret.Text) (Server, error) {
	u, err := url.Parse(raw.Reveal())
	if err != nil || u.Opaque != "" || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return Server{}, errURL
	}
	s := Server{Host: u.Hostname(), Port: 587, User: u.User.Username()}
	switch u.Scheme {
	case "smtp":
	case "smtps":
		s.TLS, s.Port = true, 465
	default:
		return Server{}, errURL
	}
	if port := u.Port(); port != "" {
		if s.Port, err = strconv.Atoi(port); err != nil || s.Port < 1 || s.Port > 65535 {
			return Server{}, errURL
		}
	}
	password, given := u.User.Password()
	if given != (s.User != "") {
		return Server{}, errURL
	}
	s.Password = secret.Text(password)
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) != 1 || len(query["from"]) != 1 {
		return Server{}, errURL
	}
	from, err := mail.ParseAddress(query.Get("from"))
	if err != nil || !plain(from.Address) || strings.ContainsAny(from.Name, "\r\n") {
		return Server{}, errURL
	}
	s.From = *from
	return s, nil
}

// Address is where the server listens, host:port.
func (s Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Loopback tells whether what is sent to the server leaves no machine.
func (s Server) Loopback() bool { return egress.IsLoopback(s.Host) }

// Domain is that of the sender's address.
func (s Server) Domain() string {
	return s.From.Address[strings.LastIndexByte(s.From.Address, '@')+1:]
}

// plain tells whether an address is visible ASCII with one @ and a domain: what every server takes.
func plain(address string) bool {
	name, domain, found := strings.Cut(address, "@")
	return found && name != "" && domain != "" && !strings.ContainsFunc(address, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"<>()[]\,;:`, r)
	}) &&
		!strings.Contains(domain, "@")
}
