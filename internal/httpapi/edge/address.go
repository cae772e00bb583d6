package edge

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
)

const (
	forwardedHeader = "X-Forwarded-For"
	// ipv6Customer is how much of an IPv6 address names a customer: a whole /64 belongs to one.
	ipv6Customer = 64
	// complainEvery is the shortest time between two log lines about unreadable addresses. The
	// metric counts them all.
	complainEvery = time.Minute
)

// clientAddresses finds out who is at the other end of the line.
type clientAddresses struct {
	proxies    []netip.Prefix
	unreadable metric.Int64Counter
	log        *slog.Logger
	now        func() time.Time
	complained atomic.Int64
}

func newClientAddresses(proxies []netip.Prefix, deps Deps, now func() time.Time) (*clientAddresses, error) {
	unreadable, err := deps.Meter.Int64Counter("http.server.forwarded.unreadable", metric.WithUnit("{request}"),
		metric.WithDescription("Requests whose X-Forwarded-For no client's address could be read from"))
	if err == nil {
		unreadable.Add(context.Background(), 0) // so that it is there before the first
	}
	return &clientAddresses{proxies: proxies, unreadable: unreadable, log: deps.Log, now: now}, err
}

// of returns the client's address. Without trusted proxies it is that of the connection, whatever
// headers say.
//
// Behind them it is the last in X-Forwarded-For that is no trusted proxy's: what stands before it
// may be made up. Where that cannot be read, all that is known is the proxy that wrote it; since
// every client behind it then counts as one, that is counted and logged.
func (c *clientAddresses) of(r *http.Request) string {
	nearest, known := hop(r.RemoteAddr)
	if !known {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return r.RemoteAddr
		}
		return host
	}
	if !c.trusts(nearest) {
		return nearest.String()
	}
	for _, text := range slices.Backward(strings.Split(strings.Join(r.Header.Values(forwardedHeader), ","), ",")) {
		text = strings.TrimSpace(text)
		if text == "" {
			continue // a list may have empty members (RFC 9110 section 5.6.1)
		}
		address, readable := hop(text)
		if !readable {
			c.complain(r.Context(), nearest)
			break
		}
		nearest = address
		if !c.trusts(address) {
			break
		}
	}
	return nearest.String()
}

func (c *clientAddresses) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// complain counts a header that cannot be read. It names the proxy that wrote it, and nothing of
// what it says.
func (c *clientAddresses) complain(ctx context.Context, proxy netip.Addr) {
	c.unreadable.Add(ctx, 1)
	last, now := c.complained.Load(), c.now().UnixNano()
	if (last != 0 && now-last < int64(complainEvery)) || !c.complained.CompareAndSwap(last, now) {
		return
	}
	c.log.LogAttrs(ctx, slog.LevelError, "X-Forwarded-For has no address that can be read: its clients count as one",
		slog.String("proxy", proxy.String()))
}

// hop reads an address as proxies write it. It may have a port, brackets, a zone and quotes.
func hop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, `"`)
	address, err := netip.ParseAddr(text)
	if err != nil {
		address, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	}
	if err != nil {
		var with netip.AddrPort
		with, err = netip.ParseAddrPort(text)
		address = with.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}

// clientKey names the client behind an address, for counting.
func clientKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(ipv6Customer)
	if err != nil {
		return address
	}
	return p.Addr().String()
}
