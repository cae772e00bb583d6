package delegation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"diresco/internal/platform/fault"
	"diresco/internal/platform/keyring"
	"diresco/internal/platform/secret"

	"github.com/google/uuid"
)

// otpRow is a code as it is kept.
type otpRow struct {
	ID            uuid.UUID
	DelegationID  uuid.UUID
	ContributorID uuid.UUID
	MACKey        string `gorm:"column:mac_key"`
	MAC           string `gorm:"column:mac"`
	Tries         int
	Channel       string
	Recipient     string
	SentBy        uuid.UUID
	SentAt        time.Time
	ExpiresAt     time.Time
	UsedAt        *time.Time
	EndedAt       *time.Time
}

// TableName tells GORM the table.
func (otpRow) TableName() string { return "delegation_otps" }

const otpPurpose = "delegation otp"

// bound is what a code is good for: this delegation, between these two, about these positions.
func bound(s View, id uuid.UUID, otp secret.Text) [][]byte {
	parts := [][]byte{id[:], []byte(secret.Normalise(otp)), s.ID[:], s.ContributorID[:], s.DelegateID[:]}
	positions := s.positionIDs()
	slices.SortFunc(positions, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	for _, p := range positions {
		parts = append(parts, p[:])
	}
	return parts
}

func (s View) positionIDs() []uuid.UUID {
	ids := make([]uuid.UUID, len(s.Positions))
	for i, p := range s.Positions {
		ids[i] = p.ID
	}
	return ids
}

// makeOTP replaces the live code of a delegation.
func (s *Service) makeOTP(ctx context.Context, d View, by uuid.UUID, channel, recipient string, now time.Time) (secret.Text, error) {
	otp, err := secret.DrawDigits(s.Random, otpDigits)
	if err != nil {
		return "", err
	}
	if err := s.Repository.endOTP(ctx, d.ID, now); err != nil {
		return "", err
	}
	id := uuid.Must(uuid.NewV7())
	key, mac := s.Keys.MAC(otpPurpose, bound(d, id, otp)...)
	return otp, s.Repository.addOTP(ctx, otpRow{
		ID: id, DelegationID: d.ID, ContributorID: d.ContributorID, MACKey: key, MAC: mac, Channel: channel, Recipient: recipient, SentBy: by, SentAt: now, ExpiresAt: now.Add(OTPLife),
	})
}

// matches reports whether what was entered is the code that was sent, for the delegation as it stands.
func matches(keys *keyring.DataKeys, row otpRow, d View, otp secret.Text) bool {
	return keys.CheckMAC(row.MACKey, row.MAC, otpPurpose, bound(d, row.ID, otp)...)
}

// tryOTP counts a try at the live code of a delegation that is locked, before anybody looks at it, and returns it.
func (s *Service) tryOTP(ctx context.Context, delegationID uuid.UUID, now time.Time) (otpRow, error) {
	row, found, err := s.Repository.countTry(ctx, delegationID, now)
	if err != nil || found {
		return row, err
	}
	last, sent, err := s.Repository.lastOTP(ctx, delegationID)
	switch {
	case err != nil:
		return otpRow{}, err
	case sent && last.Tries >= OTPTries:
		return otpRow{}, fault.New(fault.OTPExhausted)
	case !sent, last.EndedAt != nil:
		return otpRow{}, fault.Because(fault.Conflict, "delegation-state")
	default:
		return otpRow{}, fault.New(fault.OTPExpired)
	}
}

func (r *Repository) addOTP(ctx context.Context, row otpRow) error {
	return r.db.From(ctx).Create(&row).Error
}

// endOTP makes the live code of a delegation worthless.
func (r *Repository) endOTP(ctx context.Context, delegationID uuid.UUID, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE delegation_otps SET ended_at = ? WHERE delegation_id = ? AND used_at IS NULL AND ended_at IS NULL", now, delegationID).Error
}

// countTry adds one to the tries at the live code, unless there were five, and returns it.
func (r *Repository) countTry(ctx context.Context, delegationID uuid.UUID, now time.Time) (otpRow, bool, error) {
	var rows []otpRow
	err := r.db.From(ctx).Raw(`UPDATE delegation_otps SET tries = tries + 1 WHERE delegation_id = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ? AND tries < ?
		RETURNING *`, delegationID, now, OTPTries).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return otpRow{}, false, err
	}
	return rows[0], true, nil
}

// useOTP marks a code as used.
func (r *Repository) useOTP(ctx context.Context, id uuid.UUID, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE delegation_otps SET used_at = ? WHERE id = ?", now, id).Error
}

func (r *Repository) lastOTP(ctx context.Context, delegationID uuid.UUID) (otpRow, bool, error) {
	var rows []otpRow
	err := r.db.From(ctx).Raw("SELECT * FROM delegation_otps WHERE delegation_id = ? ORDER BY sent_at DESC, id DESC LIMIT 1", delegationID).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return otpRow{}, false, err
	}
	return rows[0], true, nil
}

// sent returns when codes went out after the instant, the earliest first, for a delegation or to a contributor.
func (r *Repository) sent(ctx context.Context, column string, id uuid.UUID, after time.Time) ([]time.Time, error) {
	var at []time.Time
	err := r.db.From(ctx).Raw(fmt.Sprintf("SELECT sent_at FROM delegation_otps WHERE %s = ? AND sent_at > ? ORDER BY sent_at", column), id, after).Scan(&at).Error
	return at, err
}
