package pin

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
)

type repository struct{ db *db.DB }

const selectCredential = `SELECT p.id AS person_id, p.tax_code, p.user_class, p.credential_level, p.suspended_at,
	coalesce(c.hash, '') AS hash, coalesce(c.initial, ?) AS initial, c.changed_at, c.change_due_at, c.unused_expires_at, c.revoked_at
	FROM people p LEFT JOIN pins c ON c.person_id = p.id WHERE `

// byTaxCode returns the credential of a person, or a stranger's.
func (r repository) byTaxCode(ctx context.Context, taxCode string) (credential, error) {
	return r.credential(ctx, "p.tax_code = ?", taxCode)
}

// byPerson returns the credential of a person, or a stranger's.
func (r repository) byPerson(ctx context.Context, id uuid.UUID) (credential, error) {
	return r.credential(ctx, "p.id = ?", id)
}

func (r repository) credential(ctx context.Context, condition string, value any) (credential, error) {
	var c credential
	err := r.db.From(ctx).Raw(selectCredential+condition, false, value).Scan(&c).Error
	return c, err
}

// stillValid reports whether the PIN that was changed at the instant is the person's and good. It
// keeps it so until the end of the transaction.
func (r repository) stillValid(ctx context.Context, personID uuid.UUID, changedAt time.Time) (bool, error) {
	var found []int
	err := r.db.From(ctx).Raw(`SELECT 1 FROM pins c JOIN people p ON p.id = c.person_id
		WHERE c.person_id = ? AND c.changed_at = ? AND c.revoked_at IS NULL AND p.suspended_at IS NULL`+r.db.ForShare("p, c"), personID,
		changedAt).Scan(&found).Error
	return len(found) == 1, err
}

func (r repository) upgradeHash(ctx context.Context, personID uuid.UUID, before, after string) error {
	return r.db.From(ctx).Exec("UPDATE pins SET hash = ? WHERE person_id = ? AND hash = ?", after, personID, before).Error
}

// classOf returns the class of a person, or fault.NotFound.
func (r repository) classOf(ctx context.Context, personID uuid.UUID) (access.UserClass, error) {
	var classes []access.UserClass
	err := r.db.From(ctx).Raw("SELECT user_class FROM people WHERE id = ?", personID).Scan(&classes).Error
	if err == nil && len(classes) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return "", err
	}
	return classes[0], nil
}

// put gives a person a PIN in place of any other, and drops one that waits for its confirmation.
func (r repository) put(ctx context.Context, p stored) error {
	err := r.db.From(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{
		{Name: "person_id"},
	}, DoUpdates: clause.AssignmentColumns([]string{
		"hash", "initial", "changed_at", "change_due_at", "unused_expires_at", "first_access_at", "revoked_at", "second_half_id",
		"counter_pin_id",
	})}).Create(&p).Error
	if err != nil {
		return err
	}
	return r.dropRotation(ctx, p.PersonID)
}

func (r repository) dropRotation(ctx context.Context, personID uuid.UUID) error {
	return r.db.From(ctx).Exec("DELETE FROM pin_rotations WHERE person_id = ?", personID).Error
}

// hold returns the PIN of a person, revoked or not, and false when there is none. It locks the PIN
// until the end of the transaction.
//
// Lock order: people, PINs, rotations, sessions, codes.
func (r repository) hold(ctx context.Context, personID uuid.UUID) (stored, bool, error) {
	var found []stored
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[stored]("")+
		" FROM pins WHERE person_id = ?"+r.db.ForUpdate(), personID).Scan(&found).Error
	if err != nil || len(found) == 0 {
		return stored{}, false, err
	}
	return found[0], true, nil
}

// revoke revokes a PIN that is not revoked and reports whether there was one.
func (r repository) revoke(ctx context.Context, personID uuid.UUID, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("UPDATE pins SET revoked_at = ? WHERE person_id = ? AND revoked_at IS NULL", now, personID)
	return result.RowsAffected == 1, result.Error
}

// confirm replaces a PIN that is not revoked and reports whether there was one.
func (r repository) confirm(ctx context.Context, personID uuid.UUID, hash string, now, due time.Time) (bool, error) {
	result := r.db.From(ctx).Exec(`UPDATE pins SET hash = ?, initial = ?, changed_at = ?, change_due_at = ?, unused_expires_at = NULL,
		first_access_at = coalesce(first_access_at, ?) WHERE person_id = ? AND revoked_at IS NULL`, hash, false, now, due, now, personID)
	return result.RowsAffected == 1, result.Error
}

// unrevoked returns the PIN of a person that is not revoked, and false when there is none.
func (r repository) unrevoked(ctx context.Context, personID uuid.UUID) (stored, bool, error) {
	var found []stored
	err := r.db.From(ctx).Where("person_id = ? AND revoked_at IS NULL", personID).Find(&found).Error
	if err != nil || len(found) == 0 {
		return stored{}, false, err
	}
	return found[0], true, nil
}

// begin keeps an unconfirmed PIN in place of any other of the person.
func (r repository) begin(ctx context.Context, n rotation) error {
	return r.db.From(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{
		{Name: "person_id"},
	}, DoUpdates: clause.AssignmentColumns([]string{
		"id", "session_id", "hash", "expires_at",
	})}).Create(&n).Error
}

// waiting returns the unconfirmed PIN with the id that belongs to the person and session and is not
// void.
func (r repository) waiting(ctx context.Context, id, personID, sessionID uuid.UUID, now time.Time) (rotation, bool, error) {
	var found []rotation
	err := r.db.From(ctx).Where(
		"id = ? AND person_id = ? AND session_id = ? AND expires_at > ?", id, personID, sessionID, now,
	).Find(&found).Error
	if err != nil || len(found) == 0 {
		return rotation{}, false, err
	}
	return found[0], true, nil
}

// take removes an unconfirmed PIN that is not void and reports whether it was there.
func (r repository) take(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("DELETE FROM pin_rotations WHERE id = ? AND expires_at > ?", id, now)
	return result.RowsAffected == 1, result.Error
}

// beginUnused lets an initial PIN expire unused at the instant. It does so if the message took the
// PIN's second half, and only once.
func (r repository) beginUnused(ctx context.Context, personID, secondHalfID uuid.UUID, expires time.Time) error {
	return r.db.From(ctx).Exec("UPDATE pins SET unused_expires_at = ? WHERE person_id = ? AND second_half_id = ? AND initial = ? AND "+
		"unused_expires_at IS NULL",
		expires, personID, secondHalfID, true).Error
}

// expireUnused lets a PIN that was sent in halves expire unused now, unless it was used. The PIN is
// the one that was given at the instant.
func (r repository) expireUnused(ctx context.Context, personID uuid.UUID, given, now time.Time) error {
	return r.db.From(ctx).Exec(`UPDATE pins SET unused_expires_at = ? WHERE person_id = ? AND changed_at = ? AND initial = ?
		AND second_half_id IS NOT NULL
		AND (unused_expires_at IS NULL OR unused_expires_at > ?)`, now, personID, given, true, now).Error
}
