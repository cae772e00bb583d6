package sandbox

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"diresco/internal/dossier/smarttask"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
)

// SmartTasks takes what somebody asks the system to decide.
type SmartTasks interface {
	Request(ctx context.Context, by access.Actor, in smarttask.Input) (smarttask.View, error)
}

// tasksEmail is where the asker of the first smart tasks is told of them.
const tasksEmail = "cassetto@tessiture.example"

// askFirst files the first smart tasks, once the first data are there: one about a contact that is
// unusable, which will be accepted, and one about a verified one, which will not. They have numbers
// of the register, so they are filed as anybody's are. They are decided when somebody looks.
func (s *Service) askFirst(ctx context.Context) error {
	if s.smartTasks == nil {
		return nil
	}
	const selectAsker = `SELECT r.person_id, p.contributor_id, p.id AS position_id FROM positions p
		JOIN contributor_roles r ON r.contributor_id = p.contributor_id AND r.role = 'legal_representative' WHERE p.number = ?`
	var asker struct{ PersonID, ContributorID, PositionID uuid.UUID }
	if err := s.db.From(ctx).Raw(selectAsker, askersPosition).Take(&asker).Error; err != nil {
		return err
	}
	by, err := s.rights.Delayed(ctx, access.Later{PersonID: asker.PersonID, ContributorID: asker.ContributorID})
	if err != nil {
		return err
	}
	for _, kind := range []contributor.RectificationContactKind{contributor.RectificationEmail, contributor.RectificationPEC} {
		var ids []uuid.UUID
		const selectContacts = "SELECT id FROM rectification_contacts WHERE position_id = ? AND kind = ?"
		if err := s.db.From(ctx).Raw(selectContacts, asker.PositionID, kind).Scan(&ids).Error; err != nil {
			return err
		}
		content, err := json.Marshal(map[string]any{"position_id": asker.PositionID, "contact_ids": ids})
		if err != nil {
			return err
		}
		email := tasksEmail
		in := smarttask.Input{Type: "delete-rectification-contacts", Content: content, Email: &email}
		if _, err := s.smartTasks.Request(ctx, by, in); err != nil {
			return err
		}
	}
	return nil
}
