package keyring_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/keyring"
	"diresco/internal/test/dbtest"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func generate(t *testing.T) *keyring.Private {
	t.Helper()
	set, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func open(t *testing.T, d *db.DB, c clock.Clock, set *keyring.Private) *keyring.Keyring {
	t.Helper()
	k, err := keyring.Open(context.Background(), d, c, set)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signing returns the key that signs for the purpose.
func signing(t *testing.T, k *keyring.Keyring, p keyring.Purpose) (string, *ecdsa.PrivateKey) {
	t.Helper()
	kid, key, err := k.Signing(p)
	if err != nil {
		t.Fatal(err)
	}
	return kid, key
}

func TestKeyring_KeysAreCreatedOnceAndPrivately(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "signing-keys.json")
	var wg sync.WaitGroup
	sets := make([]*keyring.Private, 8)
	for i := range sets {
		wg.Go(func() {
			set, err := keyring.LoadOrCreate(path)
			if err != nil {
				t.Error(err)
			}
			sets[i] = set
		})
	}
	wg.Wait()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	d := dbtest.Open(t, dbtest.SQLite(t))
	first, _ := signing(t, open(t, d, clock.NewManual(start), sets[0]), keyring.ForSessions)
	for _, set := range sets[1:] {
		if kid, _ := signing(t, open(t, d, clock.NewManual(start), set), keyring.ForSessions); kid != first {
			t.Errorf("two processes that start together have the keys %s and %s", first, kid)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
}

func TestKeyring_LoadRefusesWrongFiles(t *testing.T) {
	p256 := func(kid string) jose.JSONWebKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return jose.JSONWebKey{Key: key, KeyID: kid}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	session, receipt := p256("session-aaaaaaaa"), p256("receipt-aaaaaaaa")
	otherUse := p256("session-bbbbbbbb")
	otherUse.Use = "enc"
	tests := map[string][]jose.JSONWebKey{
		"no keys":            {},
		"no key for receipt": {session},
		"other curve":        {session, receipt, {Key: p384, KeyID: "session-cccccccc"}},
		"public key only":    {session, receipt.Public()},
		"symmetric key":      {session, receipt, {Key: []byte(strings.Repeat("k", 32)), KeyID: "session-dddddddd"}},
		"kid without use":    {session, receipt, p256("other-aaaaaaaa")},
		"kid twice":          {session, receipt, session},
		"not for signing":    {session, receipt, otherUse},
	}
	for name, keys := range tests {
		t.Run(name, func(t *testing.T) {
			content, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := keyring.Load(path); err == nil {
				t.Error("was accepted")
			}
			if _, err := keyring.LoadOrCreate(path); err == nil {
				t.Error("was accepted or replaced")
			}
		})
	}
	if _, err := keyring.Load(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestKeyring_ReceiptsOutliveTheirKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		old := open(t, d, clock.NewManual(start), generate(t))
		jws, err := old.SignReceipt([]byte(`{"protocol_number":"INPS.7000.02/03/2026.0000001"}`))
		if err != nil {
			t.Fatal(err)
		}
		// The file was replaced: no process holds the old key any more.
		now := open(t, d, clock.NewManual(start.Add(time.Hour)), generate(t))
		payload, err := now.VerifyReceipt(ctx, jws)
		if err != nil || !strings.Contains(string(payload), "0000001") {
			t.Errorf("payload %q, error %v", payload, err)
		}
		set, err := now.PublicSet(ctx)
		if err != nil || len(set.Keys) != 4 {
			t.Fatalf("%d keys are published, want 4; error %v", len(set.Keys), err)
		}
		for _, key := range set.Keys {
			if !key.IsPublic() || key.Algorithm != "ES256" || key.Use != "sig" {
				t.Errorf("published key %s: public %v, alg %q, use %q", key.KeyID, key.IsPublic(), key.Algorithm, key.Use)
			}
		}
	})
}

func TestKeyring_KeyIDCannotBeTakenOver(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	write := func() *keyring.Private {
		keys := jose.JSONWebKeySet{}
		for _, kid := range []string{"session-aaaaaaaa", "receipt-aaaaaaaa"} {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			keys.Keys = append(keys.Keys, jose.JSONWebKey{Key: key, KeyID: kid})
		}
		content, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := keyring.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	open(t, d, clock.NewManual(start), write())
	if _, err := keyring.Open(context.Background(), d, clock.NewManual(start), write()); err == nil {
		t.Error("another key was accepted under a kid that is taken")
	}
}

// countKeyQueries counts the queries for published keys.
func countKeyQueries(t *testing.T, d *db.DB) *int {
	t.Helper()
	n := new(int)
	if err := d.From(context.Background()).Callback().Row().Before("gorm:row").Register("count", func(tx *gorm.DB) {
		if strings.Contains(tx.Statement.SQL.String(), "FROM signing_keys") {
			*n++
		}
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestKeyring_UnknownKeysDoNotBecomeQueries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		c := clock.NewManual(start)
		first := open(t, d, c, generate(t))
		queries := countKeyQueries(t, d)
		for i := range 100 {
			if _, err := first.Verifying(
				ctx, keyring.ForSessions, fmt.Sprintf("session-unknown%d", i),
			); !errors.Is(err, keyring.ErrUnknownKey) {
				t.Fatal(err)
			}
		}
		if *queries != 0 {
			t.Errorf("%d queries within five seconds of the last", *queries)
		}
		second := open(t, d, c, generate(t))
		*queries = 0
		kid, key := signing(t, second, keyring.ForSessions)
		c.Advance(5 * time.Second)
		for range 10 {
			if _, err := first.Verifying(ctx, keyring.ForSessions, "session-unknown"); !errors.Is(err, keyring.ErrUnknownKey) {
				t.Fatal(err)
			}
			found, err := first.Verifying(ctx, keyring.ForSessions, kid)
			if err != nil || !key.PublicKey.Equal(found) {
				t.Fatalf("the other process's key: %v", err)
			}
		}
		if *queries != 1 {
			t.Errorf("%d queries, want 1", *queries)
		}
		if _, err := first.Verifying(ctx, keyring.ForReceipts, kid); !errors.Is(err, keyring.ErrUnknownKey) {
			t.Errorf("a session key was found for receipts: %v", err)
		}
	})
}

// TestKeyring_ReceiptsAreWhatTheLibraryWrites: the header is the same to the byte, and signatures
// verify there whose numbers begin with zeros too, as about one in 128 does.
func TestKeyring_ReceiptsAreWhatTheLibraryWrites(t *testing.T) {
	k := open(t, dbtest.Open(t, dbtest.SQLite(t)), clock.NewManual(start), generate(t))
	kid, key := signing(t, k, keyring.ForReceipts)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("receipt+jws"))
	if err != nil {
		t.Fatal(err)
	}
	short := 0
	for i := range 2000 {
		payload := fmt.Appendf(nil, `{"protocol_number":"INPS.7000.02/03/2026.%07d"}`, i)
		ours, err := k.SignReceipt(payload)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(ours, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		if verified, err := parsed.Verify(&key.PublicKey); err != nil || !bytes.Equal(verified, payload) {
			t.Fatalf("%s: %v", ours, err)
		}
		if sum := parsed.Signatures[0].Signature; sum[0] == 0 || sum[32] == 0 {
			short++
		}
		if i > 0 {
			continue
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		// The signature differs each time; all before it does not.
		if cut := strings.LastIndex(theirs, "."); ours[:cut] != theirs[:cut] || len(ours) != len(theirs) {
			t.Errorf("ours %s, theirs %s", ours, theirs)
		}
	}
	if short == 0 {
		t.Error("no signature of 2000 had a number that begins with zeros")
	}
}

// otherBits is a letter that says the same to who does not look at the last bits of base64.
func otherBits(t *testing.T, letter byte) string {
	t.Helper()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(letters, letter)
	if i < 0 || i%16 != 0 {
		t.Fatalf("%c does not end 64 bytes", letter)
	}
	return letters[i+1 : i+2]
}

func TestKeyring_VerifyReceiptRefuses(t *testing.T) {
	ctx := context.Background()
	d := dbtest.Open(t, dbtest.SQLite(t))
	k := open(t, d, clock.NewManual(start), generate(t))
	kid, key := signing(t, k, keyring.ForReceipts)
	sessionKid, sessionKey := signing(t, k, keyring.ForSessions)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(`{"protocol_number":"INPS.7000.02/03/2026.0000001"}`)
	genuine, err := k.SignReceipt(payload)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(alg jose.SignatureAlgorithm, with any, headers map[jose.HeaderKey]any) string {
		options := &jose.SignerOptions{}
		for name, value := range headers {
			options.WithHeader(name, value)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: with}, options)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	type h = map[jose.HeaderKey]any
	raw := func(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }
	parts := strings.Split(genuine, ".")
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"empty":                 "",
		"two parts":             parts[0] + "." + parts[1],
		"other payload":         parts[0] + "." + raw(`{}`) + "." + parts[2],
		"no signature":          parts[0] + "." + parts[1] + ".",
		"alg none":              raw(`{"alg":"none","kid":"`+kid+`","typ":"receipt+jws"}`) + "." + parts[1] + ".",
		"HS256 with public key": sign(jose.HS256, public, h{"kid": kid, "typ": "receipt+jws"}),
		"session key":           sign(jose.ES256, sessionKey, h{"kid": sessionKid, "typ": "receipt+jws"}),
		"session key, our kid":  sign(jose.ES256, sessionKey, h{"kid": kid, "typ": "receipt+jws"}),
		"foreign key":           sign(jose.ES256, foreign, h{"kid": kid, "typ": "receipt+jws"}),
		"unknown kid":           sign(jose.ES256, foreign, h{"kid": "receipt-zzzzzzzz", "typ": "receipt+jws"}),
		"path in kid":           sign(jose.ES256, foreign, h{"kid": "../../etc/passwd", "typ": "receipt+jws"}),
		"no kid":                sign(jose.ES256, key, h{"typ": "receipt+jws"}),
		"own key in header": sign(jose.ES256, foreign, h{
			"kid": kid, "typ": "receipt+jws", "jwk": jose.JSONWebKey{Key: foreign.Public()},
		}),
		"jku":                     sign(jose.ES256, key, h{"kid": kid, "typ": "receipt+jws", "jku": "https://attacker.example/keys"}),
		"x5u":                     sign(jose.ES256, key, h{"kid": kid, "typ": "receipt+jws", "x5u": "https://attacker.example/cert"}),
		"crit":                    sign(jose.ES256, key, h{"kid": kid, "typ": "receipt+jws", "crit": []string{"exp"}}),
		"another typ":             sign(jose.ES256, key, h{"kid": kid, "typ": "at+jwt"}),
		"a line in the signature": parts[0] + "." + parts[1] + "." + parts[2][:40] + "\n" + parts[2][40:],
		"a line in the payload":   parts[0] + "." + parts[1][:10] + "\n" + parts[1][10:] + "." + parts[2],
		"other bits at the end":   genuine[:len(genuine)-1] + otherBits(t, genuine[len(genuine)-1]),
		"padded":                  genuine + "==",
		"four parts":              genuine + ".",
		"oversized":               genuine + strings.Repeat("A", 8192),
		"JSON form":               `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	}
	for name, jws := range tests {
		t.Run(name, func(t *testing.T) {
			if payload, err := k.VerifyReceipt(ctx, jws); !errors.Is(err, keyring.ErrNotAReceipt) {
				t.Errorf("payload %q, error %v", payload, err)
			}
		})
	}
	if got, err := k.VerifyReceipt(ctx, genuine); err != nil || string(got) != string(payload) {
		t.Errorf("the genuine one: %q, %v", got, err)
	}
	if got, err := k.VerifyReceipt(ctx, sign(jose.ES256, key, h{"kid": kid, "typ": "receipt+jws"})); err != nil ||
		string(got) != string(payload) {
		t.Errorf("the test's own way of signing must be good where the attack is left out: %q, %v", got, err)
	}
}
