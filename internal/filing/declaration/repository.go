package declaration

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/db/direct"
	"diresco/internal/kernel/access"
	"diresco/internal/kernel/review"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes declarations. Their receipts are in the protocol register.
type repository struct {
	db    *db.DB
	types *Types
	// loader reads declarations for many requests with one statement; nil on SQLite, where a
	// statement is no journey.
	loader *batch.Loader[uuid.UUID, View]
	// stride is how lists over many contributors go.
	stride access.Stride
}

const (
	shownTogether = 128
	shownLanes    = 2
)

func newRepository(d *db.DB, types *Types) *repository {
	r := &repository{db: d, types: types, stride: access.DefaultStride()}
	if d.Dialect() == db.Postgres {
		r.loader = batch.NewLoader(shownTogether, shownLanes, r.allFiled)
	}
	return r
}

// drafts returns how many drafts a person has for a contributor.
func (r repository) drafts(ctx context.Context, contributorID, personID uuid.UUID) (int, error) {
	var n int
	const countDrafts = "SELECT COUNT(*) FROM declarations WHERE contributor_id = ? AND person_id = ? AND state = 'draft'"
	return n, r.db.From(ctx).Raw(countDrafts, contributorID, personID).Scan(&n).Error
}

func (r *repository) create(ctx context.Context, declarations ...Declaration) error {
	return db.InsertAll(ctx, r.db, declarations)
}

// registered reports whether the register has a declaration with this digest, and this text as its
// receipt. Nobody was given another one.
func (r *repository) registered(ctx context.Context, id uuid.UUID, digest, jws string) (bool, error) {
	var found []string
	err := r.db.From(ctx).Raw("SELECT jws FROM protocol_entries WHERE subject_id = ? AND digest = ? AND jws IS NOT NULL", id, digest).
		Scan(&found).Error
	return len(found) == 1 && found[0] == jws, err
}

// summary returns what the register has of a declaration that was given a receipt.
func (r *repository) summary(ctx context.Context, id uuid.UUID) (s summary, found bool, err error) {
	var rows []summary
	err = r.db.From(ctx).Raw("SELECT d.id AS declaration_id, d.protocol_number, e.at AS submitted_at, e.digest FROM declarations d "+
		"JOIN protocol_entries e ON e.subject_id = d.id WHERE d.id = ? AND e.jws IS NOT NULL", id).Scan(&rows).Error
	if err != nil || len(rows) != 1 {
		return summary{}, false, err
	}
	return rows[0], true, nil
}

// filed reads one declaration with its maker's names and its receipt, in the context's transaction
// if there is one.
func (r *repository) filed(ctx context.Context, id uuid.UUID) (View, error) {
	f, err := r.stored(ctx, id)
	if err != nil {
		return f, err
	}
	return r.typed(ctx, f)
}

// typed adds to a stored declaration what its type says.
func (r *repository) typed(ctx context.Context, f View) (View, error) {
	t, err := r.types.Version(ctx, f.Type, f.TypeVersion)
	if err != nil {
		return f, err
	}
	f.Withdrawal = t.Withdrawal
	return f, nil
}

// stored is filed without what the type says.
func (r *repository) stored(ctx context.Context, id uuid.UUID) (View, error) {
	if r.loader != nil && !r.db.WithinTx(ctx) {
		f, found, err := r.loader.Load(ctx, id)
		if err == nil && !found {
			err = fault.New(fault.NotFound)
		}
		return f, err
	}
	var f View
	err := r.db.From(ctx).Raw(selectFiled+"d.id = ?", id).Take(&f).Error
	return f, notFound(err)
}

// allFiled is filed for many, on PostgreSQL.
func (r *repository) allFiled(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]View, error) {
	rows, err := direct.All(ctx, r.db, readFiled, selectFiled+"d.id = ANY ((SELECT $1::uuid[])::uuid[])", db.UUIDs(ids))
	if err != nil {
		return nil, err
	}
	all := make(map[uuid.UUID]View, len(rows))
	for _, f := range rows {
		all[f.ID] = f
	}
	return all, nil
}

// asFiled reads a submitted declaration as it was when it was filed, whatever became of it since.
func (r *repository) asFiled(ctx context.Context, id uuid.UUID) (View, error) {
	f, err := r.filed(ctx, id)
	if err != nil {
		return f, err
	}
	var x struct {
		FiledState   State
		FiledVersion int
	}
	const selectAsFiled = "SELECT filed_state, filed_version FROM protocol_entries WHERE subject_id = ? AND jws IS NOT NULL"
	if err := r.db.From(ctx).Raw(selectAsFiled, id).Take(&x).Error; err != nil {
		return f, notFound(err)
	}
	f.State, f.Version, f.UpdatedAt = x.FiledState, x.FiledVersion, *f.SubmittedAt
	f.Declaration = f.atFiling()
	return f, nil
}

// lock reads one declaration and keeps everybody else from changing it until the context's
// transaction ends.
func (r *repository) lock(ctx context.Context, id uuid.UUID) (Declaration, error) {
	var d Declaration
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Declaration]("")+" FROM declarations WHERE id = ?"+r.db.ForUpdate(), id).Take(&d).Error
	return d, notFound(err)
}

// lockAll is lock for many, in the order of their ids; what does not exist is left out.
func (r *repository) lockAll(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Declaration, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []Declaration
	if err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Declaration]("")+" FROM declarations WHERE id IN ? ORDER BY id"+r.db.ForUpdate(), ids,
	).Scan(&rows).Error; err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID]Declaration, len(rows))
	for _, d := range rows {
		found[d.ID] = d
	}
	return found, nil
}

// read reads declarations without a lock.
func (r *repository) read(ctx context.Context, ids []uuid.UUID) ([]Declaration, error) {
	var rows []Declaration
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Declaration]("")+" FROM declarations WHERE id IN ? ORDER BY id", ids).Scan(&rows).Error
	return rows, err
}

// saveDraft writes what may change in a draft, over a row that the caller holds locked.
// (UpdateColumns, here and below: Updates would write the machine's time into updated_at.)
func (r *repository) saveDraft(ctx context.Context, d Declaration) error {
	return r.db.From(ctx).Model(&Declaration{}).Where("id = ?", d.ID).
		Select("position_id", "office_code", "type_version", "content", "step", "worker_tax_code", "version", "updated_at").
		UpdateColumns(&d).Error
}

// submitDraft writes what submission makes of a draft, over a row that the caller holds locked.
func (r *repository) submitDraft(ctx context.Context, d Declaration) error {
	return r.db.From(ctx).Model(&Declaration{}).Where("id = ?", d.ID).
		Select(
			"type_version", "state", "worker_tax_code", "person_id", "acting_as", "right_id", "application_id", "version", "updated_at",
			"listed_at", "submitted_at", "protocol_number", "digest", "amount", "reasons", "decided_at", "hire_by", "confirm_by", "ends_at",
		).UpdateColumns(&d).Error
}

func (r *repository) remove(ctx context.Context, id uuid.UUID) error {
	return r.db.From(ctx).Exec("DELETE FROM declarations WHERE id = ? AND state = 'draft'", id).Error
}

// scope says whose declarations a list shows.
type scope func(d db.Dialect) narrowing

// ofContributor shows what was submitted for the contributor, by whomever. It also shows the drafts
// that are the actor's own or under one of the actor's rights.
func ofContributor(by access.Actor) scope {
	return func(d db.Dialect) narrowing {
		n := narrowing{args: map[string]any{}}
		n.and("d.contributor_id = @owner", "owner", by.ContributorID)
		if positions := by.Positions(access.Declarations); positions != nil {
			n.and("d.position_id "+anyOf(d, "@positions"), "positions", idsFor(d, positions))
		}
		if by.Consults() {
			n.and("d.office_code = @office AND d.state <> 'draft'", "office", by.OfficeCode)
			return n
		}
		n.args["maker"] = by.PersonID
		n.and("(d.state <> 'draft' OR d.person_id = @maker OR d.right_id "+anyOf(d, "@rights")+")", "rights", idsFor(d, by.RightIDs()))
		return n
	}
}

// ofOffice shows what was submitted to the office.
func ofOffice(code string) scope {
	return func(db.Dialect) narrowing {
		n := narrowing{args: map[string]any{}}
		n.and("d.office_code = @office AND d.state <> 'draft'", "office", code)
		return n
	}
}

// anyOf is the condition that an id is in a list, which travels as one value where it can.
func anyOf(d db.Dialect, list string) string {
	if d == db.Postgres {
		return "= ANY (" + list + ")"
	}
	return "IN " + list
}

func idsFor(d db.Dialect, ids []uuid.UUID) any {
	if d == db.Postgres {
		return db.UUIDs(ids)
	}
	return ids
}

// list returns a page, the latest first. How long it is stands in the statement: a value for it
// would have PostgreSQL plan for each page anew, since the plan for any length is so much worse.
func (r *repository) list(ctx context.Context, in scope, f Filter, request page.Request) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	where := in(r.db.Dialect()).with(f.within(after)).with(f.only())
	most := strconv.Itoa(request.Size() + 1)
	if f.WorkerTaxCode != "" {
		// PostgreSQL would rather sort the few declarations of a worker than read them in order.
		most, where.args["most"] = "@most", request.Size()+1
	}
	rows, err := db.FromReplica(ctx, r.db, func(ctx context.Context) ([]View, error) {
		return r.listed(ctx, "SELECT "+listColumns+" FROM "+r.tableFor(f)+" JOIN people p ON p.id = d.person_id WHERE "+
			where.condition()+" ORDER BY d.listed_at DESC, d.id DESC LIMIT "+most, where.args)
	})
	if err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), listedKey), nil
}

// tableFor is the table of a list. SQLite does not see by itself how few declarations end by
// themselves.
func (r *repository) tableFor(f Filter) string {
	if f.LapsesBefore != nil && r.db.Dialect() == db.SQLite {
		return "declarations d INDEXED BY declarations_by_office_end"
	}
	return "declarations d"
}

func listedKey(d View) page.Key { return page.Key{At: d.ListedAt, ID: d.ID} }

// narrowing is a part of a condition in SQL, each piece behind an AND, with named arguments.
type narrowing struct {
	sql  string
	args map[string]any
}

func (n *narrowing) and(condition, name string, value any) {
	n.sql += " AND " + condition
	n.args[name] = value
}

// with is both together.
func (n narrowing) with(other narrowing) narrowing {
	maps.Copy(n.args, other.args)
	return narrowing{n.sql + other.sql, n.args}
}

// condition is the narrowing behind a WHERE.
func (n narrowing) condition() string { return strings.TrimPrefix(n.sql, " AND ") }

// of narrows a query down.
func (n narrowing) of(query *gorm.DB) *gorm.DB {
	if n.sql == "" {
		return query
	}
	return query.Where(n.condition(), n.args)
}

// within is the range of the list, behind a place in it, where the filter lets rows d through.
func (f Filter) within(after *page.Key) narrowing {
	n := narrowing{args: map[string]any{}}
	if f.SubmittedFrom != nil {
		n.and("d.listed_at >= @from", "from", f.SubmittedFrom.UTC())
	}
	// The nearer of the two ends stands alone. With both, SQLite would begin at the farther one and
	// read up to the nearer.
	if f.SubmittedTo != nil && (after == nil || !after.At.Before(*f.SubmittedTo)) {
		n.and("d.listed_at < @to", "to", f.SubmittedTo.UTC())
	} else if after != nil {
		n.args["after_at"] = after.At.UTC()
		n.and("(d.listed_at, d.id) < (@after_at, @after_id)", "after_id", after.ID)
	}
	return n
}

// only is what else the filter asks of rows d.
func (f Filter) only() narrowing {
	n := narrowing{args: map[string]any{}}
	if f.Type != "" {
		n.and("d.type = @type", "type", f.Type)
	}
	if f.State != "" {
		n.and("d.state = @state", "state", f.State)
	}
	if f.SubmittedFrom != nil || f.SubmittedTo != nil {
		n.sql += " AND d.state <> 'draft'"
	}
	if f.WorkerTaxCode != "" {
		n.and("d.worker_tax_code = @worker", "worker", f.WorkerTaxCode)
	}
	if f.ContributorID != uuid.Nil {
		n.and("d.contributor_id = @contributor", "contributor", f.ContributorID)
	}
	switch f.Assigned {
	case review.AssignedToMe:
		n.and("d.state = 'in_charge' AND d.assigned_to = @operator", "operator", f.operator)
	case review.AssignedToNobody:
		n.and("d.state = @unassigned", "unassigned", Submitted)
	}
	if f.LapsesBefore != nil {
		n.and("d.ends_at < @lapses_before", "lapses_before", f.LapsesBefore.UTC())
	}
	return n
}

// facts reads what the printed receipt tells beside the declaration itself.
func (r *repository) facts(ctx context.Context, d Declaration) (printed, error) {
	var p printed
	err := r.db.From(ctx).Raw(`SELECT c.legal_name, c.tax_code, x.number AS position_number, o.title AS office_name,
		COALESCE(y.display_name, '') AS application
		FROM contributors c JOIN positions x ON x.contributor_id = c.id
		JOIN offices o ON o.code = ? LEFT JOIN applications y ON y.id = ? WHERE x.id = ?`,
		d.OfficeCode, d.ApplicationID, d.PositionID).Take(&p).Error
	return p, notFound(err)
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}

// waitingRow is a declaration that waits for dispositive credentials.
type waitingRow struct {
	ID           uuid.UUID
	SupersedesID *uuid.UUID
	// ReservationID is what it confirms.
	ReservationID *uuid.UUID
	SubmittedAt   time.Time
}

// FiledAt implements protocol.Awaited.
func (w waitingRow) FiledAt() time.Time { return w.SubmittedAt }

const selectWaiting = "SELECT id, supersedes_id, reservation_id, submitted_at FROM declarations WHERE state = 'awaiting_credentials' AND "

// AwaitingOf returns what a person filed that waits for dispositive credentials, in the order of
// filing.
func (r *repository) AwaitingOf(ctx context.Context, personID uuid.UUID) ([]waitingRow, error) {
	var rows []waitingRow
	err := r.db.From(ctx).Raw(selectWaiting+"person_id = ? ORDER BY submitted_at, id", personID).Scan(&rows).Error
	return rows, err
}

// AwaitingSince returns what waits for dispositive credentials and was filed before the instant, in
// the order of filing.
func (r *repository) AwaitingSince(ctx context.Context, before time.Time, limit int) ([]waitingRow, error) {
	var rows []waitingRow
	err := r.db.From(ctx).Raw(selectWaiting+"submitted_at < ? ORDER BY submitted_at, id LIMIT ?", before, limit).Scan(&rows).Error
	return rows, err
}
