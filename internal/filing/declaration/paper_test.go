package declaration_test

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/protocol"
	"diresco/internal/platform/money"
)

// paper is a fund and its declarations as somebody would keep them on paper: one list, gone through
// from the top each time. It is the model of the game, and shares nothing with the program but its
// calendar.
type paper struct {
	budget money.Cents
	at     time.Time
	rows   []*paperRow
}

// paperRow is a declaration on paper.
type paperRow struct {
	id                 uuid.UUID
	filer              uuid.UUID
	filedAt            time.Time
	state              declaration.State
	amount             money.Cents
	ends, confirmBy    time.Time
	reservation        *paperRow
	supersedes, behind *paperRow
	// ready is a reservation that asks for money now.
	ready bool
}

// committed is what is reserved and spent.
func (p *paper) committed() (reserved, spent money.Cents) {
	for _, r := range p.rows {
		switch {
		case r.reservation == nil && r.state == declaration.Accepted:
			reserved += r.amount
		case r.reservation != nil && r.state == declaration.Accepted:
			spent += r.amount
		}
	}
	return reserved, spent
}

// confirmation is the live confirmation of a reservation, or nil.
func (p *paper) confirmation(of *paperRow) *paperRow {
	for _, r := range p.rows {
		if r.reservation == of && (r.state == declaration.AwaitingCredentials || r.state == declaration.Accepted) {
			return r
		}
	}
	return nil
}

// over is when the present state ends by itself; zero for never.
func (r *paperRow) over() time.Time {
	switch {
	case r.state == declaration.AwaitingCredentials:
		return protocol.LapsesAt(r.filedAt)
	case r.state == declaration.ProvisionallyNotAccepted, r.state == declaration.Accepted && r.reservation == nil:
		return r.ends
	}
	return time.Time{}
}

// pass lets the time pass until an instant: what ends does so at its own, and its money serves
// those who wait.
func (p *paper) pass(until time.Time) {
	for {
		var first time.Time
		for _, r := range p.rows {
			if over := r.over(); !over.IsZero() && !over.After(until) && (first.IsZero() || over.Before(first)) {
				first = over
			}
		}
		if first.IsZero() {
			p.at = until
			return
		}
		for _, r := range p.rows {
			if over := r.over(); !over.IsZero() && !over.After(first) {
				r.state = declaration.Lapsed
			}
		}
		p.serve(first)
	}
}

// serve gives money out in the order of the list. The first that does not fit holds up the others.
func (p *paper) serve(at time.Time) {
	blocked := false
	for _, r := range p.rows {
		if !r.ready && r.state != declaration.ProvisionallyNotAccepted {
			continue
		}
		reserved, spent := p.committed()
		switch {
		case !blocked && r.amount <= p.budget-reserved-spent:
			r.state, r.confirmBy = declaration.Accepted, *fund.Term{Days: 10}.EndsAfter(at)
			r.ends = r.confirmBy
		case r.ready:
			r.state, r.ends = declaration.ProvisionallyNotAccepted, fund.WaitsUntil(at)
			blocked = true
		default:
			blocked = true
		}
		r.ready = false
	}
}

// reserve files a reservation.
func (p *paper) reserve(r *paperRow, ordinary bool) {
	p.rows = append(p.rows, r)
	if r.state = declaration.AwaitingCredentials; !ordinary {
		p.supersede(r)
		r.state, r.ready = declaration.Submitted, true
		p.serve(r.filedAt)
	}
}

// supersede takes away what a row supersedes.
func (p *paper) supersede(r *paperRow) {
	if r.supersedes != nil {
		r.supersedes.state, r.supersedes.behind = declaration.Superseded, r
		p.serve(r.filedAt)
	}
}

// maySupersede reports whether a reservation may be superseded.
func (p *paper) maySupersede(r *paperRow) bool {
	return slices.Contains([]declaration.State{
		declaration.AwaitingCredentials, declaration.Accepted, declaration.ProvisionallyNotAccepted,
	}, r.state) && p.confirmation(r) == nil
}

// mayConfirm reports whether a reservation may be confirmed with an amount.
func (p *paper) mayConfirm(r *paperRow, amount money.Cents, at time.Time) bool {
	return r.state == declaration.Accepted && p.confirmation(r) == nil && amount <= r.amount && at.Before(r.confirmBy)
}

// confirm files a confirmation, which may be.
func (p *paper) confirm(c *paperRow, ordinary bool) {
	p.rows = append(p.rows, c)
	if c.state = declaration.AwaitingCredentials; !ordinary {
		p.spend(c, c.filedAt)
		return
	}
	if over := protocol.LapsesAt(c.filedAt); over.After(c.reservation.ends) {
		c.reservation.ends = over
	}
}

func (p *paper) spend(c *paperRow, at time.Time) {
	c.state, c.reservation.state = declaration.Accepted, declaration.Confirmed
	p.serve(at)
}

// mayWithdraw reports whether a declaration may be taken back.
func (p *paper) mayWithdraw(r *paperRow) bool {
	if r.state == declaration.Accepted {
		return r.reservation == nil && p.confirmation(r) == nil
	}
	return r.state == declaration.AwaitingCredentials || r.state == declaration.ProvisionallyNotAccepted
}

func (p *paper) withdraw(r *paperRow, at time.Time) {
	r.state = declaration.Withdrawn
	if r.reservation != nil {
		// The reservation has its own term again, which may be over.
		if r.reservation.ends = r.reservation.confirmBy; !r.reservation.ends.After(at) {
			r.reservation.state = declaration.Lapsed
		}
	}
	p.serve(at)
}

// complete gives a person dispositive credentials: what waits goes on, in the order of filing.
func (p *paper) complete(filer uuid.UUID, at time.Time) {
	for _, r := range p.rows {
		switch {
		case r.filer != filer || r.state != declaration.AwaitingCredentials:
		case r.reservation == nil:
			r.state, r.ready = declaration.Submitted, true
			p.serve(at)
		default:
			p.spend(r, at)
		}
	}
}
