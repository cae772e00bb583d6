package card

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	ocspTimeout = 5 * time.Second
	maxOCSP     = 64 << 10
)

// fetchOCSP asks one responder, and keeps its answer as long as it is good.
func (o *Online) fetchOCSP(ctx context.Context, address, key string, certificate, issuer *x509.Certificate) (bool, error) {
	// SHA-1 names the issuer here and proves nothing; it is what every responder knows.
	question, err := ocsp.CreateRequest(certificate, issuer, nil)
	if err != nil {
		return false, err
	}
	content, err := o.get.fetch(ctx, address, "application/ocsp-request", question, maxOCSP, ocspTimeout)
	if err != nil {
		return false, err
	}
	now := o.clock.Now()
	until, isRevoked, err := readOCSP(content, certificate, issuer, now)
	if err != nil {
		o.answers.forget(key)
		return false, err
	}
	o.answers.put(key, entry[bool]{value: isRevoked, cost: 1, fresh: earlier(until, now.Add(freshFor)), until: until}, now)
	return isRevoked, nil
}

// readOCSP verifies a responder's answer, and returns what it says and until when that is good.
func readOCSP(content []byte, certificate, issuer *x509.Certificate, now time.Time) (until time.Time, isRevoked bool, err error) {
	// Without the issuer it verifies the answer by the certificate in it, if there is one, and no more.
	answer, err := ocsp.ParseResponseForCert(content, certificate, nil)
	if err != nil {
		return until, false, err
	}
	if answer.Certificate == nil {
		err = answer.CheckSignatureFrom(issuer)
	} else {
		err = checkResponder(answer.Certificate, issuer, now)
	}
	if err != nil {
		return until, false, err
	}
	until = answer.NextUpdate
	if until.IsZero() {
		// Its authority has newer ones at any time, so it is good for this moment.
		until = answer.ThisUpdate.Add(skew)
	}
	switch {
	case answer.ThisUpdate.After(now.Add(skew)) || !now.Before(until):
		return until, false, errors.New("the answer of the responder is not of now")
	case answer.Status == ocsp.Revoked:
		return until, true, nil
	case answer.Status == ocsp.Good:
		return until, false, nil
	}
	return until, false, errors.New("the responder does not know the certificate")
}

// checkResponder checks whose certificate came with an answer: the issuer's own, or that of whom it
// has charged with answers.
func checkResponder(responder, issuer *x509.Certificate, now time.Time) error {
	if responder.Equal(issuer) {
		return nil
	}
	if err := issuer.CheckSignature(responder.SignatureAlgorithm, responder.RawTBSCertificate, responder.Signature); err != nil {
		return errors.New("the issuer did not sign the responder's certificate")
	}
	switch {
	case !bytes.Equal(responder.RawIssuer, issuer.RawSubject):
		return errors.New("the responder's certificate is of another issuer")
	case !slices.Contains(responder.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("the responder's certificate is not for answers")
	case now.Before(responder.NotBefore) || now.After(responder.NotAfter):
		return errors.New("the responder's certificate is not valid now")
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
