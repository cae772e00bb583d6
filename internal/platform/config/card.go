package config

import (
	"errors"
	"slices"
	"strings"

	"diresco/internal/platform/egress"
)

// Cards are the settings of logging in with the national service card (CNS) and the card of the
// electronic identity (CIE).
type Cards struct {
	// CNSCA is the path of the certificates of authorities that issue cards.
	CNSCA string `env:"CNS_CA" want:"the path of a file that can be read" unset:"none but those of CNS_TSL" desc:"path of the authorities (PEM) whose cards are let in"`
	// CNSTSL is the national trusted list, a path or an https URL.
	CNSTSL string `env:"CNS_TSL" want:"the path of a file that can be read, or an https URL" unset:"none but those of CNS_CA" desc:"the national trusted list, whose authorities' cards are let in: path or https URL of TSL-IT.xml"`
	// CNSTSLSigners is the path of the certificates that may sign the trusted list.
	CNSTSLSigners string `env:"CNS_TSL_SIGNERS" want:"the path of a file that can be read" unset:"needed by CNS_TSL" desc:"path of the certificates (PEM) that may sign the trusted list"`
	// CNSHeader is the form in which a trusted proxy hands certificates on.
	CNSHeader string `env:"CNS_HEADER" want:"nginx, apache, haproxy or envoy" unset:"no header is read" desc:"proxy that hands cards' certificates on in a header: nginx, apache, haproxy or envoy; taken from TRUSTED_PROXIES alone, at CNS_PROXY_ADDR alone"`
	// CNSAddr is where cards are taken by TLS, host:port.
	CNSAddr string `env:"CNS_ADDR" want:"host:port, such as 0.0.0.0:8443" unset:"nowhere; sandbox: a free port of 127.0.0.1" desc:"where cards log in by direct TLS, host:port; nothing else is served there"`
	// CNSProxyAddr is where such a proxy sends logins with cards, host:port.
	CNSProxyAddr string `env:"CNS_PROXY_ADDR" want:"host:port, such as 127.0.0.1:8444" unset:"needed by CNS_HEADER" desc:"where that proxy sends logins with cards, host:port; nothing else is served there, and elsewhere the header means nothing"`
	// CNSURL is where browsers come with cards.
	CNSURL string `env:"CNS_URL" want:"an https URL without a path, of another host than PUBLIC_URL" unset:"no page has a button for cards; sandbox: that of CNS_ADDR" desc:"address at which browsers show cards, such as https://cards.example.org: the pages then have buttons for them"`
	// CNSCert is the path of that listener's certificate chain, CNSKey that of its key.
	CNSCert string `env:"CNS_CERT" want:"the path of a file that can be read" unset:"TLS_CERT" desc:"path of the certificate chain (PEM) of CNS_ADDR"`
	CNSKey  string `env:"CNS_KEY" want:"the path of a file that can be read" unset:"TLS_KEY" desc:"path of that certificate's private key (PEM)"`
}

// Trusted tells whether the authorities of cards are known.
func (c Cards) Trusted() bool { return c.CNSCA != "" || c.CNSTSL != "" }

// Taken tells whether cards are let in.
func (c Cards) Taken() bool { return c.Trusted() && (c.CNSHeader != "" || c.CNSAddr != "") }

// Pair returns the paths of the certificate and key with which cards are taken by direct TLS.
func (c *Config) Pair() (certificate, key string) {
	if c.CNSCert != "" {
		return c.CNSCert, c.CNSKey
	}
	return c.TLSCert, c.TLSKey
}

// headerForms are the proxies whose header can be read.
var headerForms = []string{"", "nginx", "apache", "haproxy", "envoy"}

// checkCards looks at the variables of cards.
func (c *Config) checkCards() []error {
	var wrong []error
	check := func(name string, right bool) {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	for name, path := range map[string]string{
		"CNS_CA": c.CNSCA, "CNS_TSL_SIGNERS": c.CNSTSLSigners, "CNS_CERT": c.CNSCert, "CNS_KEY": c.CNSKey,
	} {
		check(name, path == "" || isFile(path))
	}
	c.CNSURL = strings.TrimSuffix(c.CNSURL, "/")
	check("CNS_URL", c.CNSURL == "" || isOrigin(c.CNSURL) && strings.HasPrefix(c.CNSURL, "https:") && c.CNSURL != c.PublicURL)
	check("CNS_TSL", c.CNSTSL == "" || isList(c.CNSTSL))
	check("CNS_HEADER", slices.Contains(headerForms, c.CNSHeader))
	check("CNS_ADDR", c.CNSAddr == "" || isHostPort(c.CNSAddr))
	check("CNS_PROXY_ADDR", c.CNSProxyAddr == "" || isHostPort(c.CNSProxyAddr))
	if (c.CNSTSL == "") != (c.CNSTSLSigners == "") {
		wrong = append(wrong, errors.New("DIRESCO_CNS_TSL and DIRESCO_CNS_TSL_SIGNERS: set both or neither"))
	}
	if (c.CNSCert == "") != (c.CNSKey == "") {
		wrong = append(wrong, errors.New("DIRESCO_CNS_CERT and DIRESCO_CNS_KEY: set both or neither"))
	}
	if (c.CNSHeader == "") != (c.CNSProxyAddr == "") {
		wrong = append(wrong, errors.New("DIRESCO_CNS_HEADER and DIRESCO_CNS_PROXY_ADDR: set both or neither"))
	}
	if c.CNSProxyAddr != "" && slices.Contains([]string{c.Addr, c.CNSAddr, c.AdminAddr}, c.CNSProxyAddr) {
		wrong = append(wrong, wrongValue("CNS_PROXY_ADDR", "must be an address of its own: elsewhere a client could write the header"))
	}
	if c.CNSHeader != "" && len(c.TrustedProxies) == 0 {
		wrong = append(wrong, wrongValue("CNS_HEADER", "is taken from DIRESCO_TRUSTED_PROXIES alone: set these"))
	}
	return wrong
}

// serveCards looks at what the variables of cards need of each other in the real service.
func (c *Config) serveCards() []error {
	var wrong []error
	ways := c.CNSHeader != "" || c.CNSAddr != ""
	switch certificate, _ := c.Pair(); {
	case ways && !c.Trusted():
		wrong = append(wrong, wrongValue("CNS_CA", "is missing: set it or DIRESCO_CNS_TSL, so that it is known whose cards are let in"))
	case !ways && c.Trusted():
		wrong = append(wrong, wrongValue("CNS_ADDR", "is missing: set it or DIRESCO_CNS_HEADER, so that cards come in by some way"))
	case !ways && c.CNSURL != "":
		wrong = append(wrong, wrongValue("CNS_URL", "needs DIRESCO_CNS_ADDR or DIRESCO_CNS_HEADER, by which cards come in"))
	case c.CNSAddr != "" && certificate == "":
		wrong = append(wrong, wrongValue("CNS_CERT", "is missing: cards need TLS, with these or with DIRESCO_TLS_CERT and DIRESCO_TLS_KEY"))
	}
	if c.CNSAddr != "" && c.CNSAddr == c.Addr {
		wrong = append(wrong, wrongValue("CNS_ADDR", "must be another address than DIRESCO_ADDR: no other page asks for a card"))
	}
	return wrong
}

func isList(raw string) bool {
	if !strings.Contains(raw, "://") {
		return isFile(raw)
	}
	u, err := egress.CheckURL(raw)
	return err == nil && u.Scheme == "https"
}
