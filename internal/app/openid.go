package app

import (
	"context"
	"errors"
	"strings"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/openid"
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
	// A configured file that is missing is a mistake: new keys are known to no provider.
	if c.DataDir != "" && strings.HasPrefix(c.FederationKeys, c.DataDir) {
		load = keyring.LoadOrCreateFederation
	}
	keys, err := load(c.FederationKeys)
	return keys, ifMissing(err, "federation keys", c.FederationKeys)
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
	source := openid.New(file, openid.Deps{
		Clock: k.clock, PublicURL: k.config.PublicURL, Allow: k.config.EgressAllow,
	})
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for id, err := range source.Try(ctx) {
		var refusal *federation.Refusal
		switch {
		case errors.As(err, &refusal):
			k.add(Failed, what, "%s: %s", id, refusal.Rule)
		case err != nil:
			k.add(Failed, what, "%s: %v", id, err)
		default:
			k.add(Passed, what, "%s answers, and its metadata are as they should be", id)
		}
	}
}
