package openid

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/platform/clock"
)

const (
	// discoveredFor is how long what a provider says of itself counts.
	discoveredFor = time.Hour
	// staleFor is how long it counts where the provider cannot be asked again.
	staleFor = 24 * time.Hour
	// askAgain is how soon a provider is asked again that did not answer.
	askAgain = 10 * time.Second
	// openidProvider is the type of a provider's metadata in a federation.
	openidProvider = "openid_provider"
)

// metadata are what a provider says of itself.
type metadata struct {
	Issuer        string          `json:"issuer"`
	Authorization string          `json:"authorization_endpoint"`
	Token         string          `json:"token_endpoint"`
	Userinfo      string          `json:"userinfo_endpoint"`
	Revocation    string          `json:"revocation_endpoint"`
	KeySet        string          `json:"jwks_uri"`
	SignedKeySet  string          `json:"signed_jwks_uri"`
	Keys          json.RawMessage `json:"jwks"`
	// NamesItself tells that its answers say who they are from (RFC 9207).
	NamesItself bool `json:"authorization_response_iss_parameter_supported"`

	verifying oidc.KeySet
}

// about keeps what is known of a provider. One request at a time asks it, others wait for that.
type about struct {
	settings Settings
	client   *http.Client
	resolver *trust.Resolver
	clock    clock.Clock

	mu    sync.Mutex
	known *metadata
	chain *trust.Resolved
	until time.Time
	// ends is when a chain is over that it is time to ask about before.
	ends   time.Time
	failed error
	tried  time.Time
}

// get returns what is known of the provider, and asks it where that is too old.
func (a *about) get(ctx context.Context) (*metadata, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	if a.known != nil && now.Before(a.until) {
		return a.known, nil
	}
	if a.failed == nil || now.Sub(a.tried).Abs() >= askAgain {
		// Others wait for this answer: it must not depend on whether this caller stays.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		a.failed = a.ask(ctx, now)
		// It may have taken long, and the next one in the queue must not wait as long again.
		a.tried = a.clock.Now()
	}
	if a.failed == nil {
		return a.known, nil
	}
	// What was discovered stays good for a while; what a chain says ends with the chain, and at once
	// where those who were asked say otherwise.
	if a.known != nil && a.settings.Federation == nil && now.Before(a.until.Add(staleFor)) {
		return a.known, nil
	}
	var refusal *federation.Refusal
	if a.known != nil && errors.As(a.failed, &refusal) && refusal.Outcome == federation.Unavailable && now.Before(a.ends) {
		return a.known, nil
	}
	return nil, a.failed
}

// resolved returns the trust chain of the provider.
func (a *about) resolved(ctx context.Context) (*trust.Resolved, error) {
	if _, err := a.get(ctx); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chain, nil
}

// again returns the provider's keys as they are now. It asks no more often than get does.
func (a *about) again(ctx context.Context) trust.Keys {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.clock.Now(); now.Sub(a.tried).Abs() >= askAgain {
		a.failed = a.ask(ctx, now)
		a.tried = a.clock.Now()
	}
	if fixed, is := a.known.verifying.(fixedKeys); is {
		return fixed.keys
	}
	return nil
}

func (a *about) ask(ctx context.Context, now time.Time) error {
	m, until, err := &metadata{}, now.Add(discoveredFor), error(nil)
	if a.settings.Federation == nil {
		err = a.discover(ctx, m)
	} else {
		until, err = a.resolve(ctx, m)
	}
	var refusal *federation.Refusal
	if a.settings.Federation != nil && errors.As(err, &refusal) && refusal.Outcome == federation.Invalid {
		// The federation takes back what it said: nothing of that counts any more.
		a.until, a.ends = time.Time{}, time.Time{}
	}
	if err != nil {
		return err
	}
	if m.Issuer != a.settings.Issuer {
		return invalid("provider's issuer is another")
	}
	for _, address := range []string{m.Authorization, m.Token} {
		if !isAddress(address) {
			return invalid("provider's addresses are not https")
		}
	}
	if a.settings.Source == fromInfo && !isAddress(m.Userinfo) || m.Revocation != "" && !isAddress(m.Revocation) {
		return invalid("provider's addresses are not https")
	}
	a.known, a.until = m, until
	return nil
}

// discover reads what a provider shows (OpenID Connect Discovery).
func (a *about) discover(ctx context.Context, m *metadata) error {
	ctx = oidc.ClientContext(ctx, a.client)
	provider, err := oidc.NewProvider(ctx, a.settings.Issuer)
	var other *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &other):
		return invalid("provider's issuer is another")
	case err != nil:
		return &federation.Refusal{Outcome: federation.Unavailable, Rule: "discovery failed", Cause: err}
	case provider.Claims(m) != nil || !isAddress(m.KeySet):
		return invalid("provider's metadata cannot be read")
	}
	m.verifying = oidc.NewRemoteKeySet(ctx, m.KeySet)
	return nil
}

// resolve reads what the provider's trust chain says of it.
func (a *about) resolve(ctx context.Context, m *metadata) (time.Time, error) {
	demands := a.settings.Federation
	resolved, err := a.resolver.Resolve(ctx, a.settings.Issuer, openidProvider, trust.Demands{
		Anchors: demands.TrustAnchors, Marks: demands.TrustMarks, MaxPath: *demands.MaxPathLength,
	})
	if errors.Is(err, trust.ErrUnreachable) {
		return time.Time{}, &federation.Refusal{
			Outcome: federation.Unavailable, Rule: "trust chain: " + trust.ErrUnreachable.Error(), Cause: err,
		}
	}
	if err != nil {
		return time.Time{}, invalid("trust chain: " + err.Error())
	}
	if err := m.take(resolved.Metadata); err != nil {
		return time.Time{}, err
	}
	ends := resolved.ExpiresAt
	if m.verifying, err = a.keys(ctx, m, resolved, &ends); err != nil {
		return time.Time{}, err
	}
	a.chain, a.ends = &resolved, ends
	if resolved.AskAt.Before(ends) {
		return resolved.AskAt, nil
	}
	return ends, nil
}

// parameters are the names of what is read of a provider's metadata.
var parameters = []string{
	"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint", "jwks_uri", "signed_jwks_uri", "jwks",
	"authorization_response_iss_parameter_supported",
}

// take reads the metadata that a chain gives. Policies are about exact names, and the decoder takes
// others for them, so it sees no others.
func (m *metadata) take(resolved map[string]any) error {
	named := map[string]any{}
	for _, name := range parameters {
		if value, there := resolved[name]; there {
			named[name] = value
		}
	}
	encoded, err := json.Marshal(named)
	if err != nil || json.Unmarshal(encoded, m) != nil {
		return invalid("provider's metadata cannot be read")
	}
	return nil
}

// keys returns where the keys are by which the provider signs. They stand in the metadata, or at an
// address which these name; a signed set may end before the rest.
func (a *about) keys(ctx context.Context, m *metadata, resolved trust.Resolved, until *time.Time) (oidc.KeySet, error) {
	encoded := []byte(m.Keys)
	switch {
	case len(m.Keys) > 0:
	case isAddress(m.SignedKeySet):
		raw, err := get(ctx, a.client, m.SignedKeySet, "application/jwk-set+jwt, application/jose")
		if err != nil {
			return nil, unavailable("provider's keys cannot be had")
		}
		now := a.clock.Now()
		own, err := trust.Self(resolved.Chain[0], a.settings.Issuer, now)
		if err != nil {
			return nil, invalid("provider's keys are not signed")
		}
		var ends time.Time
		if encoded, ends, err = trust.SignedSet(string(raw), a.settings.Issuer, own.Keys, now); err != nil {
			return nil, invalid("provider's keys are not signed")
		}
		if !ends.IsZero() && ends.Before(*until) {
			*until = ends
		}
	case isAddress(m.KeySet):
		return oidc.NewRemoteKeySet(oidc.ClientContext(ctx, a.client), m.KeySet), nil
	}
	var keys trust.Keys
	if json.Unmarshal(encoded, &keys) != nil || len(keys) == 0 {
		return nil, invalid("provider has no keys")
	}
	return fixedKeys{keys: keys, again: a.again}, nil
}

// fixedKeys are keys that stand in signed metadata.
type fixedKeys struct {
	keys trust.Keys
	// again returns them as they are now.
	again func(ctx context.Context) trust.Keys
}

// VerifySignature implements oidc.KeySet. A key that is not among them makes it look again.
func (k fixedKeys) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, trust.Algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, trust.ErrSignature
	}
	kid := signed.Signatures[0].Protected.KeyID
	key, found := k.keys.Find(kid)
	if !found {
		key, found = k.again(ctx).Find(kid)
	}
	if !found {
		return nil, trust.ErrSignature
	}
	return signed.Verify(key)
}

func invalid(rule string) error { return &federation.Refusal{Outcome: federation.Invalid, Rule: rule} }

func unavailable(rule string) error {
	return &federation.Refusal{Outcome: federation.Unavailable, Rule: rule}
}
