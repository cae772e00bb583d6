package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/identity/pin"
	"diresco/internal/identity/pinrequest"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/residents"
)

// pinRequestHandlers makes what takes requests for a PIN, from whoever asks and at the contact centre.
func pinRequestHandlers(runner *operation.Runner, people *person.Service, pins *pin.Service, messages *outbox.Outbox, p parts) (handlers.PINRequestHandlers, handlers.OfficePINRequestHandlers) {
	requests := pinrequest.NewService(pinrequest.Deps{
		Runner: runner, People: people, Register: residents.New(runner.DB, p.clock), PINs: pins, Outbox: messages, Random: p.options.Random,
		Upgrades: pinupgrade.NewRepository(runner.DB),
	})
	return handlers.PINRequestHandlers{PINRequests: requests}, handlers.OfficePINRequestHandlers{Requests: requests}
}
