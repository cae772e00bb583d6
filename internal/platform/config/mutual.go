package config

import (
	"errors"
	"slices"
	"strings"
)

// MutualTLS are the settings of applications that come with a certificate of theirs.
type MutualTLS struct {
	// MTLSURL is where applications with a certificate go.
	MTLSURL string `env:"MTLS_URL" want:"an https URL without a path" unset:"no application comes with a certificate" desc:"address at which applications may come with a client certificate (RFC 8705), such as https://mtls.example.org"`
	// MTLSAddr is where they are taken by TLS, host:port.
	MTLSAddr string `env:"MTLS_ADDR" want:"host:port, such as 0.0.0.0:8444" unset:"nowhere" desc:"where applications with a certificate come by direct TLS, host:port; all of the API is served there"`
	// MTLSCert is the path of that listener's certificate chain, MTLSKey that of its key.
	MTLSCert string `env:"MTLS_CERT" want:"the path of a file that can be read" unset:"TLS_CERT" desc:"path of the certificate chain (PEM) of MTLS_ADDR"`
	MTLSKey  string `env:"MTLS_KEY" want:"the path of a file that can be read" unset:"TLS_KEY" desc:"path of that certificate's private key (PEM)"`
	// MTLSCA is the path of the authorities whose certificates prove who an application is.
	MTLSCA string `env:"MTLS_CA" want:"the path of a file that can be read" unset:"applications prove who they are by certificates of their key set alone" desc:"path of the authorities (PEM) whose certificates prove by their name which application it is (tls_client_auth)"`
	// MTLSHeader is the form in which a trusted proxy hands certificates on.
	MTLSHeader string `env:"MTLS_HEADER" want:"nginx, apache, haproxy or envoy" unset:"no header is read" desc:"proxy that hands applications' certificates on in a header: nginx, apache, haproxy or envoy; taken from TRUSTED_PROXIES alone, at MTLS_PROXY_ADDR alone"`
	// MTLSProxyAddr is where such a proxy sends the requests of applications, host:port.
	MTLSProxyAddr string `env:"MTLS_PROXY_ADDR" want:"host:port, such as 127.0.0.1:8445" unset:"needed by MTLS_HEADER" desc:"where that proxy sends requests of applications with a certificate, host:port; elsewhere the header means nothing"`
}

// MutualPair returns the paths of the certificate and key of the listener for applications with a
// certificate.
func (c *Config) MutualPair() (certificate, key string) {
	if c.MTLSCert != "" {
		return c.MTLSCert, c.MTLSKey
	}
	return c.TLSCert, c.TLSKey
}

// serveMutual looks at what these variables need of others in the real service.
func (c *Config) serveMutual() []error {
	if certificate, _ := c.MutualPair(); c.MTLSAddr != "" && certificate == "" {
		return []error{wrongValue("MTLS_CERT", "is missing: certificates need TLS, with these or DIRESCO_TLS_CERT and DIRESCO_TLS_KEY")}
	}
	return nil
}

// checkMutual looks at the variables of applications that come with a certificate.
func (c *Config) checkMutual() []error {
	var wrong []error
	c.MTLSURL = strings.TrimSuffix(c.MTLSURL, "/")
	for name, right := range map[string]bool{
		"MTLS_URL":    c.MTLSURL == "" || isOrigin(c.MTLSURL) && strings.HasPrefix(c.MTLSURL, "https:"),
		"MTLS_ADDR":   c.MTLSAddr == "" || isHostPort(c.MTLSAddr),
		"MTLS_CERT":   c.MTLSCert == "" || isFile(c.MTLSCert),
		"MTLS_KEY":    c.MTLSKey == "" || isFile(c.MTLSKey),
		"MTLS_CA":     c.MTLSCA == "" || isFile(c.MTLSCA),
		"MTLS_HEADER": slices.Contains(headerForms, c.MTLSHeader), "MTLS_PROXY_ADDR": c.MTLSProxyAddr == "" || isHostPort(c.MTLSProxyAddr),
	} {
		if !right {
			wrong = append(wrong, mustBe(name))
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	ways := c.MTLSAddr != "" || c.MTLSHeader != ""
	switch {
	case (c.MTLSCert == "") != (c.MTLSKey == ""):
		wrong = append(wrong, errors.New("DIRESCO_MTLS_CERT and DIRESCO_MTLS_KEY: set both or neither"))
	case (c.MTLSHeader == "") != (c.MTLSProxyAddr == ""):
		wrong = append(wrong, errors.New("DIRESCO_MTLS_HEADER and DIRESCO_MTLS_PROXY_ADDR: set both or neither"))
	case c.MTLSProxyAddr != "" && slices.Contains([]string{c.Addr, c.AdminAddr, c.CNSAddr, c.CNSProxyAddr, c.MTLSAddr}, c.MTLSProxyAddr):
		wrong = append(wrong, wrongValue("MTLS_PROXY_ADDR", "must be an address of its own: elsewhere a client could write the header"))
	case ways && c.MTLSURL == "":
		wrong = append(wrong, wrongValue("MTLS_URL", "is missing: applications have to know where to come with their certificates"))
	case c.MTLSCA != "" && c.MTLSURL == "":
		wrong = append(wrong, wrongValue("MTLS_URL", "is missing: applications have to know where to come with such certificates"))
	case !ways && c.MTLSURL != "":
		wrong = append(wrong, wrongValue("MTLS_ADDR", "is missing: set it or DIRESCO_MTLS_HEADER, so that certificates come in"))
	case c.MTLSHeader != "" && len(c.TrustedProxies) == 0:
		wrong = append(wrong, wrongValue("MTLS_HEADER", "is taken from DIRESCO_TRUSTED_PROXIES alone: set these"))
	case c.MTLSAddr != "" && (c.MTLSAddr == c.Addr || c.MTLSAddr == c.CNSAddr):
		wrong = append(wrong, wrongValue("MTLS_ADDR", "must be another address than DIRESCO_ADDR and DIRESCO_CNS_ADDR"))
	}
	return wrong
}
