package keyring

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
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
	"diresco/internal/platform/fault"
)

// ErrUnknownKey means that no key with that id ever signed for that purpose.
var ErrUnknownKey = errors.New("unknown signing key")

const (
	// refreshEvery bounds how often unknown key ids make this process ask the database.
	refreshEvery   = 5 * time.Second
	refreshTimeout = 3 * time.Second
)

// ErrNoSigningKey means that none of the process's own keys may sign. All were revoked, or other
// processes do not know them yet.
var ErrNoSigningKey = errors.New("no signing key may be used")

// Keyring signs with a process's own keys and verifies with those of all processes, past ones
// included.
type Keyring struct {
	repo  repository
	clock clock.Clock
	own   []keyPair
	// signing has the pairs that sign at present.
	signing atomic.Pointer[map[Purpose]signingPair]

	public atomic.Pointer[published]

	refreshing  sync.Mutex
	refreshedAt time.Time
	refreshErr  error
}

// signingPair is a key pair that signs.
type signingPair struct {
	keyPair
	// receiptHead is how every receipt begins that it signs, where the pair is for them.
	receiptHead string
}

// published is what the table held when it was last read.
type published struct {
	set  jose.JSONWebKeySet
	keys map[string]*ecdsa.PublicKey
	// revoked has since when, or from when on, a key is believed no more.
	revoked map[string]time.Time
}

// Open records the public halves of the set and reads those of all others. It fails when the id of
// a key was taken by another one before. The first key of each purpose signs, whatever others know:
// who works beside others uses Enter.
func Open(ctx context.Context, d *db.DB, c clock.Clock, set *Private) (*Keyring, error) {
	k := &Keyring{repo: repository{d}, clock: c, own: set.keys}
	rows, err := signingRows(set, c.Now())
	if err != nil {
		return nil, err
	}
	if err := d.InTx(ctx, func(ctx context.Context) error { return k.repo.record(ctx, rows) }); err != nil {
		return nil, err
	}
	known, err := k.repo.published(ctx)
	if err != nil {
		return nil, err
	}
	if err := k.begin(known); err != nil {
		return nil, err
	}
	return k, k.choose(func(string) bool { return true })
}

// Reader returns a keyring that has no keys of its own. It verifies with those that a database knows.
func Reader(ctx context.Context, d *db.DB, c clock.Clock) (*Keyring, error) {
	k := &Keyring{repo: repository{d}, clock: c, refreshedAt: c.Now()}
	known, err := k.repo.published(ctx)
	if err != nil {
		return nil, err
	}
	return k, k.publish(known)
}

// signingRows returns the public halves of a set as they are recorded.
func signingRows(set *Private, now time.Time) ([]signingKey, error) {
	rows := make([]signingKey, len(set.keys))
	for i, pair := range set.keys {
		jwk := pair.jwk()
		encoded, err := json.Marshal(jwk.Public())
		if err != nil {
			return nil, err
		}
		rows[i] = signingKey{Kid: pair.kid, Purpose: string(purposeOf(pair.kid)), JWK: string(encoded), CreatedAt: now}
	}
	return rows, nil
}

// begin publishes what is recorded, which has the process's own keys among it.
func (k *Keyring) begin(known []publishedKey) error {
	if err := k.publish(known); err != nil {
		return err
	}
	if err := k.public.Load().matches(k.own); err != nil {
		return err
	}
	k.refreshedAt = k.clock.Now()
	return nil
}

// matches fails where another key than one of these was published under its id.
func (p *published) matches(own []keyPair) error {
	for _, pair := range own {
		if !pair.private.PublicKey.Equal(p.keys[pair.kid]) {
			return fmt.Errorf("signing key %s: another key was published under this kid", pair.kid)
		}
	}
	return nil
}

// choose lets the first own key of each purpose sign that all know and nobody revoked. Where there
// is none, nothing is signed.
func (k *Keyring) choose(knownToAll func(kid string) bool) error {
	revoked := k.public.Load().revoked
	next := map[Purpose]signingPair{}
	for _, pair := range k.own {
		purpose := purposeOf(pair.kid)
		_, chosen := next[purpose]
		// One that will be revoked is left alone at once: not all notice the instant together.
		if _, gone := revoked[pair.kid]; chosen || gone || !knownToAll(pair.kid) {
			continue
		}
		signing := signingPair{keyPair: pair}
		if purpose == ForReceipts {
			var err error
			if signing.receiptHead, err = receiptHead(pair.kid); err != nil {
				return err
			}
		}
		next[purpose] = signing
	}
	k.signing.Store(&next)
	return nil
}

// Signing returns the key that signs for the purpose, and its id. Without one it is
// fault.Unavailable, for ErrNoSigningKey.
func (k *Keyring) Signing(p Purpose) (kid string, key *ecdsa.PrivateKey, err error) {
	pair, found := (*k.signing.Load())[p]
	if !found {
		return "", nil, &fault.Fault{Code: fault.Unavailable, RetryAfter: refreshEvery, Err: ErrNoSigningKey}
	}
	return pair.kid, pair.private, nil
}

// signs reports whether there is a key that signs for the purpose.
func (k *Keyring) signs(p Purpose) bool {
	_, found := (*k.signing.Load())[p]
	return found
}

// Revoked reports whether the key is believed no more.
func (k *Keyring) Revoked(kid string) bool {
	from, known := k.public.Load().revoked[kid]
	return known && !k.clock.Now().Before(from)
}

// Verifying returns the public key with the id, if it is for the purpose; else ErrUnknownKey. A
// session's key that was revoked is unknown; a receipt's is not, since the register tells which
// receipts are genuine. Ids that nobody knows make the process look into the database once in five
// seconds at most, however many arrive.
func (k *Keyring) Verifying(ctx context.Context, p Purpose, kid string) (*ecdsa.PublicKey, error) {
	if purposeOf(kid) != p || p == ForSessions && k.Revoked(kid) {
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

// PublicSet returns the public half of every key that ever signed and was not revoked, oldest
// first. It may miss those that another process added in the last five seconds.
func (k *Keyring) PublicSet(ctx context.Context) (jose.JSONWebKeySet, error) {
	// What is known stays true while the database is away.
	_ = k.refresh(ctx)
	all := k.public.Load().set
	believed := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(all.Keys))}
	for _, key := range all.Keys {
		if !k.Revoked(key.KeyID) {
			believed.Keys = append(believed.Keys, key)
		}
	}
	return believed, nil
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
	rows, err := k.repo.published(ctx)
	if err == nil {
		err = k.publish(rows)
	}
	k.refreshErr = err
	return err
}

func (k *Keyring) publish(rows []publishedKey) error {
	next, err := readPublished(rows)
	if err != nil {
		return err
	}
	k.public.Store(next)
	return nil
}

func readPublished(rows []publishedKey) (*published, error) {
	next := &published{
		keys: make(map[string]*ecdsa.PublicKey, len(rows)), set: jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(rows))},
		revoked: map[string]time.Time{},
	}
	for _, row := range rows {
		var jwk jose.JSONWebKey
		if err := json.Unmarshal([]byte(row.JWK), &jwk); err != nil {
			return nil, fmt.Errorf("published key %s: %w", row.Kid, err)
		}
		key, isECDSA := jwk.Key.(*ecdsa.PublicKey)
		if !isECDSA || key.Curve != elliptic.P256() || jwk.KeyID != row.Kid || string(purposeOf(row.Kid)) != row.Purpose {
			return nil, fmt.Errorf("published key %s is not what its row says", row.Kid)
		}
		next.keys[row.Kid] = key
		next.set.Keys = append(next.set.Keys, jwk)
		if row.RevokedAt != nil {
			next.revoked[row.Kid] = *row.RevokedAt
		}
	}
	return next, nil
}

// ErrNotAReceipt means that a text is no receipt of this installation.
var ErrNotAReceipt = errors.New("not a receipt of this installation")

const (
	receiptType = jose.ContentType("receipt+jws")
	maxReceipt  = 8192
)

// receiptHead is the encoded header of the receipts that a key signs, with its full stop. Its members
// are in the order of their names, as the JOSE library writes them.
func receiptHead(kid string) (string, error) {
	header, err := json.Marshal(struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
		KeyID     string                  `json:"kid"`
		Type      jose.ContentType        `json:"typ"`
	}{jose.ES256, kid, receiptType})
	return base64.RawURLEncoding.EncodeToString(header) + ".", err
}

// SignReceipt returns the payload as a compact JWS (RFC 7515) signed with the current key for
// receipts. It needs half of the library's allocations, since the header is always the same.
func (k *Keyring) SignReceipt(payload []byte) (string, error) {
	pair, found := (*k.signing.Load())[ForReceipts]
	if !found {
		return "", &fault.Fault{Code: fault.Unavailable, RetryAfter: refreshEvery, Err: ErrNoSigningKey}
	}
	encoding := base64.RawURLEncoding
	const half = 32
	jws := make([]byte, 0, len(pair.receiptHead)+encoding.EncodedLen(len(payload))+1+encoding.EncodedLen(2*half))
	jws = encoding.AppendEncode(append(jws, pair.receiptHead...), payload)
	digest := sha256.Sum256(jws)
	r, s, err := ecdsa.Sign(rand.Reader, pair.private, digest[:])
	if err != nil {
		return "", err
	}
	// RFC 7518 section 3.4: both numbers, each in 32 octets.
	var signature [2 * half]byte
	r.FillBytes(signature[:half])
	s.FillBytes(signature[half:])
	return string(encoding.AppendEncode(append(jws, '.'), signature[:])), nil
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
	if err != nil || len(signed.Signatures) != 1 || !plainText(jws) || !plainHeader(jws) {
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

// plainText reports whether each part is written as SignReceipt writes it: Base64 lets line breaks
// and other last bits stand for the same, and a receipt that was changed is none.
func plainText(jws string) bool {
	for part := range strings.SplitSeq(jws, ".") {
		content, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodedLen(len(content)) != len(part) {
			return false
		}
	}
	return true
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
