package sandbox

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/identity/application"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/calendar"
)

// consentMonths is for how long the first consent is given.
const consentMonths = 12

// plantConsents lets the intermediary's server act for one of its workers, in the context's
// transaction. It is about all clients, so that the client's representative sees it too.
func (s *Service) plantConsents(ctx context.Context) error {
	personID, err := s.planted(ctx, luca)
	if err != nil {
		return err
	}
	var bureau application.Application
	if err := s.db.From(ctx).Where("client_id = ?", BureauClientID).Take(&bureau).Error; err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.From(ctx).Exec(`INSERT INTO consents (id, person_id, application_id, scopes, services, every_contributor, given_at, expires_at)
		VALUES (?, ?, ?, '["declarations","offline_access"]', ?, ?, ?, ?)`,
		uuid.Must(uuid.NewV7()), personID, bureau.ID, access.ServiceSet{access.Declarations}, true, now,
		calendar.AddMonths(now, consentMonths)).Error
}
