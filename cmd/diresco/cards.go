package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox/cards"
)

type cardCommand struct {
	TaxCode    string     `arg:"" help:"Tax code (codice fiscale) of the holder, such as that of a test person."`
	Authority  string     `env:"DIRESCO_CARDS" help:"Folder of the sandbox's authority; the sandbox prints it."`
	Kind       cards.Kind `default:"cns" enum:"cns,cie" help:"What the card is: cns or cie."`
	GivenName  string     `default:"Prova" help:"Given name."`
	FamilyName string     `default:"Di Carta" help:"Family name."`
	Out        string     `default:"card" help:"Path of the files that are made, without their endings."`
	Expired    bool       `help:"Make a card that has expired."`
	Revoked    bool       `help:"Make a card that the authority has revoked."`
}

// Run makes a test card, and prints how to log in with it.
func (k cardCommand) Run(context.Context) error {
	if k.Authority == "" {
		return errors.New("name the folder of the sandbox's authority (--authority), which the sandbox prints at its start")
	}
	code, err := taxcode.Parse(k.TaxCode)
	if err != nil {
		return err
	}
	authority, err := cards.Load(k.Authority, rand.Reader)
	if err != nil {
		return err
	}
	login, err := authority.Login()
	if err != nil {
		return err
	}
	made, err := authority.Issue(cards.Order{
		Kind: k.Kind, TaxCode: code, GivenName: k.GivenName, FamilyName: k.FamilyName, Expired: k.Expired,
	}, clock.System{}.Now())
	if err != nil {
		return err
	}
	if k.Revoked {
		if err := authority.Revoke(made.Certificate); err != nil {
			return err
		}
	}
	for ending, content := range map[string][]byte{".pem": made.CertificatePEM, ".key": made.KeyPEM, ".p12": made.PKCS12} {
		if err := os.WriteFile(filepath.Clean(k.Out)+ending, content, 0o600); err != nil {
			return err
		}
	}
	fmt.Printf("%s.pem and %s.key are the card, %s.p12 is for browsers, password %s. Log in:\n\n", k.Out, k.Out, k.Out, cards.Password)
	fmt.Printf(
		"  curl -s -X POST %s/v1/sessions/card --cacert %s --cert %s.pem --key %s.key\n", login, authority.CertificatePath(), k.Out, k.Out,
	)
	return nil
}
