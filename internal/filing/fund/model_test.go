package fund_test

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/filing/fund"
	"diresco/internal/platform/money"
)

// model is a fund as one would write it down on paper: all that happened, replayed from the
// beginning whenever somebody asks.
type model struct{ happened []happening }

// happening is something that somebody did.
type happening struct {
	at time.Time
	do func(p *paper, at time.Time)
}

func (m *model) add(at time.Time, do func(p *paper, at time.Time)) {
	m.happened = append(m.happened, happening{at, do})
}

// paper is where a fund stands at an instant.
type paper struct {
	budget money.Cents
	rows   []*paperRow
}

type paperRow struct {
	subject uuid.UUID
	rank    int
	date    string
	amount  money.Cents
	ready   *time.Time
	state   fund.State
	ends    time.Time
	days    int
}

// at replays everything up to an instant.
func (m *model) at(now time.Time) *paper {
	p := &paper{}
	for _, h := range m.happened {
		p.wait(h.at)
		h.do(p, h.at)
		p.serve(h.at)
	}
	p.wait(now)
	return p
}

func (p *paper) row(subject uuid.UUID) *paperRow {
	for _, r := range p.rows {
		if r.subject == subject {
			return r
		}
	}
	return nil
}

func (p *paper) free() money.Cents {
	free := p.budget
	for _, r := range p.rows {
		if r.state == fund.Reserved || r.state == fund.Spent {
			free -= r.amount
		}
	}
	return free
}

// wait lets the time pass.
func (p *paper) wait(until time.Time) {
	for {
		var first *time.Time
		for _, r := range p.rows {
			at := &r.ends
			if r.state == fund.Pending {
				at = r.ready
			} else if r.state != fund.Waiting && r.state != fund.Reserved {
				continue
			}
			if at != nil && !at.After(until) && (first == nil || at.Before(*first)) {
				first = at
			}
		}
		if first == nil {
			return
		}
		now := *first
		for _, r := range p.rows {
			if (r.state == fund.Waiting || r.state == fund.Reserved) && !r.ends.After(now) {
				r.state = fund.Closed
			}
		}
		p.serve(now)
	}
}

func (p *paper) serve(at time.Time) {
	rows := slices.Clone(p.rows)
	slices.SortFunc(rows, func(a, b *paperRow) int {
		if a.date != b.date {
			if a.date < b.date {
				return -1
			}
			return 1
		}
		return a.rank - b.rank
	})
	blocked := false
	for _, r := range rows {
		if r.state != fund.Waiting && (r.state != fund.Pending || r.ready == nil || r.ready.After(at)) {
			continue
		}
		switch {
		case !blocked && r.amount <= p.free():
			r.state, r.ends = fund.Reserved, *fund.Term{Days: r.days}.EndsAfter(at)
		case r.state == fund.Pending:
			r.state, r.ends, blocked = fund.Waiting, fund.WaitsUntil(at), true
		default:
			blocked = true
		}
	}
}
