package oauth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
)

type repository struct{ db *db.DB }

// The kinds and states of a flow.
const (
	kindBrowser   = "browser"
	kindDevice    = "device"
	statePushed   = "pushed"
	stateOpen     = "open"
	stateApproved = "approved"
	stateDenied   = "denied"
)

// row is a flow as it is kept.
type row struct {
	ID            uuid.UUID
	ApplicationID uuid.UUID
	Kind          string
	State         string
	RedirectURI   *string `gorm:"column:redirect_uri"`
	ClientState   *string
	CodeChallenge *string
	// Key is the thumbprint of the key that the code is bound to.
	Key           *string        `gorm:"column:dpop_jkt"`
	Scopes        []string       `gorm:"serializer:json"`
	Details       []storedDetail `gorm:"serializer:json"`
	Language      string
	RequestHash   *string
	BindingHash   *string
	CodeHash      *string
	CodeExpiresAt *time.Time
	DeviceHash    *string
	UserMAC       *string `gorm:"column:user_mac"`
	// PollInterval is in seconds.
	PollInterval int
	PollAfter    *time.Time
	PersonID     *uuid.UUID
	ConsentID    *uuid.UUID
	RedeemedAt   *time.Time
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// TableName tells GORM the table.
func (row) TableName() string { return "oauth_flows" }

func (r repository) insert(ctx context.Context, f row) error {
	return r.db.InTx(ctx, func(ctx context.Context) error { return r.db.From(ctx).Create(&f).Error })
}

func (r repository) find(ctx context.Context, condition string, args ...any) (row, bool, error) {
	var rows []row
	err := r.db.From(ctx).Where(condition, args...).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return row{}, false, err
	}
	return rows[0], true, nil
}

func (r repository) byID(ctx context.Context, id uuid.UUID) (row, bool, error) {
	return r.find(ctx, "id = ?", id)
}

func (r repository) byRequest(ctx context.Context, hash string) (row, bool, error) {
	return r.find(ctx, "request_hash = ?", hash)
}

func (r repository) byCode(ctx context.Context, hash string) (row, bool, error) {
	return r.find(ctx, "code_hash = ?", hash)
}

func (r repository) byDevice(ctx context.Context, hash string) (row, bool, error) {
	return r.find(ctx, "device_hash = ?", hash)
}

func (r repository) byUserCode(ctx context.Context, macs []string) (row, bool, error) {
	return r.find(ctx, "user_mac IN ?", macs)
}

// change runs a statement about one flow, and reports whether there was one that it fits.
func (r repository) change(ctx context.Context, statement string, args ...any) (changed bool, err error) {
	err = r.db.InTx(ctx, func(ctx context.Context) error {
		result := r.db.From(ctx).Exec("UPDATE oauth_flows SET "+statement, args...)
		changed = result.RowsAffected == 1
		return result.Error
	})
	return changed, err
}

// begin opens a request that was pushed, in the browser that came first.
func (r repository) begin(ctx context.Context, id uuid.UUID, binding string, now, until time.Time) (bool, error) {
	return r.change(ctx, "state = 'open', binding_hash = ?, expires_at = ? WHERE id = ? AND state = 'pushed' AND expires_at > ?",
		binding, until, id, now)
}

// claim gives a device's flow to who typed its code. The same person may do so again elsewhere.
func (r repository) claim(ctx context.Context, id, personID uuid.UUID, binding string, now time.Time) (bool, error) {
	return r.change(ctx, "state = 'open', person_id = ?, binding_hash = ? WHERE id = ? AND expires_at > ? AND "+
		"(state = 'pushed' OR (state = 'open' AND person_id = ?))", personID, binding, id, now, personID)
}

// approval is what is kept of a flow that was approved.
type approval struct {
	PersonID      uuid.UUID
	ConsentID     uuid.UUID
	CodeHash      *string
	CodeExpiresAt time.Time
}

func (r repository) approve(ctx context.Context, id uuid.UUID, a approval) error {
	_, err := r.change(ctx, "state = 'approved', person_id = ?, consent_id = ?, code_hash = ?, code_expires_at = ? WHERE id = ?",
		a.PersonID, a.ConsentID, a.CodeHash, a.CodeExpiresAt, id)
	return err
}

func (r repository) deny(ctx context.Context, id uuid.UUID) error {
	_, err := r.change(ctx, "state = 'denied' WHERE id = ?", id)
	return err
}

// redeem uses the flow's code up, and reports false when somebody did so before.
func (r repository) redeem(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	return r.change(ctx, "redeemed_at = ? WHERE id = ? AND state = 'approved' AND redeemed_at IS NULL", now, id)
}

// poll notes when a device may ask again, and how long it waits between two questions.
func (r repository) poll(ctx context.Context, id uuid.UUID, interval int, after time.Time) error {
	_, err := r.change(ctx, "poll_interval = ?, poll_after = ? WHERE id = ?", interval, after, id)
	return err
}

// given is a consent as far as tokens depend on it.
type given struct {
	ExpiresAt        time.Time
	Services         access.ServiceSet
	EveryContributor bool
}

// consent returns a consent that lives, with the contributors that it names; nil for all.
func (r repository) consent(ctx context.Context, id uuid.UUID, now time.Time) (g given, contributors []uuid.UUID, found bool, err error) {
	var rows []given
	err = r.db.From(ctx).Raw(
		"SELECT expires_at, services, every_contributor FROM consents WHERE id = ? AND ended_at IS NULL AND expires_at > ?", id, now,
	).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return given{}, nil, false, err
	}
	if !rows[0].EveryContributor {
		contributors = []uuid.UUID{}
		err = r.db.From(ctx).Raw("SELECT contributor_id FROM consent_contributors WHERE consent_id = ? ORDER BY contributor_id", id).
			Scan(&contributors).Error
	}
	return rows[0], contributors, true, err
}

// consentOf returns the consent by which a session acts.
func (r repository) consentOf(ctx context.Context, sessionID uuid.UUID) (uuid.UUID, error) {
	var id uuid.UUID
	err := r.db.From(ctx).Raw("SELECT consent_id FROM sessions WHERE id = ? AND consent_id IS NOT NULL", sessionID).Row().Scan(&id)
	return id, err
}

// assertion is one that was used.
type assertion struct {
	ApplicationID uuid.UUID
	IDHash        string
	ExpiresAt     time.Time
}

// TableName tells GORM the table.
func (assertion) TableName() string { return "oauth_assertions" }

// useAssertion notes an assertion's id, and reports false when it was used before.
func (r repository) useAssertion(ctx context.Context, a assertion) (bool, error) {
	err := r.db.InTx(ctx, func(ctx context.Context) error { return r.db.From(ctx).Create(&a).Error })
	if db.IsUnique(err) {
		return false, nil
	}
	return err == nil, err
}

// missed returns flows whose code has expired before anybody came for it, and whose consent lives.
func (r repository) missed(ctx context.Context, now time.Time, limit int) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(`SELECT f.id FROM oauth_flows f JOIN consents k ON k.id = f.consent_id AND k.ended_at IS NULL AND k.expires_at > ?
		WHERE f.state = 'approved' AND f.redeemed_at IS NULL AND f.code_expires_at <= ? ORDER BY f.id LIMIT ?`, now, now, limit).Scan(&ids).Error
	return ids, err
}

// purge drops flows and assertions that have ended by now. Those that somebody let in are kept until
// they ended before the instant.
func (r repository) purge(ctx context.Context, flows, now time.Time) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		if err := r.db.From(ctx).Exec("DELETE FROM oauth_flows WHERE expires_at < ? OR expires_at < ? AND consent_id IS NULL",
			flows, now).Error; err != nil {
			return err
		}
		return r.db.From(ctx).Exec("DELETE FROM oauth_assertions WHERE expires_at < ?", now).Error
	})
}
