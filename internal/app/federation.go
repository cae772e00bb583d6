package app

import (
	"context"
	"errors"
	"strings"

	"diresco/internal/httpapi/pages/account"
	"diresco/internal/identity/application"
	"diresco/internal/identity/federation"
	"diresco/internal/identity/federation/spid"
	"diresco/internal/identity/person"
	"diresco/internal/identity/session"
)

// newFederation makes what lets people log in with national identities.
func newFederation(
	p platform, k kernel, m masterdata, sessions *session.Service, people *person.Service, contacts *person.AddressBook,
	applications *application.Service,
) *federation.Service {
	own := p.config.PublicURL + account.FederatedPath
	return federation.NewService(federation.Deps{
		Runner: k.runner, Sessions: sessions, People: people, Contacts: contacts, Residents: m.residents, Sources: p.identitySources,
		Keys: p.dataKeys, Random: p.random, PublicURL: p.config.PublicURL, Origins: p.config.CORSOrigins, Loopback: p.sandbox,
		Registered: func(ctx context.Context, uri string) (bool, error) {
			if place, _, _ := strings.Cut(uri, "?"); place == own {
				// The pages of this service log people in, too.
				return true, nil
			}
			// Software of others is let in by a consent, and never has a whole session. In a sandbox there
			// is nothing to take.
			return applications.AnsweredAt(ctx, uri, p.config.PortalApplications, p.sandbox)
		},
		Log: p.log,
	})
}

// warnOfUnknownApplications says which of the body's own applications nobody has registered and
// approved. That can be done later, so it stops no start.
func warnOfUnknownApplications(ctx context.Context, p platform, applications *application.Service) error {
	unknown, err := applications.NotLive(ctx, p.config.PortalApplications)
	if len(unknown) > 0 {
		p.log.WarnContext(ctx, "DIRESCO_PORTAL_APPLICATIONS names clients of which no application is approved: no login comes back to them",
			"client_ids", unknown)
	}
	return err
}

// addProviders makes the providers of national identities: those that the configuration names, and
// those that every sandbox has.
func (p *platform) addProviders(ctx context.Context) error {
	var err error
	p.spid, err = newSPID(ctx, p.config, spid.Deps{Clock: p.clock, Random: p.random, Log: p.log})
	if errors.Is(err, spid.ErrEnded) {
		// The other ways of logging in go on.
		p.log.ErrorContext(ctx, "nobody logs in with SPID, nor with CIE by SAML", "error", err)
	} else if err != nil {
		return err
	}
	if p.spid != nil {
		p.identitySources = append(p.identitySources, p.spid)
	}
	if p.config.OIDCProviders != "" {
		if p.openID, err = newOpenID(*p); err != nil {
			return err
		}
		p.identitySources = append(p.identitySources, p.openID)
	}
	if p.sandbox {
		return p.addTrialProviders(ctx)
	}
	return nil
}
