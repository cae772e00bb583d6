package registerimport

import (
	"context"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/outbox"
	"diresco/internal/masterdata/contributor"
)

// representativeAdded tells who represents a contributor that a register names somebody else too.
// An import gives that role without a second person, so those who would know are told.
var representativeAdded = outbox.Declare(outbox.Kind{Name: "role.registered", Audience: outbox.EveryContact})

// tellRepresentatives puts messages into the outbox for the roles that the last staged lines gave.
// It runs in the transaction that gave them. Where nobody represented the contributor before,
// nobody is told.
func tellRepresentatives(ctx context.Context, w *Worker, args map[string]any, now time.Time) error {
	var told []struct {
		PersonID   uuid.UUID
		LegalName  string
		GivenName  string
		FamilyName string
	}
	err := w.DB.From(ctx).Raw(`SELECT r.person_id, c.legal_name, p.given_name, p.family_name
		FROM staged_contributors AS s JOIN contributor_roles AS n ON n.id = s.role_id
		JOIN contributors AS c ON c.id = n.contributor_id JOIN people AS p ON p.id = n.person_id
		JOIN contributor_roles AS r ON r.contributor_id = c.id AND r.person_id <> n.person_id
			AND `+contributor.Signs("r", "c")+`
		WHERE `+stagedRange+` GROUP BY r.person_id, c.legal_name, p.given_name, p.family_name ORDER BY c.legal_name, r.person_id`,
		args).Scan(&told).Error
	if err != nil {
		return err
	}
	messages := make([]outbox.Message, len(told))
	for i, t := range told {
		messages[i], err = outbox.NewMessage(representativeAdded, t.PersonID, map[string]string{
			"place": t.LegalName, "name": t.GivenName + " " + t.FamilyName, "at": now.Format(time.RFC3339Nano),
		}, now)
		if err != nil {
			return err
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return w.Outbox.Add(ctx, messages...)
}
