package outbox

import (
	"context"

	"github.com/google/uuid"
)

// Withdraw takes a promise back inside the transaction that made it. An id that no message has
// changes nothing, at the same cost.
func (o *Outbox) Withdraw(ctx context.Context, id uuid.UUID) error {
	return o.db.From(ctx).Exec("DELETE FROM outbox WHERE id = ?", id).Error
}
