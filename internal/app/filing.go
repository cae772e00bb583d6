package app

import (
	"context"

	"diresco/internal/filing/declaration"
	"diresco/internal/filing/declarationbatch"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/protocol"
)

// filing is what is declared, and the register that gives protocol numbers to all that is filed.
type filing struct {
	register     *protocol.Register
	types        *declaration.Types
	funds        *fund.Service
	publisher    *declaration.Publisher
	declarations *declaration.Service
	batches      *declarationbatch.Service
}

func newFiling(p platform, k kernel, m masterdata, out messaging) filing {
	types := declaration.NewTypes(p.db, p.clock)
	clocks := protocol.Time{Process: p.clock, Database: p.databaseClock, Offset: p.clock.Offset}
	register := protocol.NewRegister(p.db, clocks, k.claims, k.recheck, out.worker, p.log)
	funds := fund.NewService(fund.Deps{Runner: k.runner})
	declarations := declaration.NewService(declaration.Deps{
		Runner: k.runner, Types: types, Contributors: m.contributors, Register: register, Rights: k.rights, Outbox: k.outbox, Funds: funds,
		Signer: p.keys, Blobs: p.bucket, Random: p.random, PublicURL: p.config.PublicURL, Institution: p.config.Institution(),
	})
	return filing{
		register: register, types: types, funds: funds, declarations: declarations,
		publisher: declaration.NewPublisher(k.runner, types, funds),
		batches: declarationbatch.NewService(declarationbatch.Deps{
			Runner: k.runner, Declarations: declarations, Rights: k.rights, Outbox: k.outbox, Log: p.log, BeforeShowing: p.beforeShowing,
		}),
	}
}

// install adds the types that come with the program and their funds, which begin empty.
func (f filing) install(ctx context.Context) error {
	if err := f.types.Install(ctx); err != nil {
		return err
	}
	funds, err := declaration.ShippedFunds()
	if err != nil {
		return err
	}
	return f.funds.Ensure(ctx, funds...)
}
