package fund

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/operation"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/money"
	"diresco/internal/platform/page"
)

// Fund is a fund as the office sees it.
type Fund struct {
	Code     string
	Title    string
	Budget   money.Cents
	Reserved money.Cents
	Spent    money.Cents
	// Waiting is how many found no money and wait for it.
	Waiting int
	// Number is that of the last entry, Settings that of the last which set the budget.
	Number   int
	Settings int
}

// Available is what may still be reserved.
func (f Fund) Available() money.Cents { return f.Budget - f.Reserved - f.Spent }

// Shown is what a tag of the fund tells beside its settings.
func (f Fund) Shown() string { return fmt.Sprintf("%d of %d waiting", f.Number, f.Waiting) }

// Available is what may still be reserved after the entry.
func (e Entry) Available() money.Cents { return e.Budget - e.Reserved - e.Spent }

// Replacement is what a fund is set to.
type Replacement struct {
	Budget money.Cents
	// Title may be nil: a fund keeps the one that it has.
	Title *string
}

// Queued is a declaration that has no money yet.
type Queued struct {
	Claim
	ProtocolNumber string
}

// Funds lists the funds by code, as they stand now.
func (s *Service) Funds(ctx context.Context, request page.Request) (page.Page[Fund], error) {
	if err := s.catchUpAll(ctx); err != nil {
		return page.Page[Fund]{}, err
	}
	return s.repo.list(ctx, request)
}

// Show returns a fund as it stands now, and fault.NotFound for an unknown code.
func (s *Service) Show(ctx context.Context, code string) (Fund, error) {
	if err := s.catchUp(ctx, code, s.run.Clock.Now()); err != nil {
		return Fund{}, err
	}
	return s.repo.show(ctx, code)
}

// present does what fell due in a fund without counting who waits, which Show does. It returns
// fault.NotFound for an unknown code.
func (s *Service) present(ctx context.Context, code string) error {
	if err := s.catchUp(ctx, code, s.run.Clock.Now()); err != nil {
		return err
	}
	return s.known(ctx, code)
}

func (s *Service) known(ctx context.Context, code string) error {
	missing, err := s.repo.missing(ctx, []string{code})
	if err == nil && len(missing) > 0 {
		err = fault.New(fault.NotFound)
	}
	return err
}

func (s *Service) catchUpAll(ctx context.Context) error {
	now := s.run.Clock.Now()
	due, err := s.repo.dueCodes(ctx, now)
	if err != nil {
		return err
	}
	for _, fund := range due {
		if err := s.catchUp(ctx, fund.FundCode, now); err != nil {
			return err
		}
	}
	return nil
}

// Create makes a fund. It returns fault.PreconditionFailed where there is one already.
func (s *Service) Create(ctx context.Context, by access.Actor, code string, in Replacement) (Fund, error) {
	return s.set(ctx, by, code, func(ctx context.Context) error {
		missing, err := s.repo.missing(ctx, []string{code})
		if err == nil && len(missing) == 0 {
			err = fault.New(fault.PreconditionFailed)
		}
		if err != nil {
			return err
		}
		title := code
		if in.Title != nil {
			title = *in.Title
		}
		return s.repo.add(ctx, []fundRow{{code, title, s.run.Clock.Now()}})
	}, in)
}

// Replace sets budget and title of a fund that the caller read with the expected settings. It
// returns these faults:
//   - fault.NotFound: there is no such fund;
//   - fault.PreconditionFailed: somebody set it since;
//   - fault.BudgetBelowCommitments: more is reserved and spent.
func (s *Service) Replace(ctx context.Context, by access.Actor, code string, expected int, in Replacement) (Fund, error) {
	// What is long due is no part of this transaction.
	if err := s.catchUp(ctx, code, s.run.Clock.Now()); err != nil {
		return Fund{}, err
	}
	return s.set(ctx, by, code, func(ctx context.Context) error {
		if err := s.known(ctx, code); err != nil {
			return err
		}
		if _, err := s.repo.lock(ctx, []string{code}); err != nil {
			return err
		}
		now, err := s.repo.show(ctx, code)
		if err != nil {
			return err
		}
		if err := fault.RequireVersion(expected, now.Settings); err != nil {
			return err
		}
		if in.Title != nil {
			return s.repo.rename(ctx, code, *in.Title)
		}
		return nil
	}, in)
}

// set sets the budget after a check, which locks the fund. The trail tells the new budget.
func (s *Service) set(
	ctx context.Context, by access.Actor, code string, check func(ctx context.Context) error, in Replacement,
) (Fund, error) {
	return operation.Do(ctx, s.run, by, code, func(ctx context.Context, trace *operation.Trace) (Fund, error) {
		trace.SubjectKind, trace.Right = SubjectKind, by.Office()
		detail, err := json.Marshal(map[string]string{"amount": in.Budget.String()})
		if err != nil {
			return Fund{}, err
		}
		trace.Detail = string(detail)
		// Two that make one fund come one after the other.
		if err := s.run.DB.LockName(ctx, "fund "+code); err != nil {
			return Fund{}, err
		}
		if err := check(ctx); err != nil {
			return Fund{}, err
		}
		now := s.run.Clock.Now()
		b, err := s.lock(ctx, now, []string{code}, nil, true)
		if err != nil {
			return Fund{}, err
		}
		if err := b.SetBudget(code, in.Budget, &by.PersonID, now); err != nil {
			return Fund{}, err
		}
		if err := s.Finish(ctx, b); err != nil {
			return Fund{}, err
		}
		return s.repo.show(ctx, code)
	}, func(ctx context.Context, code string) (Fund, error) { return s.repo.show(ctx, code) })
}

// Entries lists the ledger of a fund, the latest entry first.
func (s *Service) Entries(ctx context.Context, code string, request page.Request) (page.Page[Entry], error) {
	if err := s.present(ctx, code); err != nil {
		return page.Page[Entry]{}, err
	}
	return s.repo.entries(ctx, code, request)
}

// entriesAtOnce is how many entries are read at a time of a whole ledger.
const entriesAtOnce = 1000

// Ledger gives the whole ledger of a fund, the first entry first, some entries at a time. The last
// call gives none.
func (s *Service) Ledger(ctx context.Context, code string) (func() ([]Entry, error), error) {
	if err := s.present(ctx, code); err != nil {
		return nil, err
	}
	last := 0
	return func() ([]Entry, error) {
		rows, err := s.repo.entriesAfter(ctx, code, last, entriesAtOnce)
		if len(rows) > 0 {
			last = rows[len(rows)-1].Number
		}
		return rows, err
	}, nil
}

// Queue lists who has no money of a fund yet, in the order of service.
func (s *Service) Queue(ctx context.Context, code string, request page.Request) (page.Page[Queued], error) {
	if err := s.present(ctx, code); err != nil {
		return page.Page[Queued]{}, err
	}
	return s.repo.queue(ctx, code, request)
}

var selectFunds = `SELECT f.code, f.title, e.number, e.budget, e.reserved, e.spent,
	(SELECT COUNT(*) FROM fund_claims c WHERE c.fund_code = f.code AND c.state = 'waiting') AS waiting,
	(SELECT MAX(s.number) FROM fund_entries s WHERE s.fund_code = f.code AND s.kind = 'budget') AS settings
	FROM funds f JOIN fund_entries e ON e.fund_code = f.code
	AND e.number = (SELECT MAX(n.number) FROM fund_entries n WHERE n.fund_code = f.code)`

func (r repository) show(ctx context.Context, code string) (Fund, error) {
	var f Fund
	err := r.db.From(ctx).Raw(selectFunds+" WHERE f.code = ?", code).Take(&f).Error
	if db.IsNotFound(err) {
		err = fault.New(fault.NotFound)
	}
	return f, err
}

func (r repository) list(ctx context.Context, request page.Request) (page.Page[Fund], error) {
	var none page.Page[Fund]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	from := ""
	if after != nil {
		from = after.Text
	}
	var rows []Fund
	if err := r.db.From(ctx).Raw(
		selectFunds+" WHERE f.code > ? ORDER BY f.code LIMIT ?", from, request.Size()+1,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(f Fund) page.Key { return page.Key{Text: f.Code, ID: uuid.NameSpaceOID} }), nil
}

var selectEntries = "SELECT " + db.Columns[Entry]("") + " FROM fund_entries WHERE fund_code = ? AND "

func (r repository) entries(ctx context.Context, code string, request page.Request) (page.Page[Entry], error) {
	var none page.Page[Entry]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	before := int64(math.MaxInt32)
	if after != nil {
		if before, err = strconv.ParseInt(after.Text, 10, 32); err != nil {
			return none, fault.New(fault.Malformed)
		}
	}
	var rows []Entry
	if err := r.db.From(ctx).Raw(selectEntries+"number < ? ORDER BY number DESC LIMIT ?", code, before, request.Size()+1).Scan(
		&rows,
	).Error; err != nil {
		return none, err
	}
	return page.Cut(normalEntries(rows), request.Size(), func(e Entry) page.Key {
		return page.Key{Text: strconv.Itoa(e.Number), ID: uuid.NameSpaceOID}
	}), nil
}

func (r repository) entriesAfter(ctx context.Context, code string, last, limit int) ([]Entry, error) {
	var rows []Entry
	err := r.db.From(ctx).Raw(selectEntries+"number > ? ORDER BY number LIMIT ?", code, last, limit).Scan(&rows).Error
	return normalEntries(rows), err
}

func normalEntries(rows []Entry) []Entry {
	for i := range rows {
		rows[i].At = clock.Normal(rows[i].At)
	}
	return rows
}

var selectQueue = "SELECT " + db.Columns[Claim]("c") + `, COALESCE(d.protocol_number, '') AS protocol_number
	FROM fund_claims c JOIN declarations d ON d.id = c.subject_id WHERE c.fund_code = ? AND c.state IN ('pending', 'waiting')`

func (r repository) queue(ctx context.Context, code string, request page.Request) (page.Page[Queued], error) {
	var none page.Page[Queued]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	from, args := "", []any{code}
	if after != nil {
		date, rank, err := queuePlace(after.Text)
		if err != nil {
			return none, fault.New(fault.Malformed)
		}
		from, args = " AND (c.priority_date, c.rank) > (?, ?)", append(args, date, rank)
	}
	var rows []Queued
	if err := r.db.From(ctx).Raw(
		selectQueue+from+" ORDER BY c.priority_date, c.rank LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	for i := range rows {
		rows[i].normal()
	}
	return page.Cut(rows, request.Size(), func(q Queued) page.Key {
		return page.Key{Text: q.PriorityDate + strconv.Itoa(q.Rank), ID: q.SubjectID}
	}), nil
}

// queuePlace reads a place in the queue: a priority date, and a rank behind it.
func queuePlace(text string) (date string, rank int64, err error) {
	date = text[:min(len(text), len(LastPriority))]
	if _, err = time.Parse(time.DateOnly, date); err == nil {
		rank, err = strconv.ParseInt(text[len(date):], 10, 32)
	}
	return date, rank, err
}

// normal makes the instants of a stored claim UTC.
func (c *Claim) normal() {
	c.FiledAt = clock.Normal(c.FiledAt)
	for _, at := range []*time.Time{c.ReadyAt, c.EndsAt} {
		if at != nil {
			*at = clock.Normal(*at)
		}
	}
}
