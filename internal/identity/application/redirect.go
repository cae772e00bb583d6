package application

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/hostname"
)

// maxURI is how many characters an address has.
const maxURI = 500

// loopbackHosts are those to which plain http goes: the machine's own, by number. The name
// localhost may lead elsewhere (RFC 8252, 8.3).
var loopbackHosts = []string{"127.0.0.1", "[::1]"}

// loopback splits an http address at a loopback host into the host and what follows the port. It
// works on the text, so that no two ways of reading an address can differ.
func loopback(uri string) (host, rest string, ok bool) {
	for _, host := range loopbackHosts {
		rest, found := strings.CutPrefix(uri, "http://"+host)
		if !found {
			continue
		}
		if port, more := strings.CutPrefix(rest, ":"); more {
			end := strings.IndexByte(port+"/", '/')
			number, err := strconv.ParseUint(port[:end], 10, 16)
			if err != nil || number == 0 || strconv.FormatUint(number, 10) != port[:end] {
				return "", "", false
			}
			rest = port[end:]
		}
		return host, rest, rest == "" || rest[0] == '/'
	}
	return "", "", false
}

// privateScheme is a scheme in reverse-domain form, such as com.example.app (RFC 8252, 7.1).
var privateScheme = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$`)

// checkRedirect returns what is wrong with an address at which an application wants to be answered,
// or "".
func checkRedirect(uri string, kind Kind) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	switch code := checkCharacters(uri); {
	case code != "":
		return code
	case strings.Contains(uri, "*"):
		return fault.FieldURIWildcard
	case strings.Contains(uri, "#"):
		return fault.FieldURIFragment
	case strings.Contains(uri, "?"):
		return fault.FieldURIQuery
	case strings.EqualFold(scheme, "https"), strings.EqualFold(scheme, "http"):
		return checkWeb(uri)
	case !privateScheme.MatchString(scheme) || kind != Public:
		return fault.FieldURIScheme
	case !strings.HasPrefix(rest, "/"):
		return fault.FieldFormat
	case strings.Contains(rest, "@"):
		return fault.FieldURIUserinfo
	case hasDotSegment(rest):
		return fault.FieldNotCanonical
	}
	if _, err := url.Parse(uri); err != nil {
		return fault.FieldFormat
	}
	return ""
}

// checkWeb returns what is wrong with an address with https, or with http at a loopback host, or
// "". It must be written as programs write it that read it and write it again.
func checkWeb(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "":
		return fault.FieldFormat
	case u.User != nil || strings.Contains(u.Host, "@"):
		return fault.FieldURIUserinfo
	case isLocalhost(u.Hostname()):
		return fault.FieldURILocalhost
	}
	if u.Scheme == "http" {
		if _, _, ok := loopback(uri); !ok {
			return fault.FieldURIInsecure
		}
		return canonical(uri, u)
	}
	if code := checkHost(u); code != "" {
		return code
	}
	return canonical(uri, u)
}

// checkHost returns what is wrong with the host and the port of an address, or "".
func checkHost(u *url.URL) string {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil {
		if _, ok := hostname.ASCII(host); !ok {
			return fault.FieldFormat
		}
	}
	if port := u.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return fault.FieldFormat
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return fault.FieldNotCanonical
	}
	return ""
}

func canonical(uri string, u *url.URL) string {
	scheme, host, _ := strings.Cut(uri, "://")
	host = host[:len(u.Host)]
	// Programs that read an address without a path write it with one.
	if u.Path == "" || scheme != u.Scheme || host != strings.ToLower(host) || u.Port() == "443" && u.Scheme == "https" ||
		hasDotSegment(u.EscapedPath()) {
		return fault.FieldNotCanonical
	}
	return ""
}

// isLocalhost reports whether a host is the name of the machine itself.
func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hasDotSegment reports whether a part of a path is one that programs leave out when they read it.
func hasDotSegment(path string) bool {
	for part := range strings.SplitSeq(strings.ToLower(path), "/") {
		if part = strings.ReplaceAll(part, "%2e", "."); part == "." || part == ".." {
			return true
		}
	}
	return false
}

// checkCharacters returns what is wrong with the length or a character of an address, or "". It
// holds those of RFC 3986 alone, without what some programs read as another one.
func checkCharacters(uri string) string {
	switch {
	case uri == "":
		return fault.FieldTooShort
	case len(uri) > maxURI:
		return fault.FieldTooLong
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }):
		return fault.FieldCharacter
	}
	return ""
}

// checkHTTPS returns what is wrong with an address from which something of an application is
// fetched, or "".
func checkHTTPS(uri string) string {
	if code := checkCharacters(uri); code != "" {
		return code
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "":
		return fault.FieldFormat
	case u.Scheme != "https":
		return fault.FieldURIInsecure
	case u.User != nil || strings.Contains(u.Host, "@"):
		return fault.FieldURIUserinfo
	case strings.Contains(uri, "#"):
		return fault.FieldURIFragment
	case isLocalhost(u.Hostname()):
		return fault.FieldURILocalhost
	}
	return checkHost(u)
}
