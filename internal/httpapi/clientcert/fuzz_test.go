package clientcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzForm looks whether a header that proxies write can end the program, or bring a certificate that
// costs too much.
func FuzzForm(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	forms := []Form{Nginx, Apache, HAProxy, Envoy}
	f.Add(uint8(0), url.PathEscape(text))
	f.Add(uint8(1), strings.ReplaceAll(text, "\n", " "))
	f.Add(uint8(1), apacheNone)
	f.Add(uint8(2), base64.StdEncoding.EncodeToString(der))
	f.Add(uint8(3), `Hash=00;Cert="`+url.PathEscape(text)+`";Chain="`+url.PathEscape(text)+`";URI=x`)
	f.Add(uint8(3), `Cert="\"`)
	f.Fuzz(func(t *testing.T, form uint8, header string) {
		found, err := forms[int(form)%len(forms)].read([]string{header})
		if (err == nil) != (found.Leaf != nil) {
			t.Fatalf("%v and %v", found.Leaf, err)
		}
		if err != nil {
			return
		}
		all := append([]*x509.Certificate{found.Leaf}, found.Others...)
		if len(all) > mostCertificates || slices.ContainsFunc(all, hasCostlyKey) {
			t.Errorf("%d certificates were taken", len(all))
		}
	})
}
