package webhook

import (
	"context"

	"github.com/google/uuid"
)

// purgeStep is how many deliveries are dropped in one transaction.
const purgeStep = 1_000

// Purge drops deliveries that were kept for as long as the log is, with their attempts, what
// replays came to, and secrets that have expired. It seals under the current key what was sealed
// under another one, since that may be taken away.
func (s *Sender) Purge(ctx context.Context) error {
	now := s.clock.Now()
	var webhooks []uuid.UUID
	if err := s.db.From(ctx).Raw("SELECT id FROM webhooks").Scan(&webhooks).Error; err != nil {
		return err
	}
	for _, id := range webhooks {
		for more := true; more; {
			err := s.db.InTx(ctx, func(ctx context.Context) error {
				var old []uuid.UUID
				if err := s.db.From(ctx).Raw("SELECT id FROM webhook_deliveries WHERE webhook_id = ? AND created_at <= ? "+
					"AND state <> 'waiting' ORDER BY created_at LIMIT ?", id, now.Add(-LogKept), purgeStep).Scan(&old).Error; err != nil {
					return err
				}
				if more = len(old) == purgeStep; len(old) == 0 {
					return nil
				}
				err := s.db.From(ctx).Exec("DELETE FROM webhook_attempts WHERE "+s.db.Among("delivery_id"), s.db.IDs(old)).Error
				if err != nil {
					return err
				}
				return s.db.From(ctx).Exec("DELETE FROM webhook_deliveries WHERE "+s.db.Among("id"), s.db.IDs(old)).Error
			})
			if err != nil {
				return err
			}
		}
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.From(ctx).Exec("DELETE FROM webhook_replays WHERE created_at <= ?", now.Add(-LogKept)).Error; err != nil {
			return err
		}
		return s.db.From(ctx).Exec("DELETE FROM webhook_secrets WHERE expires_at <= ?", now).Error
	})
	if err != nil {
		return err
	}
	return s.reseal(ctx)
}

// sealedRow is something that is sealed, of a webhook.
type sealedRow struct {
	ID        uuid.UUID
	WebhookID uuid.UUID
	Sealed    string
}

// reseal seals secrets and keys under the current data key.
func (s *Sender) reseal(ctx context.Context) error {
	current, _ := s.keys.MAC(sealedSecret)
	for _, of := range []struct{ selection, update, label string }{
		{
			"SELECT id, webhook_id, sealed FROM webhook_secrets WHERE sealed NOT LIKE ?",
			"UPDATE webhook_secrets SET sealed = ? WHERE id = ? AND sealed = ?", sealedSecret,
		},
		{
			"SELECT id, id AS webhook_id, private_key AS sealed FROM webhooks WHERE private_key NOT LIKE ?",
			"UPDATE webhooks SET private_key = ? WHERE id = ? AND private_key = ?", sealedKey,
		},
	} {
		var rows []sealedRow
		// The id of a key may have an underscore, for which LIKE takes any character: at worst one is left.
		if err := s.db.From(ctx).Raw(of.selection, current+":%").Scan(&rows).Error; err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.resealOne(ctx, row, of.update, of.label); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sender) resealOne(ctx context.Context, row sealedRow, update, label string) error {
	plain, err := s.keys.Open(label, row.Sealed, row.WebhookID[:])
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		return s.db.From(ctx).Exec(update, s.keys.Seal(label, plain, row.WebhookID[:]), row.ID, row.Sealed).Error
	})
}
