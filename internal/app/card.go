package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"path/filepath"

	"diresco/internal/httpapi/clientcert"
	"diresco/internal/httpapi/pages"
	testcards "diresco/internal/httpapi/pages/cards"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/card"
	"diresco/internal/platform/config"
	"diresco/internal/platform/egress"
	"diresco/internal/sandbox/cards"
)

// cardLogin is what lets people in with their cards (CNS, CIE). It is empty where none are taken.
type cardLogin struct {
	service  *card.Service
	verifier *card.Verifier
	trust    *card.Trust
	// authority is that of a sandbox, which takes its test cards.
	authority *cards.Authority
}

func newCardLogin(p platform) (l cardLogin, err error) {
	trusted := trustConfig(p.config)
	trusted.Dir = p.config.DataDir
	switch {
	case p.sandbox && p.config.DataDir != "":
		if l.authority, err = cards.Open(CardsDir(p.config.DataDir), p.config.PublicURL, p.random); err != nil {
			return l, err
		}
		trusted.Further = append(trusted.Further, l.authority.Certificate())
	case !p.config.Taken():
		return l, nil
	}
	if l.trust, err = card.NewTrust(trusted, p.clock, p.log); err != nil {
		return l, err
	}
	online := card.NewOnline(card.OnlineDeps{Clock: p.clock, Log: p.log, Loopback: p.sandbox})
	l.verifier = card.NewVerifier(l.trust, online, p.clock)
	return l, nil
}

// sources let browsers log in with cards as at a provider, where it is known at which address.
func (l cardLogin) sources(c config.Config) []federation.Source {
	switch {
	case l.verifier == nil:
		return nil
	case c.CNSURL != "":
		return []federation.Source{card.NewSource(l.verifier, func() string { return c.CNSURL })}
	case l.authority != nil && !c.SandboxPublic:
		return []federation.Source{card.NewSource(l.verifier, func() string {
			address, err := l.authority.Login()
			if err != nil {
				return "" // nobody listens
			}
			return address
		})}
	}
	return nil
}

// opened adds what opens sessions.
func (l cardLogin) opened(by card.Sessions, log *slog.Logger) cardLogin {
	if l.verifier != nil {
		l.service = card.NewService(l.verifier, by, log)
	}
	return l
}

// trustConfig says whom to trust for cards, without a place for a copy of the list.
func trustConfig(c config.Config) card.TrustConfig {
	return card.TrustConfig{
		Bundle: c.CNSCA, List: c.CNSTSL, Signers: c.CNSTSLSigners, Network: egress.Options{Allow: c.EgressAllow},
	}
}

// cards tries whom to trust for cards, and the certificate of their listener.
func (k *checker) cards(ctx context.Context) {
	c := k.config
	if !c.Trusted() {
		return
	}
	trust, err := card.NewTrust(trustConfig(c), k.clock, slog.New(slog.DiscardHandler))
	if err == nil && trust.Listed() {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		err = trust.Load(ctx)
	}
	k.say("cards", err, "their authorities are known")
	if c.CNSAddr == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(c.Pair())
	if k.say("certificate for cards", err, "") {
		k.validity(pair.Leaf)
	}
}

// CardsDir is where a sandbox keeps its authority of test cards.
func CardsDir(dataDir string) string { return filepath.Join(dataDir, "cards") }

// pages are what a sandbox's authority publishes.
func (l cardLogin) pages(p platform) []pages.Page {
	if l.authority == nil {
		return nil
	}
	return testcards.New(l.authority, p.clock)
}

// takeCertificates makes what the listeners for cards and for applications with a certificate serve:
// those for TLS, and those for a proxy.
func (a *App) takeCertificates(p platform, g groups, api http.Handler) error {
	entrance, err := clientcert.NewEntrance(clientcert.Config{
		Form: clientcert.Form(p.config.CNSHeader), Mutual: clientcert.Form(p.config.MTLSHeader), Proxies: p.config.TrustedProxies,
		Origins: p.config.CORSOrigins, Local: p.sandbox, Log: p.log,
	}, api)
	if err != nil {
		return err
	}
	if g.cards.service != nil {
		a.cardHandler = entrance.Direct()
		if p.config.CNSHeader != "" {
			a.cardProxyHandler = entrance.Behind()
		}
	}
	if p.config.MTLSURL != "" {
		a.mutualHandler = entrance.MutualTLS()
		if p.config.MTLSHeader != "" {
			a.mutualProxyHandler = entrance.MutualBehind()
		}
	}
	return nil
}
