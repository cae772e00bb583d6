package app

import (
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/audit"
	"diresco/internal/kernel/idempotency"
	"diresco/internal/kernel/operation"
	"diresco/internal/kernel/outbox"
	"diresco/internal/kernel/recheck"
)

// kernel is what every operation goes through.
type kernel struct {
	accessLog *audit.AccessLog
	answers   *idempotency.Answers
	claims    *idempotency.Store
	rights    *access.Repository
	recheck   *recheck.Checker
	runner    *operation.Runner
	outbox    *outbox.Outbox
}

func newKernel(p platform) kernel {
	answers := idempotency.NewAnswers(p.db, p.log)
	k := kernel{
		accessLog: audit.NewAccessLog(p.db, p.clock, p.log), answers: answers, claims: idempotency.NewStore(p.db, p.clock, answers),
		rights: access.NewRepository(p.db, p.clock), recheck: recheck.New(p.db, p.clock), outbox: outbox.NewOnDemand(p.db, p.beforeShowing),
	}
	k.runner = &operation.Runner{DB: p.db, Clock: p.clock, Keys: k.claims, Trail: audit.NewTrail(p.db), Recheck: k.recheck}
	return k
}
