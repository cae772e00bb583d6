// Package keyring holds the server's keys. They are the key pairs that sign sessions and receipts,
// and the data keys from which keyed digests are made.
//
// The first signing key of a purpose signs and all of them verify. The public half of every key
// that ever signed is kept in the database, because a receipt outlives the rotation of its key.
package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Purpose is what a signing key is for. It is the first part of the key's id.
type Purpose string

// The purposes.
const (
	ForSessions Purpose = "session"
	ForReceipts Purpose = "receipt"
)

var kidPattern = regexp.MustCompile(`^(session|receipt)-[A-Za-z0-9_-]{8,64}$`)

// purposeOf returns what a key with this id is for, or "" when the id is none of ours.
func purposeOf(kid string) Purpose {
	if !kidPattern.MatchString(kid) {
		return ""
	}
	purpose, _, _ := strings.Cut(kid, "-")
	return Purpose(purpose)
}

// Private is a set of private signing keys: ECDSA on the curve P-256 (ES256), at least one for each
// purpose.
type Private struct {
	keys []keyPair
}

type keyPair struct {
	kid     string
	private *ecdsa.PrivateKey
}

func (k keyPair) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private, KeyID: k.kid, Algorithm: string(jose.ES256), Use: "sig"}
}

// String implements fmt.Stringer without any part of a key.
func (p *Private) String() string { return fmt.Sprintf("%d signing keys", len(p.keys)) }

// Generate makes a set with one new key for each purpose.
func Generate() (*Private, error) {
	set := &Private{}
	for _, purpose := range []Purpose{ForSessions, ForReceipts} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		kid, err := newKid(string(purpose), key)
		if err != nil {
			return nil, err
		}
		set.keys = append(set.keys, keyPair{kid, key})
	}
	return set, nil
}

// Load reads the set from a file that holds a private JWK set (RFC 7517). The id of a key (kid)
// begins with "session-" or "receipt-", which says what it is for. The error never holds a part of
// a key.
func Load(path string) (*Private, error) { return load(path, "signing keys", parsePrivate) }

// LoadOrCreate is Load for a file that may not exist yet. Where there is none, it first writes one
// with new keys, for the owner's eyes only.
func LoadOrCreate(path string) (*Private, error) { return loadOrCreate(path, Load, Generate) }

// load reads keys from a file; what says which they are.
func load[T any](path, what string, parse func(content []byte) (*T, error)) (*T, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the path is the operator's own configuration
	if err != nil {
		return nil, err
	}
	keys, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", what, path, err)
	}
	return keys, nil
}

// encoder are keys that a file can hold.
type encoder interface{ encode() ([]byte, error) }

// save writes keys in place of those that a file has, if they can be read from it again.
func save[T encoder](path string, keys T, parse func(content []byte) (T, error)) error {
	content, err := keys.encode()
	if err == nil {
		_, err = parse(content)
	}
	if err != nil {
		return err
	}
	return replace(path, content)
}

// loadOrCreate loads keys from a file, which it first writes where there is none.
func loadOrCreate[T encoder](path string, load func(string) (T, error), generate func() (T, error)) (T, error) {
	set, err := load(path)
	if !errors.Is(err, os.ErrNotExist) {
		return set, err
	}
	if set, err = generate(); err != nil {
		return set, err
	}
	content, err := set.encode()
	if err != nil {
		return set, err
	}
	if err := writeNew(path, content); err != nil {
		return set, err
	}
	// Another process may have been quicker: what stands in the file counts.
	return load(path)
}

// newKid makes the id of a key: what it is for, and a part of its thumbprint (RFC 7638).
func newKid(purpose string, key any) (string, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return purpose + "-" + base64.RawURLEncoding.EncodeToString(thumbprint[:16]), nil
}

// encode returns the set as its file holds it.
func (p *Private) encode() ([]byte, error) {
	file := jose.JSONWebKeySet{}
	for _, k := range p.keys {
		file.Keys = append(file.Keys, k.jwk())
	}
	return json.MarshalIndent(file, "", "  ")
}

// AddFirst writes a set with new keys before those that the file has already.
func AddFirst(path string) error {
	old, err := Load(path)
	if err != nil {
		return err
	}
	set, err := Generate()
	if err != nil {
		return err
	}
	set.keys = append(set.keys, old.keys...)
	return save(path, set, parsePrivate)
}

// Remove writes a set without a key that the file has.
func Remove(path, kid string) error {
	set, err := Load(path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(set.keys, func(k keyPair) bool { return k.kid == kid })
	if i < 0 {
		return fmt.Errorf("%s has no key %s", path, kid)
	}
	set.keys = slices.Delete(set.keys, i, i+1)
	return save(path, set, parsePrivate)
}

func parsePrivate(content []byte) (*Private, error) {
	var raw jose.JSONWebKeySet
	if err := json.Unmarshal(content, &raw); err != nil {
		// The cause might quote the text that could not be read.
		return nil, errors.New("not a JWK set")
	}
	set := &Private{}
	seen := map[string]bool{}
	has := map[Purpose]bool{}
	for i, jwk := range raw.Keys {
		key, isECDSA := jwk.Key.(*ecdsa.PrivateKey)
		purpose := purposeOf(jwk.KeyID)
		switch {
		case !isECDSA || key.Curve != elliptic.P256():
			return nil, fmt.Errorf("key %d is not a private EC key on the curve P-256", i)
		case jwk.Algorithm != "" && jwk.Algorithm != string(jose.ES256), jwk.Use != "" && jwk.Use != "sig":
			return nil, fmt.Errorf("key %d is not meant for signing by ES256", i)
		case purpose == "":
			return nil, fmt.Errorf(`key %d: its kid must be "session-…" or "receipt-…"`, i)
		case seen[jwk.KeyID]:
			return nil, fmt.Errorf("key %d: its kid stands twice", i)
		}
		seen[jwk.KeyID], has[purpose] = true, true
		set.keys = append(set.keys, keyPair{jwk.KeyID, key})
	}
	if !has[ForSessions] || !has[ForReceipts] {
		return nil, errors.New("at least one key for sessions and one for receipts are needed")
	}
	return set, nil
}
