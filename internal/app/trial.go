package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"diresco/internal/httpapi/pages/identityprovider"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/identity/session"
	"diresco/internal/platform/egress"
	"diresco/internal/platform/secret"
	"diresco/internal/sandbox/idp"
)

// The providers that every sandbox offers, as the API and the buttons name them.
const (
	trialSPID, trialSPIDName     = "sandbox-spid", "SPID di prova"
	trialCIE, trialCIEName       = "sandbox-cie", "CIE di prova"
	trialOpenID, trialOpenIDName = "sandbox-oidc", "Provider OpenID di prova"
)

// trialKey signs for the sandbox's identity provider, and for the service towards it. It is made
// once for a process: nothing is secret in a sandbox, and to make one takes a while.
var trialKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return idp.NewKey(rand.Reader) })

// addTrialProviders makes the sandbox's identity provider, and the service one of its clients.
func (p *platform) addTrialProviders(ctx context.Context) error {
	key, err := trialKey()
	if err != nil {
		return err
	}
	registry := spid.NewRegistry(spid.Origin{Kind: federation.SPID})
	service, err := p.trialService(key, registry)
	if err != nil {
		return err
	}
	code := secret.Text("sandbox")
	p.trial, err = idp.New(idp.Deps{
		PublicURL: p.config.PublicURL, Clock: p.clock, Random: p.random, Key: key, Name: trialSPIDName,
		ServiceMetadata: func(context.Context) ([]byte, error) { return service.Metadata(federation.SPID), nil },
		Clients: []idp.Client{
			{ID: trialCIE, Secret: code, Name: trialCIEName}, {ID: trialOpenID, Secret: code, Name: trialOpenIDName},
		},
		RedirectURI: p.config.PublicURL + openid.CallbackPath,
	})
	if err != nil {
		return err
	}
	metadata, err := p.trial.Metadata(ctx)
	if err != nil {
		return err
	}
	if err := service.Set(registry, metadata); err != nil {
		return err
	}
	if p.spid == nil {
		// What a sandbox publishes of itself is what its own provider reads.
		p.spid = service
	}
	p.identitySources = append(p.identitySources, named{service, trialSPID})
	if !isSafe(p.trial.Issuer()) {
		p.log.Warn("the sandbox has no provider of OpenID Connect: its public URL is without https")
		return nil
	}
	clients, err := p.trialClients(code)
	if err != nil {
		return err
	}
	p.identitySources = append(p.identitySources, openid.New(clients, openid.Deps{
		Clock: p.clock, Random: p.random, PublicURL: p.config.PublicURL, Transport: identityprovider.Transport(p.trial), Log: p.log,
	}))
	return nil
}

// isSafe tells whether OpenID Connect may go to an address: by https, or without leaving the machine.
func isSafe(address string) bool {
	_, err := egress.CheckURL(address)
	return err == nil
}

// trialService makes the service's side of SAML.
func (p *platform) trialService(key *rsa.PrivateKey, registry *spid.Registry) (*spid.Service, error) {
	certificate, err := idp.Certify(key, "Sandbox service provider", p.random)
	if err != nil {
		return nil, err
	}
	return spid.New(spid.Config{
		EntityID: p.config.PublicURL, PublicURL: p.config.PublicURL, Keys: []spid.KeyPair{{Certificate: certificate, Key: key}},
		Organisation: spid.Organisation{Name: "Sandbox", URL: p.config.PublicURL, IPACode: "sandbox", Email: "spid@sandbox.example"},
		Plain:        true,
		Comparison:   "minimum", Attributes: []string{"name", "familyName", "fiscalNumber", "dateOfBirth", "placeOfBirth", "email"},
	}, spid.Deps{Clock: p.clock, Random: p.random, Log: p.log}, registry)
}

// trialClients makes the service's side of OpenID Connect: as an operator would, in a file.
func (p *platform) trialClients(code secret.Text) (openid.File, error) {
	path := filepath.Join(p.config.DataDir, "identity-provider-secret")
	if err := os.WriteFile(path, []byte(code.Reveal()), 0o600); err != nil {
		return openid.File{}, err
	}
	levels := map[string]string{}
	for _, level := range []string{"2", "3"} {
		levels[level] = "https://www.spid.gov.it/SpidL" + level
	}
	client := func(id, name string, kind federation.Kind, method session.LoginMethod) map[string]any {
		return map[string]any{
			"provider_id": id, "kind": kind, "display_name": name, "login_method": method, "client_id": id,
			"issuer": p.trial.Issuer(), "levels": levels,
			"authentication": map[string]string{"method": "client_secret_basic", "secret_file": path},
		}
	}
	content, err := json.Marshal(map[string]any{"providers": []any{
		client(trialCIE, trialCIEName, federation.CIE, session.ByCIE),
		client(trialOpenID, trialOpenIDName, federation.OIDC, session.BySPID),
	}})
	if err != nil {
		return openid.File{}, err
	}
	return openid.Parse(content)
}

// named gives the one provider of a source a name that stays the same from sandbox to sandbox.
type named struct {
	federation.Source
	id string
}

// Providers implements federation.Source.
func (n named) Providers() []federation.Provider {
	all := n.Source.Providers()
	for i, p := range all {
		all[i] = namedProvider{p, n.id}
	}
	return all
}

type namedProvider struct {
	federation.Provider
	id string
}

// About implements federation.Provider.
func (p namedProvider) About() federation.About {
	about := p.Provider.About()
	about.ID = p.id
	return about
}
