package app

import (
	"diresco/internal/httpapi"
	"diresco/internal/identity/otp"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/mandate/delegation"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/servicecatalog"
)

// delegationHandlers makes what lets contributors be represented by intermediaries.
func delegationHandlers(
	runner *operation.Runner, rights *access.Repository, contributors *contributor.Service, people *person.Service, messages *outbox.Outbox, codes *otp.Codes, p parts,
) httpapi.DelegationHandlers {
	return httpapi.DelegationHandlers{Clock: p.clock, Delegations: delegation.NewService(delegation.Deps{
		Runner: runner, Repository: delegation.NewRepository(runner.DB), Rights: rights, Contributors: contributors,
		People: people, Outbox: messages, Keys: p.dataKeys, Codes: codes, Catalogue: servicecatalog.NewRepository(runner.DB), Random: p.options.Random,
	})}
}
