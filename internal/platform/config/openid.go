package config

import (
	"net/netip"
	"slices"
)

// checkOpenID looks at the variables of the logins by OpenID Connect.
func (c *Config) checkOpenID() []error {
	var wrong []error
	if c.OIDCProviders != "" && !isFile(c.OIDCProviders) {
		wrong = append(wrong, mustBe("OIDC_PROVIDERS"))
	}
	if slices.ContainsFunc(c.EgressAllow, func(network netip.Prefix) bool { return network.Bits() == 0 }) {
		wrong = append(wrong, wrongValue("EGRESS_ALLOW", "must not hold every network: name those in which providers lie"))
	}
	return wrong
}
