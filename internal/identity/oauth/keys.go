package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"diresco/internal/identity/application"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/egress"
)

const (
	// keysTimeout and maxKeys bound what is fetched: how long, and how many bytes.
	keysTimeout = 5 * time.Second
	maxKeySet   = 64 << 10
	maxKeys     = 20
	minRSABits  = 2048
	// keysFresh is how long a key set that was fetched is used.
	keysFresh = 5 * time.Minute
	// keysRetry is how long after a fetch another one may follow: for a key that is not there, or
	// where the first failed.
	keysRetry = 30 * time.Second
	// maxSets is how many key sets are remembered.
	maxSets = 1000
)

// keySets finds the keys of applications, and remembers for a while those that it fetched.
type keySets struct {
	clock    clock.Clock
	loopback bool
	mu       sync.Mutex
	sets     map[string]*keySet
}

// keySet is one that was fetched.
type keySet struct {
	mu   sync.Mutex
	keys []jose.JSONWebKey
	// at is when the keys were fetched, tried when somebody last tried to.
	at, tried time.Time
}

func newKeySets(c clock.Clock, loopback bool) *keySets {
	return &keySets{clock: c, loopback: loopback, sets: map[string]*keySet{}}
}

// verifying returns the keys of an application that may have signed with this method. With a key
// id it is the one of that name.
func (k *keySets) verifying(ctx context.Context, app application.Application, kid, alg string) (jwt.VerificationKeySet, error) {
	keys, known := k.of(ctx, app, func(keys []jose.JSONWebKey) bool { return len(usable(keys, kid, alg)) > 0 })
	good := usable(keys, kid, alg)
	switch {
	case len(good) == 0 && !known:
		return jwt.VerificationKeySet{}, errKeysAway
	case len(good) == 0:
		return jwt.VerificationKeySet{}, errAssertion
	}
	return jwt.VerificationKeySet{Keys: good}, nil
}

// of returns the keys of an application, and fetches them again where the wanted one is missing. It
// reports false where it cannot tell which keys there are now.
func (k *keySets) of(
	ctx context.Context, app application.Application, has func([]jose.JSONWebKey) bool,
) (keys []jose.JSONWebKey, known bool) {
	if app.JWKSURI == "" {
		return parseKeys(app.JWKS), true
	}
	return k.fetched(ctx, app.JWKSURI, has)
}

// usable picks the keys that may have signed with this method.
func usable(keys []jose.JSONWebKey, kid, alg string) []jwt.VerificationKey {
	var good []jwt.VerificationKey
	for _, key := range keys {
		if kid != "" && key.KeyID != kid || key.Algorithm != "" && key.Algorithm != alg || key.Use != "" && key.Use != "sig" {
			continue
		}
		switch public := key.Key.(type) {
		case *ecdsa.PublicKey:
			if alg == jwt.SigningMethodES256.Alg() && public.Curve == elliptic.P256() {
				good = append(good, public)
			}
		case *rsa.PublicKey:
			if alg == jwt.SigningMethodRS256.Alg() && public.N.BitLen() >= minRSABits {
				good = append(good, public)
			}
		}
	}
	return good
}

// parseKeys reads a key set. Keys of kinds that nobody here knows are left out.
func parseKeys(encoded []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(encoded, &set) != nil {
		return nil
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys
}

// fetched returns the keys at an address. It fetches them when those that are known are old or lack
// the wanted one, and not too often. It reports false where it cannot tell which keys there are now.
func (k *keySets) fetched(ctx context.Context, address string, has func([]jose.JSONWebKey) bool) (keys []jose.JSONWebKey, known bool) {
	set := k.set(address)
	// Those that want the same keys wait for the one fetch.
	set.mu.Lock()
	defer set.mu.Unlock()
	now := k.clock.Now()
	if fresh := now.Sub(set.at) < keysFresh; now.Sub(set.tried) < keysRetry || fresh && has(set.keys) {
		if !fresh {
			return nil, false
		}
		return set.keys, has(set.keys)
	}
	set.tried = now
	keys = k.fetch(ctx, address)
	if keys != nil {
		set.keys, set.at = keys, now
	} else if now.Sub(set.at) >= keysFresh {
		// One failure does not take away what was good a moment ago.
		set.keys = nil
	}
	return set.keys, keys != nil
}

func (k *keySets) set(address string) *keySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if set, known := k.sets[address]; known {
		return set
	}
	if len(k.sets) >= maxSets {
		clear(k.sets)
	}
	set := &keySet{}
	k.sets[address] = set
	return set
}

// fetch gets a key set; there are no keys in one that cannot be had. The address is the
// application's choice: it leads to the public Internet and nowhere else.
func (k *keySets) fetch(ctx context.Context, address string) []jose.JSONWebKey {
	target, err := egress.CheckURL(address)
	if err != nil || !k.loopback && (target.Scheme != "https" || loopback(target.Hostname())) {
		return nil
	}
	// The next one who wants these keys must not find none because the first one went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	client := egress.Client(target, egress.Options{Timeout: keysTimeout})
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil || response.StatusCode != http.StatusOK || len(body) > maxKeySet {
		return nil
	}
	return parseKeys(body)
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.Unmap().IsLoopback()
}
