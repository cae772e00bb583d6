// Package federationtest has a provider of national identities that says what a test wants.
package federationtest

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/session"
)

// Provider is a provider of a test. It is a federation.Source, too.
type Provider struct {
	Described federation.About
	// Form has it want a form posted.
	Form []federation.Field
	// BeginFails and FinishFails are what it returns instead; nil for nothing.
	BeginFails, FinishFails error

	mu     sync.Mutex
	claims federation.Claims
	// attempts are those that were begun, and finished those whose answers it was shown.
	attempts, finished []federation.Attempt
}

// SPID returns a provider that says who Mario Rossi is, at level 2.
func SPID() *Provider {
	return &Provider{
		Described: federation.About{
			ID: "spid-prova", Kind: federation.SPID, Protocol: federation.SAML, Method: session.BySPID, DisplayName: "SPID di prova",
			Levels: []federation.Level{2, 3},
		},
		claims: federation.Claims{TaxCode: "RSSMRA80A01H501U", GivenName: "Mario", FamilyName: "Rossi", Level: 2},
	}
}

// CIE returns another one, that speaks OpenID Connect.
func CIE() *Provider {
	p := SPID()
	p.Described = federation.About{
		ID: "cie", Kind: federation.CIE, Protocol: federation.OpenIDConnect, Method: session.ByCIE, DisplayName: "CIE di prova",
		Levels: []federation.Level{2, 3},
	}
	return p
}

// Providers implements federation.Source.
func (p *Provider) Providers() []federation.Provider { return []federation.Provider{p} }

// About implements federation.Provider.
func (p *Provider) About() federation.About { return p.Described }

// Says changes what it says of who comes next.
func (p *Provider) Says(change func(*federation.Claims)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.claims)
}

// Attempts returns the logins that were begun.
func (p *Provider) Attempts() []federation.Attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]federation.Attempt{}, p.attempts...)
}

// Finished returns the logins whose answers it was shown.
func (p *Provider) Finished() []federation.Attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]federation.Attempt{}, p.finished...)
}

// Begin implements federation.Provider.
func (p *Provider) Begin(_ context.Context, a federation.Attempt) (federation.Departure, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.BeginFails != nil {
		return federation.Departure{}, p.BeginFails
	}
	p.attempts = append(p.attempts, a)
	query := url.Values{"state": {a.State.Reveal()}}
	d := federation.Departure{URL: "https://idp.example/sso", Form: p.Form, Kept: json.RawMessage(`{"request":"_` + a.ID.String() + `"}`)}
	if p.Form == nil {
		d.URL += "?" + query.Encode()
	}
	return d, nil
}

// Finish implements federation.Provider.
func (p *Provider) Finish(_ context.Context, a federation.Attempt, _ url.Values) (federation.Claims, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = append(p.finished, a)
	return p.claims, p.FinishFails
}
