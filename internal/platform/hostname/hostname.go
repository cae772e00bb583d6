// Package hostname writes the domains of addresses as the network has them.
package hostname

import (
	"strings"

	"golang.org/x/net/idna"
)

// domains are written in ASCII, and checked for the length of their labels.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ASCII returns a domain in small letters with its national letters written in ASCII (IDNA 2008):
// bücher.example is xn--bcher-kva.example. It reports false for what is no domain of several parts.
func ASCII(domain string) (string, bool) {
	ascii, err := domains.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") {
		return "", false
	}
	// For bytes that are no text it writes a name that is refused by whoever reads it again.
	again, err := domains.ToASCII(ascii)
	return ascii, err == nil && again == ascii
}
