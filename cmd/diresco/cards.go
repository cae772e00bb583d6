package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"diresco/internal/app"
	"diresco/internal/platform/certificate"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
	"diresco/internal/platform/taxcode"
	"diresco/internal/sandbox/cards"
)

// cardListener is where cards log in by TLS, or applications come with a certificate.
type cardListener struct {
	net.Listener
	server *http.Server
}

// listenForCards opens the listener for cards; nil where there is none.
func listenForCards(ctx context.Context, c config.Config, a *app.App, log *slog.Logger) (*cardListener, error) {
	if c.CNSAddr == "" || a.CardHandler() == nil {
		return nil, nil //nolint:nilnil // without an address there is no listener
	}
	chain, key := c.Pair()
	get, err := serverCertificate(chain, key, a, log)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.CNSAddr)
	if err != nil {
		return nil, err
	}
	server := newServer(a.CardHandler(), log)
	server.TLSConfig = &tls.Config{
		GetCertificate: get, MinVersion: tls.VersionTLS12,
		// The certificate is verified by its own rules later. Each login proves the key anew.
		ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
	}
	server.SetKeepAlivesEnabled(false)
	log.Info("listening for cards", "address", listener.Addr().String())
	if a.TestCards != nil {
		if err := a.TestCards.LoginAt("https://" + listener.Addr().String()); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}
	return &cardListener{listener, server}, nil
}

// listenForMutual opens the listener for applications with a certificate; nil where there is none.
func listenForMutual(ctx context.Context, c config.Config, a *app.App, log *slog.Logger) (*cardListener, error) {
	if c.MTLSAddr == "" || a.MutualHandler() == nil {
		return nil, nil //nolint:nilnil // without an address there is no listener
	}
	chain, key := c.MutualPair()
	get, err := serverCertificate(chain, key, a, log)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.MTLSAddr)
	if err != nil {
		return nil, err
	}
	server := newServer(a.MutualHandler(), log)
	// A certificate that nobody vouches for is good where an application named it.
	server.TLSConfig = &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	log.Info("listening for applications with a certificate", "address", listener.Addr().String())
	return &cardListener{listener, server}, nil
}

// close ends the listener, if there is one.
func (l *cardListener) close() error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// serverCertificate is that of a listener: a sandbox makes its own.
func serverCertificate(
	chain, key string, a *app.App, log *slog.Logger,
) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if chain != "" {
		pair, err := certificate.Load(chain, key, clock.System{}, log)
		if err != nil {
			return nil, err
		}
		return pair.Get, nil
	}
	own, err := a.TestCards.Server()
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, err
}

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
