package clientcert

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"

	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

// Form is how a proxy writes a certificate into a header.
type Form string

// The forms, by the proxies that write them.
const (
	// Nginx writes PEM with percent escapes: $ssl_client_escaped_cert.
	Nginx Form = "nginx"
	// Apache writes PEM with blanks for ends of lines: %{SSL_CLIENT_CERT}s.
	Apache Form = "apache"
	// HAProxy writes DER in base64: %[ssl_c_der,base64].
	HAProxy Form = "haproxy"
	// Envoy writes a list of fields, with PEM in percent escapes, into a header of its own.
	Envoy Form = "envoy"
)

const (
	plainHeader = "X-SSL-Client-Cert"
	envoyHeader = "X-Forwarded-Client-Cert"
	// apacheNone is what Apache writes where there is no certificate.
	apacheNone = "(null)"
	// mostCertificates is how many a header may have.
	mostCertificates = 9
	// mostKeyBits is how long a key of RSA may be, and mostExponent how large its public exponent: the
	// usual one is 65537.
	mostKeyBits  = 8192
	mostExponent = 1 << 17
)

func (f Form) header() string {
	if f == Envoy {
		return envoyHeader
	}
	return plainHeader
}

// read reads what a trusted proxy wrote. A header that is there twice is not of one proxy alone.
func (f Form) read(values []string) (Presented, error) {
	value := ""
	if len(values) > 0 {
		value = strings.TrimSpace(values[0])
	}
	if len(values) < 2 && (value == "" || f == Apache && value == apacheNone) {
		return Presented{}, card.Refused(fault.InvalidCredentials, card.ReasonMissing)
	}
	var all []*x509.Certificate
	ok := len(values) == 1
	if ok {
		switch f {
		case Nginx:
			all, ok = readEscaped(value)
		case Apache:
			all, ok = readLine(value)
		case HAProxy:
			all, ok = readDER(value)
		case Envoy:
			all, ok = readFields(value)
		default:
			ok = false
		}
	}
	if !ok || len(all) == 0 || len(all) > mostCertificates || slices.ContainsFunc(all, hasCostlyKey) {
		return Presented{}, card.Refused(fault.InvalidCredentials, card.ReasonUnreadable)
	}
	return Presented{Leaf: all[0], Others: all[1:]}, nil
}

// hasCostlyKey tells whether a certificate has a key of RSA with which a signature takes long to verify.
// Over TLS such a certificate does not get in either.
func hasCostlyKey(c *x509.Certificate) bool {
	key, is := c.PublicKey.(*rsa.PublicKey)
	return is && (key.N.BitLen() > mostKeyBits || key.E > mostExponent)
}

// readEscaped reads PEM with percent escapes. A plus sign stands for itself there.
func readEscaped(value string) ([]*x509.Certificate, bool) {
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, false
	}
	return readPEM(text)
}

func readPEM(text string) ([]*x509.Certificate, bool) {
	var all []*x509.Certificate
	rest := []byte(text)
	for len(strings.TrimSpace(string(rest))) > 0 {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(all) == mostCertificates {
			return nil, false
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, false
		}
		all = append(all, one)
	}
	return all, true
}

// readLine reads one certificate in PEM whose ends of lines became blanks.
func readLine(value string) ([]*x509.Certificate, bool) {
	value, begun := strings.CutPrefix(value, "-----BEGIN CERTIFICATE-----")
	value, ended := strings.CutSuffix(value, "-----END CERTIFICATE-----")
	if !begun || !ended {
		return nil, false
	}
	return readDER(strings.Join(strings.Fields(value), ""))
}

func readDER(value string) ([]*x509.Certificate, bool) {
	der, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, false
	}
	one, err := x509.ParseCertificate(der)
	return []*x509.Certificate{one}, err == nil
}

// readFields reads Envoy's fields, such as Hash=…;Cert="…";Chain="…". Several elements would be of
// several proxies, of which it is not known who wrote the first. Names of the certificate (URI, DNS)
// stand last and unquoted: what they hold is its owner's choice, and no field of the proxy's.
func readFields(value string) ([]*x509.Certificate, bool) {
	fields, owners := map[string]string{}, false
	for value != "" {
		name, rest, found := strings.Cut(value, "=")
		if !found {
			return nil, false
		}
		text, rest, ok := cutValue(rest)
		if !ok {
			return nil, false
		}
		value = rest
		name = strings.ToLower(name)
		if name == "uri" || name == "dns" {
			owners = true
			continue
		}
		if _, twice := fields[name]; twice || owners {
			return nil, false
		}
		fields[name] = text
	}
	leaf, ok := readEscaped(fields["cert"])
	if !ok || len(leaf) != 1 {
		return nil, false
	}
	chain, ok := readEscaped(fields["chain"])
	if !ok {
		return nil, false
	}
	for _, one := range chain {
		if !one.Equal(leaf[0]) {
			leaf = append(leaf, one)
		}
	}
	return leaf, true
}

// cutValue cuts the value of a field off, which may be quoted, and the semicolon behind it.
func cutValue(text string) (value, rest string, ok bool) {
	if quoted, found := strings.CutPrefix(text, `"`); found {
		var b strings.Builder
		for i := 0; i < len(quoted); i++ {
			switch {
			case quoted[i] == '\\' && i+1 < len(quoted):
				i++
				b.WriteByte(quoted[i])
			case quoted[i] == '"':
				rest = quoted[i+1:]
				if rest == "" {
					return b.String(), "", true
				}
				rest, ok = strings.CutPrefix(rest, ";")
				return b.String(), rest, ok
			default:
				b.WriteByte(quoted[i])
			}
		}
		return "", "", false
	}
	value, rest, _ = strings.Cut(text, ";")
	return value, rest, !strings.ContainsAny(value, `,"`)
}
