package access

import (
	"context"
	"encoding/json"
	"time"

	"diresco/db"
	"diresco/internal/fault"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// Repository reads sessions, people and rights together.
type Repository struct{ db *db.DB }

// NewRepository returns the repository of a database.
func NewRepository(d *db.DB) *Repository { return &Repository{db: d} }

const (
	selectActor = `SELECT s.person_id, s.pin_change_required, s.authenticated_at, s.last_seen_at, s.expires_at, s.ended_at,
		p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level, p.office_code, p.suspended_at`
	fromActor = ` FROM sessions s JOIN people p ON p.id = s.person_id`

	contributorColumns = `, c.id AS contributor_id, r.id AS right_id, r.role, r.services,
		CASE WHEN p.user_class = 'operator' AND EXISTS (SELECT 1 FROM positions x WHERE x.contributor_id = c.id AND x.office_code = p.office_code) THEN 1 ELSE 0 END AS in_office`
	contributorJoins = ` LEFT JOIN contributors c ON c.id = ?
		LEFT JOIN contributor_roles r ON r.person_id = p.id AND r.contributor_id = c.id AND r.withdrawn_at IS NULL`

	declarationColumns = `, d.contributor_id, r.id AS right_id, r.role, r.services, d.state, d.person_id AS maker_id, d.right_id AS maker_right_id,
		CASE WHEN p.user_class = 'operator' AND d.state <> 'draft' AND d.office_code = p.office_code THEN 1 ELSE 0 END AS in_office`
	declarationJoins = ` LEFT JOIN declarations d ON d.id = ?
		LEFT JOIN contributor_roles r ON r.person_id = p.id AND r.contributor_id = d.contributor_id AND r.withdrawn_at IS NULL`
)

type row struct {
	PersonID          uuid.UUID
	PinChangeRequired bool
	AuthenticatedAt   time.Time
	LastSeenAt        time.Time
	ExpiresAt         time.Time
	EndedAt           *time.Time
	TaxCode           taxcode.Code
	GivenName         string
	FamilyName        string
	UserClass         UserClass
	CredentialLevel   CredentialLevel
	OfficeCode        *string
	SuspendedAt       *time.Time
	ContributorID     *uuid.UUID
	RightID           *uuid.UUID
	Role              *string
	Services          *string
	State             *string
	MakerID           *uuid.UUID
	MakerRightID      *uuid.UUID
	InOffice          int
}

// load returns nil findings when there is no such session.
func (r *Repository) load(ctx context.Context, sessionID uuid.UUID, to To, target Target) (*findings, error) {
	var rows []row
	var err error
	switch to {
	case ToContributor:
		err = r.db.From(ctx).Raw(selectActor+contributorColumns+fromActor+contributorJoins+` WHERE s.id = ?`, target.ContributorID, sessionID).Scan(&rows).Error
	case ToDeclaration:
		err = r.db.From(ctx).Raw(selectActor+declarationColumns+fromActor+declarationJoins+` WHERE s.id = ?`, target.DeclarationID, sessionID).Scan(&rows).Error
	case ToAnyone, ToSession, ToOffice:
		err = r.db.From(ctx).Raw(selectActor+fromActor+` WHERE s.id = ?`, sessionID).Scan(&rows).Error
	}
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	first := rows[0]
	f := &findings{lastSeenAt: first.LastSeenAt, expiresAt: first.ExpiresAt, endedAt: first.EndedAt, suspendedAt: first.SuspendedAt}
	f.actor = Actor{
		SessionID: sessionID, PersonID: first.PersonID, TaxCode: first.TaxCode, GivenName: first.GivenName, FamilyName: first.FamilyName,
		UserClass: first.UserClass, CredentialLevel: first.CredentialLevel, PINChangeRequired: first.PinChangeRequired, AuthenticatedAt: first.AuthenticatedAt,
	}
	if first.OfficeCode != nil {
		f.actor.OfficeCode = *first.OfficeCode
	}
	if first.ContributorID == nil {
		return f, nil
	}
	f.actor.ContributorID = *first.ContributorID
	if first.State != nil && *first.State == "draft" {
		f.draftOf, f.draftRight = *first.MakerID, *first.MakerRightID
	}
	for _, row := range rows {
		if row.RightID == nil {
			continue
		}
		services, err := ParseServices(*row.Services)
		if err != nil {
			return nil, err
		}
		f.actor.Rights = append(f.actor.Rights, Right{ID: *row.RightID, ContributorID: f.actor.ContributorID, ActingAs: ActingAs(*row.Role), Services: services})
	}
	if first.InOffice == 1 {
		// An operator's right is the post itself, so it has the person's id.
		f.actor.Rights = append(f.actor.Rights, Right{ID: first.PersonID, ContributorID: f.actor.ContributorID, ActingAs: OfficeOperator, Services: []Service{AllServices}})
	}
	return f, nil
}

// ParseServices reads the services of a stored right: a JSON array of codes.
func ParseServices(text string) ([]Service, error) {
	var services []Service
	err := json.Unmarshal([]byte(text), &services)
	return services, err
}

// Held is what a request was let in with.
type Held struct {
	SessionID uuid.UUID
	RightID   uuid.UUID
}

// Recheck reads sessions, their people and rights again in the context's transaction, under a share lock, so that what ends
// (a session, a right, or all of a person's at a suspension) either does so before the transaction, and is seen here, or after it. It returns one outcome for each: nil, fault.SessionEnded or fault.NotFound.
func (r *Repository) Recheck(ctx context.Context, held []Held) ([]error, error) {
	sessions := make(map[uuid.UUID]bool, len(held))
	rights := make(map[uuid.UUID]bool, len(held))
	for _, h := range held {
		sessions[h.SessionID], rights[h.RightID] = false, false
	}
	if err := r.confirm(ctx, `SELECT s.id FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.id IN ? AND s.ended_at IS NULL AND p.suspended_at IS NULL ORDER BY s.id`+r.db.ForShare("p, s"), sessions); err != nil {
		return nil, err
	}
	if err := r.confirm(ctx, `SELECT r.id FROM contributor_roles r WHERE r.id IN ? AND r.withdrawn_at IS NULL ORDER BY r.id`+r.db.ForShare("r"), rights); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(held))
	for i, h := range held {
		switch {
		case !sessions[h.SessionID]:
			outcomes[i] = fault.New(fault.SessionEnded)
		case !rights[h.RightID]:
			outcomes[i] = fault.New(fault.NotFound)
		}
	}
	return outcomes, nil
}

func (r *Repository) confirm(ctx context.Context, query string, ids map[uuid.UUID]bool) error {
	wanted := make([]uuid.UUID, 0, len(ids))
	for id := range ids {
		wanted = append(wanted, id)
	}
	var live []uuid.UUID
	if err := r.db.From(ctx).Raw(query, wanted).Scan(&live).Error; err != nil {
		return err
	}
	for _, id := range live {
		ids[id] = true
	}
	return nil
}
