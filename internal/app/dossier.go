package app

import (
	"context"

	"diresco/internal/dossier/appointment"
	"diresco/internal/dossier/publicbody"
	"diresco/internal/dossier/smarttask"
	"diresco/internal/dossier/survey"
	"diresco/internal/dossier/ticket"
	"diresco/internal/dossier/timeline"
)

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	topics  *ticket.Topics
	tickets *ticket.Service
	desk    *ticket.Desk
	// smartTasks decides some tickets by itself.
	smartTasks   *smarttask.Service
	appointments *appointment.Service
	timeline     *timeline.Service
	surveys      *survey.Service
	publicBodies *publicbody.Service
}

func newDossier(p platform, k kernel, id identity, m masterdata, ma mandate, f filing) dossier {
	topics := ticket.NewTopics(p.db)
	tickets := ticket.NewService(ticket.Deps{
		Runner: k.runner, Register: f.register, Outbox: k.outbox, Rights: k.rights, Contributors: m.contributors, Topics: topics,
		Blobs: p.bucket, Looks: id.looks, Scans: k.scans, Log: p.log,
	})
	bodies := publicbody.NewService(publicbody.Deps{
		Runner: k.runner, Register: f.register, Outbox: k.outbox, Contributors: m.contributors, Channels: m.services,
		CatchUp: f.funds.CatchUp, Blobs: p.bucket, Log: p.log,
	})
	return dossier{
		topics: topics, tickets: tickets,
		desk: ticket.NewDesk(ticket.DeskDeps{Tickets: tickets, Looks: id.looks}),
		smartTasks: smarttask.NewService(smarttask.Deps{
			Runner: k.runner, Tickets: tickets, Delegations: ma.delegations, Grants: ma.grants, Contributors: m.contributors,
			Rights: k.rights, Log: p.log, BeforeShowing: p.beforeShowing,
		}),
		appointments: appointment.NewService(appointment.Deps{
			Runner: k.runner, Rights: k.rights, Outbox: k.outbox, Looks: id.looks, PublicURL: p.config.PublicURL,
		}),
		timeline: timeline.NewService(timeline.Deps{
			Runner: k.runner, CatchUp: f.funds.CatchUp, Files: exported(f.declarations, tickets, bodies, ma.delegations, k.rights),
		}),
		surveys:      survey.NewService(survey.Deps{Runner: k.runner, Keys: p.dataKeys}),
		publicBodies: bodies,
	}
}

// install adds what comes with the program.
func (d dossier) install(ctx context.Context) error { return d.topics.Install(ctx) }
