// Package fund keeps the money that declarations of capped types are paid from. A fund is a ledger
// of entries, never a number that is overwritten, and a queue of claims that is served in strict
// order.
package fund

import (
	"cmp"
	"time"

	"github.com/google/uuid"

	"diresco/internal/platform/calendar"
	"diresco/internal/platform/money"
)

// SubjectKind is the trail's word for a fund.
const SubjectKind = "fund"

// waitingDays is for how many days a claim waits that found no money.
const waitingDays = 30

// LastPriority is the priority date of what no deferred batch ranks by its day of hire.
const LastPriority = "9999-12-31"

// State is where a claim stands.
type State string

// The states of a claim. A pending one is not decided yet, and holds nothing; a waiting one found no
// money; a reserved one has it until its term; of a spent one it is gone.
const (
	Pending  State = "pending"
	Waiting  State = "waiting"
	Reserved State = "reserved"
	Spent    State = "spent"
	Closed   State = "closed"
)

// EntryKind is what an entry of the ledger does.
type EntryKind string

// The kinds of entries: a budget is set; money is reserved, or given up by a withdrawal, or at the
// end of a term; of what was reserved some is spent, and the rest returned.
const (
	BudgetSet     EntryKind = "budget"
	MoneyReserved EntryKind = "reserved"
	MoneyReleased EntryKind = "released"
	MoneyLapsed   EntryKind = "lapsed"
	MoneySpent    EntryKind = "spent"
	MoneyReturned EntryKind = "returned"
)

// Term is a number of days in which something has to be done; zero is no term.
type Term struct {
	Days int
	// Working says that only working days count.
	Working bool
}

// EndsAfter returns when a term ends that begins at the instant, and nil where there is none. The
// first day is not counted, and the last runs to its 24:00 in Rome.
func (t Term) EndsAfter(at time.Time) *time.Time {
	if t.Days == 0 {
		return nil
	}
	end := calendar.DeadlineDays(at, t.Days)
	if t.Working {
		end = calendar.DeadlineWorkingDays(at, t.Days)
	}
	return &end
}

// WaitsUntil returns when a claim lapses that found no money at the instant.
func WaitsUntil(at time.Time) time.Time { return calendar.DeadlineDays(at, waitingDays) }

// Claim is one that asks for money of a fund.
type Claim struct {
	FundCode string
	// Rank is given by the fund's own sequence, under its lock.
	Rank      int
	SubjectID uuid.UUID
	Amount    money.Cents
	FiledAt   time.Time
	// PriorityDate is the day of hire, as YYYY-MM-DD, for what a deferred batch ranks by it, else
	// LastPriority.
	PriorityDate string
	// ReadyAt is when it may first be decided; nil for what waits for dispositive credentials.
	ReadyAt *time.Time
	State   State
	// EndsAt is when a waiting or reserved claim ends by itself.
	EndsAt      *time.Time
	HireDays    int
	HireWorking int
	TermDays    int
	TermWorking int
}

// TableName tells GORM the table.
func (Claim) TableName() string { return "fund_claims" }

// hireTerm is the term for the hire itself.
func (c *Claim) hireTerm() Term { return Term{c.HireDays, c.HireWorking != 0} }

// confirmTerm is the term for the confirmation.
func (c *Claim) confirmTerm() Term { return Term{c.TermDays, c.TermWorking != 0} }

// inOrder compares two claims by the order of service.
func inOrder(a, b *Claim) int {
	return cmp.Or(cmp.Compare(a.PriorityDate, b.PriorityDate), cmp.Compare(a.Rank, b.Rank))
}

// Request asks for money.
type Request struct {
	SubjectID uuid.UUID
	Amount    money.Cents
	// PriorityDate may be empty for LastPriority.
	PriorityDate string
	// ReadyAt is when it may first be decided. What is not complete yet has none.
	ReadyAt *time.Time
	// Hire and Confirm are the terms that run from the acceptance.
	Hire, Confirm Term
}

func (r Request) claim(code string, rank int, at time.Time) *Claim {
	working := map[bool]int{true: 1}
	return &Claim{
		FundCode: code, Rank: rank, SubjectID: r.SubjectID, Amount: r.Amount, FiledAt: at, ReadyAt: r.ReadyAt, State: Pending,
		PriorityDate: cmp.Or(r.PriorityDate, LastPriority), HireDays: r.Hire.Days, HireWorking: working[r.Hire.Working],
		TermDays: r.Confirm.Days, TermWorking: working[r.Confirm.Working],
	}
}

// Entry is one line of a fund's ledger, with the totals after it. The latest one is the state.
type Entry struct {
	FundCode  string
	Number    int
	At        time.Time
	Kind      EntryKind
	SubjectID *uuid.UUID
	Amount    money.Cents
	Budget    money.Cents
	Reserved  money.Cents
	Spent     money.Cents
	// PersonID is who set a budget.
	PersonID *uuid.UUID
	Reason   *string
}

// TableName tells GORM the table.
func (Entry) TableName() string { return "fund_entries" }

// Outcome is what became of a claim by itself.
type Outcome string

// The outcomes.
const (
	// Served is that it has its money.
	Served Outcome = "served"
	// Held is that there was none, and it waits.
	Held Outcome = "held"
	// WaitedInVain is that it waited until the end of its term.
	WaitedInVain Outcome = "waited-in-vain"
	// Missed is that its term ended before it was confirmed.
	Missed Outcome = "missed"
)

// Decision is what became of a claim by itself, at its own instant.
type Decision struct {
	FundCode  string
	SubjectID uuid.UUID
	Outcome   Outcome
	Amount    money.Cents
	At        time.Time
	// EndsAt is when that state ends. For a served claim it is the term of the confirmation, and
	// HireBy that of the hire.
	EndsAt *time.Time
	HireBy *time.Time
}
