package federation

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mayReturn reports whether browsers may come back to an address: a redirect URI of an application
// that may have a whole session, or one of an origin that is let in or our own.
func (s *Service) mayReturn(ctx context.Context, address string) (bool, error) {
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}#", r) }) {
		return false, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.User != nil || !leavesRoom(u) {
		return false, nil //nolint:nilerr // what is no address is none that is let in
	}
	if u.Scheme == "https" || u.Scheme == "http" {
		if u.Host == "" {
			return false, nil
		}
		// As browsers write an origin, so to the letter.
		if origin := u.Scheme + "://" + u.Host; strings.HasPrefix(address, origin) && s.lets(origin, u) {
			return true, nil
		}
	}
	return s.deps.Registered(ctx, address)
}

// lets reports whether browsers may come back to an origin.
func (s *Service) lets(origin string, u *url.URL) bool {
	return origin == s.deps.PublicURL || slices.Contains(s.deps.Origins, origin) || s.deps.Loopback && loopback(u)
}

// leavesRoom reports whether an address can be added to what comes back: it has no such parameter yet,
// and what it has is kept.
func leavesRoom(u *url.URL) bool {
	query, err := url.ParseQuery(u.RawQuery)
	return err == nil && !slices.ContainsFunc([]string{"code", "error", "error_code", "error_description"}, query.Has)
}

// loopback reports whether an address is one of this machine.
func loopback(u *url.URL) bool {
	return u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

// returning returns the address with more parameters.
func returning(address string, more url.Values) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	query := u.Query()
	maps.Copy(query, more)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// values are how an application reads the refusal at its return URL.
func (r *Refusal) values() url.Values {
	values := url.Values{"error": {string(r.Outcome)}}
	switch {
	case r.Number != 0:
		values.Set("error_code", strconv.Itoa(r.Number))
	case r.Reason != "":
		values.Set("error_code", r.Reason)
	}
	return values
}
