package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/subdelegation"
)

// subDelegationHandlers makes what lets an intermediary's people work with its delegations.
func subDelegationHandlers(runner *operation.Runner, rights *access.Repository, messages *outbox.Outbox) handlers.SubDelegationHandlers {
	return handlers.SubDelegationHandlers{SubDelegations: subdelegation.NewService(subdelegation.Deps{
		Runner: runner, Repository: subdelegation.NewRepository(runner.DB), Rights: rights, Outbox: messages,
	})}
}
