package sandbox

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"diresco/internal/dossier/smarttask"
	"diresco/internal/dossier/ticket"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/attachment"
)

// deletesContacts is the type of the first smart tasks.
const deletesContacts = "delete-rectification-contacts"

// plantSmartTasks files the first smart tasks, in the context's transaction, with what they were
// decided: one about a contact that had bounced, and one about a contact that is verified.
func (s *Service) plantSmartTasks(ctx context.Context, contributors map[string]uuid.UUID) error {
	by, err := s.repo.asker(ctx, contributors[ambrosiana])
	if err != nil {
		return err
	}
	opened := s.clock.Now().Add(-time.Hour)
	bounced, verified := uuid.Must(uuid.NewV7()), uuid.UUID{}
	err = s.contributors.PutRectificationContact(ctx, contributor.RectificationContact{
		ID: bounced, PositionID: by.PositionID, Kind: contributor.RectificationEmail, Value: "vecchio@tessiture.example",
		State: contributor.RectificationBounced, UpdatedAt: opened,
	})
	if err != nil {
		return err
	}
	const selectVerified = "SELECT id FROM rectification_contacts WHERE position_id = ? AND state = 'verified' ORDER BY id LIMIT 1"
	if err := s.db.From(ctx).Raw(selectVerified, by.PositionID).Row().Scan(&verified); err != nil {
		return err
	}
	if err := s.plantSmartTask(ctx, by, opened, bounced, "", nil); err != nil {
		return err
	}
	reasons := []smarttask.Reason{{Code: smarttask.ContactUsable, SubjectID: &verified}}
	if err := s.plantSmartTask(ctx, by, opened.Add(time.Minute), verified, smarttask.StateCheck, reasons); err != nil {
		return err
	}
	return s.contributors.DeleteRectificationContacts(ctx, []uuid.UUID{bounced}, opened)
}

// plantSmartTask files one about a contact, with its number as the register would have given it.
func (s *Service) plantSmartTask(
	ctx context.Context, by asker, opened time.Time, contact uuid.UUID, failed smarttask.CheckCode, reasons []smarttask.Reason,
) error {
	kind, decided := smarttask.Known(deletesContacts), opened.Add(time.Second)
	content, err := json.Marshal(map[string]any{"position_id": by.PositionID, "contact_ids": []uuid.UUID{contact}})
	if err != nil {
		return err
	}
	task := smarttask.Task{
		ID: uuid.Must(uuid.NewV7()), ContributorID: by.ContributorID, Type: deletesContacts, Content: string(content),
		PersonID: by.PersonID, RightID: by.RightID, SubmittedAt: opened, TakenAt: &decided, ExaminedAt: &decided,
	}.Decided(failed, reasons, decided)
	closure := task.Closure()
	t := ticket.Ticket{
		ID: task.ID, Kind: ticket.SmartTask, ContributorID: by.ContributorID, PositionID: &by.PositionID, OfficeCode: by.OfficeCode,
		Topic: kind.Topic, Subject: kind.TitleIT, Text: kind.EffectIT, PersonID: by.PersonID, RightID: by.RightID,
		ActingAs: by.ActingAs, Attachments: []attachment.File{}, OpenedAt: opened, State: ticket.Closed, Outcome: &closure.Outcome,
		ClosingText: &closure.Text, ClosedAt: &decided, Version: 3, UpdatedAt: decided,
	}
	if err := s.enter(ctx, t); err != nil {
		return err
	}
	return s.db.From(ctx).Create(&task).Error
}
