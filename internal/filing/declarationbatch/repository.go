package declarationbatch

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/job"
	"diresco/internal/platform/page"
)

// repository reads and writes batches.
type repository struct{ db *db.DB }

// one returns a batch, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Batch, error) {
	return r.take(ctx, id, "")
}

// lock is one for who changes the batch: others wait until the context's transaction ends.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Batch, error) {
	return r.take(ctx, id, r.db.ForUpdate())
}

func (r repository) take(ctx context.Context, id uuid.UUID, suffix string) (Batch, error) {
	var b Batch
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Batch]("")+" FROM declaration_batches WHERE id = ?"+suffix, id).Take(&b).Error
	if db.IsNotFound(err) {
		return b, fault.New(fault.NotFound)
	}
	return b, err
}

func (r repository) add(ctx context.Context, b Batch, items []Item) error {
	if err := r.db.From(ctx).Create(&b).Error; err != nil {
		return err
	}
	return db.InsertAll(ctx, r.db, items)
}

// openOf returns how many batches of a person are not over.
func (r repository) openOf(ctx context.Context, personID uuid.UUID) (int, error) {
	var n int
	const countOpen = "SELECT COUNT(*) FROM declaration_batches WHERE finished_at IS NULL AND person_id = ?"
	return n, r.db.From(ctx).Raw(countOpen, personID).Scan(&n).Error
}

// count adds items that do not wait any more to a batch that the caller has leased, and returns it.
func (r repository) count(ctx context.Context, id uuid.UUID, filed, refused int) (Batch, error) {
	err := r.db.From(ctx).Exec(
		"UPDATE declaration_batches SET items_filed = items_filed + ?, items_refused = items_refused + ? WHERE id = ?", filed, refused, id,
	).Error
	if err != nil {
		return Batch{}, err
	}
	return r.one(ctx, id)
}

// beyond reports whether something was filed for other positions than these.
func (r repository) beyond(ctx context.Context, batchID uuid.UUID, positions []uuid.UUID) (bool, error) {
	var found []int
	query := "SELECT 1 FROM declaration_batch_items WHERE batch_id = ? AND state = 'filed'"
	args := []any{batchID}
	if len(positions) > 0 {
		query, args = query+" AND position_id NOT IN ?", append(args, positions)
	}
	err := r.db.From(ctx).Raw(query+" LIMIT 1", args...).Scan(&found).Error
	return len(found) > 0, err
}

// list returns a page of a contributor's batches, the latest first. They are those that a person
// sent, and those of others under one of the rights.
func (r repository) list(ctx context.Context, by access.Actor, request page.Request) (page.Page[Batch], error) {
	var none page.Page[Batch]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query := r.db.From(ctx).Table("declaration_batches b").Select(db.Columns[Batch]("b")).
		Where("b.contributor_id = ? AND (b.person_id = ? OR b.right_id IN ?)", by.ContributorID, by.PersonID, by.RightIDs())
	if positions := by.Positions(access.Declarations); positions != nil {
		if len(positions) == 0 {
			positions = []uuid.UUID{uuid.Nil} // NOT IN is true of no row where the list is empty
		}
		query = query.Where(
			"NOT EXISTS (SELECT 1 FROM declaration_batch_items i WHERE i.batch_id = b.id AND i.state = 'filed' AND i.position_id NOT IN ?)",
			positions,
		)
	}
	if after != nil {
		query = query.Where("(b.created_at, b.id) < ( ?, ?)", after.At.UTC(), after.ID)
	}
	var batches []Batch
	if err := query.Order("b.created_at DESC, b.id DESC").Limit(request.Size() + 1).Find(&batches).Error; err != nil {
		return none, err
	}
	return page.Cut(batches, request.Size(), func(b Batch) page.Key { return page.Key{At: b.CreatedAt, ID: b.ID} }), nil
}

var selectItems = "SELECT " + db.Columns[Item]("i") + `, d.protocol_number, d.submitted_at, d.digest, x.jws FROM declaration_batch_items i
	LEFT JOIN declarations d ON d.id = i.declaration_id AND i.state = 'filed' LEFT JOIN protocol_entries x ON x.subject_id = d.id
	WHERE i.batch_id = ? AND i.line > ?`

// items returns items of a batch behind a line, in their order. What was filed has its receipt. The
// state may be empty.
func (r repository) items(ctx context.Context, batchID uuid.UUID, state ItemState, line, limit int) ([]ItemView, error) {
	query, args := selectItems, []any{batchID, line}
	if state != "" {
		query, args = query+" AND i.state = ?", append(args, state)
	}
	var rows []ItemView
	err := r.db.From(ctx).Raw(query+" ORDER BY i.line LIMIT ?", append(args, limit)...).Scan(&rows).Error
	return rows, err
}

// cancel ends a batch that the caller holds locked, with what of it waits.
func (r repository) cancel(ctx context.Context, id uuid.UUID, now time.Time) error {
	err := r.db.From(ctx).Exec(
		"UPDATE declaration_batch_items SET state = ?, content = '' WHERE batch_id = ? AND state = ?", ItemCancelled, id, Pending,
	).Error
	if err != nil {
		return err
	}
	return r.finish(ctx, id, Cancelled, now)
}

// finish ends a batch; what waits of it is counted as cancelled.
func (r repository) finish(ctx context.Context, id uuid.UUID, state State, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE declaration_batches SET state = ?, finished_at = ?, lease_owner = NULL, lease_until = NULL, "+
		"items_cancelled = items_total - items_filed - items_refused WHERE id = ?", state, now, id).Error
}

// open reports whether there is a batch to be worked on.
func (r repository) open(ctx context.Context) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM declaration_batches WHERE finished_at IS NULL LIMIT 1").Scan(&found).Error
	return len(found) > 0, err
}

// candidates are how many of the oldest open batches are tried for a lease.
const candidates = 16

// claim leases the oldest open batch that is nobody else's, and returns false where there is none.
func (r repository) claim(ctx context.Context, lease job.Lease) (b Batch, mine bool, err error) {
	var ids []uuid.UUID
	const selectOpen = "SELECT id FROM declaration_batches WHERE finished_at IS NULL " +
		"AND (lease_owner = ? OR lease_until IS NULL OR lease_until <= ?) ORDER BY created_at, id LIMIT ?"
	if err := r.db.From(ctx).Raw(selectOpen, lease.Owner, lease.At, candidates).Scan(&ids).Error; err != nil {
		return b, false, err
	}
	for _, id := range ids {
		err = r.db.InTx(ctx, func(ctx context.Context) error {
			if mine, err = lease.Take(ctx, r.db, "declaration_batches", "id = ? AND finished_at IS NULL", id); err != nil || !mine {
				return err
			}
			if err := r.db.From(ctx).Exec(
				"UPDATE declaration_batches SET state = ?, started_at = ? WHERE id = ? AND state = ?", Running, lease.At, id, Queued,
			).Error; err != nil {
				return err
			}
			b, err = r.one(ctx, id)
			return err
		})
		if err != nil || mine {
			return b, mine, err
		}
	}
	return b, false, nil
}

// keep renews a lease, in the context's transaction, and locks the batch until that ends. It returns
// job.ErrLost where the batch is another's by now, or over.
func (r repository) keep(ctx context.Context, id uuid.UUID, lease job.Lease) error {
	done := r.db.From(ctx).Exec(
		"UPDATE declaration_batches SET lease_until = ? WHERE id = ? AND lease_owner = ? AND state = ?", lease.Until, id, lease.Owner,
		Running,
	)
	if done.Error == nil && done.RowsAffected == 0 {
		return job.ErrLost
	}
	return done.Error
}

// release gives back a batch that the caller has leased.
func (r repository) release(ctx context.Context, id uuid.UUID) error {
	return r.db.From(ctx).Exec("UPDATE declaration_batches SET lease_owner = NULL, lease_until = NULL WHERE id = ?", id).Error
}

// pending returns the first items of a batch that wait.
func (r repository) pending(ctx context.Context, batchID uuid.UUID, limit int) ([]Item, error) {
	var items []Item
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Item]("")+" FROM declaration_batch_items WHERE batch_id = ? AND state = 'pending' ORDER BY line LIMIT ?",
		batchID, limit,
	).Scan(&items).Error
	return items, err
}

// filedBefore returns what a person has filed for a contributor under some references.
func (r repository) filedBefore(ctx context.Context, b Batch, references []string) (map[string]uuid.UUID, error) {
	var rows []reference
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[reference]("")+" FROM declaration_references WHERE person_id = ? AND contributor_id = ? AND reference IN ?",
		b.PersonID, b.ContributorID, references,
	).Scan(&rows).Error
	before := make(map[string]uuid.UUID, len(rows))
	for _, row := range rows {
		before[row.Reference] = row.DeclarationID
	}
	return before, err
}

func (r repository) addReferences(ctx context.Context, references []reference) error {
	return db.InsertAll(ctx, r.db, references)
}

// settle writes what became of items of one batch. On PostgreSQL they travel as one array for each
// column.
func (r repository) settle(ctx context.Context, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	if r.db.Dialect() != db.Postgres {
		for _, i := range items {
			err := r.db.From(ctx).Exec(
				"UPDATE declaration_batch_items SET state = ?, content = ?, declaration_id = ?, problem = ?, failures = ? "+
					"WHERE batch_id = ? AND line = ?", i.State, i.Content, i.DeclarationID, i.Problem, i.Failures, i.BatchID, i.Line,
			).Error
			if err != nil {
				return err
			}
		}
		return nil
	}
	lines, failures := make([]int, len(items)), make([]int, len(items))
	states, problems := make([]string, len(items)), make([]*string, len(items))
	declarations := make([]*[16]byte, len(items))
	for n, i := range items {
		lines[n], failures[n], states[n], problems[n] = i.Line, i.Failures, string(i.State), i.Problem
		declarations[n] = (*[16]byte)(i.DeclarationID)
	}
	const update = "UPDATE declaration_batch_items i SET state = v.state, declaration_id = v.declaration_id, problem = v.problem, " +
		"failures = v.failures, content = CASE WHEN v.state = 'pending' THEN i.content ELSE '' END " +
		"FROM unnest((SELECT $1::integer[]), (SELECT $2::text[]), (SELECT $3::uuid[]), (SELECT $4::text[]), (SELECT $5::integer[])) " +
		"AS v (line, state, declaration_id, problem, failures) " +
		"WHERE i.batch_id = $6 AND i.line = v.line"
	return r.db.Exec(ctx, update, lines, states, declarations, problems, failures, [16]byte(items[0].BatchID))
}

// summary is what a message says of a batch that is over.
type summary struct {
	LegalName string
	// Awaiting is how many of what was filed waits for dispositive credentials.
	Awaiting int
}

func (r repository) summary(ctx context.Context, b Batch) (s summary, err error) {
	err = r.db.From(ctx).Raw(`SELECT c.legal_name, (SELECT COUNT(*) FROM declaration_batch_items i JOIN declarations d
		ON d.id = i.declaration_id WHERE i.batch_id = ? AND i.state = 'filed' AND d.state = 'awaiting_credentials') AS awaiting
		FROM contributors c WHERE c.id = ?`, b.ID, b.ContributorID).Scan(&s).Error
	return s, err
}
