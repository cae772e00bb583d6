package app

import (
	"diresco/internal/mandate/delegation"
	"diresco/internal/mandate/delegationbatch"
	"diresco/internal/mandate/enrolment"
	"diresco/internal/mandate/grant"
	"diresco/internal/mandate/subdelegation"
)

// mandate is who may act for whom.
type mandate struct {
	delegations    *delegation.Service
	batches        *delegationbatch.Service
	subDelegations *subdelegation.Service
	grants         *grant.Service
	enrolments     *enrolment.Service
}

func newMandate(p platform, k kernel, id identity, m masterdata, f filing) mandate {
	delegations := delegation.NewService(delegation.Deps{
		Runner: k.runner, Rights: k.rights, Contributors: m.contributors, People: id.people, Outbox: k.outbox, Keys: p.dataKeys,
		Codes: id.codes, Catalogue: m.services, Random: p.random, Institution: p.config.Institution(),
	})
	return mandate{
		delegations: delegations,
		batches: delegationbatch.NewService(delegationbatch.Deps{
			Runner: k.runner, Delegations: delegations, Contributors: m.contributors,
			People: id.people, Log: p.log, BeforeShowing: p.beforeShowing,
		}),
		subDelegations: subdelegation.NewService(subdelegation.Deps{Runner: k.runner, Rights: k.rights, Outbox: k.outbox}),
		grants:         grant.NewService(grant.Deps{Runner: k.runner, People: id.people, Outbox: k.outbox}),
		enrolments: enrolment.NewService(enrolment.Deps{
			Runner: k.runner, Register: f.register, Outbox: k.outbox, Contributors: m.contributors, People: id.people,
			Looks: id.looks,
		}),
	}
}
