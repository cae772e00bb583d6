package app

import (
	"context"

	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/ticket"
)

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	topics       *ticket.Topics
	tickets      *ticket.Service
	publicBodies *publicbody.Service
}

func newDossier(p platform, k kernel, m masterdata, f filing) dossier {
	topics := ticket.NewTopics(p.db)
	return dossier{
		topics: topics,
		tickets: ticket.NewService(ticket.Deps{
			Runner: k.runner, Register: f.register, Outbox: k.outbox, Rights: k.rights, Contributors: m.contributors, Topics: topics,
			Blobs: p.bucket, Log: p.log,
		}),
		publicBodies: publicbody.NewService(publicbody.Deps{
			Runner: k.runner, Register: f.register, Outbox: k.outbox, Contributors: m.contributors, Channels: m.services,
			Blobs: p.bucket, Log: p.log,
		}),
	}
}

// install adds what comes with the program.
func (d dossier) install(ctx context.Context) error { return d.topics.Install(ctx) }
