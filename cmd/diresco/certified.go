package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"diresco/internal/app"
	"diresco/internal/platform/certificate"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/config"
)

// certifiedListener is where clients come with a certificate of theirs: by TLS, or by way of a proxy.
type certifiedListener struct {
	net.Listener
	server *http.Server
}

type certifiedListeners []certifiedListener

// listenForCertified opens the listeners for cards and for applications with a certificate, of which
// there may be none. The pair is that of the API, nil where a proxy ends TLS.
func listenForCertified(
	ctx context.Context, c config.Config, a *app.App, pair *certificate.Pair, log *slog.Logger,
) (all certifiedListeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, all.close())
		}
	}()
	if c.CNSAddr != "" && a.CardHandler() != nil {
		if all, err = all.listenForCards(ctx, c, a, log); err != nil {
			return all, err
		}
	}
	if c.MTLSAddr != "" && a.MutualHandler() != nil {
		chain, key := c.MutualPair()
		settings, err := asking(chain, key, a, log)
		if err != nil {
			return all, err
		}
		if all, err = all.listen(ctx, c.MTLSAddr, newServer(a.MutualHandler(), log), settings); err != nil {
			return all, err
		}
		log.Info("listening for applications with a certificate", "address", all.last())
	}
	// A proxy has looked at certificates already.
	var settings *tls.Config
	if pair != nil {
		settings = &tls.Config{GetCertificate: pair.Get, MinVersion: tls.VersionTLS12}
	}
	for _, behind := range []struct {
		who, address string
		handler      http.Handler
	}{
		{"cards", c.CNSProxyAddr, a.CardProxyHandler()},
		{"applications with a certificate", c.MTLSProxyAddr, a.MutualProxyHandler()},
	} {
		if behind.address == "" || behind.handler == nil {
			continue
		}
		if all, err = all.listen(ctx, behind.address, newServer(behind.handler, log), settings); err != nil {
			return all, err
		}
		log.Info("listening for "+behind.who+" from a proxy", "address", all.last())
	}
	return all, nil
}

// listenForCards adds the listener where cards log in by TLS.
func (all certifiedListeners) listenForCards(
	ctx context.Context, c config.Config, a *app.App, log *slog.Logger,
) (certifiedListeners, error) {
	chain, key := c.Pair()
	settings, err := asking(chain, key, a, log)
	if err != nil {
		return all, err
	}
	// Each login proves the key anew.
	settings.SessionTicketsDisabled = true
	server := newServer(a.CardHandler(), log)
	server.SetKeepAlivesEnabled(false)
	if all, err = all.listen(ctx, c.CNSAddr, server, settings); err != nil {
		return all, err
	}
	log.Info("listening for cards", "address", all.last())
	if a.TestCards != nil {
		err = a.TestCards.LoginAt("https://" + all.last())
	}
	return all, err
}

// listen adds a listener.
func (all certifiedListeners) listen(
	ctx context.Context, address string, server *http.Server, settings *tls.Config,
) (certifiedListeners, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return all, err
	}
	server.TLSConfig = settings
	return append(all, certifiedListener{listener, server}), nil
}

// last is the address of the listener that was added last.
func (all certifiedListeners) last() string { return all[len(all)-1].Addr().String() }

// close ends the listeners.
func (all certifiedListeners) close() error {
	var failed error
	for _, l := range all {
		failed = errors.Join(failed, l.Close())
	}
	return failed
}

// serve answers on the listener until it ends.
func (l certifiedListener) serve() error {
	if l.server.TLSConfig != nil {
		return l.server.ServeTLS(l, "", "")
	}
	return l.server.Serve(l)
}

// asking are the settings of a listener that asks for certificates, which are verified by rules of
// their own later. A sandbox without a pair makes its own.
func asking(chain, key string, a *app.App, log *slog.Logger) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	if chain != "" {
		pair, err := certificate.Load(chain, key, clock.System{}, log)
		if err != nil {
			return nil, err
		}
		settings.GetCertificate = pair.Get
		return settings, nil
	}
	own, err := a.TestCards.Server()
	settings.Certificates = []tls.Certificate{own}
	return settings, err
}
