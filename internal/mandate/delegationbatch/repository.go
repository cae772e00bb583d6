package delegationbatch

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

// insertAtOnce is how many items one statement inserts.
const insertAtOnce = 200

// repository reads and writes batches.
type repository struct{ db *db.DB }

// loginOf returns how a person had logged in, in a session that may have ended.
func (r repository) loginOf(ctx context.Context, sessionID, personID uuid.UUID) (access.Login, error) {
	var login access.Login
	const selectLogin = "SELECT login_method, login_level, login_provider FROM sessions WHERE id = ? AND person_id = ?"
	err := r.db.From(ctx).Raw(selectLogin, sessionID, personID).Scan(&login).Error
	return login, err
}

// one returns a batch without its items, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Batch, error) {
	var b Batch
	err := r.db.From(ctx).Where("id = ?", id).Take(&b).Error
	if db.IsNotFound(err) {
		return b, fault.New(fault.NotFound)
	}
	return b, err
}

// items returns what became of the items of a batch, in their order.
func (r repository) items(ctx context.Context, batchID uuid.UUID) ([]Item, error) {
	var items []Item
	err := r.db.From(ctx).Where("batch_id = ?", batchID).Order("line").Find(&items).Error
	return items, err
}

func (r repository) add(ctx context.Context, b Batch, items []Item) error {
	if err := r.db.From(ctx).Create(&b).Error; err != nil {
		return err
	}
	return r.db.From(ctx).CreateInBatches(items, insertAtOnce).Error
}

// open reports whether there is a batch to be worked on.
func (r repository) open(ctx context.Context) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw("SELECT 1 FROM delegation_batches WHERE state <> 'done' LIMIT 1").Scan(&found).Error
	return len(found) > 0, err
}

// claimed is an item to be worked on, and its batch.
type claimed struct {
	batch Batch
	item  Item
}

// next returns the oldest batch that nobody else works on, with its first pending item. It keeps it
// from others until the end of the transaction, and returns false where there is none.
func (r repository) next(ctx context.Context) (claimed, bool, error) {
	suffix := ""
	if r.db.Dialect() == db.Postgres {
		suffix = " FOR NO KEY UPDATE SKIP LOCKED"
	}
	var batches []Batch
	if err := r.db.From(ctx).Raw("SELECT " + db.Columns[Batch]("") + " FROM delegation_batches WHERE state <> 'done' ORDER BY " +
		"created_at, id LIMIT 1" + suffix).Scan(&batches).Error; err != nil || len(batches) == 0 {
		return claimed{}, false, err
	}
	var items []Item
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Item]("")+
			" FROM delegation_batch_items WHERE batch_id = ? AND state = 'pending' ORDER BY line LIMIT 1", batches[0].ID,
	).Scan(&items).Error
	if err != nil || len(items) == 0 {
		return claimed{}, false, err
	}
	return claimed{batches[0], items[0]}, true, nil
}

// pending returns those of a batch's items that wait and have one of the position numbers, in their
// order.
func (r repository) pending(ctx context.Context, batchID uuid.UUID, numbers []string) ([]Item, error) {
	var items []Item
	err := r.db.From(ctx).Where(
		"batch_id = ? AND state = ? AND position_number IN ?", batchID, Pending, numbers,
	).Order("line").Find(&items).Error
	return items, err
}

// settle writes what became of items, which is the same for all, and how far that brings their
// batch.
func (r repository) settle(ctx context.Context, b Batch, outcome Item, items ...Item) error {
	lines := make([]int, len(items))
	for n, i := range items {
		lines[n] = i.Line
	}
	err := r.db.From(ctx).Model(&Item{}).Where("batch_id = ? AND line IN ?", b.ID, lines).Select(
		"state", "delegation_id", "reason", "failures",
	).Updates(&outcome).Error
	if err != nil {
		return err
	}
	return r.db.From(ctx).Model(&Batch{}).Where("id = ?", b.ID).Select("state", "items_done").Updates(&b).Error
}
