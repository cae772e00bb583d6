package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/grant"
)

// userHandlers makes user management.
func userHandlers(runner *operation.Runner, people *person.Service, rights *access.Repository, messages *outbox.Outbox, delegations *delegation.Service) handlers.UserHandlers {
	return handlers.UserHandlers{
		Users: grant.NewService(grant.Deps{
			Runner: runner, Rights: rights, People: people, Outbox: messages,
		}),
		Delegations: delegations,
	}
}
