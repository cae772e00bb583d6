package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"diresco/internal/app"
	"diresco/internal/identity/federation"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

type spidCommands struct {
	Metadata    spidMetadataCommand    `cmd:"" help:"Print the metadata of this service, which SPID and CIE are given."`
	Certificate spidCertificateCommand `cmd:"" help:"Write a new certificate and its key to a file, for DIRESCO_SPID_KEYS."`
}

type spidMetadataCommand struct {
	CIE bool `name:"cie" help:"Print those for CIE, which have other contacts."`
}

// Run prints the metadata. Nothing may be changed of them: they are signed.
func (m spidMetadataCommand) Run() error {
	c, err := spidSettings()
	if err != nil {
		return err
	}
	if len(c.SPIDKeys) == 0 || c.SPIDEmail == "" {
		return errors.New("DIRESCO_SPID_KEYS and DIRESCO_SPID_EMAIL are needed")
	}
	kind := federation.SPID
	if m.CIE {
		kind = federation.CIE
		if c.CIEMunicipality == "" {
			return errors.New("DIRESCO_CIE_MUNICIPALITY is needed")
		}
	}
	metadata, err := app.SPIDMetadata(c, kind)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(metadata)
	return err
}

type spidCertificateCommand struct {
	Path     string `arg:"" help:"The file; it must not exist."`
	Locality string `required:"" help:"Town in which the institution has its seat."`
	Years    int    `default:"3" help:"How long it is valid, from 1 to 10 years."`
}

// Run makes the pair. The certificate is signed by its own key, as is right for public bodies.
func (k spidCertificateCommand) Run() error {
	c, err := spidSettings()
	if err != nil {
		return err
	}
	if k.Years < 1 || k.Years > 10 {
		return errors.New("a certificate is valid for 1 to 10 years")
	}
	pair, err := app.NewSPIDCertificate(c, k.Locality, k.Years, app.Options{Clock: clock.System{}, Random: rand.Reader})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(k.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already", k.Path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(pair)
	return errors.Join(err, file.Close())
}

// spidSettings reads the settings that both commands need.
func spidSettings() (config.Config, error) {
	c, err := config.Read(os.Environ())
	switch {
	case err != nil:
		return c, err
	case c.SPIDEntity() == "":
		return c, errors.New("DIRESCO_PUBLIC_URL is missing: set it to the https origin by which users reach the API")
	case c.InstitutionName == "" || c.InstitutionPage == "" || c.SPIDIPACode == "":
		return c, errors.New("DIRESCO_INSTITUTION_NAME, DIRESCO_INSTITUTION_PAGE and DIRESCO_SPID_IPA_CODE are needed")
	}
	return c, nil
}
