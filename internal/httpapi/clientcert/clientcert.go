// Package clientcert finds the certificate with which the sender of a request proved who they are.
// It comes by TLS on a listener for that alone, or in a header that a trusted proxy has written.
package clientcert

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"

	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/fault"
)

// Path is the one place where certificates of cards are taken.
const Path = "/v1/sessions/card"

// statusPath is served beside it, for checks.
const statusPath = "/v1/status"

// Presented is the certificate that came with a request, and those that came along with it.
type Presented struct {
	Leaf   *x509.Certificate
	Others []*x509.Certificate
}

type key struct{}

// found is what became of looking for a certificate.
type found struct {
	presented Presented
	err       error
}

// Of returns the certificate of a request. It returns these faults:
//   - fault.InvalidCredentials: there is none, or it cannot be read;
//   - fault.Forbidden: it came in a header from elsewhere than a trusted proxy.
func Of(ctx context.Context) (Presented, error) {
	f, ok := ctx.Value(key{}).(found)
	if !ok {
		return Presented{}, fault.Because(fault.InvalidCredentials, card.ReasonMissing)
	}
	return f.presented, f.err
}

// LeafOf returns the certificate of a request by mutual TLS; nil without one that can be read.
func LeafOf(ctx context.Context) *x509.Certificate {
	f, ok := ctx.Value(key{}).(found)
	if !ok || f.err != nil {
		return nil
	}
	return f.presented.Leaf
}

func with(r *http.Request, f found) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), key{}, f))
}

// Config says how certificates come in.
type Config struct {
	// Form is how proxies write certificates into a header; without one, headers mean nothing.
	Form Form
	// Mutual is how proxies write those of applications (mutual TLS), into every request; without one
	// headers mean nothing but for cards.
	Mutual Form
	// Proxies are the networks of those that are trusted.
	Proxies []netip.Prefix
	// Origins are those of pages that may log people in with their cards.
	Origins []string
	// Local lets pages of any origin do so: for a sandbox on the tester's own machine.
	Local bool
	Log   *slog.Logger
}

// Entrance finds certificates before the API serves a request.
type Entrance struct {
	config  Config
	origins *http.CrossOriginProtection
	next    http.Handler
}

// NewEntrance makes an entrance to the API.
func NewEntrance(config Config, next http.Handler) (*Entrance, error) {
	e := &Entrance{config: config, origins: http.NewCrossOriginProtection(), next: next}
	for _, origin := range config.Origins {
		if err := e.origins.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Direct serves a listener that asks for certificates. Nothing but logging in with a card is served
// there.
func (e *Entrance) Direct() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != Path && r.URL.Path != statusPath:
			http.Error(w, "cards only", http.StatusNotFound)
			return
		case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
			// Whatever a header says, here it is the connection that counts.
			all := r.TLS.PeerCertificates
			e.serve(w, r, found{presented: Presented{Leaf: all[0], Others: all[1:]}})
		default:
			e.serve(w, r, found{err: fault.Because(fault.InvalidCredentials, card.ReasonMissing)})
		}
	})
}

// MutualTLS serves a listener where applications come with a certificate of theirs. All of the API is
// served there, also without one; nobody logs in with a card there.
func (e *Entrance) MutualTLS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := found{err: fault.Because(fault.InvalidCredentials, card.ReasonMissing)}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			f = found{presented: Presented{Leaf: r.TLS.PeerCertificates[0], Others: r.TLS.PeerCertificates[1:]}}
		}
		if r.URL.Path != Path {
			r = with(r, f)
		}
		e.next.ServeHTTP(w, r)
	})
}

// mutual hands a request on with the certificate that a trusted proxy wrote. What others wrote is
// not looked at.
func (e *Entrance) mutual(w http.ResponseWriter, r *http.Request) {
	if e.config.Mutual == "" || !trusts(e.config.Proxies, r.RemoteAddr) {
		e.next.ServeHTTP(w, r)
		return
	}
	presented, err := e.config.Mutual.read(r.Header.Values(e.config.Mutual.header()))
	e.next.ServeHTTP(w, with(r, found{presented, err}))
}

// Behind serves the listener of the API, where proxies write certificates into a header.
func (e *Entrance) Behind() http.Handler {
	header := e.config.Form.header()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := r.Header.Values(header)
		switch {
		case r.URL.Path != Path:
			e.mutual(w, r)
		case e.config.Form == "":
			e.next.ServeHTTP(w, r)
		case len(values) > 0 && !trusts(e.config.Proxies, r.RemoteAddr):
			e.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "a card's certificate in a header was refused: no trusted proxy sent it",
				slog.String("sender", r.RemoteAddr))
			e.serve(w, r, found{err: fault.Because(fault.Forbidden, card.ReasonProxy)})
		default:
			presented, err := e.config.Form.read(values)
			e.serve(w, r, found{presented, err})
		}
	})
}

// serve hands a request on with what was found. A browser shows a certificate by itself, so pages
// of foreign origins must not make it do so.
func (e *Entrance) serve(w http.ResponseWriter, r *http.Request, f found) {
	if f.err == nil && !e.config.Local && e.origins.Check(r) != nil {
		f = found{err: fault.Because(fault.Forbidden, card.ReasonOrigin)}
	}
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	e.next.ServeHTTP(w, with(r, f))
}

// trusts tells whether the sender at the other end of the connection is a trusted proxy. What
// headers say of other addresses does not count.
func trusts(proxies []netip.Prefix, sender string) bool {
	at, err := netip.ParseAddrPort(sender)
	if err != nil {
		return false
	}
	address := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}
