package config

import "diresco/internal/platform/clamd"

// checkScanner looks at where files are scanned. What goes there is not encrypted, so it is a network
// that the operator names, or a socket.
func (c *Config) checkScanner() []error {
	if c.Clamd == "" {
		return nil
	}
	network, _, err := clamd.Parse(c.Clamd)
	switch {
	case err != nil:
		return []error{mustBe("CLAMD")}
	case network == "tcp" && len(c.EgressAllow) == 0:
		return []error{wrongValue("EGRESS_ALLOW", "is missing: name the network of DIRESCO_CLAMD, such as 127.0.0.0/8")}
	}
	return nil
}
