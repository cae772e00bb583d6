package app

import (
	"context"

	"diresco/internal/dossier/appointment"
	"diresco/internal/dossier/smarttask"
	"diresco/internal/dossier/ticket"
)

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	topics  *ticket.Topics
	tickets *ticket.Service
	desk    *ticket.Desk
	// smartTasks decides some tickets by itself.
	smartTasks   *smarttask.Service
	appointments *appointment.Service
}

func newDossier(p platform, k kernel, id identity, m masterdata, ma mandate, f filing) dossier {
	topics := ticket.NewTopics(p.db)
	tickets := ticket.NewService(ticket.Deps{
		Runner: k.runner, Register: f.register, Outbox: k.outbox, Rights: k.rights, Contributors: m.contributors, Topics: topics,
		Blobs: p.bucket, Log: p.log,
	})
	return dossier{
		topics: topics, tickets: tickets,
		desk: ticket.NewDesk(ticket.DeskDeps{Tickets: tickets, Looks: id.looks}),
		smartTasks: smarttask.NewService(smarttask.Deps{
			Runner: k.runner, Tickets: tickets, Delegations: ma.delegations, Grants: ma.grants, Contributors: m.contributors,
			Rights: k.rights, Log: p.log, BeforeShowing: p.beforeShowing,
		}),
		appointments: appointment.NewService(appointment.Deps{
			Runner: k.runner, Rights: k.rights, Outbox: k.outbox, PublicURL: p.config.PublicURL,
		}),
	}
}

// install adds what comes with the program.
func (d dossier) install(ctx context.Context) error { return d.topics.Install(ctx) }
