package sandbox

import (
	"context"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/dossier/ticket"
)

// seedReplies are the ready-made answers that each office with an operator begins with.
var seedReplies = []ticket.Template{
	{
		Code: "document-needed", Title: "Documento mancante",
		Text: "Gentile utente,\nper definire la richiesta occorre la copia leggibile del modello F24 quietanzato.",
	},
	{
		Code: "payment-allocated", Title: "Versamento abbinato", Topic: new("payments-allocation"),
		Text: "Gentile utente,\nil versamento è stato abbinato alla posizione contributiva indicata.",
	},
}

// plantReplyTemplates gives each office its first ready-made answers, as if the first of its
// operators had written them.
func (s *Service) plantReplyTemplates(ctx context.Context) error {
	var operators []struct {
		ID         uuid.UUID
		OfficeCode string
	}
	err := s.db.From(ctx).Raw(
		"SELECT id, office_code FROM people WHERE user_class = 'operator' ORDER BY office_code, id",
	).Scan(&operators).Error
	if err != nil {
		return err
	}
	now := s.clock.Now()
	var all []ticket.Template
	for i, o := range operators {
		if i > 0 && operators[i-1].OfficeCode == o.OfficeCode {
			continue
		}
		for _, t := range seedReplies {
			t.OfficeCode, t.Version, t.UpdatedAt, t.UpdatedBy = o.OfficeCode, 1, now, o.ID
			all = append(all, t)
		}
	}
	return db.InsertMissing(ctx, s.db, all)
}
