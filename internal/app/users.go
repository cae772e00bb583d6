package app

import (
	"diresco/internal/access"
	"diresco/internal/contributor"
	"diresco/internal/delegation"
	"diresco/internal/grant"
	"diresco/internal/httpapi"
	"diresco/internal/operation"
	"diresco/internal/outbox"
	"diresco/internal/person"
)

// userHandlers makes user management.
func userHandlers(runner *operation.Runner, people *person.Service, rights *access.Repository, messages *outbox.Outbox, delegations *delegation.Service) httpapi.UserHandlers {
	return httpapi.UserHandlers{
		Users: grant.NewService(grant.Deps{
			Runner: runner, Rights: rights, People: people, Outbox: messages, Contributors: contributor.Roles(runner.DB), Intermediaries: delegation.Roles(runner.DB),
		}),
		Delegations: delegations,
	}
}
