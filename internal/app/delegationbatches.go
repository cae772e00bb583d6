package app

import (
	"diresco/internal/httpapi/handlers"
	"diresco/internal/identity/person"
	"diresco/internal/kernel/operation"
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/delegationbatch"
	"diresco/internal/masterdata/contributor"
)

// delegationBatches makes what takes lists of positions and drafts their delegations.
func delegationBatches(
	runner *operation.Runner, delegations *delegation.Service, contributors *contributor.Service, people *person.Service, p parts,
) *delegationbatch.Service {
	return delegationbatch.NewService(delegationbatch.Deps{
		Runner: runner, Repository: delegationbatch.NewRepository(runner.DB), Delegations: delegations, Contributors: contributors, People: people, Log: p.options.Log,
	})
}

// delegationBatchHandlers also starts the work. In a sandbox it is done when its testers look, or move the clock.
func (a *App) delegationBatchHandlers(batches *delegationbatch.Service, p parts) handlers.DelegationBatchHandlers {
	if p.options.Sandbox {
		batches.BeforeShowing = a.Sandbox.HandOver
	} else {
		a.background(batches.Run)
	}
	return handlers.DelegationBatchHandlers{Batches: batches}
}
