package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/taxcode"
)

// Repository reads sessions, people and rights together.
type Repository struct {
	db    *db.DB
	clock clock.Clock
	// asks ask for many requests with one statement; nil on SQLite, where a statement is no journey.
	asks map[subject]*ask
	// selectActor begins the query about sessions, selectConsent the one about who is asked later.
	selectActor, selectConsent string
	// grant is selectGrant, and watchedRights that part of the query about watchers, in the dialect.
	grant, watchedRights string
	// grants has what was read of texts that come again with each request of an application.
	grants grants
	// lastSeen is what this process knows of when a session was used; see SeenBy.
	lastSeen func(sessionID uuid.UUID, fromRow time.Time) time.Time
}

// question is which session asks for what.
type question struct {
	session uuid.UUID
	target  uuid.UUID
}

// NewRepository returns the repository of a database; what has expired by the clock is no right.
func NewRepository(d *db.DB, c clock.Clock) *Repository {
	r := &Repository{db: d, clock: c}
	list := "group_concat(z.contributor_id, ',')"
	if d.Dialect() == db.Postgres {
		list = "string_agg(z.contributor_id::text, ',')"
	}
	grant := fmt.Sprintf(selectGrant, list)
	r.grant, r.watchedRights = grant, fmt.Sprintf(watchedRights, listOfPositions(d.Dialect()))
	r.selectActor = selectActor + ", s.consent_id, CASE WHEN s.consent_id IS NOT NULL THEN " + grant + " END AS consent"
	r.selectConsent = "SELECT s.expires_at, " + grant + " AS consent FROM sessions s WHERE s.id = ? AND s.consent_id IS NOT NULL"
	if d.Dialect() == db.Postgres {
		r.asks = map[subject]*ask{}
		for _, to := range []To{ToSession, ToContributor, ToDeclaration, ToPosition, ToTicket, ToSmartTask, ToDMA} {
			r.asks[subject{to: to}] = r.newAsk(to, nil)
		}
	}
	return r
}

const (
	selectActor = `SELECT v.session_id, v.target_id, s.person_id, s.pin_change_required, s.login_method, s.login_level, s.login_provider, s.authenticated_at,
		s.last_seen_at, s.expires_at, s.ended_at,
		p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level, p.office_code, p.suspended_at,
		p.post_given_by`
	joinActor = ` JOIN sessions s ON s.id = v.session_id JOIN people p ON p.id = s.person_id`

	// worksAtOffice is that the person is an operator. Their post opens nothing with ordinary
	// credentials, unless a national identity began the session.
	worksAtOffice = `p.user_class = 'operator' AND (p.credential_level = 'dispositive' OR s.login_method <> 'pin')`

	contributorColumns = `, c.id AS contributor_id, NULL AS position_id, NULL AS state, NULL AS maker_id, NULL AS maker_right_id,
		CASE WHEN ` + worksAtOffice + `
			AND EXISTS (SELECT 1 FROM positions x WHERE x.contributor_id = c.id AND x.office_code = p.office_code)
			THEN 1 ELSE 0 END AS in_office, `
	joinContributor = ` LEFT JOIN contributors c ON c.id = v.target_id`

	declarationColumns = `, d.contributor_id, d.position_id, d.state, d.person_id AS maker_id, d.right_id AS maker_right_id,
		CASE WHEN ` + worksAtOffice + ` AND d.state <> 'draft' AND d.office_code = p.office_code THEN 1 ELSE 0 END AS in_office, `
	joinDeclaration = ` LEFT JOIN declarations d ON d.id = v.target_id`
)

type row struct {
	SessionID         uuid.UUID
	TargetID          uuid.UUID
	PersonID          uuid.UUID
	PinChangeRequired bool
	Login             Login `gorm:"embedded"`
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
	PostGivenBy       *uuid.UUID
	ConsentID         *uuid.UUID
	Consent           *string
	ContributorID     *uuid.UUID
	PositionID        *uuid.UUID
	State             *string
	MakerID           *uuid.UUID
	MakerRightID      *uuid.UUID
	InOffice          int
	Excluded          int
	Right             rightRow `gorm:"embedded"`
	// Attached is what an Attachment read; it is of the first row for a question.
	Attached any `gorm:"-"`
}

// load returns nil findings when there is no such session.
func (r *Repository) load(ctx context.Context, sessionID uuid.UUID, rule Rule, target Target) (*findings, error) {
	q, to := question{session: sessionID}, rule.To
	switch to {
	case ToContributor:
		q.target = target.ContributorID
	case ToDeclaration:
		q.target = target.DeclarationID
	case ToPosition, ToTicket, ToSmartTask, ToDMA:
		q.target = target.AffairID
	case ToAnyone, ToSession, ToOffice, ToDelegate, ToDelegation:
		to = ToSession
	}
	var f findings
	var found bool
	var err error
	if a := r.askAbout(to, rule.Shows); a != nil {
		f, found, err = a.load(ctx, q)
	} else {
		var all map[question]findings
		all, err = r.find(ctx, to, q)
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

// question returns the statement for each question of the source, a table v of sessions and
// targets. Each ? of the source comes first, then those of the rights, which are the present.
func (r *Repository) question(to To, source string, more Attachment) string {
	query := ""
	switch to {
	case ToContributor:
		query = r.selectActor + contributorColumns + excluded("s.consent_id", "c.id") + " AS excluded FROM " + source + joinActor +
			joinContributor
	case ToDeclaration:
		query = r.selectActor + declarationColumns + excluded("s.consent_id", "d.contributor_id") + " AS excluded FROM " + source +
			joinActor + joinDeclaration
	case ToPosition, ToTicket, ToSmartTask, ToDMA:
		query = r.selectActor + affairs[to].columns() + excluded("s.consent_id", "d.contributor_id") + " AS excluded FROM " + source +
			joinActor + affairs[to].join()
	case ToAnyone, ToSession, ToOffice, ToDelegate, ToDelegation:
		query = r.selectActor + " FROM " + source + joinActor
	}
	if to.byRight() {
		rights := fmt.Sprintf(selectRights, listOfPositions(r.db.Dialect()))
		query = "WITH a AS (" + query + "), b AS (" + rights + ") SELECT a.*, " + rightColumns +
			more.Columns + " FROM a LEFT JOIN b ON b.session_id = a.session_id AND b.target_id = a.target_id" + more.Joins
	}
	return query
}

// find answers one question by way of GORM.
func (r *Repository) find(ctx context.Context, to To, q question) (map[question]findings, error) {
	args := []any{q.session, q.target}
	if to.byRight() {
		now := r.clock.Now()
		args = append(args, now, now, now, now)
	}
	var rows []row
	query := r.question(to, "(SELECT ? AS session_id, ? AS target_id) AS v", Attachment{})
	if err := r.db.From(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, err
	}
	return r.answers(to, rows), nil
}

// answers puts together what rows say, several to a question with several rights.
func (r *Repository) answers(to To, rows []row) map[question]findings {
	all := make(map[question]findings, len(rows))
	for _, row := range rows {
		q := question{row.SessionID, row.TargetID}
		f, known := all[q]
		if !known {
			f = r.findings(row)
		}
		// What is stored wrongly about one must not keep the others of the group out.
		f.broken = errors.Join(f.broken, f.add(row, to.isAffair()))
		all[q] = f
	}
	for q, f := range all {
		inOrder(f.actor.Rights)
		if f.inOffice && !f.granted {
			// An operator's right is the post itself, so it has the person's id.
			f.actor.Rights = append(f.actor.Rights, Right{
				ID: f.actor.PersonID, ContributorID: f.actor.ContributorID, ActingAs: OfficeOperator, Services: ServiceSet{AllServices},
			})
			all[q] = f
		}
	}
	return all
}

// findings are what the row says of session, person and target, without rights.
func (r *Repository) findings(row row) findings {
	f := findings{lastSeenAt: row.LastSeenAt, expiresAt: row.ExpiresAt, endedAt: row.EndedAt, suspendedAt: row.SuspendedAt}
	f.actor = Actor{
		SessionID: row.SessionID, PersonID: row.PersonID, TaxCode: row.TaxCode, GivenName: row.GivenName, FamilyName: row.FamilyName,
		UserClass: row.UserClass, CredentialLevel: row.Login.Raise(row.CredentialLevel), PINChangeRequired: row.PinChangeRequired,
		Unconfirmed: row.PostGivenBy != nil, ByPIN: !row.Login.National(), Login: row.Login, AuthenticatedAt: row.AuthenticatedAt,
		Shown: row.Attached,
	}
	if f.granted = row.ConsentID != nil; f.granted && row.Consent != nil {
		f.actor.Grant, f.broken = r.grants.read(*row.Consent)
	}
	if row.OfficeCode != nil {
		f.actor.OfficeCode = *row.OfficeCode
	}
	if row.ContributorID == nil {
		return f
	}
	f.actor.ContributorID = *row.ContributorID
	if row.Excluded == 1 && f.actor.Grant != nil {
		f.actor.Grant.Excluded = []uuid.UUID{*row.ContributorID}
	}
	switch {
	case row.State != nil && *row.State == "draft":
		f.draftOf, f.draftRight = *row.MakerID, *row.MakerRightID
	case row.State == nil && row.MakerID != nil:
		f.asked = *row.MakerID == row.PersonID
	}
	f.inOffice = row.InOffice == 1
	return f
}

// add adds the right that the row tells of, if any. A right over other positions than the one at
// hand is none over it. Nor is a right over some positions one over an affair of the whole
// contributor.
func (f *findings) add(row row, affair bool) error {
	right, err := row.Right.right(f.actor.ContributorID)
	if err != nil || right == nil || row.PositionID != nil && !right.About(*row.PositionID) ||
		affair && row.PositionID == nil && right.Positions != nil {
		return err
	}
	if left, some := f.actor.limited(*right); some {
		f.actor.Rights = append(f.actor.Rights, left)
	}
	return nil
}
