package chaos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const operationsPage = "docs/operations.md"

// reloadBlock is the block of the page about hang-ups.
func reloadBlock(t *testing.T) string {
	t.Helper()
	for _, block := range shellBlocks(t, operationsPage) {
		if strings.Contains(block, "kill -HUP") {
			return block
		}
	}
	t.Fatal("the page does not say how files are read again")
	return ""
}

// writePair puts a new certificate for a name into two files, and returns what trusts it.
func writePair(t *testing.T, certificate, key, name string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// TestHangup_FilesAreReadAgain: certificate and keys of a running process are renewed under load. A
// wrong pair and wrong keys leave the old ones in force.
func TestHangup_FilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	database := "sqlite:" + filepath.Join(dir, "diresco.db")
	pool := writePair(t, certificate, key, "first")
	keys := filepath.Join(dir, "signing-keys.json")
	dataKeys := filepath.Join(dir, "keys-for-data")
	newDataKeys := func() (id string) {
		t.Helper()
		content := strings.TrimSpace(succeed(t, nil, "keys", "data"))
		if old, err := os.ReadFile(dataKeys); err == nil {
			content += "," + string(old)
		}
		if err := os.WriteFile(dataKeys, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		id, _, _ = strings.Cut(content, ":")
		return id
	}
	newDataKeys()
	v := variables{
		"DATABASE_URL": database, "DATA_DIR": dir, "ADMIN_ADDR": "", "TLS_CERT": certificate, "TLS_KEY": key,
		"DATA_KEYS_FILE": dataKeys, "LOG_LEVEL": "info",
	}
	s := newServer(t, "serve", v)
	address := s.given["ADDR"]
	s.site.url = "https://" + address
	trust := func(pool *x509.CertPool) {
		s.site.http.Transport = &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		}
	}
	trust(pool)
	s.start()
	h := &house{t: t, common: v}
	hangup := func(want string) {
		t.Helper()
		seen := strings.Count(s.stderr.String(), want)
		h.common = v.with(variables{"PID": strconv.Itoa(s.command.Process.Pid)})
		h.shell("PID=$DIRESCO_PID\nunset DIRESCO_PID\n" + reloadBlock(t))
		eventually(t, patience, "the log says "+want, func() bool { return strings.Count(s.stderr.String(), want) > seen })
		if !s.runs() {
			t.Fatal("a hang-up ended the process")
		}
	}
	works := func() {
		t.Helper()
		s.site.get(t, "/v1/status", "").want(t, http.StatusOK, "")
	}
	published := func() string {
		t.Helper()
		return string(s.site.get(t, "/.well-known/jwks.json", "").want(t, http.StatusOK, "").body)
	}

	before := published()
	pool = writePair(t, certificate, key, "second")
	succeed(t, nil, "keys", "signing", "--add", keys)
	added := newDataKeys()
	hangup("the keys were read again")
	if list := succeed(t, v, "keys", "list"); !strings.Contains(list, added) {
		t.Errorf("the new data key is not known: %s", list)
	}
	trust(pool)
	works()
	if strings.Count(published(), `"kid"`) != strings.Count(before, `"kid"`)+2 {
		t.Errorf("the new keys are not published: %s", published())
	}

	if err := os.WriteFile(certificate, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup("the certificate was not read again")
	works()
	for _, file := range []string{keys, dataKeys} {
		right, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, content := range []string{"{}", string(right)} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if content == "{}" {
				hangup("the keys were not read again")
			} else {
				hangup("the keys were read again")
			}
			works()
		}
	}
	s.terminate()
}
