package keyring

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/db"
)

// signingKey is one row of the table of published keys.
type signingKey struct {
	Kid       string `gorm:"primaryKey"`
	Purpose   string
	JWK       string `gorm:"column:jwk"`
	CreatedAt time.Time
}

// TableName tells GORM the table.
func (signingKey) TableName() string { return "signing_keys" }

// publishedKey is a published key with what became of it.
type publishedKey struct {
	Kid       string
	Purpose   string
	JWK       string `gorm:"column:jwk"`
	CreatedAt time.Time
	RevokedAt *time.Time
}

// dataKeyRow is what a database knows of a data key.
type dataKeyRow struct {
	ID         string
	CheckValue string
	CreatedAt  time.Time
	UsedAt     *time.Time
	RetiredAt  *time.Time
}

// TableName tells GORM the table.
func (dataKeyRow) TableName() string { return "data_keys" }

// inUse reports whether something that is still needed was written with the key.
func (r dataKeyRow) inUse() bool { return r.UsedAt != nil && r.RetiredAt == nil }

// processRow is a process that serves the database.
type processRow struct {
	ID          uuid.UUID
	Name        string
	DataKeys    string
	SigningKeys string
	StartedAt   time.Time
	SeenAt      time.Time
}

// TableName tells GORM the table.
func (processRow) TableName() string { return "processes" }

type repository struct{ db *db.DB }

// lock lets one process at a time start, or begin to use a key, until the context's transaction
// ends.
func (r repository) lock(ctx context.Context) error { return r.db.LockName(ctx, "keys") }

// record adds the keys that are not there yet and changes none.
func (r repository) record(ctx context.Context, keys []signingKey) error {
	return r.db.From(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&keys).Error
}

// published returns all signing keys, the oldest first.
func (r repository) published(ctx context.Context) ([]publishedKey, error) {
	var keys []publishedKey
	err := r.db.From(ctx).Raw("SELECT k.kid, k.purpose, k.jwk, k.created_at, r.revoked_at FROM signing_keys k " +
		"LEFT JOIN signing_key_revocations r ON r.kid = k.kid ORDER BY k.created_at, k.kid").Scan(&keys).Error
	return keys, err
}

// dataKeys returns all data keys, the one that was used first before the others.
func (r repository) dataKeys(ctx context.Context) ([]dataKeyRow, error) {
	var keys []dataKeyRow
	err := r.db.From(ctx).Raw(
		"SELECT id, check_value, created_at, used_at, retired_at FROM data_keys " +
			"ORDER BY CASE WHEN used_at IS NULL THEN 1 ELSE 0 END, used_at, id",
	).Scan(&keys).Error
	return keys, err
}

// recordData adds the data keys that are not there yet and changes none.
func (r repository) recordData(ctx context.Context, keys []dataKeyRow) error {
	return db.InsertMissing(ctx, r.db, keys)
}

// use notes since when a data key may be written with.
func (r repository) use(ctx context.Context, id string, at time.Time) error {
	return r.db.From(ctx).Exec("UPDATE data_keys SET used_at = ? WHERE id = ? AND used_at IS NULL", at, id).Error
}

// retire notes that a data key is needed no more, and reports whether it was.
func (r repository) retire(ctx context.Context, id string, at time.Time) (bool, error) {
	done := r.db.From(ctx).Exec("UPDATE data_keys SET retired_at = ? WHERE id = ? AND retired_at IS NULL", at, id)
	return done.RowsAffected == 1, done.Error
}

// revoke notes that a signing key is believed no more.
func (r repository) revoke(ctx context.Context, v Revocation, now time.Time) error {
	return r.db.From(ctx).Exec(
		"INSERT INTO signing_key_revocations (kid, revoked_at, reason, created_at) VALUES ( ?, ?, ?, ?)", v.Kid, v.From, v.Reason, now,
	).Error
}

// announce notes that a process is there and what it knows.
func (r repository) announce(ctx context.Context, p processRow) error {
	return r.db.From(ctx).Exec(`INSERT INTO processes (id, name, data_keys, signing_keys, started_at, seen_at) VALUES ( ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET data_keys = excluded.data_keys, signing_keys = excluded.signing_keys, seen_at = excluded.seen_at`,
		p.ID, p.Name, p.DataKeys, p.SigningKeys, p.StartedAt, p.SeenAt).Error
}

// processes returns those that serve the database, and those that ended without a word.
func (r repository) processes(ctx context.Context) ([]processRow, error) {
	var rows []processRow
	err := r.db.From(ctx).Raw(
		"SELECT id, name, data_keys, signing_keys, started_at, seen_at FROM processes ORDER BY started_at, id",
	).Scan(&rows).Error
	return rows, err
}

// leave forgets a process.
func (r repository) leave(ctx context.Context, id uuid.UUID) error {
	return r.db.From(ctx).Exec("DELETE FROM processes WHERE id = ?", id).Error
}

// forget forgets the processes that were seen before an instant and never after.
func (r repository) forget(ctx context.Context, before time.Time) error {
	return r.db.From(ctx).Exec("DELETE FROM processes WHERE seen_at < ?", before).Error
}

// writtenWith returns the ids of the data keys that rows name which are still good at an instant.
// It looks at all of them, which is for a database that kept no list.
func (r repository) writtenWith(ctx context.Context, now time.Time) ([]string, error) {
	prefix := func(column string) string {
		if r.db.Dialect() == db.Postgres {
			return "split_part(" + column + ", ':', 1)"
		}
		return "substr(" + column + ", 1, instr(" + column + ", ':') - 1)"
	}
	var ids []string
	err := r.db.From(ctx).Raw("SELECT "+prefix("sealed")+" AS id FROM outbox WHERE sealed IS NOT NULL UNION SELECT "+
		prefix("request_mac")+" FROM idempotency_keys WHERE created_at > ? UNION SELECT mac_key FROM one_time_codes WHERE expires_at > ? "+
		"UNION SELECT mac_key FROM delegation_otps WHERE expires_at > ?", now.Add(-24*time.Hour), now, now,
	).Scan(&ids).Error
	return ids, err
}
