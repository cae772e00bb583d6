package openid

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/platform/fault"
)

const (
	// ResolvePath is where the installation tells what it found out about an entity.
	ResolvePath = "/federation/oidc/resolve"
	// statementLife is how long a statement of the installation is good.
	statementLife = 24 * time.Hour
	// StatementMedia is the media type of a statement.
	StatementMedia = "application/" + trust.StatementType
	// ResolveMedia is the media type of what was found out about an entity.
	ResolveMedia = "application/resolve-response+jwt"
)

// Source are the providers of a file. It implements federation.Source.
type Source struct {
	deps      Deps
	party     *RelyingParty
	providers []*provider
}

// outgoing returns how a provider is reached. What the file names of it may lie in the networks that
// are allowed; what it or others name is on the public Internet.
func (d Deps) outgoing(p Settings) http.RoundTripper {
	if d.Transport != nil {
		return d.Transport
	}
	configured := []string{p.Issuer}
	if p.Federation != nil {
		for _, anchor := range p.Federation.TrustAnchors {
			configured = append(configured, anchor.EntityID)
		}
	}
	return newOutgoing(d.Allow, configured...)
}

// New returns the providers of a file that Parse or Read returned. None of them is asked before
// somebody logs in: one that is down is no reason not to start.
func New(f File, d Deps) *Source {
	s := &Source{deps: d, party: f.RelyingParty}
	for _, settings := range f.Providers {
		client := newClient(d.outgoing(settings))
		resolver := trust.NewResolver(func(ctx context.Context, address string) ([]byte, error) {
			return get(ctx, client, address, StatementMedia+", application/jose")
		}, func(ctx context.Context, address string, form url.Values) ([]byte, error) {
			return askStatus(ctx, client, address, form)
		}, d.Clock)
		levels := map[string]federation.Level{}
		for level, acr := range settings.Levels {
			levels[acr] = level
		}
		s.providers = append(s.providers, &provider{
			settings: settings, deps: d, client: client, levels: levels,
			about: &about{settings: settings, client: client, resolver: resolver, clock: d.Clock},
		})
	}
	return s
}

// Providers implements federation.Source.
func (s *Source) Providers() []federation.Provider {
	all := make([]federation.Provider, len(s.providers))
	for i, p := range s.providers {
		all[i] = p
	}
	return all
}

// Try asks each provider what it says of itself and yields its id with what is wrong.
func (s *Source) Try(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, p := range s.providers {
			_, err := p.about.get(ctx)
			if !yield(p.settings.ProviderID, err) {
				return
			}
		}
	}
}

// public returns the public halves of keys as they are published.
func public(keys []jose.JSONWebKey, algorithm string) []jose.JSONWebKey {
	all := make([]jose.JSONWebKey, len(keys))
	for i, key := range keys {
		all[i] = key.Public()
		all[i].Algorithm = algorithm
	}
	return all
}

// Configuration returns the installation's signed entity configuration (OpenID Federation 1.0). It
// is fault.NotFound where it is in no federation.
func (s *Source) Configuration() (string, error) {
	if s.party == nil {
		return "", fault.New(fault.NotFound)
	}
	now, self := s.deps.Clock.Now(), s.deps.PublicURL
	marks := make([]map[string]string, len(s.party.TrustMarks))
	for i, mark := range s.party.TrustMarks {
		// Drafts of the standard, and those who read them, know the type as "id".
		marks[i] = map[string]string{"id": mark.Named(), "trust_mark_type": mark.Named(), "trust_mark": mark.Mark}
	}
	statement := map[string]any{
		"iss": self, "sub": self, "iat": now.Unix(), "exp": now.Add(statementLife).Unix(),
		"jwks":            map[string]any{"keys": public(s.deps.Keys.Statements, "")},
		"authority_hints": s.party.AuthorityHints,
		"metadata": map[string]any{
			"federation_entity": map[string]any{
				"organization_name": s.party.OrganizationName, "homepage_uri": s.party.HomepageURI, "policy_uri": s.party.PolicyURI,
				"logo_uri": s.party.LogoURI, "contacts": s.party.Contacts, "federation_resolve_endpoint": self + ResolvePath,
			},
			"openid_relying_party": s.relyingParty(),
		},
	}
	if len(marks) > 0 {
		statement["trust_marks"] = marks
	}
	return signWith(s.deps.Keys.Statements[0], statement, trust.StatementType)
}

// relyingParty are the metadata of a party that providers register by themselves.
func (s *Source) relyingParty() map[string]any {
	keys := append(public(s.deps.Keys.Requests, string(jose.RS256)), public(s.deps.Keys.Answers, string(jose.RSA_OAEP_256))...)
	return map[string]any{
		"application_type": "web", "client_id": s.deps.PublicURL, "client_name": s.party.OrganizationName,
		"organization_name": s.party.OrganizationName, "contacts": s.party.Contacts, "logo_uri": s.party.LogoURI,
		"client_registration_types": []string{"automatic"}, "redirect_uris": []string{s.deps.PublicURL + CallbackPath},
		"jwks": map[string]any{"keys": keys}, "grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"subject_type": "pairwise", "token_endpoint_auth_method": byKey, "require_auth_time": false,
		"id_token_signed_response_alg": "RS256", "userinfo_signed_response_alg": "RS256",
		"userinfo_encrypted_response_alg": "RSA-OAEP-256", "userinfo_encrypted_response_enc": "A256CBC-HS512",
		"request_object_signing_alg": "RS256", "token_endpoint_auth_signing_alg": "RS256",
	}
}

// Resolve returns, signed, what the chain of a configured provider says of it. It is fault.NotFound
// for any other entity, anchor or type: nobody makes this installation fetch what they like.
func (s *Source) Resolve(ctx context.Context, subject, anchor, typ string) (string, error) {
	if s.party == nil {
		return "", fault.New(fault.NotFound)
	}
	for _, p := range s.providers {
		if p.settings.Federation == nil || p.settings.Issuer != subject || typ != "" && typ != openidProvider {
			continue
		}
		resolved, err := p.about.resolved(ctx)
		if err != nil {
			return "", &fault.Fault{Code: fault.Unavailable, RetryAfter: askAgain, Err: err}
		}
		if resolved.Anchor != anchor {
			break
		}
		marks := resolved.Marks
		if marks == nil {
			marks = []trust.MarkEntry{}
		}
		return signWith(s.deps.Keys.Statements[0], map[string]any{
			"iss": s.deps.PublicURL, "sub": subject, "iat": s.deps.Clock.Now().Unix(), "exp": resolved.ExpiresAt.Unix(),
			"metadata":    map[string]any{openidProvider: resolved.Metadata},
			"trust_marks": marks, "trust_chain": resolved.Chain,
		}, "resolve-response+jwt")
	}
	return "", fault.New(fault.NotFound)
}
