package application

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
)

// repository reads and writes applications.
type repository struct{ db *db.DB }

func (r repository) create(ctx context.Context, a Application) error {
	return r.db.From(ctx).Create(&a).Error
}

// save writes what changes of an application, over a row that the caller holds locked.
func (r repository) save(ctx context.Context, a Application) error {
	return r.db.From(ctx).Model(&Application{}).Where("id = ?", a.ID).Select(
		"display_name", "redirect_uris", "jwks", "jwks_uri", "scopes", "contact_email", "logo_uri", "dpop_bound_access_tokens",
		"tls_client_certificate_bound_access_tokens", "certificate_name", "state", "pending", "updated_at",
		"submitted_at", "version", "decided_by", "decided_at", "decision_reason", "removed_at",
	).UpdateColumns(&a).Error
}

// one returns an application, removed or not, or fault.NotFound.
func (r repository) one(ctx context.Context, id uuid.UUID) (Application, error) {
	return r.where(ctx, "id = ?", id)
}

// client returns the application with the client id, removed or not, or fault.NotFound.
func (r repository) client(ctx context.Context, clientID string) (Application, error) {
	return r.where(ctx, "client_id = ?", clientID)
}

// lock returns an application and keeps everybody else from changing it until the context's
// transaction ends.
func (r repository) lock(ctx context.Context, id uuid.UUID) (Application, error) {
	return r.where(ctx, "id = ?"+r.db.ForUpdate(), id)
}

func (r repository) where(ctx context.Context, condition string, args ...any) (Application, error) {
	var a Application
	err := r.db.From(ctx).Raw("SELECT "+db.Columns[Application]("")+" FROM applications WHERE "+condition, args...).Take(&a).Error
	return a, notFound(err)
}

// answeredAt lists the applications that live and may be answered at an address, and perhaps some
// that may not.
func (r repository) answeredAt(ctx context.Context, uri string) ([]Application, error) {
	encoded, err := json.Marshal(uri)
	if err != nil {
		return nil, err
	}
	part := string(encoded)
	if host, _, ok := loopback(uri); ok {
		// Its port is free, so what is registered may have another.
		part = `"http://` + host
	}
	place := "instr(a.redirect_uris, ?)"
	if r.db.Dialect() == db.Postgres {
		place = "strpos(a.redirect_uris, ?)"
	}
	var candidates []Application
	err = r.db.From(ctx).Raw(
		"SELECT "+db.Columns[Application]("a")+" FROM applications a WHERE "+access.LiveApplication("a")+" AND "+place+" > 0", part,
	).Scan(&candidates).Error
	return candidates, err
}

// count returns how many applications the owner of one has.
func (r repository) count(ctx context.Context, a Application) (int, error) {
	column := "person_id"
	switch {
	case a.ContributorID != nil:
		column = "contributor_id"
	case a.DelegateID != nil:
		column = "delegate_id"
	}
	query := "SELECT COUNT(*) FROM applications WHERE removed_at IS NULL AND " + column + " = ?"
	if column == "person_id" {
		query += " AND contributor_id IS NULL AND delegate_id IS NULL"
	}
	var n int
	err := r.db.From(ctx).Raw(query, a.owner()).Scan(&n).Error
	return n, err
}

// managedContributors are those at which a person manages users.
var managedContributors = "SELECT r.contributor_id FROM contributor_roles r WHERE r.person_id = ? AND " + access.LiveRole("r") +
	" AND r.role IN ?"

// managed lists what a person has registered for themselves, and what belongs to organisations whose
// users they manage: contributors, and intermediaries that are given. The newest comes first.
func (r repository) managed(
	ctx context.Context, personID uuid.UUID, delegates []uuid.UUID, request page.Request,
) (page.Page[Application], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Application]{}, err
	}
	columns := db.Columns[Application]("a")
	some := "SELECT " + columns + " FROM applications a WHERE a.removed_at IS NULL AND "
	query := some + "a.person_id = ? AND a.contributor_id IS NULL AND a.delegate_id IS NULL UNION ALL " +
		some + "a.contributor_id IN (" + managedContributors + ")"
	args := []any{personID, personID, managers}
	if len(delegates) > 0 {
		query, args = query+" UNION ALL "+some+"a.delegate_id IN ?", append(args, delegates)
	}
	query = "SELECT " + columns + " FROM (" + query + ") a"
	if after != nil {
		query, args = query+" WHERE (a.created_at, a.id) < (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []Application
	if err := r.db.From(ctx).Raw(
		query+" ORDER BY a.created_at DESC, a.id DESC LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return page.Page[Application]{}, err
	}
	return page.Cut(rows, request.Size(), func(a Application) page.Key { return page.Key{At: a.CreatedAt, ID: a.ID} }), nil
}

var selectDetails = "SELECT " + db.Columns[Application]("a") + `, p.given_name, p.family_name,
	COALESCE(c.legal_name, h.legal_name, '') AS legal_name
	FROM applications a JOIN people p ON p.id = a.person_id LEFT JOIN contributors c ON c.id = a.contributor_id
	LEFT JOIN delegates h ON h.id = a.delegate_id WHERE `

// details returns an application with who registered it, removed or not, or fault.NotFound.
func (r repository) details(ctx context.Context, id uuid.UUID) (Details, error) {
	var d Details
	err := r.db.From(ctx).Raw(selectDetails+"a.id = ?", id).Take(&d).Error
	return d, notFound(err)
}

// atOffice lists applications, the longest submitted first.
func (r repository) atOffice(ctx context.Context, f Filter, request page.Request) (page.Page[Details], error) {
	after, err := request.After()
	if err != nil {
		return page.Page[Details]{}, err
	}
	conditions, args := []string{"a.removed_at IS NULL"}, []any{}
	if f.State != "" {
		conditions, args = append(conditions, "a.state = ?"), append(args, f.State)
	}
	if f.Waiting {
		conditions, args = append(conditions, "(a.state = ? OR a.pending IS NOT NULL)"), append(args, Submitted)
	}
	if after != nil {
		conditions, args = append(conditions, "(a.submitted_at, a.id) > (?, ?)"), append(args, after.At.UTC(), after.ID)
	}
	var rows []Details
	if err := r.db.From(ctx).Raw(
		selectDetails+strings.Join(conditions, " AND ")+" ORDER BY a.submitted_at, a.id LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return page.Page[Details]{}, err
	}
	return page.Cut(rows, request.Size(), func(d Details) page.Key { return page.Key{At: d.SubmittedAt, ID: d.ID} }), nil
}

var (
	managersOfContributor = "SELECT DISTINCT r.person_id FROM contributor_roles r WHERE r.contributor_id = ? AND " +
		access.LiveRole("r") + " AND r.role IN ? ORDER BY 1"
	managersOfDelegate = "SELECT u.person_id FROM delegate_roles u WHERE u.delegate_id = ? AND " + access.LiveRole("u") +
		" AND u.role IN ? UNION SELECT p.id FROM delegates h JOIN people p ON p.tax_code = h.tax_code WHERE h.id = ? " +
		"AND h.kind = 'professional' ORDER BY 1"
)

// managers returns the people who manage an application.
func (r repository) managers(ctx context.Context, a Application) (people []uuid.UUID, err error) {
	switch {
	case a.ContributorID != nil:
		err = r.db.From(ctx).Raw(managersOfContributor, *a.ContributorID, managers).Scan(&people).Error
	case a.DelegateID != nil:
		err = r.db.From(ctx).Raw(managersOfDelegate, *a.DelegateID, managers, *a.DelegateID).Scan(&people).Error
	default:
		people = []uuid.UUID{a.PersonID}
	}
	return people, err
}

func notFound(err error) error {
	if db.IsNotFound(err) {
		return fault.New(fault.NotFound)
	}
	return err
}
