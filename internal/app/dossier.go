package app

import (
	"diresco/internal/dossier/timeline"
)

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	timeline *timeline.Service
}

func newDossier(p platform, g groups) dossier {
	return dossier{
		timeline: timeline.NewService(timeline.Deps{DB: p.db, CatchUp: g.filing.funds.CatchUp}),
	}
}
