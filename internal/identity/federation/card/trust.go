package card

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"diresco/internal/identity/federation"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/egress"
)

const (
	listName       = "cns-trusted-list.xml"
	fetchTimeout   = time.Minute
	maxTrustedList = 32 << 20
	// RefreshEvery is how often Refresh is to be called.
	RefreshEvery = 10 * time.Minute
	// fetchEvery is how often a list is fetched that was had the last time.
	fetchEvery = 6 * time.Hour
)

// TrustConfig says whom to trust.
type TrustConfig struct {
	// Bundle is the path of certificates of authorities (PEM); empty for none.
	Bundle string
	// List is the path or the https URL of the national trusted list; empty for none.
	List string
	// Signers is the path of the certificates (PEM) that may sign the list.
	Signers string
	// Further are authorities that are at hand.
	Further []*x509.Certificate
	// Dir is where a copy of the list is kept; empty for nowhere.
	Dir string
	// Network has the private networks in which the URL of the list may lie; the rest of it is for
	// tests.
	Network egress.Options
}

// Trust knows the authorities that issue cards.
type Trust struct {
	config  TrustConfig
	clock   clock.Clock
	log     *slog.Logger
	signers []*x509.Certificate
	bundle  []*x509.Certificate

	// fetchedAt is when the list was fetched last. Refresh alone uses it.
	fetchedAt time.Time

	mu   sync.RWMutex
	list *trustedList
	pool *x509.CertPool
}

// NewTrust reads whom to trust. A list that is a file must be right, or have been; of one that is
// fetched the kept copy serves until Refresh, if there is one.
func NewTrust(config TrustConfig, c clock.Clock, log *slog.Logger) (*Trust, error) {
	t := &Trust{config: config, clock: c, log: log, pool: x509.NewCertPool()}
	var err error
	if config.Bundle != "" {
		if t.bundle, err = readCertificates(config.Bundle); err != nil {
			return nil, fmt.Errorf("authorities of cards: %w", err)
		}
	}
	t.bundle = append(t.bundle, config.Further...)
	t.use(nil)
	if config.List == "" {
		return t, nil
	}
	if t.signers, err = readCertificates(config.Signers); err != nil {
		return nil, fmt.Errorf("signers of the trusted list: %w", err)
	}
	if t.remote() {
		t.readCopy()
		return t, nil
	}
	content, err := readBounded(config.List)
	if err == nil {
		err = t.take(content)
	}
	switch {
	case errors.Is(err, errOver) || err != nil && t.signersAreOver():
		// Time alone has brought it about, so the other ways of logging in go on.
		log.Error("nobody can log in with a card of its authorities until there is a newer trusted list", "error", err)
	case err != nil:
		return nil, fmt.Errorf("trusted list: %w", err)
	}
	return t, nil
}

// signersAreOver tells whether the time of all who may sign the list has ended.
func (t *Trust) signersAreOver() bool {
	now := t.clock.Now()
	return !slices.ContainsFunc(t.signers, func(c *x509.Certificate) bool { return !now.After(c.NotAfter) })
}

// errOver is that of a list that has had its time.
var errOver = errors.New("it should have been followed by another by now")

func (t *Trust) remote() bool { return strings.HasPrefix(t.config.List, "https://") }

// Listed tells whether there is a list to refresh.
func (t *Trust) Listed() bool { return t.config.List != "" }

// Pool implements Authorities. A list that has had its time is used no more.
func (t *Trust) Pool(now time.Time) (*x509.CertPool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.config.List != "" && len(t.bundle) == 0 && (t.list == nil || !now.Before(t.list.nextUpdate)) {
		return nil, errNone
	}
	if t.list != nil && !now.Before(t.list.nextUpdate) {
		return poolOf(t.bundle), nil
	}
	return t.pool, nil
}

// Refresh gets the list again, one of the network some hours after the last time. One that is not
// right leaves in force what was. It is not called twice at once.
func (t *Trust) Refresh(ctx context.Context) {
	now := t.clock.Now()
	if t.remote() && now.Sub(t.fetchedAt) < fetchEvery {
		return
	}
	if err := t.Load(ctx); err != nil {
		if ctx.Err() == nil {
			t.log.ErrorContext(ctx, "the trusted list was not taken: the old one stays in force until its end", "error", err)
		}
		return
	}
	t.fetchedAt = now
}

// Load gets the list now. Its error says why what came is not taken.
func (t *Trust) Load(ctx context.Context) error {
	content, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	if err := t.take(content); err != nil {
		return err
	}
	if t.remote() && t.config.Dir != "" {
		if err := federation.KeepCopy(filepath.Join(t.config.Dir, listName), content); err != nil {
			t.log.WarnContext(ctx, "no copy of the trusted list was kept", "error", err)
		}
	}
	return nil
}

func (t *Trust) fetch(ctx context.Context) ([]byte, error) {
	if !t.remote() {
		return readBounded(t.config.List)
	}
	if _, err := egress.CheckURL(t.config.List); err != nil {
		return nil, err
	}
	return getter{network: t.config.Network}.fetch(ctx, t.config.List, "", nil, maxTrustedList, fetchTimeout)
}

// take verifies a list and uses it from now on. It refuses these:
//   - what no configured signer signed, or cannot be read;
//   - an older one than that in force, or one that has had its time.
func (t *Trust) take(content []byte) error {
	now := t.clock.Now()
	list, err := readTrustedList(content, t.signers, now)
	if err != nil {
		return err
	}
	t.mu.RLock()
	present := t.list
	t.mu.RUnlock()
	switch {
	case present != nil && list.sequence < present.sequence:
		return errors.New("it is older than the one in force")
	case !now.Before(list.nextUpdate):
		return errOver
	}
	if present == nil || list.sequence != present.sequence {
		t.log.Info("a trusted list is used from now on", "sequence", list.sequence, "authorities", len(list.authorities),
			"until", list.nextUpdate, "unreadable", list.unreadable)
	}
	t.use(list)
	return nil
}

// use makes the pool of authorities.
func (t *Trust) use(list *trustedList) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = list
	t.pool = poolOf(t.bundle)
	if list != nil {
		for _, authority := range list.authorities {
			t.pool.AddCert(authority)
		}
	}
}

func poolOf(all []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, one := range all {
		pool.AddCert(one)
	}
	return pool
}

// readCopy uses the copy of the list, if there is one and it is right.
func (t *Trust) readCopy() {
	if t.config.Dir == "" {
		return
	}
	content, err := readBounded(filepath.Join(t.config.Dir, listName))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		err = t.take(content)
	}
	if err != nil {
		t.log.Warn("the copy of the trusted list is not used", "error", err)
	}
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxTrustedList {
		return nil, errors.New("the file is too long")
	}
	return os.ReadFile(path) //nolint:gosec // the administrator's own path
}

// readCertificates reads certificates in PEM; there is at least one.
func readCertificates(path string) ([]*x509.Certificate, error) {
	content, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, errors.New("the file has no certificate in PEM")
	}
	return all, nil
}
