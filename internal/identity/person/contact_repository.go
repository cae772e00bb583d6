package person

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"diresco/db"
	"diresco/internal/platform/fault"
)

// addContacts inserts contacts; one that is there already becomes verified when the new one is.
func (r repository) addContacts(ctx context.Context, contacts []Contact) error {
	if len(contacts) == 0 {
		return nil
	}
	keep := func(column string) clause.Assignment {
		return clause.Assignment{
			Column: clause.Column{Name: column}, Value: clause.Expr{SQL: "coalesce(contacts." + column + ", excluded." + column + ")"},
		}
	}
	return r.db.From(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "person_id"}, {Name: "kind"}, {Name: "value"}},
		DoUpdates: clause.Set{keep("verified_at"), keep("recovery_from"), {
			Column: clause.Column{Name: "bounced_at"},
			Value:  clause.Expr{SQL: "CASE WHEN excluded.verified_at IS NULL THEN contacts.bounced_at END"},
		}},
	}).Create(&contacts).Error
}

// addContact inserts a contact and reports false when the person has it.
func (r repository) addContact(ctx context.Context, c Contact) (bool, error) {
	result := r.db.From(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&c)
	return result.RowsAffected == 1, result.Error
}

// contacts returns the contacts of a person, oldest first.
func (r repository) contacts(ctx context.Context, personID uuid.UUID) ([]Contact, error) {
	var contacts []Contact
	err := r.db.From(ctx).Where("person_id = ?", personID).Order("created_at, id").Find(&contacts).Error
	return contacts, err
}

// contact returns a contact of a person, or fault.NotFound.
func (r repository) contact(ctx context.Context, personID, id uuid.UUID) (Contact, error) {
	var c Contact
	err := r.db.From(ctx).Where("id = ? AND person_id = ?", id, personID).Take(&c).Error
	if db.IsNotFound(err) {
		err = fault.New(fault.NotFound)
	}
	return c, err
}

// saveVerified writes what verification changes in a contact; fault.NotFound when it was removed
// meanwhile.
func (r repository) saveVerified(ctx context.Context, c Contact) error {
	result := r.db.From(ctx).Model(&Contact{}).Where("id = ?", c.ID).Select("verified_at", "recovery_from", "bounced_at").UpdateColumns(&c)
	if result.Error == nil && result.RowsAffected == 0 {
		return fault.New(fault.NotFound)
	}
	return result.Error
}

// verifyNew makes a contact that was never verified count from the instant on, also for recovery.
func (r repository) verifyNew(ctx context.Context, personID uuid.UUID, n NewContact, now time.Time) error {
	return r.db.From(ctx).Exec(`UPDATE contacts SET verified_at = ?, recovery_from = ? WHERE person_id = ? AND kind = ? AND value = ?
		AND verified_at IS NULL AND bounced_at IS NULL`, now, now, personID, n.Kind, n.Value).Error
}

// bounce marks a contact as bounced and reports whether it was there and was not yet.
func (r repository) bounce(ctx context.Context, personID uuid.UUID, n NewContact, now time.Time) (bool, error) {
	result := r.db.From(ctx).Exec("UPDATE contacts SET bounced_at = ? WHERE person_id = ? AND kind = ? AND value = ? AND "+
		"bounced_at IS NULL",
		now, personID, n.Kind, n.Value)
	return result.RowsAffected == 1, result.Error
}

// uncertify makes a PEC contact an e-mail one and reports whether it was there. One that the person
// has as e-mail already is not needed twice.
func (r repository) uncertify(ctx context.Context, personID uuid.UUID, address string) (bool, error) {
	result := r.db.From(ctx).Exec(`UPDATE contacts SET kind = ? WHERE person_id = ? AND kind = ? AND value = ?
		AND NOT EXISTS (SELECT 1 FROM contacts other WHERE other.person_id = ? AND other.kind = ? AND other.value = ?)`,
		Email, personID, PEC, address, personID, Email, address)
	if result.Error != nil || result.RowsAffected == 1 {
		return result.RowsAffected == 1, result.Error
	}
	result = r.db.From(ctx).Exec("DELETE FROM contacts WHERE person_id = ? AND kind = ? AND value = ?", personID, PEC, address)
	return result.RowsAffected == 1, result.Error
}

// among narrows contacts down to those that bounced in a period.
func (b Bounces) among(query *gorm.DB) *gorm.DB {
	query = query.Where("bounced_at >= ? AND bounced_at < ?", b.From, b.Until)
	if b.Kind != "" {
		query = query.Where("kind = ?", b.Kind)
	}
	return query
}

// bounced returns the ids of contacts that bounced in a period, in their order.
func (r repository) bounced(ctx context.Context, which Bounces) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := which.among(r.db.From(ctx).Model(&Contact{})).Order("id").Pluck("id", &ids).Error
	return ids, err
}

// undoBounce makes a contact what it was before it bounced. It reports false where it is there no
// more, or was verified anew meanwhile.
func (r repository) undoBounce(ctx context.Context, id uuid.UUID, which Bounces) (bool, error) {
	result := which.among(r.db.From(ctx).Model(&Contact{})).Where("id = ?", id).UpdateColumn("bounced_at", nil)
	return result.RowsAffected == 1, result.Error
}

func (r repository) removeContact(ctx context.Context, id uuid.UUID) error {
	return r.db.From(ctx).Exec("DELETE FROM contacts WHERE id = ?", id).Error
}
