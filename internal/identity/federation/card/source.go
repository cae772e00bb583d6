package card

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
)

// LoginPath is the page at the cards' own address where a browser shows a card. A login that was
// begun as at any other provider leads there, and back with a code.
const LoginPath = "/card-login"

// What the page hands on of the certificates that came along with a request.
const (
	shownLeaf   = "certificate"
	shownOthers = "others"
	separator   = "."
)

// The rules that a card may break on that page alone, as logs name them.
const (
	ruleMissing = "no-certificate"
	ruleKind    = "kind"
)

// Source makes the cards providers as others are, for browsers.
type Source struct {
	verifier *Verifier
	// address returns where browsers come with cards, and "" while they cannot.
	address func() string
}

// NewSource makes the source.
func NewSource(v *Verifier, address func() string) *Source { return &Source{v, address} }

// Providers implements federation.Source: there are none while no browser can come.
func (s *Source) Providers() []federation.Provider {
	if s.address() == "" {
		return nil
	}
	return []federation.Provider{provider{s, session.ByCNS}, provider{s, session.ByCIE}}
}

// provider is one kind of card.
type provider struct {
	source *Source
	method session.LoginMethod
}

// About implements federation.Provider.
func (p provider) About() federation.About { return about[p.method] }

// Begin implements federation.Provider. The address has the state alone: it is drawn for this login,
// good once and for a quarter of an hour. What comes back opens a session in that browser only in
// which the login was begun.
func (p provider) Begin(_ context.Context, a federation.Attempt) (federation.Departure, error) {
	to := p.source.address() + LoginPath + "?" + url.Values{"state": {a.State.Reveal()}}.Encode()
	return federation.Departure{URL: to}, nil
}

// Shown is the answer of a browser that showed a certificate, and those that came along with it. Nil
// stands for none.
func Shown(leaf *x509.Certificate, others []*x509.Certificate) url.Values {
	if leaf == nil {
		return url.Values{}
	}
	along := make([]string, len(others))
	for i, other := range others {
		along[i] = base64.RawURLEncoding.EncodeToString(other.Raw)
	}
	return url.Values{
		shownLeaf: {base64.RawURLEncoding.EncodeToString(leaf.Raw)}, shownOthers: {strings.Join(along, separator)},
	}
}

// Finish implements federation.Provider. The answer is one of Shown: the page at the cards' own
// address makes it of what the connection proved, and of nothing else.
func (p provider) Finish(ctx context.Context, _ federation.Attempt, answer url.Values) (federation.Claims, error) {
	claims, err := p.verify(ctx, answer)
	var refusal *federation.Refusal
	if !errors.As(err, &refusal) {
		return claims, err
	}
	if refusal.Outcome != federation.Unavailable {
		refusal.Outcome = federation.Denied
	}
	if refusal.Reason == "" {
		refusal.Reason = reasonOf(refusal)
	}
	return federation.Claims{}, refusal
}

func (p provider) verify(ctx context.Context, answer url.Values) (federation.Claims, error) {
	if !answer.Has(shownLeaf) {
		return federation.Claims{}, &federation.Refusal{Outcome: federation.Denied, Reason: ReasonMissing, Rule: ruleMissing}
	}
	var all []*x509.Certificate
	for _, encoded := range append([]string{answer.Get(shownLeaf)}, strings.Split(answer.Get(shownOthers), separator)...) {
		if encoded == "" {
			continue // no others
		}
		der, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			return federation.Claims{}, err
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return federation.Claims{}, err
		}
		all = append(all, certificate)
	}
	claims, method, err := p.source.verifier.Verify(ctx, all[0], all[1:])
	if err == nil && method != p.method {
		err = &federation.Refusal{Outcome: federation.Denied, Reason: reasonKind, Rule: ruleKind}
	}
	return claims, err
}
