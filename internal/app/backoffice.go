package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/session"
	"diresco/internal/identity/staff"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
)

// peopleHandlers makes what the back office does with people and with those who work there.
func peopleHandlers(
	runner *operation.Runner, people *person.Service, pins *pin.Service, sessions *session.Service, offices *contributor.Service, waiting completers, messages *outbox.Outbox,
) handlers.PeopleHandlers {
	return handlers.PeopleHandlers{BackOffice: staff.NewService(staff.Deps{
		Runner: runner, People: people, PINs: pins, Sessions: sessions, Offices: offices, Declarations: waiting, Outbox: messages,
	})}
}
