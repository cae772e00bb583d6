package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
	"diresco/internal/identity/federation/openid/trust"
	"diresco/internal/platform/config"
	"diresco/internal/platform/keyring"
)

// newOpenID makes the providers that the configuration names in its file.
func newOpenID(p platform) (*openid.Source, error) {
	file, err := openid.Read(p.config.OIDCProviders)
	if err != nil {
		return nil, err
	}
	keys, err := federationKeys(p.config)
	if err != nil {
		return nil, err
	}
	return openid.New(file, openid.Deps{
		Keys: keys, Clock: p.clock, Random: p.random, PublicURL: p.config.PublicURL, Log: p.log, Allow: p.config.EgressAllow,
	}), nil
}

// federationKeys reads the keys for logins by OpenID Connect, or makes those of a new data
// directory.
func federationKeys(c config.Config) (*keyring.Federation, error) {
	load := keyring.LoadFederation
	if makesFederationKeys(c) {
		load = keyring.LoadOrCreateFederation
	}
	keys, err := load(c.FederationKeys)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("DIRESCO_FEDERATION_KEYS: there are no %w", ifMissing(err, "federation keys", c.FederationKeys))
	}
	if err != nil {
		return nil, fmt.Errorf("DIRESCO_FEDERATION_KEYS: %w", err)
	}
	return keys, nil
}

// makesFederationKeys tells whether keys that are missing are made. A configured file that is missing is
// a mistake: new keys are known to no provider.
func makesFederationKeys(c config.Config) bool {
	return c.DataDir != "" && strings.HasPrefix(c.FederationKeys, c.DataDir)
}

// openID asks each provider of the file what it says of itself.
func (k *checker) openID(ctx context.Context) {
	const what = "openid"
	if k.config.OIDCProviders == "" {
		return
	}
	file, err := openid.Read(k.config.OIDCProviders)
	if !k.say(what, err, "") {
		return
	}
	// Keys are not made here: a try leaves nothing behind. What is asked needs none.
	if _, err := os.Stat(k.config.FederationKeys); !errors.Is(err, os.ErrNotExist) || !makesFederationKeys(k.config) {
		tried := k.config
		tried.DataDir = "" // so none are made
		_, err := federationKeys(tried)
		k.say(what, err, "")
	}
	if file.RelyingParty != nil {
		for i, mark := range file.RelyingParty.TrustMarks {
			if trust.CheckOwn(mark, k.config.PublicURL, k.clock.Now()) != nil {
				k.add(
					Noted, what, "relying_party.trust_marks[%d] is none, is not about %s, or has ended: providers refuse it",
					i, k.config.PublicURL,
				)
			}
		}
	}
	source := openid.New(file, openid.Deps{
		Clock: k.clock, PublicURL: k.config.PublicURL, Allow: k.config.EgressAllow,
	})
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for id, err := range source.Try(ctx) {
		var refusal *federation.Refusal
		switch {
		case errors.As(err, &refusal):
			k.add(Failed, what, "%s: %s", id, strings.TrimSuffix(refusal.Rule+": "+causeOf(refusal), ": "))
		case err != nil:
			k.add(Failed, what, "%s: %v", id, err)
		default:
			k.add(Passed, what, "%s answers, and its metadata are as they should be", id)
		}
	}
}

// causeOf is what an operator is told beside the rule, or "".
func causeOf(r *federation.Refusal) string {
	if r.Cause == nil {
		return ""
	}
	return r.Cause.Error()
}
