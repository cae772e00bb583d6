package app

import (
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
	return federation.NewService(federation.Deps{
		Runner: k.runner, Sessions: sessions, People: people, Contacts: contacts, Residents: m.residents, Sources: p.identitySources,
		Keys: p.dataKeys, Random: p.random, PublicURL: p.config.PublicURL, Origins: p.config.CORSOrigins, Loopback: p.sandbox,
		Registered: applications.AnsweredAt, Log: p.log,
	})
}
