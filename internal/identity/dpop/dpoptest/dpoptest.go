// Package dpoptest makes proofs of possession for tests, good ones and others.
package dpoptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Key signs proofs.
type Key struct {
	Signer crypto.Signer
	Method jwt.SigningMethod
}

// NewKey makes a key for ES256.
func NewKey(t testing.TB) Key {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{key, jwt.SigningMethodES256}
}

// Public is the public key as a proof brings it.
func (k Key) Public(t testing.TB) map[string]any {
	t.Helper()
	return members(t, k.Signer.Public())
}

// Private is the whole key, as no proof may bring it.
func (k Key) Private(t testing.TB) map[string]any {
	t.Helper()
	return members(t, k.Signer)
}

func members(t testing.TB, key any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(encoded, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Thumbprint is that of the public key.
func (k Key) Thumbprint(t testing.TB) string {
	t.Helper()
	public := jose.JSONWebKey{Key: k.Signer.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Proof makes a proof for one request at an instant, with an access token if there is one. A caller
// may change header and claims first; what is nil then is left out.
func (k Key) Proof(t testing.TB, method, address string, at time.Time, token string, change func(header, claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"jti": uuid.NewString(), "htm": method, "htu": address, "iat": at.Unix()}
	if token != "" {
		claims["ath"] = Hash(token)
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": k.Method.Alg(), "jwk": k.Public(t)}
	if change != nil {
		change(header, claims)
	}
	for _, all := range []map[string]any{header, claims} {
		for name, value := range all {
			if value == nil {
				delete(all, name)
			}
		}
	}
	proof := &jwt.Token{Header: header, Claims: jwt.MapClaims(claims), Method: k.Method}
	text, err := proof.SignedString(k.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Hash is how a proof names an access token.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
