package card

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	listTimeout = 20 * time.Second
	maxList     = 32 << 20
)

var (
	oidDistributionPoint  = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
)

// revoked is a revocation list, verified.
type revoked struct {
	// serials are those of the revoked certificates, as bytes.
	serials map[string]struct{}
	// scope is nil where the list is about all certificates of its issuer.
	scope *scope
}

// scope is what a list is about (RFC 5280 section 5.2.5).
type scope struct {
	// names are those of the distribution point, as they are encoded.
	names                      []string
	usersOnly, authoritiesOnly bool
}

func (r *revoked) has(serial *big.Int) bool {
	_, found := r.serials[string(serial.Bytes())]
	return found
}

// about tells whether the list is about a certificate. Another part of the same authority's list
// would be silent about it.
func (r *revoked) about(certificate *x509.Certificate) bool {
	switch {
	case r.scope == nil:
		return true
	case r.scope.usersOnly && certificate.IsCA || r.scope.authoritiesOnly && !certificate.IsCA:
		return false
	case len(r.scope.names) == 0:
		return true
	}
	return slices.ContainsFunc(points(certificate), func(name string) bool { return slices.Contains(r.scope.names, name) })
}

// fetchList gets one list, and keeps it as long as it is good.
func (o *Online) fetchList(ctx context.Context, address, key string, issuer *x509.Certificate) (*revoked, error) {
	content, err := o.get.fetch(ctx, address, "", nil, maxList, listTimeout)
	if err != nil {
		return nil, err
	}
	now := o.clock.Now()
	list, until, err := readList(content, issuer, now)
	if err != nil {
		return nil, err
	}
	e := entry[*revoked]{value: list, cost: len(content), fresh: earlier(until, now.Add(freshFor)), until: until}
	o.lists.put(key, e, now)
	return list, nil
}

// readList verifies a revocation list of an issuer, and returns until when it is good. What it does
// not understand and is marked as critical makes it unusable.
func readList(content []byte, issuer *x509.Certificate, now time.Time) (list *revoked, until time.Time, err error) {
	if block, _ := pem.Decode(content); block != nil {
		content = block.Bytes
	}
	parsed, err := x509.ParseRevocationList(content)
	switch {
	case err != nil:
		return nil, until, err
	case !bytes.Equal(parsed.RawIssuer, issuer.RawSubject):
		return nil, until, errors.New("the list is of another issuer")
	}
	if err := parsed.CheckSignatureFrom(issuer); err != nil {
		return nil, until, err
	}
	if parsed.ThisUpdate.After(now.Add(skew)) || !now.Before(parsed.NextUpdate) {
		return nil, until, errors.New("the list is not of now")
	}
	list = &revoked{serials: make(map[string]struct{}, len(parsed.RevokedCertificateEntries))}
	for _, e := range parsed.Extensions {
		switch {
		case e.Id.Equal(oidDistributionPoint):
			if list.scope, err = readScope(e.Value); err != nil {
				return nil, until, err
			}
		case e.Critical:
			// Lists that only say what has changed among them.
			return nil, until, errors.New("the list has a critical extension that is not known")
		}
	}
	for _, e := range parsed.RevokedCertificateEntries {
		if slices.ContainsFunc(e.Extensions, func(x pkix.Extension) bool { return x.Critical }) {
			return nil, until, errors.New("the list has an entry with a critical extension")
		}
		list.serials[string(e.SerialNumber.Bytes())] = struct{}{}
	}
	return list, parsed.NextUpdate, nil
}

// readScope reads an issuing distribution point. Lists of some reasons, of several issuers or of
// attribute certificates do not say what is asked here.
func readScope(der []byte) (*scope, error) {
	unreadable := errors.New("the list's issuing distribution point cannot be read")
	input, s := cryptobyte.String(der), &scope{}
	var point cryptobyte.String
	if !input.ReadASN1(&point, tag.SEQUENCE) || !input.Empty() {
		return nil, unreadable
	}
	context := func(n uint8) tag.Tag { return tag.Tag(n).ContextSpecific() }
	for !point.Empty() {
		var value cryptobyte.String
		var t tag.Tag
		if !point.ReadAnyASN1(&value, &t) {
			return nil, unreadable
		}
		set := len(value) == 1 && value[0] != 0
		switch t {
		case context(0).Constructed():
			if !s.readNames(value) {
				return nil, unreadable
			}
		case context(1):
			s.usersOnly = set
		case context(2):
			s.authoritiesOnly = set
		case context(3), context(4), context(5): // some reasons, indirect, attribute certificates
			if t == context(3) || set {
				return nil, errors.New("the list is only about some revocations")
			}
		default:
			return nil, unreadable
		}
	}
	return s, nil
}

// readNames reads the full name of a distribution point. One that cannot be compared would let any
// part of the list pass.
func (s *scope) readNames(value cryptobyte.String) bool {
	var names cryptobyte.String
	if !value.ReadASN1(&names, tag.Tag(0).ContextSpecific().Constructed()) || !value.Empty() {
		return false
	}
	for !names.Empty() {
		var name cryptobyte.String
		if !names.ReadAnyASN1Element(&name, nil) {
			return false
		}
		s.names = append(s.names, string(name))
	}
	return len(s.names) > 0
}

// points returns the names of the distribution points of a certificate, as they are encoded.
func points(certificate *x509.Certificate) []string {
	var s scope
	for _, e := range certificate.Extensions {
		if !e.Id.Equal(oidDistributionPoints) {
			continue
		}
		input := cryptobyte.String(e.Value)
		var all cryptobyte.String
		if !input.ReadASN1(&all, tag.SEQUENCE) {
			return nil
		}
		for !all.Empty() {
			var point, name cryptobyte.String
			var there bool
			if !all.ReadASN1(&point, tag.SEQUENCE) ||
				!point.ReadOptionalASN1(&name, &there, tag.Tag(0).ContextSpecific().Constructed()) || there && !s.readNames(name) {
				return nil
			}
		}
	}
	return s.names
}
