package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/identity/throttle"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
)

// delegationHandlers makes what lets contributors be represented by intermediaries.
func delegationHandlers(
	runner *operation.Runner, rights *access.Repository, contributors *contributor.Service, people *person.Service, messages *outbox.Outbox, limiter *throttle.Limiter, p parts,
) handlers.DelegationHandlers {
	return handlers.DelegationHandlers{Clock: p.clock, Delegations: delegation.NewService(delegation.Deps{
		Runner: runner, Repository: delegation.NewRepository(runner.DB), Rights: rights, Contributors: contributors,
		People: people, Outbox: messages, Keys: p.dataKeys, Limiter: limiter, Catalogue: servicecatalog.NewRepository(runner.DB), Random: p.options.Random,
	})}
}
