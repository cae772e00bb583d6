package app

import (
	"diresco/internal/dossier/survey"
	"diresco/internal/dossier/timeline"
)

// dossier is what goes on between a contributor and its office beside declarations.
type dossier struct {
	timeline *timeline.Service
	surveys  *survey.Service
}

func newDossier(p platform, g groups) dossier {
	return dossier{
		timeline: timeline.NewService(timeline.Deps{DB: p.db, CatchUp: g.filing.funds.CatchUp}),
		surveys:  survey.NewService(survey.Deps{Runner: g.kernel.runner, Keys: p.dataKeys}),
	}
}
