package sandbox

import (
	"context"

	"github.com/google/uuid"

	"diresco/internal/masterdata/contributor"
)

// seedRectificationContacts are where notices of rectification about the first positions go, by
// number. Of each some are unusable, so that there is something to delete.
var seedRectificationContacts = []struct {
	number string
	kind   contributor.RectificationContactKind
	value  string
	state  contributor.RectificationContactState
}{
	{"7001248305", contributor.RectificationEmail, "paghe@officine-tiberine.example", contributor.RectificationBounced},
	{"7001248305", contributor.RectificationMobile, "+393331200001", contributor.RectificationUnverified},
	{"7001248305", contributor.RectificationPEC, "officine.tiberine@pec.example", contributor.RectificationVerified},
	{"4906310275", contributor.RectificationEmail, "amministrazione@tessiture.example", contributor.RectificationBounced},
	{"4906310275", contributor.RectificationPEC, "tessiture.ambrosiane@pec.example", contributor.RectificationVerified},
	{"0300417298", contributor.RectificationEmail, "ragioneria@castel-mugello.example", contributor.RectificationUnverified},
}

// plantRectificationContacts adds them in the context's transaction.
func (s *Service) plantRectificationContacts(ctx context.Context) error {
	for _, c := range seedRectificationContacts {
		var positions []uuid.UUID
		if err := s.db.From(ctx).Raw("SELECT id FROM positions WHERE number = ?", c.number).Scan(&positions).Error; err != nil {
			return err
		}
		for _, id := range positions {
			err := s.contributors.PutRectificationContact(ctx, contributor.RectificationContact{
				ID: uuid.Must(uuid.NewV7()), PositionID: id, Kind: c.kind, Value: c.value, State: c.state, UpdatedAt: s.clock.Now(),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
