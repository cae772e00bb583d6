package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"diresco/internal/platform/secret"
)

const dataKeyBytes = 32

var dataKeyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// DataKeys are the symmetric keys of an installation. One is current and writes; the others still
// check what they made. The first is current until a Process says otherwise.
type DataKeys struct {
	list    atomic.Pointer[keyList]
	derived *derivedKeys
}

// keyList has the keys and says, by their places, which do what.
type keyList struct {
	keys []dataKey
	// current makes what carries its id.
	current int
	// lasting makes digests that are looked for: the same in every process.
	lasting int
}

// derivedKeys holds the key of each purpose under each data key.
type derivedKeys struct {
	mu     sync.RWMutex
	byName map[derivedKey][]byte
}

type derivedKey struct{ id, purpose string }

type dataKey struct {
	id    string
	bytes []byte
}

// String implements fmt.Stringer without any part of a key.
func (d *DataKeys) String() string { return fmt.Sprintf("%d data keys", len(d.all())) }

// ParseDataKeys reads "id:base64,id:base64", each key 32 bytes in base64 of any of the usual
// alphabets. The error never holds a part of a key.
func ParseDataKeys(text secret.Text) (*DataKeys, error) {
	d := &DataKeys{derived: &derivedKeys{byName: map[derivedKey][]byte{}}}
	var keys []dataKey
	seen := map[string]bool{}
	for i, item := range strings.Split(strings.TrimSpace(text.Reveal()), ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(item), ":")
		if !found || !dataKeyID.MatchString(id) {
			return nil, fmt.Errorf("data key %d is not of the form id:base64, with an id of letters, digits, - and _", i+1)
		}
		if seen[id] {
			return nil, fmt.Errorf("data key %d: its id stands twice", i+1)
		}
		seen[id] = true
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(encoded), "="))
		if err != nil || len(decoded) != dataKeyBytes {
			return nil, fmt.Errorf("data key %d is not %d bytes in base64", i+1, dataKeyBytes)
		}
		keys = append(keys, dataKey{id, decoded})
	}
	d.list.Store(&keyList{keys: keys})
	return d, nil
}

// LoadDataKeys reads the keys from a file.
func LoadDataKeys(path string) (*DataKeys, error) {
	return load(path, "data keys", func(content []byte) (*DataKeys, error) { return ParseDataKeys(secret.Text(content)) })
}

// LoadOrCreateDataKeys reads the keys from a file. Where there is none yet, it first writes one
// with a new key, for the owner's eyes only.
func LoadOrCreateDataKeys(path string) (*DataKeys, error) {
	d, err := LoadDataKeys(path)
	if !errors.Is(err, os.ErrNotExist) {
		return d, err
	}
	fresh := make([]byte, dataKeyBytes+4)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	line := fmt.Sprintf("k%x:%s\n", fresh[dataKeyBytes:], base64.StdEncoding.EncodeToString(fresh[:dataKeyBytes]))
	if err := writeNew(path, []byte(line)); err != nil {
		return nil, err
	}
	// Another process may have been quicker: what stands in the file counts.
	return LoadDataKeys(path)
}

// Settled returns the keys as they stand now: what is current among them changes no more. It is for
// whoever asks more than once and needs answers that fit together.
func (d *DataKeys) Settled() *DataKeys {
	same := &DataKeys{derived: d.derived}
	same.list.Store(d.list.Load())
	return same
}

// all returns the keys as they stand now.
func (d *DataKeys) all() []dataKey { return d.list.Load().keys }

// replace puts other keys in the place of these. Those that have a role keep it, and must be among
// the others.
func (d *DataKeys) replace(keys []dataKey) error {
	old := d.list.Load()
	next := &keyList{keys: keys}
	for _, role := range []struct {
		was int
		is  *int
	}{{old.current, &next.current}, {old.lasting, &next.lasting}} {
		id := old.keys[role.was].id
		if *role.is = slices.IndexFunc(keys, func(k dataKey) bool { return k.id == id }); *role.is < 0 {
			return fmt.Errorf("the data key %s is still used by this process; it may go ten seconds after it was retired", id)
		}
	}
	d.list.Store(next)
	return nil
}

// assign gives the keys with these ids their roles. Ids that are not there change nothing.
func (d *DataKeys) assign(current, lasting string) {
	next := keyList{keys: d.all()}
	for i, key := range next.keys {
		if key.id == current {
			next.current = i
		}
		if key.id == lasting {
			next.lasting = i
		}
	}
	d.list.Store(&next)
}

func (d *DataKeys) current() dataKey {
	l := d.list.Load()
	return l.keys[l.current]
}

// inOrder returns the keys with the one at a place before the others.
func (l *keyList) inOrder(first int) []dataKey {
	ordered := append(make([]dataKey, 0, len(l.keys)), l.keys[first])
	ordered = append(ordered, l.keys[:first]...)
	return append(ordered, l.keys[first+1:]...)
}

// holds reports whether one of the keys has the id.
func (d *DataKeys) holds(id string) bool {
	return slices.ContainsFunc(d.all(), func(k dataKey) bool { return k.id == id })
}

// MAC returns a keyed digest (HMAC-SHA-256, base64url) of the parts under the current key, and that
// key's id. Each purpose has a key of its own, so a digest made for one is worthless for another;
// parts are told apart by their lengths.
func (d *DataKeys) MAC(purpose string, parts ...[]byte) (keyID, mac string) {
	key := d.current()
	return key.id, base64.RawURLEncoding.EncodeToString(d.sum(key, purpose, parts))
}

// Digest is a keyed digest with the id of its key.
type Digest struct{ KeyID, MAC string }

// String gives it as it is stored.
func (g Digest) String() string { return g.KeyID + ":" + g.MAC }

// Lasting returns the digests of the parts under every key. They are for what is looked for by its
// digest: all processes give the same one first, which is the one to store, and a rotation does not
// change that. The others find what was stored under another key.
func (d *DataKeys) Lasting(purpose string, parts ...[]byte) []Digest {
	l := d.list.Load()
	digests := make([]Digest, 0, len(l.keys))
	for _, key := range l.inOrder(l.lasting) {
		digests = append(digests, Digest{key.id, base64.RawURLEncoding.EncodeToString(d.sum(key, purpose, parts))})
	}
	return digests
}

// CheckMAC reports, in constant time, whether MAC gave this digest under the key with this id,
// current or old.
func (d *DataKeys) CheckMAC(keyID, mac, purpose string, parts ...[]byte) bool {
	for _, key := range d.all() {
		if key.id == keyID {
			want := base64.RawURLEncoding.EncodeToString(d.sum(key, purpose, parts))
			return subtle.ConstantTimeCompare([]byte(want), []byte(mac)) == 1
		}
	}
	return false
}

// Sums returns the 32 bytes of the parts' keyed digest under every key, the current one first.
func (d *DataKeys) Sums(purpose string, parts ...[]byte) [][]byte {
	l := d.list.Load()
	sums := make([][]byte, 0, len(l.keys))
	for _, key := range l.inOrder(l.current) {
		sums = append(sums, d.sum(key, purpose, parts))
	}
	return sums
}

// Seal encrypts (AES-256-GCM) a text under the current key and binds it to the parts. Open must be
// given the same parts again.
func (d *DataKeys) Seal(purpose string, plain []byte, parts ...[]byte) string {
	key := d.current()
	// The nonce is drawn by the cipher, which puts it before the text.
	//nolint:gosec // no nonce is passed: the cipher takes none
	return key.id + ":" + base64.RawURLEncoding.EncodeToString(d.cipher(key, purpose).Seal(nil, nil, plain, bytes.Join(parts, []byte{0})))
}

// Open decrypts what Seal made under the current or an old key. Its error tells nothing of the
// text.
func (d *DataKeys) Open(purpose, sealed string, parts ...[]byte) ([]byte, error) {
	id, encoded, _ := strings.Cut(sealed, ":")
	for _, key := range d.all() {
		if key.id != id {
			continue
		}
		text, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("sealed text is not base64")
		}
		plain, err := d.cipher(key, purpose).Open(nil, nil, text, bytes.Join(parts, []byte{0}))
		if err != nil {
			return nil, errors.New("sealed text was changed, or is another's")
		}
		return plain, nil
	}
	return nil, errors.New("the data key of a sealed text is not there any more")
}

func (d *DataKeys) cipher(key dataKey, purpose string) cipher.AEAD {
	block, err := aes.NewCipher(d.derive(key, "seal "+purpose))
	if err != nil {
		panic(err) // only a key of another length is refused
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only a cipher with other blocks is refused
	}
	return aead
}

func (d *DataKeys) sum(key dataKey, purpose string, parts [][]byte) []byte {
	h := hmac.New(sha256.New, d.derive(key, purpose))
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		_, _ = h.Write(length[:]) // a hash never fails
		_, _ = h.Write(part)
	}
	return h.Sum(nil)
}

func (d *DataKeys) derive(key dataKey, purpose string) []byte {
	name := derivedKey{key.id, purpose}
	d.derived.mu.RLock()
	known := d.derived.byName[name]
	d.derived.mu.RUnlock()
	if known != nil {
		return known
	}
	made, err := hkdf.Key(sha256.New, key.bytes, nil, "diresco "+purpose, dataKeyBytes)
	if err != nil {
		panic(err) // only a length over 8160 bytes is refused
	}
	d.derived.mu.Lock()
	defer d.derived.mu.Unlock()
	d.derived.byName[name] = made
	return made
}
