package access

import (
	"context"
	"fmt"
	"strings"

	"diresco/db"
)

// Reached says in SQL, with named arguments, what somebody's rights are about, for lists over all
// of the contributors together.
type Reached struct {
	// Memberships is the common table expression that the other parts read: the intermediaries
	// whose delegations the person works with.
	Memberships string
	// Covers is the condition that some right is about the row: a few index probes, however many
	// rights there are.
	Covers string
	// Contributors selects the contributor_id of each contributor once: work in proportion to the
	// rights or, of an application, to the contributors that its consent names.
	Contributors string
	// Args are the arguments of all parts: person, tax_code, office, now, consent.
	Args map[string]any

	each []string
}

// Stride is how a list over all of somebody's contributors goes. With as many rights as Many it
// walks over whatever there is, in the order of the list, and probes each row, until the page is
// full or it has passed so many Rows. With fewer rights, and where that was in vain, it asks every
// contributor.
type Stride struct {
	Many, Rows int
}

// DefaultStride makes a walk in vain cost about a twentieth of what it then costs to ask every
// contributor.
func DefaultStride() Stride { return Stride{Many: 1000, Rows: 4000} }

// Contributors is for lists of contributors, rows c, over which the actor has any right. The right
// comes by role, delegation or sub-delegation; an operator also has the contributors with a
// position at the office.
func (r *Repository) Contributors(by Actor) Reached {
	return r.reached(by, "c.id", "", by.UserClass == Operator, by.anyService)
}

// Declared is for lists of what is about contributors' positions, rows d with contributor_id and
// position_id. It keeps the rows over which any of the actor's rights by role, delegation or
// sub-delegation has the service.
func (r *Repository) Declared(by Actor, s Service) Reached {
	return r.reached(by, "d.contributor_id", "d.position_id", false, func(columns ...string) string { return by.service(s, columns) })
}

// anyService is the condition that some service is in all of the columns. Of a person's own rights
// that is not asked: one for no service is one too.
func (a Actor) anyService(columns ...string) string {
	if a.Grant == nil {
		return "1 = 1"
	}
	each := []string{"1 = 0"}
	for _, s := range a.Grant.Services.List() {
		each = append(each, a.service(s, columns))
	}
	return "(" + strings.Join(each, " OR ") + ")"
}

// service is the condition that the service is in all of the columns, and in the consent of an
// application.
func (a Actor) service(s Service, columns []string) string {
	if a.Grant != nil && !a.Grant.Services.Covers(s) {
		return "1 = 0"
	}
	each := make([]string, len(columns))
	for i, column := range columns {
		each[i] = storedCovers(column, s)
	}
	return "(" + strings.Join(each, " AND ") + ")"
}

// reached is about the columns that name a row's contributor and, unless that is empty, its
// position.
func (r *Repository) reached(by Actor, contributor, position string, office bool, has func(services ...string) string) Reached {
	roles := "FROM contributor_roles r WHERE r.person_id = @person AND " + LiveRole("r") + " AND " + has("r.services")
	live := "g.delegate_id = s.delegate_id AND " + Named(LiveDelegation("g")) + " AND " + has("g.services")
	// What a member may do is asked apart, unless it is which services both have.
	all, hired, lent := "", "", ""
	if by.Grant != nil {
		roles += " AND " + consented("r.contributor_id")
		live = "g.delegate_id = s.delegate_id AND " + Named(LiveDelegation("g")) + " AND " + has("g.services", "s.services") + " AND " +
			consented("g.contributor_id")
		all, hired, lent = `, '["*"]' AS services`, ", u.services", ", w.services"
	}
	given := "(s.sub_delegation_id IS NULL OR EXISTS (SELECT 1 FROM sub_delegation_items i WHERE i.sub_delegation_id = " +
		"s.sub_delegation_id AND i.delegation_id = g.id))"
	delegations := "FROM memberships s JOIN delegations g ON " + live + " WHERE " + given
	if r.db.Dialect() == db.Postgres {
		// The offset keeps it from joining with all delegations that there are.
		delegations = "FROM memberships s CROSS JOIN LATERAL (SELECT g.id, g.contributor_id FROM delegations g WHERE " + live +
			" OFFSET 0) g WHERE " + given
	}
	about := "FROM memberships s JOIN delegations g ON g.contributor_id = " + contributor + " AND " + live
	if position != "" {
		about += " JOIN delegation_positions z ON z.delegation_id = g.id AND z.position_id = " + position
	}
	about += " WHERE " + given
	reached := Reached{
		Memberships: `memberships AS MATERIALIZED (SELECT h.id AS delegate_id, CAST(NULL AS uuid) AS sub_delegation_id` + all + ` FROM delegates h
			WHERE h.tax_code = @tax_code AND h.kind = 'professional' AND ` + OnRegister("h") + `
			UNION ALL SELECT h.id, CAST(NULL AS uuid)` + hired + ` FROM delegate_roles u
			JOIN delegates h ON h.id = u.delegate_id AND ` + OnRegister("h") + `
			WHERE u.person_id = @person AND ` + LiveWorkerRole("u") + ` AND ` + has("u.services") + `
			UNION ALL SELECT h.id, CASE WHEN w.every THEN NULL ELSE w.id END` + lent + ` FROM sub_delegations w
			JOIN delegates h ON h.id = w.delegate_id AND ` + OnRegister("h") + `
			WHERE w.person_id = @person AND ` + Named(LiveSubDelegation("w")) + ` AND ` + has("w.services") + ")",
		Args: map[string]any{
			"person": by.PersonID, "tax_code": by.TaxCode.Clear(), "office": by.OfficeCode, "now": r.clock.Now(), "consent": by.ConsentID(),
		},
		each: []string{"SELECT r.contributor_id " + roles, "SELECT g.contributor_id " + delegations},
	}
	probes := []string{roles + " AND r.contributor_id = " + contributor, about}
	if office && by.Grant == nil {
		reached.each = append(reached.each, "SELECT x.contributor_id FROM positions x WHERE x.office_code = @office")
		probes = append(probes, "FROM positions x WHERE x.office_code = @office AND x.contributor_id = "+contributor)
	}
	reached.Covers = some(probes)
	if by.Grant != nil && by.Grant.Contributors != nil {
		// The few that the consent names are probed: the person may have many rights.
		named := []string{roles + " AND r.contributor_id = n.contributor_id", "FROM memberships s JOIN delegations g ON " +
			"g.contributor_id = n.contributor_id AND " + live + " WHERE " + given}
		reached.each = []string{"SELECT n.contributor_id FROM consent_contributors n WHERE n.consent_id = @consent AND " + some(named)}
	}
	reached.Contributors = strings.Join(reached.each, " UNION ")
	return reached
}

// some is the condition that any of the probes finds something. EXISTS would let PostgreSQL read
// all rights into a hash table first.
func some(probes []string) string {
	each := make([]string, len(probes))
	for i, probe := range probes {
		each[i] = "(SELECT 1 " + probe + " LIMIT 1) IS NOT NULL"
	}
	return "(" + strings.Join(each, " OR ") + ")"
}

// HasMany reports whether there are so many rights, and counts no further.
func (r *Repository) HasMany(ctx context.Context, reached Reached, many int) (bool, error) {
	var n int
	err := r.db.From(ctx).Raw(
		fmt.Sprintf(
			"WITH %s SELECT COUNT(*) FROM (SELECT 1 FROM (%s) x LIMIT %d) n", reached.Memberships,
			strings.Join(reached.each, " UNION ALL "), many,
		),
		reached.Args,
	).Scan(&n).Error
	return n == many, err
}

// consented is Consented for a statement with named arguments.
func consented(column string) string { return strings.Replace(Consented(column), "?", "@consent", 1) }
