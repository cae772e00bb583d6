package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/egress"
)

// newSPID makes this service towards the providers of SPID and CIE, and reads who they are. It
// returns nil where neither is configured.
func newSPID(ctx context.Context, from config.Config, d spid.Deps) (*spid.Service, error) {
	if !from.SPIDEnabled() {
		return nil, nil
	}
	c, err := spidConfig(from, d.Clock.Now())
	if err != nil {
		return nil, err
	}
	var registries []*spid.Registry
	for _, of := range []struct {
		kind                federation.Kind
		variable            string
		location, certsFile string
	}{
		{federation.SPID, "SPID_METADATA", from.SPIDMetadata, from.SPIDMetadataCert},
		{federation.CIE, "CIE_METADATA", from.CIEMetadata, from.CIEMetadataCert},
	} {
		if of.location == "" {
			continue
		}
		origin := spid.Origin{Kind: of.kind, Location: of.location, Network: egress.Options{Allow: from.EgressAllow}}
		if from.DataDir != "" {
			origin.Cache = filepath.Join(from.DataDir, "federation", string(of.kind)+"-metadata.xml")
		}
		if origin.Signers, err = readCertificates(of.certsFile); err != nil {
			return nil, fmt.Errorf("DIRESCO_%s_CERT: %w", of.variable, err)
		}
		registries = append(registries, spid.NewRegistry(origin))
	}
	service, err := spid.New(c, d, registries...)
	if err != nil {
		return nil, err
	}
	return service, service.Open(ctx)
}

// renewSPIDWithin is how long before its end a certificate is to be renewed that others take over: AgID
// takes its time.
const renewSPIDWithin = 60 * 24 * time.Hour

// spid reads what SPID and CIE need, and asks for the metadata of the providers.
func (k *checker) spid(ctx context.Context) {
	const what = "spid"
	c := k.config
	if !c.SPIDEnabled() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	c.DataDir = "" // no copy of the metadata is kept
	service, err := newSPID(ctx, c, spid.Deps{Clock: k.clock, Random: rand.Reader, Log: slog.New(told{k, what})})
	if err != nil {
		k.say(what, err, "")
		return
	}
	service.Refresh(ctx)
	if n := len(service.Providers()); n == 0 {
		k.add(Failed, what, "no provider is known: can the metadata be had?")
	} else {
		k.add(Passed, what, "%d providers, entity %s", n, c.SPIDEntity())
	}
	for i, pair := range service.Keys {
		k.validWithin(fmt.Sprintf("certificate of spid %d", i+1), pair.Certificate, renewSPIDWithin)
		if differs := pair.Differs(service.Organisation); differs != "" {
			k.add(Noted, what, "the certificate of file %d names another body: %s. Metadata with it are refused", i+1, differs)
		}
	}
}

// spidConfig reads what this service is at the providers.
func spidConfig(c config.Config, now time.Time) (spid.Config, error) {
	keys, err := spid.LoadKeys(c.SPIDKeys)
	if err != nil {
		return spid.Config{}, fmt.Errorf("DIRESCO_SPID_KEYS: %w", err)
	}
	for i, pair := range keys {
		err := pair.Check(c.SPIDEntity(), now)
		if err == nil {
			break // it signs
		}
		if !errors.Is(err, spid.ErrEnded) || i == len(keys)-1 {
			return spid.Config{}, fmt.Errorf("DIRESCO_SPID_KEYS: file %d: %w", i+1, err)
		}
		// The next one has long been published beside it.
	}
	organisation, err := spidOrganisation(c)
	return spid.Config{
		EntityID: c.SPIDEntity(), PublicURL: c.PublicURL, Keys: keys, Comparison: c.SPIDComparison, Attributes: c.SPIDAttributes,
		Post: c.SPIDBinding == "post", Organisation: organisation,
	}, err
}

func spidOrganisation(c config.Config) (spid.Organisation, error) {
	o := spid.Organisation{
		Name: c.InstitutionName, URL: c.InstitutionPage, IPACode: c.SPIDIPACode, Email: c.SPIDEmail, Telephone: c.SPIDTelephone,
		Municipality: c.CIEMunicipality,
	}
	if c.SPIDPrivate == "" {
		return o, nil
	}
	content, err := os.ReadFile(c.SPIDPrivate)
	if err != nil {
		return o, errors.New("DIRESCO_SPID_PRIVATE: the file cannot be read")
	}
	if o.Private, err = spid.ParsePrivate(content); err != nil {
		return o, fmt.Errorf("DIRESCO_SPID_PRIVATE: %w", err)
	}
	if c.CIEMetadata != "" && (o.Private.VATNumber == "" || o.Private.FiscalCode == "" || o.Private.NACE2Code == "") {
		return o, errors.New("DIRESCO_SPID_PRIVATE: CIE needs vat_number, fiscal_code and nace2_code")
	}
	return o, nil
}

// readCertificates reads all certificates of a file in PEM; "" has none.
func readCertificates(path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	rest, err := os.ReadFile(path) //nolint:gosec // the administrator's own path
	if err != nil {
		return nil, errors.New("the file cannot be read")
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, errors.New("the file has something else than certificates")
		}
		all = append(all, certificate)
	}
	if len(all) == 0 {
		return nil, errors.New("the file has no certificate")
	}
	return all, nil
}

// SPIDMetadata returns what SPID, or CIE, is given of this service.
func SPIDMetadata(c config.Config, kind federation.Kind) ([]byte, error) {
	own, err := spidConfig(c, clock.System{}.Now())
	if err != nil {
		return nil, err
	}
	service, err := spid.New(own, spid.Deps{})
	if err != nil {
		return nil, err
	}
	return service.Metadata(kind), nil
}

// NewSPIDCertificate returns a new certificate with its key, in PEM, for so many years.
func NewSPIDCertificate(c config.Config, locality string, years int, o Options) ([]byte, error) {
	from := o.Clock.Now().Truncate(time.Second)
	organisation, err := spidOrganisation(c)
	if err != nil {
		return nil, err
	}
	return spid.NewCertificate(o.Random, c.SPIDEntity(), organisation, locality, from, from.AddDate(years, 0, 0))
}
