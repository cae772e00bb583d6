package app

import (
	"context"

	"diresco/internal/httpapi/handlers"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/registerimport"
)

// importWorker makes what works imports of registers off.
func (a *App) importWorker(p parts, messages *outbox.Outbox) *registerimport.Worker {
	return registerimport.NewWorker(registerimport.WorkerOptions{DB: a.DB, Clock: p.clock, Blobs: p.bucket, Outbox: messages, Log: p.options.Log})
}

// registerImportHandlers also starts the worker.
func (a *App) registerImportHandlers(runner *operation.Runner, worker *registerimport.Worker, p parts) handlers.RegisterImportHandlers {
	a.background(worker.Run)
	return handlers.RegisterImportHandlers{RegisterImports: registerimport.NewService(registerimport.Deps{Runner: runner, Blobs: p.bucket})}
}

// background runs work until the house is closed.
func (a *App) background(run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	a.closers = append([]func(){func() { cancel(); <-done }}, a.closers...)
}
