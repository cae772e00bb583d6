package app

import (
	"context"
	"strings"

	"diresco/internal/httpapi/pages/account"
	"diresco/internal/identity/application"
	"diresco/internal/identity/federation"
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
			return applications.AnsweredAt(ctx, uri)
		},
		Log: p.log,
	})
}
