package access

import (
	"context"

	"github.com/google/uuid"
)

// About is what an event is about: whom it concerns, and what a right must cover to see it.
type About struct {
	// ContributorID and PositionID are zero where it is about none.
	ContributorID uuid.UUID
	PositionID    uuid.UUID
	// DelegateID is the intermediary of a delegation.
	DelegateID uuid.UUID
	// PersonID is who gave the consent, or sent the batch.
	PersonID uuid.UUID
	Service  Service
	// Kind and SubjectID name the subject, as the audit trail does.
	Kind      string
	SubjectID string
}

// Watching tells which of the events each session sees now, by their index.
func (r *Repository) Watching(ctx context.Context, sessionIDs []uuid.UUID, events []About) (map[uuid.UUID][]int, error) {
	return nil, nil
}
