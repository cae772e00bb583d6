package grant

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/masterdata/contributor"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"
)

// table is where the roles at one kind of place are kept.
type table struct {
	db *db.DB
	// roles is the name of the table, and place that of its column which names the place. places is
	// the table of these.
	roles, place, places string
	// has are the services of a place of the kind.
	has func(kind string) []access.Service
	// contacts selects those that are shown beside a role.
	contacts string
}

// contributorRoles is the table of the roles at contributors.
func contributorRoles(d *db.DB) table {
	has := func(kind string) []access.Service { return contributor.Kind(kind).Services() }
	return table{
		db: d, roles: "contributor_roles", place: "contributor_id", places: "contributors", has: has,
		contacts: "r.contact_email, r.contact_phone",
	}
}

// intermediaryRoles is the table of the roles at intermediaries. What clients delegate may be any
// service.
func intermediaryRoles(d *db.DB) table {
	return table{
		db: d, roles: "delegate_roles", place: "delegate_id", places: "delegates",
		has:      func(string) []access.Service { return access.Services() },
		contacts: "NULL AS contact_email, NULL AS contact_phone",
	}
}

// Role is a row of such a table.
type Role struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	Role     access.ActingAs
	Services access.ServiceSet
}

const selectGrants = `SELECT r.id, r.person_id, r.role, r.services, r.granted_at, %s, p.tax_code, p.given_name, p.family_name,
	b.id AS giver_id, b.given_name AS giver_given_name, b.family_name AS giver_family_name
	FROM %s r JOIN people p ON p.id = r.person_id LEFT JOIN people b ON b.id = r.granted_by`

type grantRow struct {
	Role
	GrantedAt       time.Time
	ContactEmail    *string
	ContactPhone    *string
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	GiverID         *uuid.UUID
	GiverGivenName  *string
	GiverFamilyName *string
}

func (row grantRow) grant() Grant {
	g := Grant{
		ID: row.ID, Person: Identity{ID: row.PersonID, TaxCode: row.TaxCode, GivenName: row.GivenName, FamilyName: row.FamilyName},
		Role: row.Role.Role, Services: row.Services, GrantedAt: row.GrantedAt, ContactEmail: row.ContactEmail,
		ContactPhone: row.ContactPhone,
	}
	if row.GiverID != nil {
		g.GrantedBy = &Identity{ID: *row.GiverID, GivenName: *row.GiverGivenName, FamilyName: *row.GiverFamilyName}
	}
	return g
}

// list returns the live roles at a place, the oldest first.
func (t table) list(ctx context.Context, placeID uuid.UUID, request page.Request) (page.Page[Grant], error) {
	var none page.Page[Grant]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query, args := fmt.Sprintf(selectGrants+" WHERE r.%s = ? AND "+access.LiveRole("r"), t.contacts, t.roles, t.place), []any{placeID}
	if after != nil {
		query, args = query+" AND (r.granted_at, r.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []grantRow
	if err := t.db.From(ctx).Raw(
		query+" ORDER BY r.granted_at, r.id LIMIT ?", append(args, request.Size()+1)...,
	).Scan(&rows).Error; err != nil {
		return none, err
	}
	found := page.Cut(rows, request.Size(), func(row grantRow) page.Key { return page.Key{At: row.GrantedAt, ID: row.ID} })
	result := page.Page[Grant]{Next: found.Next, Items: make([]Grant, len(found.Items))}
	for i, row := range found.Items {
		result.Items[i] = row.grant()
	}
	return result, nil
}

// one returns a role, live or not, or fault.NotFound.
func (t table) one(ctx context.Context, id uuid.UUID) (Grant, error) {
	var rows []grantRow
	if err := t.db.From(ctx).Raw(fmt.Sprintf(selectGrants+" WHERE r.id = ?", t.contacts, t.roles), id).Scan(&rows).Error; err != nil {
		return Grant{}, err
	}
	if len(rows) == 0 {
		return Grant{}, fault.New(fault.NotFound)
	}
	return rows[0].grant(), nil
}

// of returns the live roles of a person at a place. It keeps them from ending until the end of the
// transaction.
func (t table) of(ctx context.Context, placeID, personID uuid.UUID) ([]Role, error) {
	var rows []Role
	err := t.db.From(ctx).Raw(fmt.Sprintf(
		"SELECT r.id, r.person_id, r.role, r.services FROM %s r WHERE r.%s = ? AND r.person_id = ? AND "+access.LiveRole("r")+
			" ORDER BY r.id",
		t.roles, t.place,
	)+
		t.db.ForShare("r"), placeID, personID).Scan(&rows).Error
	return rows, err
}

// lock returns what the withdrawal of a role depends on. That is the role if it is live, the live
// ones of who withdraws it, and those of all legal representatives and employers. They are locked
// in the order of their ids, as whoever files under them does: two that withdraw each other's
// roles, or the last two legal representatives', come one after the other.
func (t table) lock(ctx context.Context, placeID, personID, grantID uuid.UUID) ([]Role, error) {
	var rows []Role
	err := t.db.From(ctx).Raw(fmt.Sprintf(`SELECT id, person_id, role, services FROM %s WHERE %s = ? AND `+access.LiveRole("")+`
		AND (id = ? OR person_id = ? OR role IN ('legal_representative', 'employer')) ORDER BY id`, t.roles,
		t.place)+t.db.ForUpdate(), placeID,
		grantID, personID).Scan(&rows).Error
	return rows, err
}

// add writes a role and reports false when the person has it already.
func (t table) add(ctx context.Context, placeID uuid.UUID, r Role, by uuid.UUID, now time.Time) (bool, error) {
	result := t.db.From(ctx).Exec(fmt.Sprintf(`INSERT INTO %s (id, %s, person_id, role, services, granted_by, granted_at)
		VALUES ( ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, t.roles, t.place), r.ID, placeID, r.PersonID, r.Role, r.Services, by, now)
	return result.RowsAffected == 1, result.Error
}

func (t table) withdraw(ctx context.Context, id uuid.UUID, now time.Time) error {
	return t.db.From(ctx).Exec(fmt.Sprintf("UPDATE %s SET withdrawn_at = ? WHERE id = ?", t.roles), now, id).Error
}

// inTurn puts what one person does in order, where it is counted. Rows that point to the person are
// not held up.
func (t table) inTurn(ctx context.Context, personID uuid.UUID) error {
	return t.db.From(ctx).Exec("SELECT 1 FROM people WHERE id = ?"+t.db.ForNoKeyUpdate(), personID).Error
}

// principals lists who answers for a place: its legal representatives and employers.
func (t table) principals(ctx context.Context, placeID uuid.UUID) (ids []uuid.UUID, err error) {
	err = t.db.From(ctx).Raw(
		"SELECT DISTINCT r.person_id FROM "+t.roles+" r WHERE r."+t.place+" = ? AND r.role IN ? AND "+access.LiveRole("r")+
			" ORDER BY r.person_id",
		placeID, []access.ActingAs{access.LegalRepresentative, access.Employer},
	).Scan(&ids).Error
	return ids, err
}

// name returns the legal name of a place.
func (t table) name(ctx context.Context, placeID uuid.UUID) (string, error) {
	return t.ofPlace(ctx, "legal_name", placeID)
}

// services returns those that a place has.
func (t table) services(ctx context.Context, placeID uuid.UUID) ([]access.Service, error) {
	kind, err := t.ofPlace(ctx, "kind", placeID)
	return t.has(kind), err
}

func (t table) ofPlace(ctx context.Context, column string, placeID uuid.UUID) (string, error) {
	var found []string
	err := t.db.From(ctx).Raw(fmt.Sprintf("SELECT %s FROM %s WHERE id = ?", column, t.places), placeID).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
