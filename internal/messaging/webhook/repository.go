package webhook

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes webhooks and what is sent to them.
type repository struct {
	db     *db.DB
	rights Rights
}

// live is that a webhook is sent to.
const live = "w.state = 'enabled' AND w.removed_at IS NULL AND a.state = 'approved' AND a.removed_at IS NULL"

func (r repository) create(ctx context.Context, w Webhook, first storedSecret) error {
	if err := r.db.From(ctx).Create(&w).Error; err != nil {
		return err
	}
	return r.db.From(ctx).Create(&first).Error
}

// save writes what changes of a webhook, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, w Webhook) error {
	return r.db.From(ctx).Model(&Webhook{}).Where("id = ?", w.ID).Select(
		"url", "event_types", "state", "disabled_reason", "disabled_at", "failing_since", "updated_at", "version", "removed_at",
	).UpdateColumns(&w).Error
}

func (r repository) count(ctx context.Context, applicationID uuid.UUID) (n int, err error) {
	err = r.db.From(ctx).Raw("SELECT COUNT(*) FROM webhooks WHERE application_id = ? AND removed_at IS NULL", applicationID).Scan(&n).Error
	return n, err
}

// ofApplication lists the webhooks of an application, the newest first.
func (r repository) ofApplication(ctx context.Context, applicationID uuid.UUID) (found []Webhook, err error) {
	err = r.db.From(ctx).Raw("SELECT "+db.Columns[Webhook]("")+
		" FROM webhooks WHERE application_id = ? AND removed_at IS NULL ORDER BY created_at DESC, id DESC",
		applicationID).Scan(&found).Error
	return found, err
}

// one returns a webhook of an application, or fault.NotFound.
func (r repository) one(ctx context.Context, applicationID, id uuid.UUID) (Webhook, error) {
	return r.where(ctx, "id = ? AND application_id = ? AND removed_at IS NULL", id, applicationID)
}

// lock is one that keeps everybody else from changing it until the context's transaction ends. The
// feed goes on meanwhile: it inserts deliveries, which refer to the webhook.
func (r repository) lock(ctx context.Context, applicationID, id uuid.UUID) (Webhook, error) {
	return r.where(ctx, "id = ? AND application_id = ? AND removed_at IS NULL"+r.db.ForNoKeyUpdate(), id, applicationID)
}

func (r repository) where(ctx context.Context, condition string, args ...any) (Webhook, error) {
	var w Webhook
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Webhook]("")+" FROM webhooks WHERE "+condition, args...).Take(&w).Error
	return w, notFound(err)
}

// sending returns those webhooks of some that are sent to.
func (r repository) sending(ctx context.Context, ids []uuid.UUID) (found []Webhook, err error) {
	err = r.db.From(ctx).Raw("SELECT "+db.Columns[Webhook]("w")+" FROM webhooks w JOIN applications a ON a.id = w.application_id WHERE "+
		r.db.Among("w.id")+" AND "+live, r.db.IDs(ids)).Scan(&found).Error
	return found, err
}

// sendingOf returns all webhooks of some applications that are sent to.
func (r repository) sendingOf(ctx context.Context, applications []uuid.UUID) (found []Webhook, err error) {
	err = r.db.From(ctx).Raw("SELECT "+db.Columns[Webhook]("w")+" FROM webhooks w JOIN applications a ON a.id = w.application_id WHERE "+
		r.db.Among("w.application_id")+" AND "+live, r.db.IDs(applications)).Scan(&found).Error
	return found, err
}

// secrets returns those of a webhook that are in force, the newest first.
func (r repository) secrets(ctx context.Context, webhookID uuid.UUID, now time.Time) (found []storedSecret, err error) {
	err = r.db.From(ctx).Where("webhook_id = ? AND (expires_at IS NULL OR expires_at > ?)", webhookID, now).
		Order("created_at DESC, id DESC").Find(&found).Error
	return found, err
}

// follow adds a secret, and has those before it expire.
func (r repository) follow(ctx context.Context, s storedSecret, expires time.Time) error {
	if err := r.db.From(ctx).Exec("UPDATE webhook_secrets SET expires_at = ? WHERE webhook_id = ? AND expires_at IS NULL",
		expires, s.WebhookID).Error; err != nil {
		return err
	}
	return r.db.From(ctx).Create(&s).Error
}

func (r repository) forgetSecrets(ctx context.Context, webhookID uuid.UUID) error {
	return r.db.From(ctx).Exec("DELETE FROM webhook_secrets WHERE webhook_id = ?", webhookID).Error
}

// cancel ends what waits to be sent to a webhook.
func (r repository) cancel(ctx context.Context, webhookID uuid.UUID, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE webhook_deliveries SET state = 'cancelled', updated_at = ? WHERE webhook_id = ? AND "+
		"state = 'waiting'", now, webhookID).Error
}

// add adds deliveries; of an event that was for the webhook before, the first one stays.
func (r repository) add(ctx context.Context, deliveries []Delivery) error {
	return db.InsertMissing(ctx, r.db, deliveries)
}

// again adds deliveries, or has those begin anew that are there.
func (r repository) again(ctx context.Context, deliveries []Delivery) error {
	return db.InsertOver(ctx, r.db, deliveries, `ON CONFLICT (webhook_id, event_id) DO UPDATE SET
		state = excluded.state, tries = excluded.tries, next_at = excluded.next_at, deadline_at = NULL, lease_owner = NULL, replay_id = excluded.replay_id, updated_at = excluded.updated_at`)
}

// storedReplay is what a replay came to, as its repeat is told.
type storedReplay struct {
	ID        uuid.UUID
	WebhookID uuid.UUID
	Count     int
	UntilAt   *time.Time
	CreatedAt time.Time
}

// TableName tells GORM the table.
func (storedReplay) TableName() string { return "webhook_replays" }

// replays keeps what a replay had sent again.
func (r repository) replays(ctx context.Context, replayID, webhookID uuid.UUID, done Replayed, now time.Time) error {
	return r.db.From(ctx).Create(&storedReplay{replayID, webhookID, done.Count, done.Until, now}).Error
}

// replayed returns what a replay had sent again, or fault.NotFound.
func (r repository) replayed(ctx context.Context, webhookID, replayID uuid.UUID) (Replayed, error) {
	var stored storedReplay
	err := r.db.From(ctx).Where("id = ? AND webhook_id = ?", replayID, webhookID).Take(&stored).Error
	return Replayed{stored.Count, stored.UntilAt}, notFound(err)
}

// view returns a delivery to a webhook with its last attempts, or fault.NotFound.
func (r repository) view(ctx context.Context, webhookID, id uuid.UUID) (View, error) {
	var d Delivery
	if err := r.db.From(ctx).Where("id = ? AND webhook_id = ?", id, webhookID).Take(&d).Error; err != nil {
		return View{}, notFound(err)
	}
	views, err := r.views(ctx, []Delivery{d})
	if err != nil {
		return View{}, err
	}
	return views[0], nil
}

// attemptsShown is how many attempts of a delivery are shown.
const attemptsShown = 20

// views adds to deliveries their last attempts, the newest first.
func (r repository) views(ctx context.Context, deliveries []Delivery) ([]View, error) {
	views := make([]View, len(deliveries))
	ids := make([]uuid.UUID, len(deliveries))
	at := map[uuid.UUID]int{}
	for i, d := range deliveries {
		views[i].Delivery, ids[i], at[d.ID] = d, d.ID, i
	}
	var found []Attempt
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Attempt]("")+" FROM (SELECT "+db.Columns[Attempt]("t")+
		", ROW_NUMBER() OVER (PARTITION BY delivery_id ORDER BY id DESC) AS place FROM webhook_attempts t WHERE "+
		r.db.Among("delivery_id")+") t WHERE place <= ? ORDER BY delivery_id, place", r.db.IDs(ids), attemptsShown).Scan(&found).Error
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		v := &views[at[a.DeliveryID]]
		v.Attempts = append(v.Attempts, a)
	}
	return views, nil
}

// log lists what was for a webhook since an instant, the newest first.
func (r repository) log(
	ctx context.Context, webhookID uuid.UUID, f Filter, request page.Request, since time.Time,
) (page.Page[View], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[View]{}, err
	}
	condition, args := "webhook_id = ? AND created_at > ?", []any{webhookID, since}
	if f.State != "" {
		condition, args = condition+" AND state = ?", append(args, f.State)
	}
	if f.State == Failed || f.State == Cancelled {
		// There is an index for these, which are few.
		condition += " AND state IN ('failed', 'cancelled')"
	}
	if after != nil {
		condition, args = condition+" AND (created_at, id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []Delivery
	if err := r.db.From(ctx).Raw("SELECT "+db.Columns[Delivery]("")+" FROM webhook_deliveries WHERE "+condition+
		" ORDER BY created_at DESC, id DESC LIMIT ?", append(args, request.Size()+1)...).Scan(&rows).Error; err != nil {
		return page.Page[View]{}, err
	}
	cut := page.Cut(rows, request.Size(), func(d Delivery) page.Key { return page.Key{At: d.CreatedAt, ID: d.ID} })
	views, err := r.views(ctx, cut.Items)
	return page.Page[View]{Items: views, Next: cut.Next}, err
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
