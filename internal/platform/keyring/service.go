package keyring

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"diresco/db"
	"diresco/internal/platform/clock"
)

// ErrUnknownKey means that no key with that id ever signed for that purpose.
var ErrUnknownKey = errors.New("unknown signing key")

const (
	// refreshEvery bounds how often unknown key ids make this process ask the database.
	refreshEvery   = 5 * time.Second
	refreshTimeout = 3 * time.Second
)

// Keyring signs with a process's own keys and verifies with those of all processes, past ones
// included.
type Keyring struct {
	repo    repository
	clock   clock.Clock
	private map[Purpose]*ecdsa.PrivateKey
	kids    map[Purpose]string
	receipt jose.Signer

	public atomic.Pointer[published]

	refreshing  sync.Mutex
	refreshedAt time.Time
	refreshErr  error
}

// published is what the table held when it was last read.
type published struct {
	set  jose.JSONWebKeySet
	keys map[string]*ecdsa.PublicKey
}

// Open records the public halves of the set and reads those of all others. It fails when the id of
// a key was taken by another one before.
func Open(ctx context.Context, d *db.DB, c clock.Clock, set *Private) (*Keyring, error) {
	k := &Keyring{repo: repository{d}, clock: c, private: map[Purpose]*ecdsa.PrivateKey{}, kids: map[Purpose]string{}}
	var rows []signingKey
	for _, pair := range set.keys {
		purpose := purposeOf(pair.kid)
		if _, chosen := k.private[purpose]; !chosen {
			k.private[purpose], k.kids[purpose] = pair.private, pair.kid
		}
		jwk := pair.jwk()
		encoded, err := json.Marshal(jwk.Public())
		if err != nil {
			return nil, err
		}
		rows = append(rows, signingKey{Kid: pair.kid, Purpose: string(purpose), JWK: string(encoded), CreatedAt: c.Now()})
	}
	if err := k.repo.record(ctx, rows); err != nil {
		return nil, err
	}
	known, err := k.repo.all(ctx)
	if err != nil {
		return nil, err
	}
	if err := k.publish(known); err != nil {
		return nil, err
	}
	for _, pair := range set.keys {
		if !pair.private.PublicKey.Equal(k.public.Load().keys[pair.kid]) {
			return nil, fmt.Errorf("signing key %s: another key was published under this kid", pair.kid)
		}
	}
	k.refreshedAt = c.Now()
	if k.receipt, err = receiptSigner(k.kids[ForReceipts], k.private[ForReceipts]); err != nil {
		return nil, err
	}
	return k, nil
}

// Signing returns the key that signs for the purpose, and its id.
func (k *Keyring) Signing(p Purpose) (kid string, key *ecdsa.PrivateKey) {
	return k.kids[p], k.private[p]
}

// Verifying returns the public key with the id, if it is for the purpose; else ErrUnknownKey. Ids
// that nobody knows make the process look into the database once in five seconds at most, however
// many arrive.
func (k *Keyring) Verifying(ctx context.Context, p Purpose, kid string) (*ecdsa.PublicKey, error) {
	if purposeOf(kid) != p {
		return nil, ErrUnknownKey
	}
	if key := k.public.Load().keys[kid]; key != nil {
		return key, nil
	}
	err := k.refresh(ctx)
	if key := k.public.Load().keys[kid]; key != nil {
		return key, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, ErrUnknownKey
}

// PublicSet returns the public half of every key that ever signed, oldest first. It may miss those
// that another process added in the last five seconds.
func (k *Keyring) PublicSet(ctx context.Context) (jose.JSONWebKeySet, error) {
	// What is known stays true while the database is away.
	_ = k.refresh(ctx)
	return k.public.Load().set, nil
}

func (k *Keyring) refresh(ctx context.Context) error {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	now := k.clock.Now()
	// A clock that was set back must not stop this for long.
	if age := now.Sub(k.refreshedAt); age >= 0 && age < refreshEvery {
		return k.refreshErr
	}
	k.refreshedAt = now
	// Others wait for this answer: it must not depend on whether this caller stays.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	rows, err := k.repo.all(ctx)
	if err == nil {
		err = k.publish(rows)
	}
	k.refreshErr = err
	return err
}

func (k *Keyring) publish(rows []signingKey) error {
	next := &published{
		keys: make(map[string]*ecdsa.PublicKey, len(rows)), set: jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(rows))},
	}
	for _, row := range rows {
		var jwk jose.JSONWebKey
		if err := json.Unmarshal([]byte(row.JWK), &jwk); err != nil {
			return fmt.Errorf("published key %s: %w", row.Kid, err)
		}
		key, isECDSA := jwk.Key.(*ecdsa.PublicKey)
		if !isECDSA || key.Curve != elliptic.P256() || jwk.KeyID != row.Kid || string(purposeOf(row.Kid)) != row.Purpose {
			return fmt.Errorf("published key %s is not what its row says", row.Kid)
		}
		next.keys[row.Kid] = key
		next.set.Keys = append(next.set.Keys, jwk)
	}
	k.public.Store(next)
	return nil
}

// ErrNotAReceipt means that a text is no receipt of this installation.
var ErrNotAReceipt = errors.New("not a receipt of this installation")

const (
	receiptType = jose.ContentType("receipt+jws")
	maxReceipt  = 8192
)

func receiptSigner(kid string, key *ecdsa.PrivateKey) (jose.Signer, error) {
	return jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid},
	}, (&jose.SignerOptions{}).WithType(receiptType))
}

// SignReceipt returns the payload as a compact JWS (RFC 7515) signed with the current key for
// receipts.
func (k *Keyring) SignReceipt(payload []byte) (string, error) {
	signed, err := k.receipt.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// VerifyReceipt returns the payload of a compact JWS that SignReceipt made, with whichever key that
// was. Everything else is ErrNotAReceipt: another algorithm, a key for another purpose, a header
// that SignReceipt does not write (jwk, jku, x5u, crit …), more than 8 KiB. Any other error means
// that the keys could not be read.
func (k *Keyring) VerifyReceipt(ctx context.Context, jws string) ([]byte, error) {
	if len(jws) > maxReceipt {
		return nil, ErrNotAReceipt
	}
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 || !plainHeader(jws) {
		return nil, ErrNotAReceipt
	}
	key, err := k.Verifying(ctx, ForReceipts, signed.Signatures[0].Protected.KeyID)
	if errors.Is(err, ErrUnknownKey) {
		return nil, ErrNotAReceipt
	}
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, ErrNotAReceipt
	}
	return bytes.Clone(payload), nil
}

// plainHeader reports whether the header has the three members that SignReceipt writes and no
// other. One that brings its own key (jwk, x5c) or says where to fetch one (jku, x5u) is not even
// looked at.
func plainHeader(jws string) bool {
	encoded, _, _ := strings.Cut(jws, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	var header map[string]string
	if err := json.Unmarshal(text, &header); err != nil {
		return false
	}
	return len(header) == 3 && header["alg"] == string(jose.ES256) && header["kid"] != "" && header["typ"] == string(receiptType)
}
