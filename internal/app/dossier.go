package app

import "diresco/internal/dossier/publicbody"

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	publicBodies *publicbody.Service
}

func newDossier(p platform, g groups) dossier {
	return dossier{
		publicBodies: publicbody.NewService(publicbody.Deps{
			Runner: g.kernel.runner, Register: g.filing.register, Outbox: g.kernel.outbox, Contributors: g.masterdata.contributors,
			Channels: g.masterdata.services, Blobs: p.bucket, Log: p.log,
		}),
	}
}
