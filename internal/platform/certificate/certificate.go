// Package certificate keeps the certificate with which the server ends TLS, as its files have it.
package certificate

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"diresco/internal/platform/clock"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = 10 * time.Second

// Pair is a certificate with its key. It follows its files: what they have is used from ten seconds
// after it was written, at the latest, unless it is no pair.
type Pair struct {
	certificate, key string
	clock            clock.Clock
	log              *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	// seen is the digest of what was read last, good or not, and used that of the current pair.
	seen, used [sha256.Size]byte
	lookedAt   time.Time
}

// Load reads a pair from its files (PEM). The error never holds a part of a key.
func Load(certificate, key string, c clock.Clock, log *slog.Logger) (*Pair, error) {
	p := &Pair{certificate: certificate, key: key, clock: c, log: log}
	if _, err := p.read(); err != nil {
		return nil, err
	}
	p.lookedAt = c.Now()
	return p, nil
}

// read takes what the files have, if it is a pair, and reports whether that is new.
func (p *Pair) read() (fresh bool, err error) {
	chain, err := os.ReadFile(p.certificate)
	if err != nil {
		return false, err
	}
	key, err := os.ReadFile(p.key)
	if err != nil {
		return false, err
	}
	seen := sha256.Sum256(append(append([]byte{}, chain...), key...))
	if seen == p.seen {
		return false, nil
	}
	p.seen = seen
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return false, fmt.Errorf("certificate in %s with the key in %s: %w", p.certificate, p.key, err)
	}
	fresh = seen != p.used
	p.current, p.used = &pair, seen
	return fresh, nil
}

// look reads the files and says in the log what came of it. It runs under the lock.
func (p *Pair) look() {
	p.lookedAt = p.clock.Now()
	switch fresh, err := p.read(); {
	case err != nil:
		p.log.Error("the certificate was not read again: the old one stays in force", "error", err)
	case fresh:
		p.log.Info("a new certificate is used from now on", "until", p.current.Leaf.NotAfter)
	}
}

// Reload reads the files at once.
func (p *Pair) Reload() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = [sha256.Size]byte{}
	p.look()
}

// Get is for tls.Config.
func (p *Pair) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A clock that was set back must not stop this for long.
	if age := p.clock.Now().Sub(p.lookedAt); age < 0 || age >= lookEvery {
		p.look()
	}
	return p.current, nil
}
