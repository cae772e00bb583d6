package contributor

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/page"
)

// RectificationContact is where notices of rectification (note di rettifica) about a position go.
// The register of positions says it.
type RectificationContact struct {
	ID         uuid.UUID
	PositionID uuid.UUID
	Kind       RectificationContactKind
	Value      string
	State      RectificationContactState
	// GORM would write the time of the machine.
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
	// DeletedAt is set once it was deleted on request.
	DeletedAt *time.Time
}

// TableName tells GORM the table.
func (RectificationContact) TableName() string { return "rectification_contacts" }

// RectificationContactKind is how such a contact is reached.
type RectificationContactKind string

// The kinds of contacts for notices.
const (
	RectificationEmail  RectificationContactKind = "email"
	RectificationPEC    RectificationContactKind = "pec"
	RectificationMobile RectificationContactKind = "mobile"
)

// RectificationContactState is what is known of such a contact.
type RectificationContactState string

// The states of contacts for notices.
const (
	RectificationUnverified RectificationContactState = "unverified"
	RectificationVerified   RectificationContactState = "verified"
	RectificationBounced    RectificationContactState = "bounced"
)

// Unusable reports whether no notice can be relied on to arrive there: it bounced, or was never
// verified.
func (c RectificationContact) Unusable() bool { return c.State != RectificationVerified }

// RectificationContacts lists the contacts of a position, by their ids. The guard has let the actor
// in to the position.
func (s *Service) RectificationContacts(
	ctx context.Context, positionID uuid.UUID, request page.Request,
) (page.Page[RectificationContact], error) {
	return s.repo.rectificationContacts(ctx, positionID, request)
}

// LockRectificationContacts returns those contacts of a position that have one of the ids, deleted
// or not, and locks them in the context's transaction.
func (s *Service) LockRectificationContacts(ctx context.Context, positionID uuid.UUID, ids []uuid.UUID) ([]RectificationContact, error) {
	var rows []RectificationContact
	query := "SELECT " + db.Columns[RectificationContact]("") +
		" FROM rectification_contacts WHERE position_id = ? AND id IN ? ORDER BY id" + s.repo.db.ForUpdate()
	err := s.repo.db.From(ctx).Raw(query, positionID, ids).Scan(&rows).Error
	return rows, err
}

// DeleteRectificationContacts deletes contacts that the context's transaction has locked.
func (s *Service) DeleteRectificationContacts(ctx context.Context, ids []uuid.UUID, now time.Time) error {
	return s.repo.db.From(ctx).Exec("UPDATE rectification_contacts SET deleted_at = ? WHERE id IN ?", now, ids).Error
}

// PutRectificationContact adds a contact to a position in the context's transaction.
func (s *Service) PutRectificationContact(ctx context.Context, c RectificationContact) error {
	return s.repo.db.From(ctx).Create(&c).Error
}

func (r *repository) rectificationContacts(
	ctx context.Context, positionID uuid.UUID, request page.Request,
) (page.Page[RectificationContact], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[RectificationContact]{}, err
	}
	query := r.db.From(ctx).Where("position_id = ? AND deleted_at IS NULL", positionID)
	if after != nil {
		query = query.Where("id > ?", after.ID)
	}
	var rows []RectificationContact
	if err := query.Order("id").Limit(request.Size() + 1).Find(&rows).Error; err != nil {
		return page.Page[RectificationContact]{}, err
	}
	return page.Cut(rows, request.Size(), func(c RectificationContact) page.Key { return page.Key{ID: c.ID} }), nil
}
