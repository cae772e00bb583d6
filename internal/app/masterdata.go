package app

import (
	"diresco/internal/masterdata/contributor"
	"diresco/internal/masterdata/intermediary"
	"diresco/internal/masterdata/registerimport"
	"diresco/internal/masterdata/residents"
	"diresco/internal/masterdata/servicecatalog"
)

// masterdata is what others keep and we import.
type masterdata struct {
	contributors   *contributor.Repository
	intermediaries *intermediary.Repository
	positions      *contributor.Service
	residents      *residents.Register
	services       *servicecatalog.Catalogue
	imports        *registerimport.Service
	// importing works the imports off.
	importing *registerimport.Worker
}

func newMasterdata(p platform, k kernel) masterdata {
	contributors := contributor.NewRepository(p.db)
	positions := contributor.NewService(contributors, k.rights)
	return masterdata{
		contributors: contributors, intermediaries: intermediary.NewRepository(p.db), positions: positions,
		residents: residents.New(p.db, p.clock),
		services:  servicecatalog.New(servicecatalog.Deps{Runner: k.runner, Rights: k.rights, Contributors: positions}),
		imports:   registerimport.NewService(registerimport.Deps{Runner: k.runner, Blobs: p.bucket}),
		importing: registerimport.NewWorker(registerimport.WorkerOptions{
			DB: p.db, Clock: p.clock, Blobs: p.bucket, Outbox: k.outbox, Log: p.log,
		}),
	}
}
