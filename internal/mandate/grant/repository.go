package grant

import (
	"context"
	"fmt"
	"time"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/page"
	"diresco/internal/platform/taxcode"

	"github.com/google/uuid"
)

// Table is where the roles at one kind of place are kept: each package that has such a table hands it over with its name.
type Table struct {
	DB *db.DB
	// Roles is the name of the table, Place that of its column which names the place, and Places the table of these.
	Roles, Place, Places string
	// Services are those that a place of the kind has.
	Services func(kind string) []access.Service
}

// Role is a row of such a table.
type Role struct {
	ID       uuid.UUID
	PersonID uuid.UUID
	Role     access.ActingAs
	Services string
}

const selectGrants = `SELECT r.id, r.person_id, r.role, r.services, r.granted_at, p.tax_code, p.given_name, p.family_name,
	b.id AS giver_id, b.given_name AS giver_given_name, b.family_name AS giver_family_name
	FROM %s r JOIN people p ON p.id = r.person_id LEFT JOIN people b ON b.id = r.granted_by`

type grantRow struct {
	Role
	GrantedAt       time.Time
	TaxCode         taxcode.Code
	GivenName       string
	FamilyName      string
	GiverID         *uuid.UUID
	GiverGivenName  *string
	GiverFamilyName *string
}

func (row grantRow) grant() (Grant, error) {
	services, err := access.ParseServices(row.Services)
	g := Grant{
		ID: row.ID, Person: Identity{ID: row.PersonID, TaxCode: row.TaxCode, GivenName: row.GivenName, FamilyName: row.FamilyName},
		Role: row.Role.Role, Services: services, GrantedAt: row.GrantedAt,
	}
	if row.GiverID != nil {
		g.GrantedBy = &Identity{ID: *row.GiverID, GivenName: *row.GiverGivenName, FamilyName: *row.GiverFamilyName}
	}
	return g, err
}

// list returns the live roles at a place, the oldest first.
func (t Table) list(ctx context.Context, placeID uuid.UUID, request page.Request) (page.Page[Grant], error) {
	var none page.Page[Grant]
	after, err := request.After()
	if err != nil {
		return none, err
	}
	query, args := fmt.Sprintf(selectGrants+" WHERE r.%s = ? AND r.withdrawn_at IS NULL", t.Roles, t.Place), []any{placeID}
	if after != nil {
		query, args = query+" AND (r.granted_at, r.id) > (?, ?)", append(args, after.At.UTC(), after.ID)
	}
	var rows []grantRow
	if err := t.DB.From(ctx).Raw(query+" ORDER BY r.granted_at, r.id LIMIT ?", append(args, request.Size()+1)...).Scan(&rows).Error; err != nil {
		return none, err
	}
	found := page.Cut(rows, request.Size(), func(row grantRow) page.Key { return page.Key{At: row.GrantedAt, ID: row.ID} })
	result := page.Page[Grant]{Next: found.Next, Items: make([]Grant, len(found.Items))}
	for i, row := range found.Items {
		if result.Items[i], err = row.grant(); err != nil {
			return none, err
		}
	}
	return result, nil
}

// one returns a role, live or not, or fault.NotFound.
func (t Table) one(ctx context.Context, id uuid.UUID) (Grant, error) {
	var rows []grantRow
	if err := t.DB.From(ctx).Raw(fmt.Sprintf(selectGrants+" WHERE r.id = ?", t.Roles), id).Scan(&rows).Error; err != nil {
		return Grant{}, err
	}
	if len(rows) == 0 {
		return Grant{}, fault.New(fault.NotFound)
	}
	return rows[0].grant()
}

// of returns the live roles of a person at a place and keeps them from ending until the end of the transaction.
func (t Table) of(ctx context.Context, placeID, personID uuid.UUID) ([]Role, error) {
	var rows []Role
	err := t.DB.From(ctx).Raw(fmt.Sprintf("SELECT r.id, r.person_id, r.role, r.services FROM %s r WHERE r.%s = ? AND r.person_id = ? AND r.withdrawn_at IS NULL ORDER BY r.id", t.Roles, t.Place)+
		t.DB.ForShare("r"), placeID, personID).Scan(&rows).Error
	return rows, err
}

// lock returns what the withdrawal of a role depends on: that role if it is live, the live ones of who withdraws it and those
// of all legal representatives and employers. They are locked in the order of their ids, as whoever files under them does: two that
// withdraw each other's roles, or the last two legal representatives', come one after the other.
func (t Table) lock(ctx context.Context, placeID, personID, grantID uuid.UUID) ([]Role, error) {
	var rows []Role
	err := t.DB.From(ctx).Raw(fmt.Sprintf(`SELECT id, person_id, role, services FROM %s WHERE %s = ? AND withdrawn_at IS NULL
		AND (id = ? OR person_id = ? OR role IN ('legal_representative', 'employer')) ORDER BY id`, t.Roles, t.Place)+t.DB.ForUpdate(), placeID, grantID, personID).Scan(&rows).Error
	return rows, err
}

// add writes a role and reports false when the person has it already.
func (t Table) add(ctx context.Context, placeID uuid.UUID, r Role, by uuid.UUID, now time.Time) (bool, error) {
	result := t.DB.From(ctx).Exec(fmt.Sprintf(`INSERT INTO %s (id, %s, person_id, role, services, granted_by, granted_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, t.Roles, t.Place), r.ID, placeID, r.PersonID, r.Role, r.Services, by, now)
	return result.RowsAffected == 1, result.Error
}

func (t Table) withdraw(ctx context.Context, id uuid.UUID, now time.Time) error {
	return t.DB.From(ctx).Exec(fmt.Sprintf("UPDATE %s SET withdrawn_at = ? WHERE id = ?", t.Roles), now, id).Error
}

// inTurn puts what one person does in order, where it is counted. Rows that point to the person are not held up.
func (t Table) inTurn(ctx context.Context, personID uuid.UUID) error {
	lock := ""
	if t.DB.Dialect() == db.Postgres {
		lock = " FOR NO KEY UPDATE"
	}
	return t.DB.From(ctx).Exec("SELECT 1 FROM people WHERE id = ?"+lock, personID).Error
}

// name returns the legal name of a place.
func (t Table) name(ctx context.Context, placeID uuid.UUID) (string, error) {
	return t.ofPlace(ctx, "legal_name", placeID)
}

// services returns those that a place has.
func (t Table) services(ctx context.Context, placeID uuid.UUID) ([]access.Service, error) {
	kind, err := t.ofPlace(ctx, "kind", placeID)
	return t.Services(kind), err
}

func (t Table) ofPlace(ctx context.Context, column string, placeID uuid.UUID) (string, error) {
	var found []string
	err := t.DB.From(ctx).Raw(fmt.Sprintf("SELECT %s FROM %s WHERE id = ?", column, t.Places), placeID).Scan(&found).Error
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
