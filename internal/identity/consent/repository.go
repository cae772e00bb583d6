package consent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/clock"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

type repository struct{ db *db.DB }

// live is that a consent has neither ended nor come to its end; the ? is the present.
const live = "k.ended_at IS NULL AND k.expires_at > ?"

// covers is that a consent k is about the contributor in the column.
func covers(column string) string { return strings.Replace(access.Consented(column), "?", "k.id", 1) }

var selectView = "SELECT " + db.Columns[Consent]("k") + `, a.client_id, a.display_name, p.given_name, p.family_name,
	s.last_seen_at AS last_used_at FROM consents k JOIN applications a ON a.id = k.application_id JOIN people p ON p.id = k.person_id
	LEFT JOIN sessions s ON s.consent_id = k.id WHERE ` + live

// consentRow is a consent as it is written.
type consentRow struct{ Consent }

// TableName tells GORM the table.
func (consentRow) TableName() string { return "consents" }

type named struct {
	ConsentID     uuid.UUID
	ContributorID uuid.UUID
}

// TableName tells GORM the table.
func (named) TableName() string { return "consent_contributors" }

// add writes a consent with the contributors that it names.
func (r repository) add(ctx context.Context, c Consent, contributors []uuid.UUID) error {
	if err := r.db.From(ctx).Create(&consentRow{c}).Error; err != nil {
		return err
	}
	rows := make([]named, len(contributors))
	for i, id := range contributors {
		rows[i] = named{c.ID, id}
	}
	return db.InsertAll(ctx, r.db, rows)
}

// holdApproved keeps an application approved until the end of the transaction, or returns
// fault.NotFound.
func (r repository) holdApproved(ctx context.Context, applicationID uuid.UUID) error {
	var found []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT a.id FROM applications a WHERE a.id = ? AND "+access.LiveApplication("a")+r.db.ForShare("a"), applicationID,
	).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	return err
}

// ids returns the live consents of which the condition holds, the oldest first.
func (r repository) ids(ctx context.Context, condition string, now time.Time, args ...any) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT k.id FROM consents k WHERE "+live+" AND "+condition+" ORDER BY k.given_at, k.id", append([]any{now}, args...)...,
	).Scan(&ids).Error
	return ids, err
}

// dispensable returns the live consents of a person for an application, those first that are missed
// least. What lasts and is in use comes last: a server may work by it at night.
func (r repository) dispensable(ctx context.Context, personID, applicationID uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw("SELECT k.id FROM consents k LEFT JOIN sessions s ON s.consent_id = k.id AND s.ended_at IS NULL WHERE "+live+
		" AND k.person_id = ? AND k.application_id = ? ORDER BY CASE WHEN s.id IS NOT NULL AND k.scopes LIKE ? THEN 1 ELSE 0 END, "+
		"k.given_at, k.id", now, personID, applicationID, `%"`+access.ScopeOfflineAccess+`"%`).Scan(&ids).Error
	return ids, err
}

// holdSessions keeps the sessions of consents, and one more, as they are. They are locked in the
// order of their ids.
func (r repository) holdSessions(ctx context.Context, own uuid.UUID, consents ...uuid.UUID) error {
	const selectSessions = "SELECT 1 FROM sessions WHERE id = ? OR consent_id IN ? ORDER BY id"
	return r.db.From(ctx).Exec(selectSessions+r.db.ForUpdate(), own, consents).Error
}

// lock keeps those of the consents that live as they are, and returns them.
func (r repository) lock(ctx context.Context, now time.Time, consents ...uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := r.db.From(ctx).Raw(
		"SELECT k.id FROM consents k WHERE "+live+" AND k.id IN ? ORDER BY k.id"+r.db.ForUpdate(), now, consents,
	).Scan(&ids).Error
	return ids, err
}

func (r repository) end(ctx context.Context, consents []uuid.UUID, reason string, now time.Time) error {
	return r.db.From(ctx).Exec("UPDATE consents SET ended_at = ?, end_reason = ? WHERE id IN ?", now, reason, consents).Error
}

// expire ends a consent whose time is over, and reports false for one that somebody ended meanwhile.
func (r repository) expire(ctx context.Context, id uuid.UUID, at time.Time) (bool, error) {
	done := r.db.From(ctx).Exec("UPDATE consents SET ended_at = ?, end_reason = ? WHERE id = ? AND ended_at IS NULL", at, EndedExpired, id)
	return done.RowsAffected == 1, done.Error
}

// exclude takes a contributor out of a consent, which is locked. It reports whether the consent is
// still about any.
func (r repository) exclude(ctx context.Context, id, contributorID uuid.UUID, now time.Time) (bool, error) {
	if err := r.db.From(ctx).Exec("INSERT INTO consent_exclusions (consent_id, contributor_id, excluded_at) VALUES ( ?, ?, ?)",
		id, contributorID, now).Error; err != nil {
		return false, err
	}
	var left []uuid.UUID
	err := r.db.From(ctx).Raw(`SELECT k.id FROM consents k WHERE k.id = ? AND (k.every_contributor OR EXISTS (
		SELECT 1 FROM consent_contributors n WHERE n.consent_id = k.id AND NOT EXISTS (
			SELECT 1 FROM consent_exclusions x WHERE x.consent_id = k.id AND x.contributor_id = n.contributor_id)))`, id).Scan(&left).Error
	return len(left) > 0, err
}

// one returns the live consent of which the condition holds, or fault.NotFound.
func (r repository) one(ctx context.Context, condition string, now time.Time, args ...any) (View, error) {
	var found []View
	err := r.db.From(ctx).Raw(selectView+" AND "+condition, append([]any{now}, args...)...).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return View{}, err
	}
	return found[0], r.complete(ctx, found)
}

// ofPerson lists a person's live consents, the latest first.
func (r repository) ofPerson(ctx context.Context, personID uuid.UUID, request page.Request, now time.Time) (page.Page[View], error) {
	return r.list(ctx, "", selectView+" AND k.person_id = ?", []any{now, personID}, request)
}

// peopleOf selects who has a right over a contributor, by role, delegation or sub-delegation. The
// arguments are those of peopleArgs.
var peopleOf = `people_of AS (SELECT r.person_id FROM contributor_roles r WHERE r.contributor_id = ? AND ` + access.LiveRole("r") + `
	UNION SELECT p.id FROM delegations g JOIN delegates h ON h.id = g.delegate_id AND ` + access.OnRegister("h") + `
		JOIN people p ON p.tax_code = h.tax_code WHERE g.contributor_id = ? AND h.kind = 'professional' AND ` + access.LiveDelegation("g") + `
	UNION SELECT u.person_id FROM delegations g JOIN delegates h ON h.id = g.delegate_id AND ` + access.OnRegister("h") + `
		JOIN delegate_roles u ON u.delegate_id = h.id AND ` + access.LiveWorkerRole("u") + `
		WHERE g.contributor_id = ? AND ` + access.LiveDelegation("g") + `
	UNION SELECT w.person_id FROM delegations g JOIN delegates h ON h.id = g.delegate_id AND ` + access.OnRegister("h") + `
		JOIN sub_delegations w ON w.delegate_id = h.id AND ` + access.AboutDelegation("w", "g") + `
		WHERE g.contributor_id = ? AND ` + access.LiveDelegation("g") + ` AND ` + access.LiveSubDelegation("w") + ")"

func peopleArgs(contributorID uuid.UUID, now time.Time) []any {
	return []any{contributorID, contributorID, now, contributorID, now, contributorID, now, now}
}

// viewsOfContributor selects the live consents that are about a contributor c, of people who have a
// right over it.
var viewsOfContributor = strings.Replace(selectView, " WHERE ", " JOIN contributors c ON "+covers("c.id")+" WHERE ", 1) +
	" AND k.person_id IN (SELECT person_id FROM people_of) AND c.id = ?"

// ofContributor lists the live consents that are about a contributor, the latest first.
func (r repository) ofContributor(
	ctx context.Context, contributorID uuid.UUID, request page.Request, now time.Time,
) (page.Page[View], error) {
	query, args := r.aboutContributor(contributorID, now)
	return r.list(ctx, "WITH "+peopleOf+" ", query, args, request)
}

func (r repository) aboutContributor(contributorID uuid.UUID, now time.Time) (query string, args []any) {
	return viewsOfContributor, append(peopleArgs(contributorID, now), now, contributorID)
}

// requireAbout returns fault.NotFound unless the consent lives and is about the contributor.
func (r repository) requireAbout(ctx context.Context, contributorID, id uuid.UUID, now time.Time) error {
	query, args := r.aboutContributor(contributorID, now)
	var found []View
	err := r.db.From(ctx).Raw("WITH "+peopleOf+" "+query+" AND k.id = ?", append(args, id)...).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	return err
}

func (r repository) list(ctx context.Context, with, query string, args []any, request page.Request) (page.Page[View], error) {
	var none page.Page[View]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	if after != nil {
		query, args = query+" AND (k.given_at, k.id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []View
	if err := r.db.From(ctx).Raw(
		with+query+" ORDER BY k.given_at DESC, k.id DESC LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	found := page.Cut(rows, request.Size(), func(v View) page.Key { return page.Key{At: v.GivenAt, ID: v.ID} })
	return found, r.complete(ctx, found.Items)
}

// complete reads the contributors that consents are, and are not, about.
func (r repository) complete(ctx context.Context, views []View) error {
	if len(views) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(views))
	for i := range views {
		ids[i] = views[i].ID
		views[i].GivenAt, views[i].ExpiresAt = clock.Normal(views[i].GivenAt), clock.Normal(views[i].ExpiresAt)
	}
	var rows []struct {
		ConsentID uuid.UUID
		ID        uuid.UUID
		LegalName string
		Excluded  int
	}
	err := r.db.From(ctx).Raw(`SELECT n.consent_id, c.id, c.legal_name, 0 AS excluded FROM consent_contributors n
		JOIN contributors c ON c.id = n.contributor_id WHERE n.consent_id IN ? AND NOT EXISTS (
			SELECT 1 FROM consent_exclusions x WHERE x.consent_id = n.consent_id AND x.contributor_id = n.contributor_id)
		UNION ALL SELECT x.consent_id, c.id, c.legal_name, 1 FROM consent_exclusions x JOIN consents k ON k.id = x.consent_id
		JOIN contributors c ON c.id = x.contributor_id WHERE x.consent_id IN ? AND k.every_contributor
		ORDER BY 3, 2`, ids, ids).Scan(&rows).Error
	for _, row := range rows {
		v := &views[slices.Index(ids, row.ConsentID)]
		if one := (Contributor{row.ID, row.LegalName}); row.Excluded == 1 {
			v.Excluded = append(v.Excluded, one)
		} else {
			v.Contributors = append(v.Contributors, one)
		}
	}
	return err
}

// reaches is that the giver p of a consent k has a right over a contributor that it is about.
var reaches = `(EXISTS (SELECT 1 FROM contributor_roles r WHERE r.person_id = p.id AND ` + access.LiveRole("r") + ` AND ` +
	covers("r.contributor_id") + `)
	OR EXISTS (SELECT 1 FROM delegates h JOIN delegations g ON g.delegate_id = h.id AND ` + access.LiveDelegation("g") + `
		WHERE h.tax_code = p.tax_code AND h.kind = 'professional' AND ` + access.OnRegister("h") + ` AND ` + covers("g.contributor_id") + `)
	OR EXISTS (SELECT 1 FROM delegate_roles u JOIN delegates h ON h.id = u.delegate_id AND ` + access.OnRegister("h") + `
		JOIN delegations g ON g.delegate_id = h.id AND ` + access.LiveDelegation("g") + `
		WHERE u.person_id = p.id AND ` + access.LiveWorkerRole("u") + ` AND ` + covers("g.contributor_id") + `)
	OR EXISTS (SELECT 1 FROM sub_delegations w JOIN delegates h ON h.id = w.delegate_id AND ` + access.OnRegister("h") + `
		JOIN delegations g ON g.delegate_id = h.id AND ` + access.LiveDelegation("g") + `
		WHERE w.person_id = p.id AND ` + access.LiveSubDelegation("w") + ` AND ` + access.AboutDelegation("w", "g") + ` AND ` +
	covers("g.contributor_id") + `))`

// looked is a consent with whether its giver has a right that it is about, and since when not.
type looked struct {
	ID             uuid.UUID
	PersonID       uuid.UUID
	Reaches        int
	UnreachedSince *time.Time
}

// look returns live consents, in the order of their ids, behind one.
func (r repository) look(ctx context.Context, after uuid.UUID, limit int, now time.Time) ([]looked, error) {
	var found []looked
	err := r.db.From(ctx).Raw("SELECT k.id, k.person_id, k.unreached_since, CASE WHEN "+reaches+` THEN 1 ELSE 0 END AS reaches
		FROM consents k JOIN people p ON p.id = k.person_id WHERE `+live+" AND k.id > ? ORDER BY k.id LIMIT ?",
		now, now, now, now, now, after, limit).Scan(&found).Error
	return found, err
}

// noteUnreached notes since when consents reach nothing; nil stands for those that reach something.
func (r repository) noteUnreached(ctx context.Context, since *time.Time, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return r.db.InTx(ctx, func(ctx context.Context) error {
		return r.db.From(ctx).Exec("UPDATE consents SET unreached_since = ? WHERE id IN ?", since, ids).Error
	})
}

// void is an application by which nothing may be done, though people's consents for it live.
type void struct {
	ID      uuid.UUID
	Removed int
}

var selectVoid = `SELECT a.id, CASE WHEN a.removed_at IS NOT NULL THEN 1 ELSE 0 END AS removed FROM applications a
	WHERE NOT (` + access.LiveApplication("a") + `) AND EXISTS (SELECT 1 FROM consents k WHERE k.application_id = a.id AND ` + live + ")"

// void returns the applications of that kind.
func (r repository) void(ctx context.Context, now time.Time) ([]void, error) {
	var found []void
	err := r.db.From(ctx).Raw(selectVoid+" ORDER BY a.id", now).Scan(&found).Error
	return found, err
}

// holdVoid keeps such an application as it is until the end of the transaction, and reports false
// for one that was readmitted.
func (r repository) holdVoid(ctx context.Context, id uuid.UUID, now time.Time) (bool, error) {
	var found []void
	err := r.db.From(ctx).Raw(selectVoid+" AND a.id = ?"+r.db.ForShare("a"), now, id).Scan(&found).Error
	return len(found) > 0, err
}

// ofFirst returns the live consents for an application of the first people who gave one.
func (r repository) ofFirst(ctx context.Context, applicationID uuid.UUID, people int, now time.Time) ([]uuid.UUID, error) {
	const givers = "SELECT DISTINCT k.person_id FROM consents k WHERE " + live + " AND k.application_id = ? ORDER BY k.person_id LIMIT ?"
	return r.ids(ctx, "k.application_id = ? AND k.person_id IN ("+givers+")", now, applicationID, now, applicationID, people)
}

// excludedBefore returns the contributors that took themselves out of earlier consents of the same
// giver for the same application.
func (r repository) excludedBefore(ctx context.Context, v View) ([]Contributor, error) {
	var gone []Contributor
	err := r.db.From(ctx).Raw(`SELECT DISTINCT c.id, c.legal_name FROM consents k JOIN consent_exclusions x ON x.consent_id = k.id
		JOIN contributors c ON c.id = x.contributor_id WHERE k.person_id = ? AND k.application_id = ? AND k.id <> ? ORDER BY c.id`,
		v.PersonID, v.ApplicationID, v.ID).Scan(&gone).Error
	return gone, err
}

// ending returns the consents that come to their end after the place and by the instant, and have
// not ended before. The first to end come first.
func (r repository) ending(ctx context.Context, after time.Time, id uuid.UUID, until time.Time, limit int) ([]View, error) {
	var found []View
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Consent]("k")+`, a.client_id, a.display_name, p.given_name, p.family_name
		FROM consents k JOIN applications a ON a.id = k.application_id JOIN people p ON p.id = k.person_id
		WHERE k.ended_at IS NULL AND (k.expires_at, k.id) > (?, ?) AND k.expires_at <= ? ORDER BY k.expires_at, k.id LIMIT ?`,
		after, id, until, limit).Scan(&found).Error
	return found, err
}

// names returns what the applications of consents are called, by giver.
func (r repository) names(ctx context.Context, consents []uuid.UUID) (map[uuid.UUID][]string, error) {
	var rows []struct {
		PersonID    uuid.UUID
		DisplayName string
	}
	err := r.db.From(ctx).Raw(`SELECT DISTINCT k.person_id, a.display_name FROM consents k JOIN applications a ON a.id = k.application_id
		WHERE k.id IN ? ORDER BY 1, 2`, consents).Scan(&rows).Error
	names := map[uuid.UUID][]string{}
	for _, row := range rows {
		names[row.PersonID] = append(names[row.PersonID], row.DisplayName)
	}
	return names, err
}

func (r repository) legalName(ctx context.Context, contributorID uuid.UUID) (name string, err error) {
	err = r.db.From(ctx).Raw("SELECT legal_name FROM contributors WHERE id = ?", contributorID).Scan(&name).Error
	return name, err
}
