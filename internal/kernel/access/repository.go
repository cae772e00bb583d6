package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"diresco/db"
	"diresco/internal/platform/batch"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"

	"github.com/google/uuid"
)

// Repository reads sessions, people and rights together.
type Repository struct {
	db    *db.DB
	clock clock.Clock
	// loaders ask for many requests with one statement; nil on SQLite, where a statement is no journey.
	loaders map[To]*batch.Loader[question, findings]
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

// NewRepository returns the repository of a database; what has expired by the clock is no right.
func NewRepository(d *db.DB, c clock.Clock) *Repository {
	r := &Repository{db: d, clock: c}
	if d.Dialect() == db.Postgres {
		r.loaders = map[To]*batch.Loader[question, findings]{}
		for _, to := range []To{ToSession, ToContributor, ToDeclaration} {
			r.loaders[to] = batch.NewLoader(questionsTogether, questionLanes, func(ctx context.Context, asked []question) (map[question]findings, error) {
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
	selectActor = `SELECT v.session_id, v.target_id, s.person_id, s.pin_change_required, s.login_method, s.authenticated_at, s.last_seen_at, s.expires_at, s.ended_at,
		p.tax_code, p.given_name, p.family_name, p.user_class, p.credential_level, p.office_code, p.suspended_at`
	joinActor = ` JOIN sessions s ON s.id = v.session_id JOIN people p ON p.id = s.person_id`

	contributorColumns = `, c.id AS contributor_id, NULL AS position_id, NULL AS state, NULL AS maker_id, NULL AS maker_right_id,
		CASE WHEN p.user_class = 'operator' AND EXISTS (SELECT 1 FROM positions x WHERE x.contributor_id = c.id AND x.office_code = p.office_code) THEN 1 ELSE 0 END AS in_office`
	joinContributor = ` LEFT JOIN contributors c ON c.id = v.target_id`

	declarationColumns = `, d.contributor_id, d.position_id, d.state, d.person_id AS maker_id, d.right_id AS maker_right_id,
		CASE WHEN p.user_class = 'operator' AND d.state <> 'draft' AND d.office_code = p.office_code THEN 1 ELSE 0 END AS in_office`
	joinDeclaration = ` LEFT JOIN declarations d ON d.id = v.target_id`
)

// The rights of everybody who asks, for a table a of who asks (session_id, person_id, tax_code) about what (target_id,
// contributor_id). %s is the function that lists values, with its separator; each ? is the present.
var selectRights = `SELECT a.session_id, a.target_id, r.id AS right_id, r.role, r.services, NULL AS own_services,
		NULL AS positions, CAST(NULL AS uuid) AS delegation_id, CAST(NULL AS uuid) AS delegate_role_id, CAST(NULL AS uuid) AS sub_delegation_id
	FROM a JOIN contributor_roles r ON r.person_id = a.person_id AND r.contributor_id = a.contributor_id AND ` + LiveRole("r") + `
	UNION ALL
	SELECT a.session_id, a.target_id, g.id, 'intermediary', g.services, NULL, %[1]s, g.id, CAST(NULL AS uuid), CAST(NULL AS uuid)
	FROM a ` + joinDelegation + ` AND h.tax_code = a.tax_code AND h.kind = 'professional'
	UNION ALL
	SELECT a.session_id, a.target_id, g.id, 'intermediary', g.services, u.services, %[1]s, g.id, u.id, CAST(NULL AS uuid)
	FROM a ` + joinDelegation + ` JOIN delegate_roles u ON u.delegate_id = g.delegate_id AND u.person_id = a.person_id
		AND ` + LiveWorkerRole("u") + `
	UNION ALL
	SELECT a.session_id, a.target_id, w.id, 'sub_delegate', g.services, w.services, %[1]s, g.id, CAST(NULL AS uuid), w.id
	FROM a ` + joinDelegation + ` JOIN sub_delegations w ON w.delegate_id = g.delegate_id AND w.person_id = a.person_id
		AND ` + LiveSubDelegation("w") + `
		AND ` + AboutDelegation("w", "g")

// joinDelegation joins the live delegations of the contributor, with the intermediaries that are on their registers.
var joinDelegation = `JOIN delegations g ON g.contributor_id = a.contributor_id AND ` + LiveDelegation("g") + `
		JOIN delegates h ON h.id = g.delegate_id AND ` + OnRegister("h")

const delegatedPositions = "(SELECT %s FROM delegation_positions z WHERE z.delegation_id = g.id)"

// rightsQuery returns selectRights for the dialect, with its arguments.
func (r *Repository) rightsQuery() (query string, args []any) {
	list := "group_concat(z.position_id, ',')"
	if r.db.Dialect() == db.Postgres {
		list = "string_agg(z.position_id::text, ',')"
	}
	now := r.clock.Now()
	return fmt.Sprintf(selectRights, fmt.Sprintf(delegatedPositions, list)), []any{now, now, now, now}
}

type row struct {
	SessionID         uuid.UUID
	TargetID          uuid.UUID
	PersonID          uuid.UUID
	PinChangeRequired bool
	LoginMethod       string
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
	PositionID        *uuid.UUID
	State             *string
	MakerID           *uuid.UUID
	MakerRightID      *uuid.UUID
	InOffice          int
	Right             rightRow `gorm:"embedded"`
}

// rightRow is a right as it is read; without an id it is none. Its parts are read as texts, so that one that is stored wrongly
// fails itself and not the statement.
type rightRow struct {
	RightID         *uuid.UUID
	Role            *string
	Services        *string
	OwnServices     *string
	Positions       *string
	DelegationID    *uuid.UUID
	DelegateRoleID  *uuid.UUID
	SubDelegationID *uuid.UUID
}

// load returns nil findings when there is no such session.
func (r *Repository) load(ctx context.Context, sessionID uuid.UUID, to To, target Target) (*findings, error) {
	q := question{session: sessionID}
	switch to {
	case ToContributor:
		q.target = target.ContributorID
	case ToDeclaration:
		q.target = target.DeclarationID
	case ToAnyone, ToSession, ToOffice, ToDelegate, ToDelegation:
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
	query := ""
	switch to {
	case ToContributor:
		query = selectActor + contributorColumns + " FROM " + source + joinActor + joinContributor
	case ToDeclaration:
		query = selectActor + declarationColumns + " FROM " + source + joinActor + joinDeclaration
	case ToAnyone, ToSession, ToOffice, ToDelegate, ToDelegation:
		query = selectActor + " FROM " + source + joinActor
	}
	if to == ToContributor || to == ToDeclaration {
		rights, more := r.rightsQuery()
		query = "WITH a AS (" + query + "), b AS (" + rights + ") SELECT a.*, " + rightColumns + " FROM a LEFT JOIN b ON b.session_id = a.session_id AND b.target_id = a.target_id"
		args = append(args, more...)
	}
	var rows []row
	if err := r.db.From(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
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
		inOrder(f.actor.Rights)
		if f.inOffice {
			// An operator's right is the post itself, so it has the person's id.
			f.actor.Rights = append(f.actor.Rights, Right{ID: f.actor.PersonID, ContributorID: f.actor.ContributorID, ActingAs: OfficeOperator, Services: ServiceSet{AllServices}})
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
		UserClass: row.UserClass, CredentialLevel: row.CredentialLevel, PINChangeRequired: row.PinChangeRequired, ByPIN: row.LoginMethod == "pin", AuthenticatedAt: row.AuthenticatedAt,
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

// add adds the right that the row tells of, if any. A right over other positions than the declaration's is none over it.
func (f *findings) add(row row) error {
	right, err := row.Right.right(f.actor.ContributorID)
	if err != nil || right == nil || row.PositionID != nil && !right.About(*row.PositionID) {
		return err
	}
	f.actor.Rights = append(f.actor.Rights, *right)
	return nil
}

const rightColumns = "b.right_id, b.role, b.services, b.own_services, b.positions, b.delegation_id, b.delegate_role_id, b.sub_delegation_id"

// right returns the right that was read, or nil.
func (row rightRow) right(contributorID uuid.UUID) (*Right, error) {
	if row.RightID == nil {
		return nil, nil
	}
	right := &Right{ID: *row.RightID, ContributorID: contributorID, ActingAs: ActingAs(*row.Role)}
	if err := right.Services.Scan(*row.Services); err != nil {
		return nil, err
	}
	if row.DelegationID == nil {
		right.Links = []Link{{RoleLink, right.ID}}
		return right, nil
	}
	right.Links = []Link{{DelegationLink, *row.DelegationID}}
	if row.DelegateRoleID != nil {
		right.Links = append(right.Links, Link{DelegateRoleLink, *row.DelegateRoleID})
	}
	if row.SubDelegationID != nil {
		right.Links = append(right.Links, Link{SubDelegationLink, *row.SubDelegationID})
	}
	if row.OwnServices != nil {
		var own ServiceSet
		if err := own.Scan(*row.OwnServices); err != nil {
			return nil, err
		}
		right.Services = right.Services.Intersect(own)
	}
	right.Positions = []uuid.UUID{}
	if row.Positions != nil {
		for text := range strings.SplitSeq(*row.Positions, ",") {
			id, err := uuid.Parse(text)
			if err != nil {
				return nil, err
			}
			right.Positions = append(right.Positions, id)
		}
	}
	return right, nil
}

// Rights returns what a person may do for each of the contributors, an operator's post aside.
func (r *Repository) Rights(ctx context.Context, by Actor, contributorIDs []uuid.UUID) (map[uuid.UUID][]Right, error) {
	all := make(map[uuid.UUID][]Right, len(contributorIDs))
	if len(contributorIDs) == 0 {
		return all, nil
	}
	rights, more := r.rightsQuery()
	var rows []struct {
		TargetID uuid.UUID
		Right    rightRow `gorm:"embedded"`
	}
	args := append([]any{by.PersonID, contributorIDs}, more...)
	err := r.db.From(ctx).Raw("WITH a AS (SELECT c.id AS session_id, c.id AS target_id, p.id AS person_id, p.tax_code, c.id AS contributor_id FROM people p, contributors c WHERE p.id = ? AND c.id IN ?), b AS ("+
		rights+") SELECT b.target_id, "+rightColumns+" FROM b", args...).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		right, err := row.Right.right(row.TargetID)
		if err != nil {
			return nil, err
		}
		all[row.TargetID] = append(all[row.TargetID], *right)
	}
	for _, rights := range all {
		inOrder(rights)
	}
	return all, nil
}

var selectRoles = "SELECT r.contributor_id, r.services FROM contributor_roles r WHERE r.person_id = ? AND " + LiveRole("r") + " ORDER BY r.contributor_id"

// Represented lists the contributors at which the actor has a role that covers the service.
func (r *Repository) Represented(ctx context.Context, by Actor, s Service) ([]uuid.UUID, error) {
	var rows []struct {
		ContributorID uuid.UUID
		Services      ServiceSet
	}
	err := r.db.From(ctx).Raw(selectRoles, by.PersonID).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, row := range rows {
		if row.Services.Covers(s) && !slices.Contains(ids, row.ContributorID) {
			ids = append(ids, row.ContributorID)
		}
	}
	return ids, nil
}

// RecheckClaim is what a request was let in with.
type RecheckClaim struct {
	SessionID uuid.UUID
	// Right is zero for what one does for oneself, which takes no right.
	Right Right
}

// What a right may hang on, by kind of link: the rows that are still good, locked against their end. The ids come first,
// the present after them where the query asks for it.
var liveLinks = map[LinkKind]struct {
	query, lock string
	timed       bool
}{
	RoleLink: {"SELECT r.id FROM contributor_roles r WHERE r.id IN ? AND " + LiveRole("r") + " ORDER BY r.id", "r", false},
	DelegationLink: {`SELECT g.id FROM delegations g JOIN delegates h ON h.id = g.delegate_id WHERE g.id IN ? AND ` + LiveDelegation("g") + `
		AND ` + OnRegister("h") + ` ORDER BY g.id`, "g", true},
	DelegateRoleLink:  {"SELECT u.id FROM delegate_roles u WHERE u.id IN ? AND " + LiveRole("u") + " ORDER BY u.id", "u", false},
	SubDelegationLink: {"SELECT w.id FROM sub_delegations w WHERE w.id IN ? AND " + LiveSubDelegation("w") + " ORDER BY w.id", "w", true},
	DelegateLink:      {"SELECT h.id FROM delegates h WHERE h.id IN ?", "", false},
	ListedLink:        {"SELECT h.id FROM delegates h WHERE h.id IN ? AND " + OnRegister("h"), "", false},
}

// RecheckAll reads sessions, their people and rights again in the context's transaction, under a share lock, so that what ends
// (a session, a right, or all of a person's at a suspension) either does so before the transaction, and is seen here, or after it;
// so does the change of a person's credentials. It returns one outcome for each: nil, fault.SessionEnded or fault.NotFound.
func (r *Repository) RecheckAll(ctx context.Context, held []RecheckClaim) ([]error, error) {
	return r.recheck(ctx, held, "p, s")
}

// recheck locks the tables named, of the sessions s and their people p.
func (r *Repository) recheck(ctx context.Context, held []RecheckClaim, lock string) ([]error, error) {
	sessions := make(map[uuid.UUID]bool, len(held))
	links := map[LinkKind]map[uuid.UUID]bool{}
	for _, h := range held {
		sessions[h.SessionID] = false
		for _, l := range h.Right.Links {
			if links[l.Kind] == nil {
				links[l.Kind] = map[uuid.UUID]bool{}
			}
			links[l.Kind][l.ID] = false
		}
	}
	if err := r.confirm(ctx, `SELECT s.id FROM sessions s JOIN people p ON p.id = s.person_id WHERE s.id IN ? AND s.ended_at IS NULL AND p.suspended_at IS NULL ORDER BY s.id`+r.db.ForShare(lock), sessions); err != nil {
		return nil, err
	}
	if err := r.confirmLinks(ctx, links); err != nil {
		return nil, err
	}
	outcomes := make([]error, len(held))
	for i, h := range held {
		switch {
		case !sessions[h.SessionID]:
			outcomes[i] = fault.New(fault.SessionEnded)
		case !h.Right.good(links):
			outcomes[i] = fault.New(fault.NotFound)
		}
	}
	return outcomes, nil
}

// good reports whether all that the right hangs on was found to be live.
func (r Right) good(links map[LinkKind]map[uuid.UUID]bool) bool {
	if r.ID != uuid.Nil && len(r.Links) == 0 && r.ActingAs != OfficeOperator {
		return false
	}
	return !slices.ContainsFunc(r.Links, func(l Link) bool { return !links[l.Kind][l.ID] })
}

// confirmLinks marks those of the links that are live, and locks them against their end.
func (r *Repository) confirmLinks(ctx context.Context, links map[LinkKind]map[uuid.UUID]bool) error {
	if err := r.keepListed(ctx, links); err != nil {
		return err
	}
	for _, kind := range []LinkKind{RoleLink, DelegationLink, DelegateRoleLink, SubDelegationLink, DelegateLink, ListedLink} {
		if len(links[kind]) == 0 {
			continue
		}
		live := liveLinks[kind]
		var more []any
		if live.timed {
			more = append(more, r.clock.Now())
		}
		query := live.query
		if live.lock != "" {
			query += r.db.ForShare(live.lock)
		}
		if err := r.confirm(ctx, query, links[kind], more...); err != nil {
			return err
		}
	}
	return nil
}

// keepListed puts being struck off after the transaction, and waits for one that is under way. What else an import changes about
// an intermediary makes nobody wait.
func (r *Repository) keepListed(ctx context.Context, links map[LinkKind]map[uuid.UUID]bool) error {
	if r.db.Dialect() != db.Postgres || len(links[DelegationLink])+len(links[ListedLink]) == 0 {
		return nil
	}
	ids := func(kind LinkKind) db.UUIDs { return slices.Collect(maps.Keys(links[kind])) }
	return r.db.From(ctx).Exec("SELECT 1 FROM delegates h WHERE h.id IN (SELECT unnest(?::uuid[]) UNION SELECT g.delegate_id FROM delegations g WHERE g.id = ANY(?::uuid[])) ORDER BY h.id FOR KEY SHARE",
		ids(ListedLink), ids(DelegationLink)).Error
}

// RecheckInTx asks again, at the end of an operation's transaction, whether the session, its person and the right are good, and keeps
// them so until it commits: what ends them comes before the whole operation, or after it. Since it is asked last, whoever ends
// them is never waited for by somebody for whom they wait. The person is not locked, since others lock people first: a suspension
// ends all sessions. It returns fault.SessionEnded, fault.NotFound, or fault.Forbidden for who has lost, or changed, their post here.
func (r *Repository) RecheckInTx(ctx context.Context, by Actor, right Right) error {
	outcomes, err := r.recheck(ctx, []RecheckClaim{{by.SessionID, right}}, "s")
	if err != nil {
		return err
	}
	if outcomes[0] != nil || !by.Staff() {
		return outcomes[0]
	}
	var posts []struct {
		UserClass  UserClass
		OfficeCode string
	}
	err = r.db.From(ctx).Raw("SELECT user_class, COALESCE(office_code, '') AS office_code FROM people WHERE id = ?", by.PersonID).Scan(&posts).Error
	if err == nil && (len(posts) == 0 || posts[0].UserClass != by.UserClass || posts[0].OfficeCode != by.OfficeCode) {
		err = fault.New(fault.Forbidden)
	}
	return err
}

// RequireLiveSession is for operations that end their own session: they ask first, without a lock, since they lock the session later. It returns
// fault.SessionEnded.
func (r *Repository) RequireLiveSession(ctx context.Context, by Actor) error {
	var n int
	err := r.db.From(ctx).Raw("SELECT COUNT(*) FROM sessions WHERE id = ? AND ended_at IS NULL", by.SessionID).Scan(&n).Error
	if err == nil && n == 0 {
		err = fault.New(fault.SessionEnded)
	}
	return err
}

// RecheckStanding asks what Still does, for what somebody asked for earlier and is done later: their session may have ended since. It
// returns fault.NotFound for who is suspended, and where the right has ended.
func (r *Repository) RecheckStanding(ctx context.Context, personID uuid.UUID, right Right) error {
	people := map[uuid.UUID]bool{personID: false}
	if err := r.confirm(ctx, "SELECT p.id FROM people p WHERE p.id IN ? AND p.suspended_at IS NULL"+r.db.ForShare("p"), people); err != nil {
		return err
	}
	links := map[LinkKind]map[uuid.UUID]bool{}
	for _, l := range right.Links {
		if links[l.Kind] == nil {
			links[l.Kind] = map[uuid.UUID]bool{}
		}
		links[l.Kind][l.ID] = false
	}
	if err := r.confirmLinks(ctx, links); err != nil {
		return err
	}
	if !people[personID] || !right.good(links) {
		return fault.New(fault.NotFound)
	}
	return nil
}

func (r *Repository) confirm(ctx context.Context, query string, ids map[uuid.UUID]bool, more ...any) error {
	wanted := make([]uuid.UUID, 0, len(ids))
	for id := range ids {
		wanted = append(wanted, id)
	}
	var live []uuid.UUID
	if err := r.db.From(ctx).Raw(query, append([]any{wanted}, more...)...).Scan(&live).Error; err != nil {
		return err
	}
	for _, id := range live {
		ids[id] = true
	}
	return nil
}
