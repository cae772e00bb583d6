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
	contributors   *contributor.Service
	offices        *contributor.Offices
	intermediaries *intermediary.Repository
	residents      *residents.Register
	services       *servicecatalog.Catalogue
	imports        *registerimport.Service
	// importing works the imports off.
	importing *registerimport.Worker
}

func newMasterdata(p platform, k kernel) masterdata {
	contributors := contributor.NewService(contributor.Deps{DB: p.db, Rights: k.rights})
	return masterdata{
		contributors: contributors, offices: contributor.NewOffices(k.runner),
		intermediaries: intermediary.NewRepository(p.db), residents: residents.New(p.db, p.clock),
		services: servicecatalog.New(servicecatalog.Deps{Runner: k.runner, Rights: k.rights, Contributors: contributors}),
		imports:  registerimport.NewService(registerimport.Deps{Runner: k.runner, Blobs: p.bucket}),
		importing: registerimport.NewWorker(registerimport.WorkerOptions{
			DB: p.db, Clock: p.clock, Blobs: p.bucket, Outbox: k.outbox, Log: p.log,
		}),
	}
}
