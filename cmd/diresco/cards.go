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

// cardListener is where cards log in: by TLS, or by way of a proxy.
type cardListener struct {
	net.Listener
	server *http.Server
}

type cardListeners []cardListener

// listenForCards opens the listeners for cards, of which there may be none. The pair is that of the
// API, nil where a proxy ends TLS.
func listenForCards(
	ctx context.Context, c config.Config, a *app.App, pair *certificate.Pair, log *slog.Logger,
) (all cardListeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, all.close())
		}
	}()
	if c.CNSAddr != "" && a.CardHandler() != nil {
		get, err := cardCertificate(c, a, log)
		if err != nil {
			return all, err
		}
		// The certificate is verified by its own rules later. Each login proves the key anew.
		settings := &tls.Config{
			GetCertificate: get, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		}
		if all, err = all.listen(ctx, c.CNSAddr, newServer(a.CardHandler(), log), settings); err != nil {
			return all, err
		}
		all[0].server.SetKeepAlivesEnabled(false)
		at := all[0].Addr().String()
		log.Info("listening for cards", "address", at)
		if a.TestCards != nil {
			if err := a.TestCards.LoginAt("https://" + at); err != nil {
				return all, err
			}
		}
	}
	if c.CNSProxyAddr != "" && a.CardProxyHandler() != nil {
		var settings *tls.Config
		if pair != nil {
			settings = &tls.Config{GetCertificate: pair.Get, MinVersion: tls.VersionTLS12}
		}
		if all, err = all.listen(ctx, c.CNSProxyAddr, newServer(a.CardProxyHandler(), log), settings); err != nil {
			return all, err
		}
		log.Info("listening for cards from a proxy", "address", all[len(all)-1].Addr().String())
	}
	return all, nil
}

// listen adds a listener.
func (all cardListeners) listen(ctx context.Context, address string, server *http.Server, settings *tls.Config) (cardListeners, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return all, err
	}
	server.TLSConfig = settings
	return append(all, cardListener{listener, server}), nil
}

// close ends the listeners.
func (all cardListeners) close() error {
	var failed error
	for _, l := range all {
		failed = errors.Join(failed, l.Close())
	}
	return failed
}

// serve answers on the listener until it ends.
func (l cardListener) serve() error {
	if l.server.TLSConfig != nil {
		return l.server.ServeTLS(l, "", "")
	}
	return l.server.Serve(l)
}

// cardCertificate is that of the listener: a sandbox makes its own.
func cardCertificate(
	c config.Config, a *app.App, log *slog.Logger,
) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if chain, key := c.Pair(); chain != "" {
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
