package app

import (
	"diresco/internal/backoffice"
	"diresco/internal/contributor"
	"diresco/internal/httpapi"
	"diresco/internal/operation"
	"diresco/internal/outbox"
	"diresco/internal/person"
	"diresco/internal/pin"
	"diresco/internal/session"
)

// peopleHandlers makes what the back office does with people and with those who work there.
func peopleHandlers(
	runner *operation.Runner, people *person.Service, pins *pin.Service, sessions *session.Service, offices *contributor.Service, waiting completers, messages *outbox.Outbox,
) httpapi.PeopleHandlers {
	return httpapi.PeopleHandlers{BackOffice: backoffice.NewService(backoffice.Deps{
		Runner: runner, People: people, PINs: pins, Sessions: sessions, Offices: offices, Declarations: waiting, Outbox: messages,
	})}
}
