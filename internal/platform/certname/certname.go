// Package certname compares the names in a certificate with one that somebody registered (RFC 8705
// section 2.1).
package certname

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"diresco/internal/platform/hostname"
)

// Kind tells which name of a certificate is meant.
type Kind string

// The kinds, as RFC 8705 section 2.1.2 calls them.
const (
	DN    Kind = "tls_client_auth_subject_dn"
	DNS   Kind = "tls_client_auth_san_dns"
	URI   Kind = "tls_client_auth_san_uri"
	IP    Kind = "tls_client_auth_san_ip"
	Email Kind = "tls_client_auth_san_email"
)

// Kinds returns them all.
func Kinds() []Kind { return []Kind{DN, DNS, URI, IP, Email} }

// MaxLength is how many bytes a name has.
const MaxLength = 500

// Name is a name that a certificate must have.
type Name struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"`
}

// Valid reports whether a certificate can have the name. A name with a wildcard is none.
func (n Name) Valid() bool {
	if n.Value == "" || len(n.Value) > MaxLength || strings.ContainsFunc(n.Value, hidden) {
		return false
	}
	switch n.Kind {
	case DN:
		_, ok := readDN(n.Value)
		return ok
	case DNS:
		return isHost(n.Value)
	case URI:
		u, err := url.Parse(n.Value)
		return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "") && u.User == nil
	case IP:
		address, err := netip.ParseAddr(n.Value)
		return err == nil && address.Zone() == ""
	case Email:
		local, domain, found := cutEmail(n.Value)
		return found && local != "" && isHost(domain)
	}
	return false
}

// In reports whether a certificate has the name. Whose name that is says who issued it: verify the
// certificate, too.
func (n Name) In(c *x509.Certificate) bool {
	if !n.Valid() {
		return false
	}
	switch n.Kind {
	case DN:
		registered, _ := readDN(n.Value)
		subject, ok := readSubject(c.RawSubject)
		return ok && slices.EqualFunc(registered, subject, rdn.equal)
	case DNS:
		return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, n.Value) })
	case URI:
		registered, err := url.Parse(n.Value)
		return err == nil && slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == registered.String() })
	case IP:
		registered, err := netip.ParseAddr(n.Value)
		return err == nil && slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool {
			address, ok := netip.AddrFromSlice(ip)
			return ok && address == registered
		})
	case Email:
		return slices.ContainsFunc(c.EmailAddresses, func(address string) bool { return sameEmail(address, n.Value) })
	}
	return false
}

// sameEmail compares addresses: only the domain may be written in other letters (RFC 5280, 7.5).
func sameEmail(a, b string) bool {
	localA, domainA, foundA := cutEmail(a)
	localB, domainB, foundB := cutEmail(b)
	return foundA && foundB && localA == localB && strings.EqualFold(domainA, domainB)
}

// isHost tells whether a text is the name of a host as certificates have it: without international
// letters.
func isHost(text string) bool {
	ascii, ok := hostname.ASCII(text)
	return ok && strings.EqualFold(ascii, text)
}

func cutEmail(address string) (local, domain string, found bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", "", false
	}
	return address[:at], address[at+1:], true
}

// hidden is what nobody sees in a name, or what is no character.
func hidden(r rune) bool {
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}
