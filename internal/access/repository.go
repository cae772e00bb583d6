package access

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"diresco/db"
	"diresco/internal/fault"
	"diresco/internal/grouped"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
)

// Repository reads sessions, people and rights together.
type Repository struct {
	db *db.DB
	// loaders ask for many requests with one statement; nil on SQLite, where a statement is no journey.
	loaders map[To]*grouped.Loader[question, findings]
}

// question is which session asks for what.
type question struct {
	session uuid.UUID
	target  uuid.UUID
}

const (
	// As many as a busy process has under way; two at a time, so that one is read while the other is asked.
	questionsTogether = 128
	questionLanes     = 2
)

// NewRepository returns the repository of a database.
func NewRepository(d *db.DB) *Repository {
	r := &Repository{db: d}
	if d.Dialect() == db.Postgres {
		r.loaders = map[To]*grouped.Loader[question, findings]{}
		for _, to := range []To{ToSession, ToContributor, ToDeclaration} {
			r.loaders[to] = grouped.NewLoader(questionsTogether, questionLanes, func(ctx context.Context, asked []question) (map[question]findings, error) {
				sessions, targets := make(db.UUIDs, len(asked)), make(db.UUIDs, len(asked))
				for i, q := range asked {
					sessions[i], targets[i] = q.session, q.target
				}
				return r.find(ctx, to, "unnest(?::uuid[], ?::uuid[]) AS v (session_id, target_id)", sessions, targets)
			})
		}
	}
	return r
}

const (
	selectActor = `SELECT v.session_id, v.target_id, s.person_id, s.pin_change_required, s.authenticated_at, s.last_seen_at, s.expires_at, s.ended_at,
		p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level, p.office_code, p.suspended_at`
	joinActor = ` JOIN sessions s ON s.id = v.session_id JOIN people p ON p.id = s.person_id`

	contributorColumns = `, c.id AS contributor_id, r.id AS right_id, r.role, r.services,
		CASE WHEN p.user_class = 'operator' AND EXISTS (SELECT 1 FROM positions x WHERE x.contributor_id = c.id AND x.office_code = p.office_code) THEN 1 ELSE 0 END AS in_office`
	joinContributor = ` LEFT JOIN contributors c ON c.id = v.target_id
		LEFT JOIN contributor_roles r ON r.person_id = p.id AND r.contributor_id = c.id AND r.withdrawn_at IS NULL`

	declarationColumns = `, d.contributor_id, r.id AS right_id, r.role, r.services, d.state, d.person_id AS maker_id, d.right_id AS maker_right_id,
		CASE WHEN p.user_class = 'operator' AND d.state <> 'draft' AND d.office_code = p.office_code THEN 1 ELSE 0 END AS in_office`
	joinDeclaration = ` LEFT JOIN declarations d ON d.id = v.target_id
		LEFT JOIN contributor_roles r ON r.person_id = p.id AND r.contributor_id = d.contributor_id AND r.withdrawn_at IS NULL`
)

type row struct {
	SessionID         uuid.UUID
	TargetID          uuid.UUID
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
	q := question{session: sessionID}
	switch to {
	case ToContributor:
		q.target = target.ContributorID
	case ToDeclaration:
		q.target = target.DeclarationID
	case ToAnyone, ToSession, ToOffice:
		to = ToSession
	}
	var f findings
	var found bool
	var err error
	if loader := r.loaders[to]; loader != nil {
		f, found, err = loader.Load(ctx, q)
	} else {
		var all map[question]findings
		all, err = r.find(ctx, to, "(SELECT ? AS session_id, ? AS target_id) AS v", q.session, q.target)
		f, found = all[q]
	}
	if err == nil {
		err = f.broken
	}
	if err != nil || !found {
		return nil, err
	}
	return &f, nil
}

// find reads what there is to know for each question of the source, which is a table v of sessions and targets.
func (r *Repository) find(ctx context.Context, to To, source string, args ...any) (map[question]findings, error) {
	columns, joins := "", ""
	switch to {
	case ToContributor:
		columns, joins = contributorColumns, joinContributor
	case ToDeclaration:
		columns, joins = declarationColumns, joinDeclaration
	case ToAnyone, ToSession, ToOffice:
	}
	var rows []row
	if err := r.db.From(ctx).Raw(selectActor+columns+" FROM "+source+joinActor+joins, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	all := make(map[question]findings, len(rows))
	for _, row := range rows {
		q := question{row.SessionID, row.TargetID}
		f, known := all[q]
		if !known {
			f = row.findings()
		}
		// What is stored wrongly about one must not keep the others of the group out.
		f.broken = errors.Join(f.broken, f.add(row))
		all[q] = f
	}
	for q, f := range all {
		if f.inOffice {
			// An operator's right is the post itself, so it has the person's id.
			f.actor.Rights = append(f.actor.Rights, Right{ID: f.actor.PersonID, ContributorID: f.actor.ContributorID, ActingAs: OfficeOperator, Services: []Service{AllServices}})
			all[q] = f
		}
	}
	return all, nil
}

// findings are what the row says of session, person and target, without rights.
func (row row) findings() findings {
	f := findings{lastSeenAt: row.LastSeenAt, expiresAt: row.ExpiresAt, endedAt: row.EndedAt, suspendedAt: row.SuspendedAt}
	f.actor = Actor{
		SessionID: row.SessionID, PersonID: row.PersonID, TaxCode: row.TaxCode, GivenName: row.GivenName, FamilyName: row.FamilyName,
		UserClass: row.UserClass, CredentialLevel: row.CredentialLevel, PINChangeRequired: row.PinChangeRequired, AuthenticatedAt: row.AuthenticatedAt,
	}
	if row.OfficeCode != nil {
		f.actor.OfficeCode = *row.OfficeCode
	}
	if row.ContributorID == nil {
		return f
	}
	f.actor.ContributorID = *row.ContributorID
	if row.State != nil && *row.State == "draft" {
		f.draftOf, f.draftRight = *row.MakerID, *row.MakerRightID
	}
	f.inOffice = row.InOffice == 1
	return f
}

// add adds the right that the row tells of, if any.
func (f *findings) add(row row) error {
	if row.RightID == nil {
		return nil
	}
	services, err := ParseServices(*row.Services)
	if err != nil {
		return err
	}
	f.actor.Rights = append(f.actor.Rights, Right{ID: *row.RightID, ContributorID: f.actor.ContributorID, ActingAs: ActingAs(*row.Role), Services: services})
	return nil
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
	// RightID is zero for what one does for oneself, which takes no right.
	RightID uuid.UUID
}

// Recheck reads sessions, their people and rights again in the context's transaction, under a share lock, so that what ends
// (a session, a right, or all of a person's at a suspension) either does so before the transaction, and is seen here, or after it. It returns one outcome for each: nil, fault.SessionEnded or fault.NotFound.
func (r *Repository) Recheck(ctx context.Context, held []Held) ([]error, error) {
	sessions := make(map[uuid.UUID]bool, len(held))
	rights := make(map[uuid.UUID]bool, len(held))
	for _, h := range held {
		sessions[h.SessionID] = false
		if h.RightID != uuid.Nil {
			rights[h.RightID] = false
		}
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
		case h.RightID != uuid.Nil && !rights[h.RightID]:
			outcomes[i] = fault.New(fault.NotFound)
		}
	}
	return outcomes, nil
}

func (r *Repository) confirm(ctx context.Context, query string, ids map[uuid.UUID]bool) error {
	if len(ids) == 0 {
		return nil
	}
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
