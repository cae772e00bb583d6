// Package egress makes HTTP clients for addresses that somebody configured. They reach the public
// Internet and nothing of the internal network, whatever a name resolves to and whatever the answer
// says.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// ErrRefused means that an address is not one of the public Internet.
var ErrRefused = errors.New("the address is not on the public Internet")

// Options are what a client may differ in; the zero value is the real thing.
type Options struct {
	// Timeout is for one request and its whole answer.
	Timeout time.Duration
	// RootCAs are those of the system if nil.
	RootCAs *x509.CertPool
	// Resolver is that of the system if nil.
	Resolver *net.Resolver
	// Allow are networks of its own that the operator lets configured addresses lie in.
	Allow []netip.Prefix
	// Connections is how many are kept between requests; 0 stands for a few.
	Connections int
}

const (
	dialTimeout    = 5 * time.Second
	maxHeaderBytes = 16 << 10
	idleTimeout    = time.Minute
	maxIdle        = 4
)

// CheckURL tells whether raw may be configured. It must be https, or http to a loopback address
// written as such, and have no user and no fragment.
func CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("not a URL") // the cause would quote it
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("not a plain URL with a host")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())):
		return nil, errors.New("not https")
	}
	return u, nil
}

// Client returns a client for requests to target. It follows no redirect, uses no proxy, and
// refuses at the time of dialling every address that is neither public nor allowed. Only a target
// whose host is a loopback address, written as such, reaches the loopback and nothing else.
func Client(target *url.URL, o Options) *http.Client {
	allowed := func(address netip.Addr) bool {
		return Public(address) || slices.ContainsFunc(o.Allow, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) })
	}
	if IsLoopback(target.Hostname()) {
		allowed = func(address netip.Addr) bool { return address.Unmap().IsLoopback() }
	}
	control := func(_ context.Context, _, address string, _ syscall.RawConn) error {
		// This is the address after all resolving, just before the connection is made.
		if at, err := netip.ParseAddrPort(address); err != nil || !allowed(at.Addr()) {
			return ErrRefused
		}
		return nil
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: o.Resolver, ControlContext: control}
	idle := maxIdle
	if o.Connections > 0 {
		idle = o.Connections
	}
	return &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: o.Timeout, MaxResponseHeaderBytes: maxHeaderBytes,
			IdleConnTimeout: idleTimeout, MaxIdleConnsPerHost: idle, DisableCompression: true,
		},
	}
}

// closed are the networks that lie within the public ranges but lead nowhere, or back into the
// internal network. What net/netip knows as loopback, private, link-local or multicast is not
// repeated.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	// Teredo and others, documentation, and 6to4, which holds an IPv4 address of anybody's choice.
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

// global is where the public addresses of IPv6 are; those that hold an IPv4 address (mapped,
// compatible, NAT64) are not.
var global = netip.MustParsePrefix("2000::/3")

// Public tells whether an address is one of the public Internet.
func Public(address netip.Addr) bool {
	if address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	if !address.IsGlobalUnicast() || address.IsPrivate() || address.Is6() && !global.Contains(address) {
		return false
	}
	for _, network := range closed {
		if network.Contains(address) {
			return false
		}
	}
	return true
}

// IsLoopback tells whether a host of a URL is this machine, written as such.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
