package registerimport

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/job"
	"diresco/internal/platform/page"
)

type repository struct{ db *db.DB }

func (r repository) add(ctx context.Context, i Import) error {
	return r.db.From(ctx).Create(&i).Error
}

// one returns an import, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Import, error) {
	var i Import
	err := r.db.From(ctx).Where("id = ?", id).Take(&i).Error
	if db.IsNotFound(err) {
		err = notFound()
	}
	return i, err
}

// same returns the import of the same file, if that is the last of its register that did not fail.
func (r repository) same(ctx context.Context, i Import) (Import, bool, error) {
	var found []Import
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Import]("")+
			" FROM register_imports WHERE register = ? AND state <> 'failed' ORDER BY created_at DESC, id DESC LIMIT 1", i.Register,
	).Scan(&found).Error
	if err != nil || len(found) == 0 || found[0].Digest != i.Digest || found[0].Format != i.Format || found[0].Charset != i.Charset {
		return Import{}, false, err
	}
	return found[0], true, nil
}

func (r repository) page(ctx context.Context, request page.Request) (page.Page[Import], error) {
	var none page.Page[Import]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query := r.db.From(ctx).Order("created_at DESC, id DESC").Limit(request.Size() + 1)
	if after != nil {
		query = query.Where("(created_at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	var rows []Import
	if err := query.Find(&rows).Error; err != nil {
		return none, err
	}
	return page.Cut(rows, request.Size(), func(i Import) page.Key { return page.Key{At: i.CreatedAt, ID: i.ID} }), nil
}

// oldest returns the import whose turn it is.
func (r repository) oldest(ctx context.Context) (Import, bool, error) {
	var found []Import
	err := r.db.From(ctx).Raw("SELECT " + db.Columns[Import]("") +
		" FROM register_imports WHERE step <> 'none' ORDER BY created_at, id LIMIT 1").Scan(&found).Error
	if err != nil || len(found) == 0 {
		return Import{}, false, err
	}
	return found[0], true, nil
}

// claim leases an import that nobody else has leased.
func (r repository) claim(ctx context.Context, id uuid.UUID, lease job.Lease) (bool, error) {
	return lease.Take(ctx, r.db, "register_imports", "id = ? AND step <> 'none'", id)
}

// hold returns the import for a step, locked, and false when another has leased it meanwhile.
func (r repository) hold(ctx context.Context, id uuid.UUID, owner string) (Import, bool, error) {
	var found []Import
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Import]("")+" FROM register_imports WHERE id = ? AND lease_owner = ?"+r.db.ForUpdate(), id, owner,
	).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return Import{}, false, err
	}
	return found[0], true, nil
}

func (r repository) save(ctx context.Context, i Import) error {
	return r.db.From(ctx).Model(&Import{}).Where("id = ?", i.ID).
		Select(
			"state", "step", "reached", "rows_read", "lines_total", "lines_done", "errors", "finished_at", "lease_owner", "lease_until",
		).Updates(&i).Error
}

// span returns the last key of the next staged lines after the one that was reached. It also
// returns how many these are: at most so many.
func (r repository) span(ctx context.Context, table string, i Import, most int) (high string, n int, err error) {
	var found struct {
		High *string
		N    int
	}
	err = r.db.From(ctx).Raw("SELECT MAX(x.key) AS high, COUNT(*) AS n FROM (SELECT s.key FROM "+table+
		" AS s WHERE s.import_id = ? AND s.key > ? ORDER BY s.key LIMIT ?) AS x",
		i.ID, i.Reached, most).Scan(&found).Error
	if found.High != nil {
		high = *found.High
	}
	return high, found.N, err
}

// drop deletes some staged lines of an import and returns how many.
func (r repository) drop(ctx context.Context, table string, importID uuid.UUID) (int64, error) {
	done := r.db.From(ctx).Exec(
		"DELETE FROM "+table+" WHERE import_id = ? AND key IN (SELECT s.key FROM "+table+
			" AS s WHERE s.import_id = ? ORDER BY s.key LIMIT ?)",
		importID, importID, atOnce,
	)
	return done.RowsAffected, done.Error
}
