package fund

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/money"
)

// repository reads and writes funds, their entries and claims.
type repository struct{ db *db.DB }

// fundRow is the row that is locked while something moves in a fund.
type fundRow struct {
	Code      string
	Title     string
	CreatedAt time.Time
}

// TableName tells GORM the table.
func (fundRow) TableName() string { return "funds" }

// spare is how many claims are loaded beyond those that may move in a transaction. So there is
// always one that comes next.
const spare = 8

// lock locks funds in the order of their codes, and returns those that exist.
func (r repository) lock(ctx context.Context, codes []string) ([]string, error) {
	var found []string
	err := r.db.From(ctx).Raw("SELECT code FROM funds WHERE code IN ? ORDER BY code"+r.db.ForUpdate(), codes).Scan(&found).Error
	return found, err
}

// add makes funds that are not there yet. Each begins with an empty budget.
func (r repository) add(ctx context.Context, funds []fundRow) error {
	entries := make([]Entry, len(funds))
	for i, f := range funds {
		entries[i] = Entry{FundCode: f.Code, Number: 1, At: f.CreatedAt, Kind: BudgetSet}
	}
	if err := db.InsertMissing(ctx, r.db, funds); err != nil {
		return err
	}
	return db.InsertMissing(ctx, r.db, entries)
}

// state is where a fund stands.
type state struct {
	Entry
	Rank int
	// NextEnd and NextReady are when the next thing falls due.
	NextEnd   *time.Time
	NextReady *time.Time
	// Head is the amount of the first that waits.
	Head *money.Cents
}

// due reports whether something is left to be done by the instant.
func (s state) due(until time.Time) bool {
	return s.NextEnd != nil && !s.NextEnd.After(until) || s.NextReady != nil && !s.NextReady.After(until) || s.unserved()
}

func (s state) unserved() bool { return s.Head != nil && *s.Head <= s.Budget-s.Reserved-s.Spent }

var selectStates = "SELECT " + db.Columns[Entry]("e") + `,
	COALESCE((SELECT c.rank FROM fund_claims c WHERE c.fund_code = e.fund_code ORDER BY c.rank DESC LIMIT 1), 0) AS rank,
	(SELECT c.ends_at FROM fund_claims c WHERE c.fund_code = e.fund_code AND c.state IN ('waiting', 'reserved')
		ORDER BY c.ends_at LIMIT 1) AS next_end,
	(SELECT c.ready_at FROM fund_claims c WHERE c.fund_code = e.fund_code AND c.state = 'pending' AND c.ready_at IS NOT NULL
		ORDER BY c.ready_at LIMIT 1) AS next_ready,
	(SELECT c.amount FROM fund_claims c WHERE c.fund_code = e.fund_code AND c.state = 'waiting'
		ORDER BY c.priority_date, c.rank LIMIT 1) AS head
	FROM funds f JOIN fund_entries e ON e.fund_code = f.code
	AND e.number = (SELECT MAX(n.number) FROM fund_entries n WHERE n.fund_code = f.code)`

// states returns where funds stand: all, or those of the codes.
func (r repository) states(ctx context.Context, codes []string) ([]state, error) {
	var rows []state
	err := r.db.From(ctx).Raw(selectStates+" WHERE f.code IN ? ORDER BY f.code", codes).Scan(&rows).Error
	for i := range rows {
		rows[i].normal()
	}
	return rows, err
}

func (s *state) normal() {
	s.At = clock.Normal(s.At)
	for _, at := range []*time.Time{s.NextEnd, s.NextReady} {
		if at != nil {
			*at = clock.Normal(*at)
		}
	}
}

// codesOf returns of which funds subjects are claimants.
func (r repository) codesOf(ctx context.Context, subjects []uuid.UUID) ([]string, error) {
	var codes []string
	err := r.db.From(ctx).Raw("SELECT DISTINCT fund_code FROM fund_claims WHERE subject_id IN ?", subjects).Scan(&codes).Error
	return codes, err
}

var selectClaims = "SELECT " + db.Columns[Claim]("") + " FROM fund_claims WHERE "

func (r repository) claims(ctx context.Context, where string, args ...any) ([]Claim, error) {
	var rows []Claim
	err := r.db.From(ctx).Raw(selectClaims+where, args...).Scan(&rows).Error
	for i := range rows {
		rows[i].normal()
	}
	return rows, err
}

// The conditions on claims of one fund.
const (
	ending  = "fund_code = ? AND state IN ('waiting', 'reserved') AND ends_at <= ? ORDER BY ends_at, rank LIMIT ?"
	ripe    = "fund_code = ? AND state = 'pending' AND ready_at <= ? ORDER BY ready_at, priority_date, rank LIMIT ?"
	queuing = "fund_code = ? AND state = 'waiting' ORDER BY priority_date, rank LIMIT ?"
)

// window loads what may move in a fund by the instant: what is due, and who comes next.
func (r repository) window(ctx context.Context, m *machine, until time.Time, head int) error {
	n := m.left + spare
	for _, part := range []struct {
		where string
		args  []any
	}{
		{ending, []any{m.code, until, n}}, {ripe, []any{m.code, until, n}}, {queuing, []any{m.code, head}},
	} {
		rows, err := r.claims(ctx, part.where, part.args...)
		if err != nil {
			return err
		}
		m.load(rows...)
	}
	return nil
}

const overClaims = `ON CONFLICT (fund_code, rank) DO UPDATE SET amount = excluded.amount, ready_at = excluded.ready_at,
	state = excluded.state, ends_at = excluded.ends_at`

// save writes what moved in funds.
func (r repository) save(ctx context.Context, claims []Claim, entries []Entry) error {
	if err := db.InsertOver(ctx, r.db, claims, overClaims); err != nil {
		return err
	}
	return db.InsertAll(ctx, r.db, entries)
}

// dueCodes returns the funds in which something is left to be done by the instant.
func (r repository) dueCodes(ctx context.Context, until time.Time) ([]state, error) {
	var rows []state
	err := r.db.From(ctx).Raw(selectStates + " ORDER BY f.code").Scan(&rows).Error
	for i := range rows {
		rows[i].normal()
	}
	return slices.DeleteFunc(rows, func(s state) bool { return !s.due(until) }), err
}

// missing returns those of the codes that are no fund.
func (r repository) missing(ctx context.Context, codes []string) ([]string, error) {
	var found []string
	if err := r.db.From(ctx).Raw("SELECT code FROM funds WHERE code IN ?", codes).Scan(&found).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(codes), func(code string) bool { return slices.Contains(found, code) }), nil
}

func (r repository) rename(ctx context.Context, code, title string) error {
	return r.db.From(ctx).Exec("UPDATE funds SET title = ? WHERE code = ?", title, code).Error
}
