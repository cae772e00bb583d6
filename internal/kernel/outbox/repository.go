package outbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/job"
	"diresco/internal/platform/page"
)

// repository holds the queries on deliveries and their attempts.
type repository struct{ db *db.DB }

// routing stands beside the channels in what waiting returns, for messages that nobody routed yet.
const routing = "routing"

// waiting tells what there is to do at an instant: the channels with deliveries that are due, and
// routing.
func (r repository) waiting(ctx context.Context, at time.Time) ([]string, error) {
	// The query takes the first of an order, not EXISTS. For EXISTS PostgreSQL may think it quicker
	// to read the table until it finds one.
	query, args := "SELECT 'routing' WHERE (SELECT created_at FROM outbox WHERE state = 'queued' ORDER BY created_at LIMIT "+
		"1) IS NOT NULL", []any{}
	for _, c := range channels {
		query += " UNION ALL SELECT '" + string(c) + "' WHERE (SELECT next_at FROM deliveries WHERE " + beingDue + " AND channel = '" +
			string(c) + "' ORDER BY next_at LIMIT 1) <= ?"
		args = append(args, at)
	}
	var found []string
	err := r.db.From(ctx).Raw(query, args...).Scan(&found).Error
	return found, err
}

// claim leases deliveries of a channel that are due, the longest due first. Until the lease ends
// they are not due any more, for whomever.
func (r repository) claim(ctx context.Context, c Channel, limit int, lease job.Lease) ([]Delivery, error) {
	due := "SELECT id FROM deliveries WHERE " + beingDue + " AND channel = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?"
	set := "UPDATE deliveries SET lease_owner = ?, lease_until = ?, next_at = ? "
	var claimed []Delivery
	var err error
	if r.db.Dialect() == db.Postgres {
		// A statement of its own is a transaction of its own there. The list is made once, before
		// anything is changed.
		err = r.db.From(ctx).Raw("WITH due AS MATERIALIZED ("+due+" FOR UPDATE SKIP LOCKED) "+set+
			"FROM due WHERE deliveries.id = due.id RETURNING "+db.Columns[Delivery]("deliveries"),
			c, lease.At, limit, lease.Owner, lease.Until, lease.Until).Scan(&claimed).Error
	} else {
		err = r.db.InTx(ctx, func(ctx context.Context) error {
			return r.db.From(ctx).Raw(
				set+"WHERE id IN ("+due+") RETURNING "+db.Columns[Delivery](""), lease.Owner, lease.Until, lease.Until, c, lease.At, limit,
			).Scan(&claimed).Error
		})
	}
	slices.SortFunc(claimed, func(a, b Delivery) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return claimed, err
}

// renew prolongs the lease of those deliveries that its owner still has. It waits for nobody: what
// is locked is being settled.
func (r repository) renew(ctx context.Context, ids db.UUIDs, lease job.Lease) error {
	held := "SELECT id FROM deliveries WHERE " + r.db.Among("id") + " AND lease_owner = ? AND " + beingDue + r.db.ForUpdateOfFree()
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("UPDATE deliveries SET lease_until = ?, next_at = ? WHERE id IN ("+held+")",
			lease.Until, lease.Until, r.db.IDs(ids), lease.Owner).Error
	})
}

// messages returns the messages of deliveries, by id.
func (r repository) messages(ctx context.Context, deliveries []Delivery) (map[uuid.UUID]Message, error) {
	byID := make(map[uuid.UUID]Message, len(deliveries))
	var ids db.UUIDs
	for _, d := range deliveries {
		if d.Data != nil {
			byID[d.ID] = d.message()
		} else if d.MessageID != nil {
			ids = append(ids, *d.MessageID)
		}
	}
	if len(ids) == 0 {
		return byID, nil
	}
	var found []Message
	if err := r.db.From(ctx).Where(r.db.Among("id"), r.db.IDs(ids)).Find(&found).Error; err != nil {
		return nil, err
	}
	for _, m := range found {
		byID[m.ID] = m
	}
	return byID, nil
}

// put writes the new states of deliveries that are still to be sent, and returns the ids of those.
// It runs in the context's transaction. What a channel said counts whoever holds the lease; that a
// delivery waits longer, or was given up, counts only from its owner.
func (r repository) put(ctx context.Context, owner string, rows []Delivery) (map[uuid.UUID]bool, error) {
	// Two that were given the same deliveries lock them in the same order.
	slices.SortFunc(rows, func(a, b Delivery) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	returned, err := db.InsertReturning(ctx, r.db, rows, ` ON CONFLICT (id)
		DO UPDATE SET state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at,
		lease_until = NULL, lease_owner = NULL, provider_ref = coalesce(excluded.provider_ref, deliveries.provider_ref),
		last_error = excluded.last_error, updated_at = excluded.updated_at, repeats = excluded.repeats
		WHERE deliveries.state IN ('queued', 'unconfirmed') AND (excluded.state NOT IN ('queued', 'dead') OR deliveries.lease_owner = ?) RETURNING id`, owner)
	if err != nil {
		return nil, err
	}
	written := make(map[uuid.UUID]bool, len(returned))
	for _, d := range returned {
		written[d.ID] = true
	}
	return written, nil
}

// erase deletes what was sealed in messages, in the context's transaction.
func (r repository) erase(ctx context.Context, messageIDs db.UUIDs) error {
	if len(messageIDs) == 0 {
		return nil
	}
	return r.db.From(ctx).Exec("UPDATE outbox SET sealed = NULL WHERE "+r.db.Among("id"), r.db.IDs(messageIDs)).Error
}

// eraseEnded deletes the secrets of messages that may not be sent any more.
func (r repository) eraseEnded(ctx context.Context, at time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec(`UPDATE outbox SET sealed = NULL WHERE sealed IS NOT NULL AND deadline_at <= ? AND state = 'routed'
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = outbox.id AND d.deadline_at > ?)`, at, at).Error
	})
}

// lock returns one delivery, locked in the context's transaction, and false where there is none. It
// goes by the delivery's id or else by its provider's.
func (r repository) lock(ctx context.Context, id uuid.UUID, providerRef string) (Delivery, bool, error) {
	condition, value := "id = ?", any(id)
	if id == uuid.Nil {
		condition, value = "provider_ref = ?", providerRef
	}
	var found []Delivery
	err := r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Delivery]("")+
			" FROM deliveries WHERE "+condition+" ORDER BY created_at DESC, id DESC LIMIT 1"+r.db.ForUpdate(), value,
	).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return Delivery{}, false, err
	}
	return found[0], true, nil
}

// one returns a delivery, false where there is none.
func (r repository) one(ctx context.Context, id uuid.UUID) (Delivery, bool, error) {
	var found []Delivery
	err := r.db.From(ctx).Where("id = ?", id).Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return Delivery{}, false, err
	}
	return found[0], true, nil
}

// save writes a delivery that was locked in the context's transaction.
func (r repository) save(ctx context.Context, d Delivery) error {
	return r.db.From(ctx).Model(&Delivery{}).Where("id = ?", d.ID).Updates(map[string]any{
		"state": d.State, "next_at": d.NextAt, "deadline_at": d.DeadlineAt, "lease_owner": d.LeaseOwner, "lease_until": d.LeaseUntil,
		"last_error": d.LastError, "updated_at": d.UpdatedAt, "repeats": d.Repeats, "delay_notice": d.DelayNotice, "attempts": d.Attempts,
	}).Error
}

// deliveriesOf lists the deliveries of messages, the oldest first.
func (r repository) deliveriesOf(ctx context.Context, messageIDs db.UUIDs) ([]Delivery, error) {
	var found []Delivery
	if len(messageIDs) == 0 {
		return nil, nil
	}
	columns := db.Columns[Delivery]("")
	err := r.db.From(ctx).Raw("SELECT "+columns+" FROM (SELECT "+columns+" FROM deliveries WHERE "+r.db.Among("message_id")+
		" UNION ALL SELECT "+columns+" FROM deliveries WHERE "+r.db.Among("id")+" AND message_id IS NULL) part ORDER BY created_at, id",
		r.db.IDs(messageIDs), r.db.IDs(messageIDs)).Scan(&found).Error
	return found, err
}

// attemptsOf lists the attempts of deliveries, the oldest first.
func (r repository) attemptsOf(ctx context.Context, deliveryIDs db.UUIDs) ([]Attempt, error) {
	var found []Attempt
	if len(deliveryIDs) == 0 {
		return nil, nil
	}
	err := r.db.From(ctx).Where(r.db.Among("delivery_id"), r.db.IDs(deliveryIDs)).Order("at, id").Find(&found).Error
	return found, err
}

// page returns deliveries, the newest first, behind a place in that order, which is that of their
// ids. Each combination of state and channel is a range of an index; those that fit are merged.
func (r repository) page(ctx context.Context, f Filter, limit int, after *page.Key) ([]Delivery, error) {
	behind, args := "", []any{}
	if after != nil {
		behind, args = " AND id < ?", []any{after.ID}
	}
	if f.office != "" {
		behind, args = behind+" AND "+ofOffice, append(args, f.office, f.office, f.office)
	}
	order := " ORDER BY id DESC LIMIT ?"
	if f.State == "" && f.Channel == "" {
		var found []Delivery
		err := r.db.From(ctx).Raw("SELECT "+db.Columns[Delivery]("")+
			" FROM deliveries WHERE TRUE"+behind+order, append(args, limit)...).Scan(&found).Error
		return found, err
	}
	states, ways := deliveryStates, channels
	if f.State != "" {
		states = []DeliveryState{f.State}
	}
	if f.Channel != "" {
		ways = []Channel{f.Channel}
	}
	if f.ReceiptOverdue {
		behind, args = " AND updated_at <= ?"+behind, append([]any{f.sentBy}, args...)
	}
	var ranges []string
	var values []any
	for _, state := range states {
		for _, c := range ways {
			ranges = append(ranges, "SELECT * FROM (SELECT "+db.Columns[Delivery]("")+
				" FROM deliveries WHERE state = ? AND channel = ?"+behind+order+") part")
			values = append(append(append(values, state, c), args...), limit)
		}
	}
	var found []Delivery
	err := r.db.From(ctx).Raw(
		"SELECT * FROM ("+strings.Join(ranges, " UNION ALL ")+") merged"+order, append(values, limit)...,
	).Scan(&found).Error
	return found, err
}

// ofOffice is that a delivery goes to somebody of an office.
var ofOffice = access.OfOffice("deliveries.person_id")

// ofOffice reports whether a delivery goes to somebody of an office.
func (r repository) ofOffice(ctx context.Context, d Delivery, office string) (bool, error) {
	var n int64
	err := r.db.From(ctx).Table("deliveries").Where("id = ? AND "+ofOffice, d.ID, office, office, office).Count(&n).Error
	return n == 1, err
}

// ofPerson returns messages to a person, the newest first, behind a place in that order.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID, limit int, after *page.Key) ([]Message, error) {
	var found []Message
	if err := r.about(ctx, personID, limit, after).Find(&found).Error; err != nil {
		return nil, err
	}
	var alone []Delivery
	if err := r.about(ctx, personID, limit, after).Where("message_id IS NULL").Find(&alone).Error; err != nil {
		return nil, err
	}
	for _, d := range alone {
		found = append(found, d.message())
	}
	slices.SortFunc(found, func(a, b Message) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID.String(), a.ID.String()))
	})
	return found[:min(limit, len(found))], nil
}

// about selects what is about a person, as ofPerson orders it.
func (r repository) about(ctx context.Context, personID uuid.UUID, limit int, after *page.Key) *gorm.DB {
	query := r.db.From(ctx).Where("person_id = ?", personID).Order("created_at DESC, id DESC").Limit(limit)
	if after != nil {
		query = query.Where("(created_at, id) < (?, ?)", after.At.UTC(), after.ID)
	}
	return query
}

// backlog is how much waits on a channel, and since when the oldest does.
type backlog struct {
	Channel Channel
	Waiting int64
	Oldest  time.Time
}

// backlogs counts what was routed and neither sent nor given up.
func (r repository) backlogs(ctx context.Context) ([]backlog, error) {
	var found []backlog
	for _, c := range channels {
		var oldest []time.Time
		b := backlog{Channel: c}
		if err := r.db.From(ctx).Raw(
			"SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND channel = ?", c,
		).Scan(&b.Waiting).Error; err != nil {
			return nil, err
		}
		if b.Waiting > 0 {
			err := r.db.From(ctx).Raw(
				"SELECT created_at FROM deliveries WHERE state = 'queued' AND channel = ? ORDER BY id LIMIT 1", c,
			).Scan(&oldest).Error
			if err != nil {
				return nil, err
			}
			if len(oldest) == 1 {
				b.Oldest = oldest[0]
			}
		}
		found = append(found, b)
	}
	return found, nil
}
