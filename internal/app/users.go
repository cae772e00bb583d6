package app

import (
	"diresco/internal/httpapi"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/grant"
)

// userHandlers makes user management.
func userHandlers(runner *operation.Runner, people *person.Service, rights *access.Repository, messages *outbox.Outbox, delegations *delegation.Service) httpapi.UserHandlers {
	return httpapi.UserHandlers{
		Users: grant.NewService(grant.Deps{
			Runner: runner, People: people, Outbox: messages,
		}),
		Delegations: delegations,
	}
}
