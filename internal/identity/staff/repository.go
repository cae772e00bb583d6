package staff

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/due"
)

type repository struct{ db *db.DB }

// revocation is the revocation of somebody else's PIN, as it is kept.
type revocation struct {
	ID        uuid.UUID
	PersonID  uuid.UUID
	RevokedBy uuid.UUID
	Reason    RevocationReason
	RevokedAt time.Time
}

// TableName tells GORM the table.
func (revocation) TableName() string { return "pin_revocations" }

func (r repository) addRevocation(ctx context.Context, v revocation) error {
	return r.db.From(ctx).Create(&v).Error
}

// acts returns when the person did it after the instant, the earliest first.
func (r repository) acts(ctx context.Context, a act, personID uuid.UUID, after time.Time) ([]time.Time, error) {
	var times []time.Time
	err := r.db.From(ctx).Table(a.table).Where(a.by+" = ? AND "+a.at+" > ?", personID, after).Order(a.at).Pluck(a.at, &times).Error
	return times, err
}

func (r repository) addCounterPIN(ctx context.Context, c CounterPIN) error {
	return r.db.From(ctx).Create(&c).Error
}

// saveCounterPIN writes what may change in a PIN from the counter, over a row whose person the
// caller holds locked.
func (r repository) saveCounterPIN(ctx context.Context, c CounterPIN) error {
	return r.db.From(ctx).Model(&CounterPIN{}).Where("id = ?", c.ID).
		Select("confirmation", "confirmed_by", "confirmed_at", "document_id", "attachments").UpdateColumns(&c).Error
}

// inForce is that a PIN from the counter is the one that the person has, and waits for its
// confirmation.
const inForce = " JOIN pins i ON i.counter_pin_id = c.id AND i.revoked_at IS NULL WHERE c.confirmed_at IS NULL AND "

// waiting returns the PIN of a person that waits for its confirmation, and false for none.
func (r repository) waiting(ctx context.Context, personID uuid.UUID) (Waiting, bool, error) {
	var found []Waiting
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[CounterPIN]("c")+
		", o.given_name, o.family_name FROM counter_pins c JOIN people o ON o.id = c.issued_by"+inForce+
		"c.person_id = ?", personID).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return Waiting{}, false, err
	}
	return found[0], true, nil
}

// lastCounterPIN returns the PIN that was issued last to a person at a counter, and false for none.
func (r repository) lastCounterPIN(ctx context.Context, personID uuid.UUID) (CounterPIN, bool, error) {
	var found []CounterPIN
	err := r.db.From(ctx).Where("person_id = ?", personID).Order("issued_at DESC, id DESC").Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return CounterPIN{}, false, err
	}
	return found[0], true, nil
}

// ripe returns the PINs that become dispositive after the place in the order and not after the
// instant.
func (r repository) ripe(ctx context.Context, after due.Cursor, until time.Time, limit int) ([]CounterPIN, error) {
	var found []CounterPIN
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[CounterPIN]("c")+" FROM counter_pins c"+inForce+
		"(c.dispositive_at, c.id) > (?, ?) AND c.dispositive_at <= ? ORDER BY c.dispositive_at, c.id LIMIT ?",
		after.At, after.ID, until, limit).Scan(&found).Error
	return found, err
}

// waitAnew lets the PIN of a person that waits for its confirmation become dispositive at another
// instant.
func (r repository) waitAnew(ctx context.Context, personID uuid.UUID, at time.Time) error {
	return r.db.From(ctx).Exec(
		"UPDATE counter_pins SET dispositive_at = ? WHERE person_id = ? AND confirmed_at IS NULL", at, personID,
	).Error
}
