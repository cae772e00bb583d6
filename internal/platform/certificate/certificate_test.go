package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"diresco/internal/platform/certificate"
	"diresco/internal/platform/clock"
)

// files are those of a pair.
type files struct {
	t                *testing.T
	certificate, key string
}

// write puts a new pair into the files, for a name.
func (f files) write(name string) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(f.certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	f.put(f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func (f files) put(path string, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestCertificate_FollowsItsFiles: a renewed pair is used without a restart.
// A wrong one leaves the old one in force and says so, once.
func TestCertificate_FollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := files{t, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	now := clock.NewManual(time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC))
	var log bytes.Buffer
	load := func() (*certificate.Pair, error) {
		return certificate.Load(f.certificate, f.key, now, slog.New(slog.NewTextHandler(&log, nil)))
	}
	if _, err := load(); err == nil {
		t.Error("no files are a pair")
	}
	f.write("first.example")
	pair, err := load()
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		got, err := pair.Get(&tls.ClientHelloInfo{})
		if err != nil || got.Leaf.Subject.CommonName != want {
			t.Errorf("%v, %v, want %s", got, err, want)
		}
	}
	later := func() { now.Advance(10 * time.Second) }
	shows("first.example")
	f.write("second.example")
	shows("first.example") // it looks once in ten seconds
	later()
	shows("second.example")

	f.put(f.certificate, []byte("not a certificate"))
	for range 3 {
		later()
		shows("second.example")
	}
	if n := strings.Count(log.String(), "the old one stays in force"); n != 1 {
		t.Errorf("it said so %d times: %s", n, &log)
	}
	if err := os.Remove(f.key); err != nil {
		t.Fatal(err)
	}
	later()
	shows("second.example")
	f.write("third.example")
	pair.Reload()
	shows("third.example")
	if !strings.Contains(log.String(), "a new certificate is used") {
		t.Errorf("it says %s", &log)
	}
	log.Reset()
	pair.Reload() // as for new keys
	if shows("third.example"); log.Len() > 0 {
		t.Errorf("of the same pair it says %s", &log)
	}
}
