package app

import (
	"diresco/internal/httpapi"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/grant"
	"diresco/internal/masterdata/intermediary"
)

// userHandlers makes user management.
func userHandlers(runner *operation.Runner, people *person.Service, messages *outbox.Outbox) httpapi.UserHandlers {
	return httpapi.UserHandlers{
		Users:          grant.NewService(grant.Deps{Runner: runner, People: people, Outbox: messages}),
		Intermediaries: intermediary.NewRepository(runner.DB),
	}
}
