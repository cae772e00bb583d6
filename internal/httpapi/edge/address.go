package edge

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// ipv6Customer is how much of an IPv6 address names a customer: a whole /64 belongs to one.
const ipv6Customer = 64

// addressExtractor finds the client's address. Without trusted proxies it is that of the
// connection, whatever headers say.
func addressExtractor(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		p = p.Masked()
		options = append(options, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// clientKey names the client behind an address, for counting.
func clientKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(ipv6Customer)
	if err != nil {
		return address
	}
	return p.Addr().String()
}
