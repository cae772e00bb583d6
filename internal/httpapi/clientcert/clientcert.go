// Package clientcert finds the certificate with which the sender of a request proved who they are.
// It comes by TLS on a listener for that alone, or in a header that a trusted proxy has written, on
// another such listener.
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

// Path is where programs log somebody in with a card; browsers do at card.LoginPath. Certificates of
// cards are taken nowhere else.
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
		return Presented{}, card.Refused(fault.InvalidCredentials, card.ReasonMissing)
	}
	return f.presented, f.err
}

// Asked reports whether a request came where certificates are asked for.
func Asked(ctx context.Context) bool {
	_, asked := ctx.Value(key{}).(found)
	return asked
}

// LeafOf returns the certificate of a request by mutual TLS; nil without one that can be read.
func LeafOf(ctx context.Context) *x509.Certificate { return MutualOf(ctx).Leaf }

// MutualOf is LeafOf, with the certificates that came along.
func MutualOf(ctx context.Context) Presented {
	f, ok := ctx.Value(key{}).(found)
	if !ok || f.err != nil {
		return Presented{}
	}
	return f.presented
}

func with(r *http.Request, f found) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), key{}, f))
}

// Config says how certificates come in.
type Config struct {
	// Form is how proxies write certificates of cards into a header, Mutual those of applications
	// (mutual TLS).
	Form, Mutual Form
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
	return e.cardsAlone(fromConnection)
}

// Behind serves a listener to which proxies send nothing but logins with cards, with the certificate
// in a header. It is not that of the API: a proxy hands on there what a client wrote into that header.
func (e *Entrance) Behind() http.Handler {
	return e.cardsAlone(func(r *http.Request) found {
		values := r.Header.Values(e.config.Form.header())
		if len(values) > 0 && !trusts(e.config.Proxies, r.RemoteAddr) {
			e.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "a card's certificate in a header was refused: no trusted proxy sent it",
				slog.String("sender", r.RemoteAddr))
			return found{err: card.Refused(fault.Forbidden, card.ReasonProxy)}
		}
		presented, err := e.config.Form.read(values)
		return found{presented, err}
	})
}

// cardsAlone serves logging in with a card, and the status.
func (e *Entrance) cardsAlone(find func(r *http.Request) found) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case Path:
			e.serve(w, r, find(r))
		case card.LoginPath:
			e.next.ServeHTTP(w, with(r, find(r)))
		case statusPath:
			e.next.ServeHTTP(w, r)
		default:
			http.Error(w, "cards only", http.StatusNotFound)
		}
	})
}

// MutualTLS serves a listener where applications come with a certificate of theirs. All of the API is
// served there, also without one; nobody logs in with a card there.
func (e *Entrance) MutualTLS() http.Handler { return e.mutual(fromConnection) }

// MutualBehind serves a listener to which proxies send the requests of applications, with the
// certificate in a header. What others wrote there is not looked at.
func (e *Entrance) MutualBehind() http.Handler {
	return e.mutual(func(r *http.Request) found {
		if !trusts(e.config.Proxies, r.RemoteAddr) {
			return found{err: card.Refused(fault.Forbidden, card.ReasonProxy)}
		}
		presented, err := e.config.Mutual.read(r.Header.Values(e.config.Mutual.header()))
		return found{presented, err}
	})
}

func (e *Entrance) mutual(find func(r *http.Request) found) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != Path && r.URL.Path != card.LoginPath {
			r = with(r, find(r))
		}
		e.next.ServeHTTP(w, r)
	})
}

// fromConnection finds the certificate of the connection; whatever a header says, here that counts.
func fromConnection(r *http.Request) found {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return found{err: card.Refused(fault.InvalidCredentials, card.ReasonMissing)}
	}
	all := r.TLS.PeerCertificates
	return found{presented: Presented{Leaf: all[0], Others: all[1:]}}
}

// serve hands a request on with what was found. A browser shows a certificate by itself, so pages
// of foreign origins must not make it do so.
func (e *Entrance) serve(w http.ResponseWriter, r *http.Request, f found) {
	if f.err == nil && !e.config.Local && e.origins.Check(r) != nil {
		f = found{err: card.Refused(fault.Forbidden, card.ReasonOrigin)}
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
