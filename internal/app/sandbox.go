package app

import (
	"context"

	"diresco/internal/masterdata/registerimport"
	"diresco/internal/sandbox"
)

// newSandbox makes what testers do with a sandbox, which does what waits when they look or move the
// clock.
func newSandbox(p platform, g groups) *sandbox.Service {
	return sandbox.NewService(sandbox.Deps{
		Runner: g.kernel.runner, Clock: p.clock, People: g.identity.people, Contributors: g.masterdata.contributors, Types: g.filing.types,
		Messages: g.messaging.worker,
		Background: []sandbox.Backlog{
			registerimport.News{Worker: g.masterdata.importing}, g.mandate.batches, g.filing.batches, g.dossier.smartTasks,
		},
		Due: g.events, PINs: g.identity.pins, Sessions: g.identity.sessions,
		Blobs: p.bucket, Random: p.random, Forget: p.trial.Forget, Public: p.config.SandboxPublic,
	})
}

// beforeShowing does what waits in a sandbox, once there is one.
func (a *App) beforeShowing(ctx context.Context) error {
	if a.Sandbox == nil {
		return nil
	}
	return a.Sandbox.HandOver(ctx)
}
