package app

import (
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/kernel/protocol"
)

// filing is what is declared, and the register that gives protocol numbers to all that is filed.
type filing struct {
	register     *protocol.Register
	types        *declaration.Types
	declarations *declaration.Service
	batches      *declarationbatch.Service
}

func newFiling(p platform, k kernel, m masterdata) filing {
	types := declaration.NewTypes(p.db, p.clock)
	clocks := protocol.Time{Process: p.clock, Database: p.databaseClock, Offset: p.clock.Offset}
	register := protocol.NewRegister(p.db, clocks, k.claims, k.recheck, p.log)
	declarations := declaration.NewService(declaration.Deps{
		Runner: k.runner, Types: types, Contributors: m.contributors, Register: register, Rights: k.rights, Outbox: k.outbox,
		Signer: p.keys, Blobs: p.bucket, Random: p.random, PublicURL: p.config.PublicURL, Institution: p.config.Institution(),
	})
	return filing{
		register: register, types: types, declarations: declarations,
		batches: declarationbatch.NewService(declarationbatch.Deps{
			Runner: k.runner, Declarations: declarations, Rights: k.rights, Outbox: k.outbox, Log: p.log, BeforeShowing: p.beforeShowing,
		}),
	}
}
