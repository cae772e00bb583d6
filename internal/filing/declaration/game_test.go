package declaration_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"diresco/db"
	"diresco/internal/filing/declaration"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/due"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

// game plays reservations and confirmations at random, with the same on paper beside it.
type game struct {
	*world.App
	t        *testing.T
	dice     world.Dice
	paper    paper
	company  world.Company
	by       access.Actor
	ordinary []access.Actor
	log      []string
}

// writes are what a process may die at.
var writes = [][2]string{
	{"INSERT", "declarations"},
	{"INSERT", "protocol_entries"},
	{"INSERT", "audit_records"},
	{"INSERT", "outbox"},
	{"INSERT", "fund_claims"},
	{"UPDATE", "fund_claims"},
	{"INSERT", "fund_entries"},
	{"UPDATE", "declarations"},
	{"UPDATE", "protocol_counters"},
}

// TestDeclaration_MoneyIsGivenOutAsOnPaper: whatever is filed, confirmed, withdrawn and superseded,
// with whatever credentials, terms that pass, budgets that change and processes that die, the fund
// and its declarations are those on paper.
func TestDeclaration_MoneyIsGivenOutAsOnPaper(t *testing.T) {
	games := 12
	if testing.Short() {
		games = 4
	}
	for seed := range games {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				g := &game{App: world.New(t, d), t: t, dice: world.Dice(seed)}
				g.company, g.by = g.Employer(t)
				for range 3 {
					g.ordinary = append(g.ordinary, g.colleague())
				}
				g.budget()
				for range 120 {
					g.move()
					if g.dice.IntN(4) == 0 {
						g.check()
					}
				}
				g.Clock.Advance(90 * 24 * time.Hour)
				g.check()
			})
		})
	}
}

func (g *game) colleague() access.Actor {
	return g.Colleague(g.t, g.company.ID, access.EmployeeDelegate, access.Ordinary, access.Declarations)
}

// fails ends the test, with all that was played.
func (g *game) fails(format string, args ...any) {
	g.t.Helper()
	for _, line := range g.log {
		g.t.Log(line)
	}
	g.t.Fatalf(format, args...)
}

// play does something as the model says that it may be done or not. Now and then the process dies in
// it first, at one of its writes, and it is done again.
func (g *game) play(what string, may bool, do func() error) bool {
	g.t.Helper()
	g.log = append(g.log, fmt.Sprintf("%s %s (%v)", g.Clock.Now().Format(time.DateTime), what, may))
	if g.dice.IntN(4) == 0 {
		at := writes[g.dice.IntN(len(writes))]
		mend := g.Break(g.t, at[0], at[1])
		err := do()
		mend()
		if err == nil {
			return g.played(what, may, nil)
		}
	}
	return g.played(what, may, do())
}

func (g *game) played(what string, may bool, err error) bool {
	g.t.Helper()
	switch {
	case err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid):
		g.fails("%s: %v", what, err)
	case (err == nil) != may:
		g.fails("%s: %v, want %v", what, err, may)
	}
	return err == nil
}

// filer is somebody who files, and whether that waits for credentials.
func (g *game) filer() (access.Actor, bool) {
	if n := g.dice.IntN(2 * len(g.ordinary)); n < len(g.ordinary) {
		return g.ordinary[n], true
	}
	return g.by, false
}

// some is any of what was filed, or nil.
func (g *game) some(confirmations bool) *paperRow {
	var rows []*paperRow
	for _, r := range g.paper.rows {
		if confirmations || r.reservation == nil {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return rows[g.dice.IntN(len(rows))]
}

// move does something at random.
func (g *game) move() {
	g.t.Helper()
	switch n := g.dice.IntN(16); {
	case n < 5:
		g.reserve(nil)
	case n < 8:
		g.confirm()
	case n == 8:
		g.withdraw()
	case n == 9:
		if old := g.some(false); old != nil {
			g.reserve(old)
		}
	case n == 10:
		g.complete()
	case n == 11:
		g.budget()
	case n == 12:
		g.work()
	default:
		g.Clock.Advance(time.Duration(1+g.dice.IntN(80)) * time.Hour)
	}
}

// file files something and notes it on paper, where it may be filed.
func (g *game) file(what string, in declaration.Input, by access.Actor, may bool, note func(filed declaration.View)) {
	g.t.Helper()
	var filed declaration.View
	done := g.play(what, may, func() (err error) {
		filed, err = g.Declarations.Draft(ctx, by, g.company.ID, in)
		return err
	})
	if done {
		note(filed)
	}
}

func (g *game) reserve(old *paperRow) {
	g.t.Helper()
	g.paper.pass(g.Clock.Now())
	by, ordinary := g.filer()
	amount, what, may := money.Cents(1+g.dice.IntN(5))*100_00, "reserve", true
	in := g.company.Reservation(map[string]any{"amount": amount.String()})
	if old != nil {
		// What waits for credentials supersedes only when it is complete; that is another test.
		by, ordinary = g.by, false
		in.SupersedesID, what, may = &old.id, "supersede", g.paper.maySupersede(old)
	}
	g.file(fmt.Sprintf("%s %s", what, amount), in, by, may, func(filed declaration.View) {
		g.paper.reserve(&paperRow{
			id: filed.ID, filer: by.PersonID, filedAt: *filed.SubmittedAt, amount: amount, supersedes: old,
		}, ordinary)
	})
}

func (g *game) confirm() {
	g.t.Helper()
	g.paper.pass(g.Clock.Now())
	r := g.some(false)
	if r == nil {
		return
	}
	by, ordinary := g.filer()
	amount := max(r.amount-money.Cents(g.dice.IntN(3)-1)*50_00, 1)
	in := g.company.Confirmation(r.id, map[string]any{"amount": amount.String()})
	g.file("confirm "+amount.String(), in, by, g.paper.mayConfirm(r, amount, g.Clock.Now()), func(filed declaration.View) {
		g.paper.confirm(&paperRow{
			id: filed.ID, filer: by.PersonID, filedAt: *filed.SubmittedAt, amount: amount, reservation: r,
		}, ordinary)
	})
}

func (g *game) withdraw() {
	g.t.Helper()
	g.paper.pass(g.Clock.Now())
	r := g.some(true)
	if r == nil {
		return
	}
	if g.play("withdraw "+string(r.state), g.paper.mayWithdraw(r), func() error {
		_, err := g.Declarations.Withdraw(ctx, g.by, r.id)
		return err
	}) {
		g.paper.withdraw(r, g.Clock.Now())
	}
}

// complete raises somebody's credentials, as an operator does; another one begins.
func (g *game) complete() {
	g.t.Helper()
	g.paper.pass(g.Clock.Now())
	n := g.dice.IntN(len(g.ordinary))
	person := g.ordinary[n].PersonID
	g.play("complete", true, func() error {
		return g.DB.InTx(ctx, func(ctx context.Context) error {
			if err := g.DB.From(ctx).Exec("UPDATE people SET credential_level = 'dispositive' WHERE id = ?", person).Error; err != nil {
				return err
			}
			return g.Declarations.CompleteFor(ctx, person)
		})
	})
	g.paper.complete(person, g.Clock.Now())
	g.ordinary[n] = g.colleague()
}

func (g *game) budget() {
	g.t.Helper()
	g.paper.pass(g.Clock.Now())
	budget := money.Cents(g.dice.IntN(16)) * 100_00
	reserved, spent := g.paper.committed()
	may := budget >= reserved+spent
	done := false
	g.play("budget "+budget.String(), true, func() error {
		_, err := g.Funds.Replace(ctx, access.Actor{PersonID: g.by.PersonID}, world.CappedFund, fault.AnyVersion, fund.Replacement{Budget: budget})
		if fault.Is(err, fault.NotFound) {
			_, err = g.Funds.Create(ctx, access.Actor{PersonID: g.by.PersonID}, world.CappedFund, fund.Replacement{Budget: budget})
		}
		if fault.Is(err, fault.BudgetBelowCommitments) && !may {
			return nil
		}
		done = err == nil
		return err
	})
	if done {
		g.paper.budget = budget
		g.paper.serve(g.Clock.Now())
	}
}

// work does what a worker would have done by now.
func (g *game) work() {
	g.t.Helper()
	for _, source := range []due.Source{g.Funds, g.Declarations.Lapses()} {
		if err := g.DB.InTx(ctx, func(ctx context.Context) error {
			_, err := source.Do(ctx, due.Through(world.Start), g.Clock.Now())
			return err
		}); err != nil {
			g.fails("work: %v", err)
		}
	}
}

// check holds all declarations and the fund against the paper.
func (g *game) check() {
	g.t.Helper()
	g.work()
	now := g.Clock.Now()
	g.paper.pass(now)
	for i, r := range g.paper.rows {
		d := show(g.t, g.App, g.by, r.id)
		if d.State != r.state {
			g.fails("%d, a %s of %s, is %s, want %s", i, d.Step, r.amount, d.State, r.state)
		}
		switch {
		case r.state == declaration.Accepted && *d.Amount != r.amount:
			g.fails("%d has %s, want %s", i, d.Amount, r.amount)
		case r.reservation == nil && (r.state == declaration.Accepted || r.state == declaration.ProvisionallyNotAccepted) && !d.EndsAt.Equal(r.ends):
			g.fails("%d (%s) ends at %s, want %s", i, r.state, d.EndsAt, r.ends)
		case r.state == declaration.Superseded && *d.SupersededByID != r.behind.id:
			g.fails("%d was superseded by %s, want %s", i, d.SupersededByID, r.behind.id)
		}
	}
	reserved, spent := g.paper.committed()
	f, err := g.Funds.Show(ctx, world.CappedFund)
	if err != nil || f.Budget != g.paper.budget || f.Reserved != reserved || f.Spent != spent {
		g.fails("the fund has %s, %s and %s (%v), want %s, %s and %s", f.Budget, f.Reserved, f.Spent, err, g.paper.budget, reserved, spent)
	}
	if n := g.Count(g.t, "declarations"); n != len(g.paper.rows) {
		g.fails("%d declarations, want %d", n, len(g.paper.rows))
	}
	g.traces()
}

// traces checks that everything left its traces once: a number and a receipt each, and in the trail
// the state that it is in.
func (g *game) traces() {
	g.t.Helper()
	for _, table := range []string{"protocol_entries", "protocol_entries WHERE jws IS NOT NULL"} {
		if n := g.Count(g.t, table); n != len(g.paper.rows) {
			g.fails("%d rows in %s, want %d", n, table, len(g.paper.rows))
		}
	}
	var records []struct{ SubjectID, Detail string }
	// Ids grow with the time at which a record was written.
	if err := g.DB.From(ctx).Raw(
		"SELECT subject_id, detail FROM audit_records WHERE subject_kind = 'declaration' AND detail IS NOT NULL ORDER BY id",
	).Scan(&records).Error; err != nil {
		g.t.Fatal(err)
	}
	last := map[string]string{}
	for _, r := range records {
		last[r.SubjectID] = r.Detail
	}
	for i, r := range g.paper.rows {
		// What is superseded has its trace in what superseded it.
		if want := `{"state":"` + string(r.state) + `"`; r.state != declaration.Superseded && !strings.HasPrefix(last[r.id.String()], want) {
			g.fails("the trail's last word of %d is %s, want %s", i, last[r.id.String()], want)
		}
	}
}
