package fund

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// mostMoves is how many claims that fell due one transaction moves at most in a fund. The rest is
// left to the worker, so that nobody waits for long.
const mostMoves = 500

// Book has funds locked, in a transaction. What it is told is done in memory, each at its instant
// and after all that fell due before; Save writes it.
type Book struct {
	repo     repository
	machines map[string]*machine
}

// Lock locks funds until the context's transaction ends: those of the codes, and those in which
// the subjects have claims. It is ready for what happens up to the instant. A fund that is not
// there yet begins with an empty budget.
//
// Lock order: protocol counters, funds by code, declarations.
func (s *Service) Lock(ctx context.Context, until time.Time, codes []string, subjects ...uuid.UUID) (*Book, error) {
	return s.lock(ctx, until, codes, subjects, len(subjects) > 0)
}

// lock is Lock. With moving, money may become free, so that those who wait are read too.
func (s *Service) lock(ctx context.Context, until time.Time, codes []string, subjects []uuid.UUID, moving bool) (*Book, error) {
	b := &Book{repo: s.repo, machines: map[string]*machine{}}
	if len(subjects) > 0 {
		held, err := s.repo.codesOf(ctx, subjects)
		if err != nil {
			return nil, err
		}
		codes = append(held, codes...)
	}
	codes = slices.Compact(slices.Sorted(slices.Values(codes)))
	if len(codes) == 0 {
		return b, nil
	}
	if err := b.lock(ctx, codes, until); err != nil {
		return nil, err
	}
	states, err := s.repo.states(ctx, codes)
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		m := newMachine(state.FundCode)
		m.budget, m.reserved, m.spent, m.number, m.at = state.Budget, state.Reserved, state.Spent, state.Number, state.At
		m.rank, m.left = state.Rank, s.mostMoves
		b.machines[m.code] = m
		// Who merely asks comes behind the first that waits.
		head, until := 1, later(until, state.At)
		if moving || state.due(until) {
			head = m.left + spare
		} else if state.Head == nil {
			continue
		}
		if err := s.repo.window(ctx, m, until, head); err != nil {
			return nil, err
		}
	}
	if len(subjects) == 0 {
		return b, nil
	}
	claims, err := s.repo.claims(ctx, "subject_id IN ?", subjects)
	for _, c := range claims {
		b.machines[c.FundCode].load(c)
	}
	return b, err
}

func (b *Book) lock(ctx context.Context, codes []string, at time.Time) error {
	found, err := b.repo.lock(ctx, codes)
	if err != nil || len(found) == len(codes) {
		return err
	}
	var missing []fundRow
	for _, code := range codes {
		if !slices.Contains(found, code) {
			missing = append(missing, fundRow{code, code, at})
		}
	}
	if err := b.repo.add(ctx, missing); err != nil {
		return err
	}
	_, err = b.repo.lock(ctx, codes)
	return err
}

// Settle does what fell due in all funds up to the instant.
func (b *Book) Settle(at time.Time) {
	for _, m := range b.inOrder() {
		m.settle(at)
	}
}

// Claim asks for money of a fund, which was named when the book was locked. The next rank is the
// claim's; where it is ready it is decided at once, unless more has fallen due than can be done.
//
// What was decided about it at once is returned, and is not among the Decisions; else it is nil.
func (b *Book) Claim(code string, r Request, at time.Time) (*Decision, error) {
	m := b.machines[code]
	if m == nil {
		return nil, fmt.Errorf("fund %s is not locked", code)
	}
	m.settle(at)
	m.claim(r, at)
	return m.own(r.SubjectID), nil
}

// Complete makes a claim ready that waited for credentials: from the later of both instants on it
// may be decided.
// It returns what Claim does.
func (b *Book) Complete(subject uuid.UUID, readyAt, at time.Time) *Decision {
	m, c := b.find(subject)
	if c == nil {
		return nil
	}
	m.settle(at)
	m.complete(c, later(readyAt, at), at)
	return m.own(subject)
}

// Release gives a claim up. What it held serves the next ones.
func (b *Book) Release(subject uuid.UUID, at time.Time) error {
	return b.held(subject, at, func(m *machine, c *Claim) error { return m.release(c, at) })
}

// Spend spends an amount of what a claim holds. The rest serves the next ones.
func (b *Book) Spend(subject uuid.UUID, amount money.Cents, at time.Time) error {
	return b.held(subject, at, func(m *machine, c *Claim) error { return m.spend(c, amount, at) })
}

// Extend sets another end to what a claim holds. Where that is past, it is over now.
func (b *Book) Extend(subject uuid.UUID, endsAt, at time.Time) error {
	return b.held(subject, at, func(m *machine, c *Claim) error { return m.extend(c, endsAt, at) })
}

// held does something with a claim. It returns these faults:
//   - fault.Conflict: the claim holds nothing any more;
//   - fault.Busy: more has fallen due in the fund than can be done at once.
func (b *Book) held(subject uuid.UUID, at time.Time, do func(m *machine, c *Claim) error) error {
	m, c := b.find(subject)
	if c == nil {
		return fault.Because(fault.Conflict, "money-not-held")
	}
	m.settle(at)
	return do(m, c)
}

// Of returns a subject's claim as it stands now.
func (b *Book) Of(subject uuid.UUID) (Claim, bool) {
	_, c := b.find(subject)
	if c == nil {
		return Claim{}, false
	}
	return *c, true
}

func (b *Book) find(subject uuid.UUID) (*machine, *Claim) {
	for _, m := range b.machines {
		if c := m.claims[subject]; c != nil {
			return m, c
		}
	}
	return nil, nil
}

func (b *Book) inOrder() []*machine {
	all := make([]*machine, 0, len(b.machines))
	for _, m := range b.machines {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *machine) int { return strings.Compare(a.code, b.code) })
	return all
}

// Decisions returns what became of claims by itself since it was last asked, fund by fund in the
// order of time.
func (b *Book) Decisions() []Decision {
	var all []Decision
	for _, m := range b.inOrder() {
		all = append(all, m.decisions...)
		m.decisions = nil
	}
	return all
}

// Save writes what was done. It is called once.
func (b *Book) Save(ctx context.Context) error {
	var claims []Claim
	var entries []Entry
	for _, m := range b.inOrder() {
		for _, c := range m.changed {
			claims = append(claims, *c)
		}
		entries = append(entries, m.entries...)
	}
	return b.repo.save(ctx, claims, entries)
}

// SetBudget sets the budget of a fund; more of it serves those who wait. It returns these faults:
//   - fault.BudgetBelowCommitments: more is reserved and spent;
//   - fault.Busy: more has fallen due in the fund than can be done at once.
func (b *Book) SetBudget(code string, budget money.Cents, by *uuid.UUID, at time.Time) error {
	m := b.machines[code]
	if m == nil {
		return fmt.Errorf("fund %s is not locked", code)
	}
	m.settle(at)
	return m.set(budget, by, at)
}
