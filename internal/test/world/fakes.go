package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
)

// Signer signs receipts with a key that lives as long as the test.
type Signer struct {
	// Key is the key pair, for checking a receipt without the code under test.
	Key *ecdsa.PrivateKey
	// Gate, where there is one, holds up the first signature: a submission that is in its
	// transaction.
	Gate   *Gate
	signer jose.Signer
}

// NewSigner returns a signer with a new P-256 key.
func NewSigner(t testing.TB) *Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "receipt-test"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{Key: key, signer: signer}
}

// SignReceipt implements declaration.Signer.
func (s *Signer) SignReceipt(payload []byte) (string, error) {
	s.Gate.Pass()
	signed, err := s.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// VerifyReceipt implements declaration.Signer.
func (s *Signer) VerifyReceipt(_ context.Context, jws string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, keyring.ErrNotAReceipt
	}
	payload, err := signed.Verify(s.Key.Public())
	if err != nil {
		return nil, keyring.ErrNotAReceipt
	}
	return payload, nil
}

// Sessions is access.Sessions with the plain rules and nothing else.
type Sessions struct {
	mu      sync.Mutex
	touched []uuid.UUID
}

// RequireLive implements access.Sessions.
func (s *Sessions) RequireLive(_ uuid.UUID, lastSeen, expires time.Time, ended *time.Time, now time.Time) error {
	if ended != nil || !now.Before(expires) || now.Sub(lastSeen) >= IdleAfter {
		return fault.New(fault.SessionEnded)
	}
	return nil
}

// Touch implements access.Sessions.
func (s *Sessions) Touch(id uuid.UUID, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = append(s.touched, id)
}

// Touched reports whether activity of the session was noted.
func (s *Sessions) Touched(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.touched, id)
}

// Statements counts what GORM asks the database, from the call on and on both pools where there are
// two.
func Statements(t testing.TB, d *db.DB) func() int {
	t.Helper()
	var n atomic.Int64
	count := func(*gorm.DB) { n.Add(1) }
	name := "world:" + uuid.NewString()
	handles := []*gorm.DB{d.From(context.Background())}
	err := d.InTx(context.Background(), func(ctx context.Context) error {
		if d.Dialect() == db.SQLite {
			handles = append(handles, d.From(ctx))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range handles {
		c := h.Callback()
		for _, register := range []func() error{
			func() error { return c.Query().Before("*").Register(name, count) },
			func() error { return c.Row().Before("*").Register(name, count) },
			func() error { return c.Raw().Before("*").Register(name, count) },
			func() error { return c.Create().Before("*").Register(name, count) },
			func() error { return c.Update().Before("*").Register(name, count) },
			func() error { return c.Delete().Before("*").Register(name, count) },
		} {
			if err := register(); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.Hear(func(string, []any) { n.Add(1) })
	return func() int { return int(n.Load()) }
}
