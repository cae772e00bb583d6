package delegation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/internal/identity/otp"
	"diresco/internal/identity/throttle"
	"diresco/internal/platform/secret"
)

// OTP is the one-time code (codice OTP) of a delegation, as far as it may be told.
type OTP struct {
	SentAt    time.Time
	ExpiresAt time.Time
	Channel   string
	// Recipient is in clear; show it masked.
	Recipient string
	TriesLeft int
}

// The rules of the code.
const (
	// OTPLife is how long a code is good.
	OTPLife = 7 * 24 * time.Hour
	// OTPTries is how many wrong entries a code survives, less one.
	OTPTries = 5
	// sendsADay is how often a code is sent for one delegation in 24 hours.
	sendsADay = 3
	// contributorSendsADay is how many codes a contributor gets in 24 hours from all intermediaries
	// together.
	contributorSendsADay = 10
	// delegateSendsADay is how many of those one intermediary has sent, so that the others need not
	// wait a day.
	delegateSendsADay = 4
)

// otpPurpose is how codes are made and tried; besides, the limiter counts for an intermediary and a
// contributor.
//
// Codes stay where they were sent: the table tells who had them sent whither, for ever.
var otpPurpose = otp.Purpose{
	Kind: throttle.DelegationOTP, Label: "delegation otp", Digits: true, Length: 8, Life: OTPLife, Tries: OTPTries,
	Table: &otp.Table{Name: "delegation_otps", Subject: "delegation_id", Made: "sent_at"},
}

// bound is what a code is good for: this delegation, between these two, about these positions.
func bound(s View) [][]byte {
	parts := [][]byte{s.ID[:], s.ContributorID[:], s.DelegateID[:]}
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
func (s *Service) makeOTP(ctx context.Context, d View, by uuid.UUID, channel, recipient string) (secret.Text, error) {
	return s.codes.Make(ctx, otp.Issue{
		Purpose: otpPurpose, SubjectID: d.ID, Bound: bound(d),
		Columns: map[string]any{"contributor_id": d.ContributorID, "channel": channel, "recipient": recipient, "sent_by": by},
	})
}

// endOTP makes the live code of a delegation worthless.
func (s *Service) endOTP(ctx context.Context, delegationID uuid.UUID) error {
	return s.codes.End(ctx, otpPurpose, delegationID)
}

// liveOTPs returns the codes of delegations that are good at the instant.
func (r repository) liveOTPs(ctx context.Context, delegationIDs []uuid.UUID, now time.Time) (map[uuid.UUID]*OTP, error) {
	var rows []struct {
		DelegationID uuid.UUID
		OTP
		Tries int
	}
	err := r.db.From(ctx).Raw(
		"SELECT delegation_id, sent_at, expires_at, channel, recipient, tries FROM delegation_otps WHERE delegation_id IN ? AND "+
			"used_at IS NULL AND ended_at IS NULL AND expires_at > ?", delegationIDs, now,
	).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	live := make(map[uuid.UUID]*OTP, len(rows))
	for _, row := range rows {
		row.TriesLeft = OTPTries - row.Tries
		live[row.DelegationID] = &row.OTP
	}
	return live, nil
}

// sentCode is a code that went to a contributor.
type sentCode struct {
	DelegationID, DelegateID uuid.UUID
	SentAt                   time.Time
}

// sent returns the codes that went to a contributor after the instant, the earliest first.
func (r repository) sent(ctx context.Context, contributorID uuid.UUID, after time.Time) ([]sentCode, error) {
	var codes []sentCode
	const selectSent = "SELECT o.delegation_id, g.delegate_id, o.sent_at FROM delegation_otps o JOIN delegations g " +
		"ON g.id = o.delegation_id WHERE o.contributor_id = ? AND o.sent_at > ? ORDER BY o.sent_at"
	return codes, r.db.From(ctx).Raw(selectSent, contributorID, after).Scan(&codes).Error
}
