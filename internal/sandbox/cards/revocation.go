package cards

import (
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// goodFor is how long what the authority says is good. It is short, so that a revocation shows
// soon.
const goodFor = 5 * time.Second

// revoked reads the serial numbers of the revoked certificates.
func (a *Authority) revoked() ([]*big.Int, error) {
	content, err := os.ReadFile(filepath.Join(a.dir, revokedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*big.Int
	for line := range strings.Lines(string(content)) {
		if serial, ok := new(big.Int).SetString(strings.TrimSpace(line), 16); ok {
			all = append(all, serial)
		}
	}
	return all, nil
}

// List makes the revocation list of now.
func (a *Authority) List(now time.Time) ([]byte, error) {
	serials, err := a.revoked()
	if err != nil {
		return nil, err
	}
	list := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(goodFor)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: serial, RevocationTime: begins,
		})
	}
	return x509.CreateRevocationList(a.random, list, a.certificate, a.key)
}

// Answer answers a question by OCSP about one certificate. What is no question is an error.
func (a *Authority) Answer(question []byte, now time.Time) ([]byte, error) {
	asked, err := ocsp.ParseRequest(question)
	if err != nil {
		return nil, err
	}
	serials, err := a.revoked()
	if err != nil {
		return nil, err
	}
	answer := ocsp.Response{SerialNumber: asked.SerialNumber, Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(goodFor)}
	if slices.ContainsFunc(serials, func(s *big.Int) bool { return s.Cmp(asked.SerialNumber) == 0 }) {
		answer.Status, answer.RevokedAt = ocsp.Revoked, begins
	}
	return ocsp.CreateResponse(a.certificate, a.certificate, answer, a.key)
}
