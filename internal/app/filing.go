package app

import (
	"context"

	"diresco/internal/filing/declaration"
	"diresco/internal/identity/pinupgrade"
	"diresco/internal/kernel/protocol"
	"diresco/internal/mandate/enrolment"

	"github.com/google/uuid"
)

// filing is what is declared, and the register that gives protocol numbers to all that is filed.
type filing struct {
	register     *protocol.Register
	types        *declaration.Types
	declarations *declaration.Service
	// waiting are enrolments that wait for dispositive credentials.
	waiting *enrolment.Waiting
}

func newFiling(p platform, k kernel, m masterdata) filing {
	declared := declaration.NewRepository(p.db)
	f := filing{
		types:   declaration.NewTypes(declared, p.clock),
		waiting: &enrolment.Waiting{Runner: k.runner, Repository: enrolment.NewRepository(p.db), Outbox: k.outbox},
	}
	f.register = protocol.NewRegister(p.db, p.clock, k.claims, k.rights, p.log, map[string]protocol.Book{
		declaration.Kind: &declaration.Book{Repository: declared, Signer: p.keys, Random: p.random, PublicURL: p.config.PublicURL},
		pinupgrade.Kind:  &pinupgrade.Book{Repository: pinupgrade.NewRepository(p.db)},
		enrolment.Kind:   &enrolment.Book{Waiting: f.waiting, Contributors: m.positions},
	})
	f.declarations = declaration.NewService(declaration.Deps{
		Runner: k.runner, Repository: declared, Types: f.types, Contributors: m.positions, Register: f.register, Rights: k.rights, Outbox: k.outbox,
		Signer: p.keys, Blobs: p.bucket, PublicURL: p.config.PublicURL,
	})
	return f
}

// CompleteFor completes what a person filed with ordinary credentials, in the context's transaction.
func (f filing) CompleteFor(ctx context.Context, personID uuid.UUID) error {
	if err := f.declarations.CompleteFor(ctx, personID); err != nil {
		return err
	}
	return f.waiting.CompleteFor(ctx, personID)
}
