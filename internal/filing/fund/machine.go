package fund

import (
	"container/heap"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
)

// machine is a fund in memory, with the claims that may move now. It knows no database: what it
// changed is read off it.
//
// Each event is done at its own instant, in the order of time: at one instant first what ends, then
// the queue is served.
type machine struct {
	code                    string
	budget, reserved, spent money.Cents
	// number and at are those of the last entry, rank is the last one given.
	number, rank int
	at           time.Time

	claims map[uuid.UUID]*Claim
	// waiting and arrived are in the order of service: those that found no money, and those that
	// may be decided now.
	waiting, arrived []*Claim
	due              dues
	// left is how many of the claims that were loaded may still move, since others stand behind
	// them that were not. New ones do not count.
	left    int
	created map[*Claim]bool
	// cut is that something is due that was left for another transaction.
	cut bool

	changed   []*Claim
	isChanged map[*Claim]bool
	entries   []Entry
	decisions []Decision
}

func newMachine(code string) *machine {
	return &machine{code: code, claims: map[uuid.UUID]*Claim{}, created: map[*Claim]bool{}, isChanged: map[*Claim]bool{}}
}

// load adds claims as they are stored; one that is known already is left as it is.
func (m *machine) load(claims ...Claim) {
	for i := range claims {
		c := &claims[i]
		if m.claims[c.SubjectID] != nil {
			continue
		}
		m.claims[c.SubjectID] = c
		switch c.State {
		case Waiting:
			m.waiting = inserted(m.waiting, c)
			m.expect(c, c.EndsAt)
		case Reserved:
			m.expect(c, c.EndsAt)
		case Pending:
			m.expect(c, c.ReadyAt)
		case Spent, Closed:
		}
	}
}

func (m *machine) available() money.Cents { return m.budget - m.reserved - m.spent }

// unserved reports whether the first that waits could be served: that was left undone.
func (m *machine) unserved() bool { return len(m.waiting) > 0 && m.waiting[0].Amount <= m.available() }

// settle does what fell due up to the instant. A process whose clock is behind finds the fund
// further on already.
func (m *machine) settle(until time.Time) {
	for !m.cut {
		at, found := m.next()
		if m.unserved() && (!found || m.at.Before(at)) {
			at, found = m.at, true
		}
		if !found || at.After(later(until, m.at)) {
			return
		}
		m.step(later(at, m.at))
	}
}

// step does what is due at one instant.
func (m *machine) step(at time.Time) {
	for {
		first, found := m.next()
		if !found || first.After(at) {
			break
		}
		c := heap.Pop(&m.due).(dueClaim).claim
		if c.State == Pending {
			m.arrived = inserted(m.arrived, c)
			continue
		}
		if !m.may(c, 0) {
			return
		}
		m.end(c)
	}
	m.serve(at)
}

// may reports whether one more claim may move, when so many are still left.
func (m *machine) may(c *Claim, spare int) bool {
	if m.created[c] {
		return true
	}
	if m.left <= spare {
		m.cut = true
		return false
	}
	m.left--
	return true
}

// end ends a claim whose term is over, at that instant.
func (m *machine) end(c *Claim) {
	at, outcome := *c.EndsAt, WaitedInVain
	if c.State == Reserved {
		outcome = Missed
		m.reserved -= c.Amount
		m.enter(MoneyLapsed, c, c.Amount, at)
	} else {
		m.waiting = removed(m.waiting, c)
	}
	m.move(c, Closed, nil)
	m.decide(c, outcome, at)
}

// serve gives money to those who come first, until one does not fit; those behind it wait. Once an
// instant has begun one may always be served: the entry about it tells where to go on.
func (m *machine) serve(at time.Time) {
	at = later(at, m.at)
	for blocked := false; len(m.arrived) > 0 || !blocked && len(m.waiting) > 0; {
		var c *Claim
		switch {
		case len(m.arrived) == 0 || !blocked && len(m.waiting) > 0 && inOrder(m.waiting[0], m.arrived[0]) < 0:
			c = m.waiting[0]
		default:
			c = m.arrived[0]
		}
		fits := !blocked && c.Amount <= m.available()
		if !fits && c.State == Waiting {
			blocked = true
			continue
		}
		if !m.may(c, -1) {
			return
		}
		m.waiting, m.arrived = removed(m.waiting, c), removed(m.arrived, c)
		if fits {
			m.reserved += c.Amount
			m.enter(MoneyReserved, c, c.Amount, at)
			m.move(c, Reserved, c.confirmTerm().EndsAfter(at))
			m.decide(c, Served, at)
			continue
		}
		blocked = true
		ends := WaitsUntil(at)
		m.move(c, Waiting, &ends)
		m.waiting = inserted(m.waiting, c)
		m.decide(c, Held, at)
	}
}

// claim takes a claim, with the next rank, and decides it if it is ready. It comes last in rank
// but may come before others by its date.
func (m *machine) claim(r Request, at time.Time) {
	m.rank++
	c := r.claim(m.code, m.rank, at)
	m.claims[c.SubjectID], m.created[c] = c, true
	m.change(c)
	m.arrive(c, at)
}

// complete makes a claim ready that waited for credentials.
func (m *machine) complete(c *Claim, readyAt, at time.Time) {
	if c.State != Pending || c.ReadyAt != nil {
		return
	}
	c.ReadyAt = &readyAt
	m.change(c)
	m.arrive(c, at)
}

// arrive decides a claim that is ready. Where something else is left undone it waits for its turn.
func (m *machine) arrive(c *Claim, at time.Time) {
	switch {
	case c.ReadyAt == nil:
	case m.cut || c.ReadyAt.After(at):
		m.expect(c, c.ReadyAt)
	default:
		m.arrived = inserted(m.arrived, c)
		m.serve(at)
	}
}

// release ends a claim that is given up; what it held serves the next ones.
func (m *machine) release(c *Claim, at time.Time) error {
	if err := m.ready(); err != nil {
		return err
	}
	switch c.State {
	case Reserved:
		m.reserved -= c.Amount
		m.enter(MoneyReleased, c, c.Amount, at)
	case Waiting:
		m.waiting = removed(m.waiting, c)
	case Pending:
	case Spent, Closed:
		return fault.Because(fault.Conflict, "money-not-held")
	}
	m.move(c, Closed, nil)
	m.serve(at)
	return nil
}

// spend spends of what a claim holds; the rest serves the next ones.
func (m *machine) spend(c *Claim, amount money.Cents, at time.Time) error {
	if err := m.ready(); err != nil {
		return err
	}
	if c.State != Reserved || amount > c.Amount {
		return fault.Because(fault.Conflict, "money-not-held")
	}
	rest := c.Amount - amount
	m.reserved -= amount
	m.spent += amount
	m.enter(MoneySpent, c, amount, at)
	if rest > 0 {
		m.reserved -= rest
		m.enter(MoneyReturned, c, rest, at)
	}
	c.Amount = amount
	m.move(c, Spent, nil)
	m.serve(at)
	return nil
}

// extend sets another end to what a claim holds. What would have ended before is over now.
func (m *machine) extend(c *Claim, endsAt, at time.Time) error {
	if err := m.ready(); err != nil {
		return err
	}
	if c.State != Reserved {
		return fault.Because(fault.Conflict, "money-not-held")
	}
	endsAt = later(endsAt, at)
	m.move(c, Reserved, &endsAt)
	m.settle(at)
	return nil
}

// set sets the budget. It returns fault.BudgetBelowCommitments where more is reserved and spent.
func (m *machine) set(budget money.Cents, by *uuid.UUID, at time.Time) error {
	if err := m.ready(); err != nil {
		return err
	}
	if budget < m.reserved+m.spent {
		return fault.New(fault.BudgetBelowCommitments)
	}
	m.budget = budget
	m.enter(BudgetSet, nil, budget, at)
	m.entries[len(m.entries)-1].PersonID = by
	m.serve(at)
	return nil
}

// ready refuses what moves money while something earlier is left undone.
func (m *machine) ready() error {
	m.cut = m.cut || m.left < 0
	if m.cut {
		return fault.After(fault.Busy, time.Second)
	}
	return nil
}

func (m *machine) enter(kind EntryKind, c *Claim, amount money.Cents, at time.Time) {
	m.number++
	m.at = later(at, m.at)
	e := Entry{
		FundCode: m.code, Number: m.number, At: m.at, Kind: kind, Amount: amount, Budget: m.budget, Reserved: m.reserved, Spent: m.spent,
	}
	if c != nil {
		e.SubjectID = &c.SubjectID
	}
	m.entries = append(m.entries, e)
}

func (m *machine) decide(c *Claim, outcome Outcome, at time.Time) {
	d := Decision{FundCode: m.code, SubjectID: c.SubjectID, Outcome: outcome, Amount: c.Amount, At: at, EndsAt: c.EndsAt}
	if outcome == Served {
		d.HireBy = c.hireTerm().EndsAfter(at)
	}
	m.decisions = append(m.decisions, d)
}

// own takes the last decision off the list if it is about the subject.
func (m *machine) own(subject uuid.UUID) *Decision {
	last := len(m.decisions) - 1
	if last < 0 || m.decisions[last].SubjectID != subject {
		return nil
	}
	d := m.decisions[last]
	m.decisions = m.decisions[:last]
	return &d
}

func (m *machine) move(c *Claim, state State, endsAt *time.Time) {
	c.State, c.EndsAt = state, endsAt
	m.change(c)
	if endsAt != nil {
		m.expect(c, endsAt)
	}
}

func (m *machine) change(c *Claim) {
	if !m.isChanged[c] {
		m.isChanged[c] = true
		m.changed = append(m.changed, c)
	}
}

// inserted adds a claim to a list in the order of service.
func inserted(list []*Claim, c *Claim) []*Claim {
	i, _ := slices.BinarySearchFunc(list, c, inOrder)
	return slices.Insert(list, i, c)
}

// removed takes a claim out of a list in the order of service.
func removed(list []*Claim, c *Claim) []*Claim {
	i, found := slices.BinarySearchFunc(list, c, inOrder)
	if !found {
		return list
	}
	if i == 0 {
		return list[1:]
	}
	return slices.Delete(list, i, i+1)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// dueClaim is a claim of which something is due at an instant, unless it moved since.
type dueClaim struct {
	at    time.Time
	claim *Claim
}

func (d dueClaim) stands() bool {
	expected := d.claim.EndsAt
	if d.claim.State == Pending {
		expected = d.claim.ReadyAt
	}
	return expected != nil && expected.Equal(d.at)
}

// expect notes that something is due of a claim.
func (m *machine) expect(c *Claim, at *time.Time) {
	if at != nil {
		heap.Push(&m.due, dueClaim{*at, c})
	}
}

// next returns the earliest instant at which something is due.
func (m *machine) next() (time.Time, bool) {
	for len(m.due) > 0 && !m.due[0].stands() {
		heap.Pop(&m.due)
	}
	if len(m.due) == 0 {
		return time.Time{}, false
	}
	return m.due[0].at, true
}

// dues is a heap by instant and order of service.
type dues []dueClaim

func (d dues) Len() int { return len(d) }

func (d dues) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}
	return inOrder(d[i].claim, d[j].claim) < 0
}

func (d dues) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *dues) Push(x any) { *d = append(*d, x.(dueClaim)) }

// Pop implements heap.Interface.
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
