package outbox

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
)

// Withdraw takes a promise back inside the transaction that made it. An id that no message has
// changes nothing, at the same cost.
func (o *Outbox) Withdraw(ctx context.Context, id uuid.UUID) error {
	return o.db.From(ctx).Exec("DELETE FROM outbox WHERE id = ?", id).Error
}

// Forget erases the secret of a message in the context's transaction. What it was good for is over,
// so nobody may send it again.
func (o *Outbox) Forget(ctx context.Context, id uuid.UUID) error {
	return repository{o.db}.erase(ctx, db.UUIDs{id})
}

// ForgetEnded erases the secrets of messages whose deadline is over.
func (w *Worker) ForgetEnded(ctx context.Context) error {
	return w.repo.eraseEnded(ctx, w.clock.Now())
}
