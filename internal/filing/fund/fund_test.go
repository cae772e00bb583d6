package fund_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/filing/fund"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
	"diresco/internal/test/dbtest"
	"diresco/internal/test/world"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var ctx = context.Background()

// errUndone undoes a transaction.
var errUndone = errors.New("undone")

// office is a fund with its model beside it.
type office struct {
	t     *testing.T
	db    *db.DB
	clock *clock.Manual
	funds *fund.Service
	model model
	dice  world.Dice
	code  string
	// moving is that a budget is set.
	moving bool
}

// transact runs something on the locked fund. Now and then it is undone.
func (o *office) transact(do func(b *fund.Book) error, subjects ...uuid.UUID) error {
	undone := o.dice.IntN(5)
	return o.db.InTx(ctx, func(ctx context.Context) error {
		lock := func() (*fund.Book, error) { return o.funds.Lock(ctx, o.clock.Now(), []string{o.code}, subjects...) }
		if o.moving {
			lock = func() (*fund.Book, error) { return o.funds.LockToServe(ctx, o.clock.Now(), o.code) }
		}
		b, err := lock()
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
		if undone == 0 {
			return errUndone
		}
		if err := b.Save(ctx); err != nil {
			return err
		}
		if undone == 1 {
			return errUndone
		}
		return nil
	})
}

// try repeats what is undone, and what has to wait until more is settled. It reports whether it was
// done.
func (o *office) try(do func(b *fund.Book) error, subjects ...uuid.UUID) bool {
	o.t.Helper()
	for {
		err := o.transact(do, subjects...)
		switch {
		case err == nil:
			return true
		case errors.Is(err, errUndone):
		case fault.Is(err, fault.Busy):
			if err := o.funds.Some(ctx, o.code, o.clock.Now()); err != nil {
				o.t.Fatal(err)
			}
		case fault.Is(err, fault.Conflict):
			return false
		default:
			o.t.Fatal(err)
		}
	}
}

// check holds the fund against its model, after all that is due was done.
func (o *office) check(step string) {
	o.t.Helper()
	if err := o.funds.CatchUpTo(ctx, o.code, o.clock.Now()); err != nil {
		o.t.Fatal(err)
	}
	o.replay(step)
	want := o.model.at(o.clock.Now())
	var claims []fund.Claim
	if err := o.db.From(ctx).Raw("SELECT * FROM fund_claims WHERE fund_code = ? ORDER BY rank", o.code).Scan(&claims).Error; err != nil {
		o.t.Fatal(err)
	}
	if len(claims) != len(want.rows) {
		o.t.Fatalf("%s: %d claims, want %d", step, len(claims), len(want.rows))
	}
	for i, c := range claims {
		w := want.rows[i]
		if c.SubjectID != w.subject || c.State != w.state || c.Amount != w.amount || c.Rank != w.rank {
			o.t.Errorf("%s: rank %d is %s of %s, want %s of %s", step, c.Rank, c.State, c.Amount, w.state, w.amount)
		}
		if c.EndsAt != nil && !c.EndsAt.Equal(w.ends) {
			o.t.Errorf("%s: rank %d (%s) ends %s, want %s", step, c.Rank, c.State, c.EndsAt, w.ends)
		}
	}
	if o.t.Failed() {
		o.t.FailNow()
	}
}

// replay adds the ledger up again.
func (o *office) replay(step string) {
	o.t.Helper()
	var entries []fund.Entry
	if err := o.db.From(ctx).Raw("SELECT * FROM fund_entries WHERE fund_code = ? ORDER BY number", o.code).Scan(&entries).Error; err != nil {
		o.t.Fatal(err)
	}
	var budget, reserved, spent money.Cents
	var at time.Time
	for i, e := range entries {
		switch e.Kind {
		case fund.BudgetSet:
			budget = e.Amount
		case fund.MoneyReserved:
			reserved += e.Amount
		case fund.MoneyReleased, fund.MoneyLapsed, fund.MoneyReturned:
			reserved -= e.Amount
		case fund.MoneySpent:
			reserved, spent = reserved-e.Amount, spent+e.Amount
		}
		if e.Number != i+1 || e.Budget != budget || e.Reserved != reserved || e.Spent != spent || reserved+spent > budget || e.At.Before(at) {
			o.t.Fatalf("%s: entry %+v, but %s, %s, %s at %s", step, e, budget, reserved, spent, at)
		}
		at = e.At
	}
}

// step does something at random.
func (o *office) step(subjects []uuid.UUID) (string, []uuid.UUID) {
	now := o.clock.Now()
	some := func() uuid.UUID {
		if len(subjects) == 0 {
			return uuid.Nil
		}
		return subjects[o.dice.IntN(len(subjects))]
	}
	switch n := o.dice.IntN(12); {
	case n < 5:
		asked := make([]fund.Request, 1+o.dice.IntN(6))
		for i := range asked {
			r := fund.Request{
				SubjectID: uuid.Must(uuid.NewV7()), Amount: money.Cents(1 + o.dice.IntN(4)*100), ReadyAt: &now,
				Confirm: fund.Term{Days: 1 + o.dice.IntN(9)},
			}
			switch o.dice.IntN(6) {
			case 0:
				r.ReadyAt = nil
			case 1:
				later := now.AddDate(0, 0, o.dice.IntN(4))
				r.ReadyAt, r.PriorityDate = &later, fmt.Sprintf("2025-12-%02d", 1+o.dice.IntN(30))
			}
			asked[i] = r
		}
		o.try(func(b *fund.Book) error {
			for _, r := range asked {
				if _, err := b.Claim(o.code, r, now); err != nil {
					return err
				}
			}
			return nil
		})
		for _, r := range asked {
			date := r.PriorityDate
			if date == "" {
				date = fund.LastPriority
			}
			o.model.add(now, func(p *paper, _ time.Time) {
				p.rows = append(p.rows, &paperRow{
					subject: r.SubjectID, rank: len(p.rows) + 1, date: date, amount: r.Amount, ready: r.ReadyAt, state: fund.Pending, days: r.Confirm.Days,
				})
			})
			subjects = append(subjects, r.SubjectID)
		}
		return "claim", subjects
	case n == 5:
		s := some()
		if o.try(func(b *fund.Book) error { return b.Release(s, now) }, s) {
			o.model.add(now, func(p *paper, _ time.Time) { p.row(s).state = fund.Closed })
		}
		return "release", subjects
	case n == 6:
		s := some()
		o.try(func(b *fund.Book) error { b.Complete(s, now, now); return nil }, s)
		o.model.add(now, func(p *paper, at time.Time) {
			if r := p.row(s); r != nil && r.state == fund.Pending && r.ready == nil {
				r.ready = &at
			}
		})
		return "complete", subjects
	case n == 7:
		s, part := some(), money.Cents(o.dice.IntN(3))
		var spent money.Cents
		if o.try(func(b *fund.Book) error {
			b.Settle(now)
			c, _ := b.Of(s)
			spent = c.Amount - min(part*50, c.Amount)
			return b.Spend(s, spent, now)
		}, s) {
			o.model.add(now, func(p *paper, _ time.Time) { p.row(s).state, p.row(s).amount = fund.Spent, spent })
		}
		return "spend", subjects
	case n == 8:
		s, ends := some(), now.AddDate(0, 0, o.dice.IntN(12)-2)
		if o.try(func(b *fund.Book) error { return b.Extend(s, ends, now) }, s) {
			if ends.Before(now) {
				ends = now
			}
			o.model.add(now, func(p *paper, at time.Time) {
				p.row(s).ends = ends
				p.wait(at)
			})
		}
		return "extend", subjects
	case n == 9:
		budget := money.Cents(o.dice.IntN(40) * 100)
		o.moving = true
		defer func() { o.moving = false }()
		if o.try(func(b *fund.Book) error {
			err := b.SetBudget(o.code, budget, nil, now)
			if fault.Is(err, fault.BudgetBelowCommitments) {
				return fault.New(fault.Conflict)
			}
			return err
		}) {
			o.model.add(now, func(p *paper, _ time.Time) { p.budget = budget })
		}
		return "budget", subjects
	default:
		o.clock.Advance(time.Duration(o.dice.IntN(96)) * time.Hour)
		if o.dice.IntN(2) == 0 {
			if err := o.funds.Some(ctx, o.code, o.clock.Now()); err != nil {
				o.t.Fatal(err)
			}
		}
		return "time", subjects
	}
}

// TestFund_IsGivenOutAsOnPaper plays at random, with a model that is replayed from the beginning.
func TestFund_IsGivenOutAsOnPaper(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rounds := 12
		if testing.Short() {
			rounds = 5
		}
		for seed := range rounds {
			c := clock.NewManual(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
			o := &office{
				t: t, db: d, clock: c, funds: fund.NewService(fund.Deps{Runner: &operation.Runner{DB: d, Clock: c}}),
				dice: world.Dice(seed), code: fmt.Sprintf("F-%d", seed),
			}
			o.funds.SetMostMoves([]int{500, 1, 2, 5}[seed%4])
			var subjects []uuid.UUID
			for n := range 80 {
				var step string
				step, subjects = o.step(subjects)
				if o.dice.IntN(3) == 0 {
					o.check(fmt.Sprintf("seed %d, step %d (%s)", seed, n, step))
				}
			}
			c.Advance(90 * 24 * time.Hour)
			o.check(fmt.Sprintf("seed %d, at the end", seed))
		}
	})
}

func TestTerm_EndsAtMidnightInRome(t *testing.T) {
	accepted := time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC) // the Thursday before Easter
	for want, term := range map[string]fund.Term{
		"2026-04-09T22:00:00Z": {Days: 7}, "2026-04-07T22:00:00Z": {Days: 2, Working: true},
	} {
		if got := term.EndsAfter(accepted).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%+v ends at %s, want %s", term, got, want)
		}
	}
	if end := (fund.Term{}).EndsAfter(accepted); end != nil {
		t.Errorf("no term ends at %s", end)
	}
}

// A cursor is text that anybody can make up. One that was never given is refused, whatever it says.
func TestQueue_TakesNoCursorThatItNeverGave(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		funds := fund.NewService(fund.Deps{Runner: &operation.Runner{DB: d, Clock: clock.System{}}})
		if err := d.InTx(ctx, func(ctx context.Context) error { return funds.Ensure(ctx, fund.New{Code: "F", Title: "F"}) }); err != nil {
			t.Fatal(err)
		}
		ask := func(text string) error {
			cursor, err := json.Marshal(page.Key{Text: text, ID: uuid.NameSpaceOID})
			if err != nil {
				t.Fatal(err)
			}
			_, err = funds.Queue(ctx, "F", page.Request{Cursor: base64.RawURLEncoding.EncodeToString(cursor)})
			return err
		}
		for _, text := range []string{
			"2026-01-01", "2026-01-01x", "2026-01-019223372036854775807", "2026-01-0\x001", "2026-13-011", "2026-01-\u00e0\u00e01", "1",
			"aaaaaaaaa\u00e01",
		} {
			if err := ask(text); !fault.Is(err, fault.Malformed) {
				t.Errorf("%q: %v", text, err)
			}
		}
		for _, text := range []string{"2026-01-011", fund.LastPriority + "7"} {
			if err := ask(text); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
