package federation

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/identity/session"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/page"
)

type repository struct{ db *db.DB }

// row is a login as it is kept.
type row struct {
	ID            uuid.UUID
	ProviderID    string
	Protocol      Protocol
	Level         int
	StateHash     string
	TicketHash    *string
	SealedAttempt string
	ReturnURL     string
	CodeChallenge string
	BegunAt       time.Time
	ExpiresAt     time.Time
	AnsweredAt    *time.Time
	LoginMethod   *string
	LoginLevel    *int
	SealedClaims  *string
	CodeHash      *string
	CodeExpiresAt *time.Time
	RedeemedAt    *time.Time
	PersonID      *uuid.UUID
}

// TableName tells GORM the table.
func (row) TableName() string { return "federated_logins" }

// login is how the person logged in whom a good answer was about.
func (r row) login() access.Login {
	return login(session.LoginMethod(*r.LoginMethod), Level(*r.LoginLevel), r.ProviderID)
}

var selectLogin = "SELECT " + db.Columns[row]("") + " FROM federated_logins WHERE "

func (r repository) insert(ctx context.Context, l row) error { return r.db.From(ctx).Create(&l).Error }

func (r repository) find(ctx context.Context, query string, args ...any) (row, bool, error) {
	var rows []row
	err := r.db.From(ctx).Raw(query, args...).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return row{}, false, err
	}
	return rows[0], true, nil
}

// byTicket returns an open login that goes on with a form.
func (r repository) byTicket(ctx context.Context, hash string, now time.Time) (row, bool, error) {
	return r.find(ctx, selectLogin+"ticket_hash = ? AND answered_at IS NULL AND expires_at > ?", hash, now)
}

// byCode returns the login with a code, whether or not that is good.
func (r repository) byCode(ctx context.Context, hash string) (row, bool, error) {
	return r.find(ctx, selectLogin+"code_hash = ?", hash)
}

// take uses an open login up and returns it: one answer alone finds it.
func (r repository) take(ctx context.Context, hash string, protocol Protocol, now time.Time) (l row, found bool, err error) {
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		l, found, err = r.find(ctx, `UPDATE federated_logins SET answered_at = ?
			WHERE state_hash = ? AND protocol = ? AND answered_at IS NULL AND expires_at > ? RETURNING `+db.Columns[row](""),
			now, hash, protocol, now)
		return err
	})
	return l, found, err
}

// answered is what a good answer gave.
type answered struct {
	ID            uuid.UUID
	Method        string
	Level         int
	Claims        string
	CodeHash      string
	CodeExpiresAt time.Time
}

// keep writes down what a good answer gave. What went to the provider is forgotten.
func (r repository) keep(ctx context.Context, a answered) error {
	return r.db.From(ctx).Exec(`UPDATE federated_logins SET login_method = ?, login_level = ?, sealed_claims = ?, code_hash = ?,
		code_expires_at = ?, sealed_attempt = '' WHERE id = ?`, a.Method, a.Level, a.Claims, a.CodeHash, a.CodeExpiresAt, a.ID).Error
}

// redeem uses the code of a login up, and reports false where it was used or is too old. What the
// provider said is forgotten.
func (r repository) redeem(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec(`UPDATE federated_logins SET redeemed_at = ?, sealed_claims = NULL
		WHERE id = ? AND redeemed_at IS NULL AND code_expires_at > ?`, now, id, now)
	return result.RowsAffected == 1, result.Error
}

// redeemedBy notes who logged in.
func (r repository) redeemedBy(ctx context.Context, id, personID uuid.UUID) error {
	return r.db.From(ctx).Exec("UPDATE federated_logins SET person_id = ? WHERE id = ?", personID, id).Error
}

// see notes an identifier of an answer, and reports false where it was seen before.
func (r repository) see(ctx context.Context, digest string, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("INSERT INTO federated_answers (digest, seen_at) VALUES ( ?, ?) ON CONFLICT DO NOTHING", digest, now)
	return result.RowsAffected == 1, result.Error
}

// purge drops what was told and can be used no more, and logins that ended and answers that were seen
// before an instant.
func (r repository) purge(ctx context.Context, now, until time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		if err := r.db.From(ctx).Exec(`UPDATE federated_logins SET sealed_claims = NULL
			WHERE sealed_claims IS NOT NULL AND code_expires_at <= ?`, now).Error; err != nil {
			return err
		}
		if err := r.db.From(ctx).Exec(`UPDATE federated_logins SET sealed_attempt = ''
			WHERE sealed_attempt <> '' AND expires_at <= ?`, now).Error; err != nil {
			return err
		}
		if err := r.db.From(ctx).Exec("DELETE FROM federated_logins WHERE expires_at < ?", until).Error; err != nil {
			return err
		}
		return r.db.From(ctx).Exec("DELETE FROM federated_answers WHERE seen_at < ?", until).Error
	})
}

// mismatches returns what was noted of other names, the latest first, behind a place in that order.
func (r repository) mismatches(ctx context.Context, limit int, after *page.Key) ([]note, error) {
	// The index is on this operation alone, so it is written here as it stands there.
	query, args := "SELECT "+db.Columns[note]("")+" FROM audit_records WHERE operation = 'noteIdentityMismatch'", []any{}
	if after != nil {
		query, args = query+" AND (at, id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []note
	return rows, r.db.From(ctx).Raw(query+" ORDER BY at DESC, id DESC LIMIT ?", append(args, limit)...).Scan(&rows).Error
}
