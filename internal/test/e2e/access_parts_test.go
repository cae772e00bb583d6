package e2e

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"diresco/api/client"
)

// part is a live right over the filer's contributor that does not cover what the access table
// tries.
type part struct {
	token string
	class client.UserClass
	// services are those that the right covers.
	services []string
	// elsewhere says that it is about the contributor's other position alone.
	elsewhere bool
	// role says that it is a role at the contributor, and no delegation.
	role bool
	// delegation is the intermediary's own, which stands open to it.
	delegation *uuid.UUID
}

// expected is what the contract's rule for an operation makes of the part.
func (p part) expected(o operation, r row, draft bool) (status int, problem string) {
	switch {
	case o.to == "session" && namesAnothers(o.path), o.to == "delegate", o.to == "delegation" && !p.role, o.to == "declaration" &&
		(p.elsewhere || draft), o.isAffair() && p.elsewhere:
		// They are none of the filer's CAF and no party to its delegation. Another position's
		// affairs and others' drafts are as if they did not exist.
		return http.StatusNotFound, "not-found"
	case o.service != "" && !slices.Contains(p.services, "*") && !slices.Contains(p.services, o.service):
		return http.StatusForbidden, "service-not-delegated"
	case r.represents:
		return http.StatusForbidden, "forbidden"
	case o.method == http.MethodGet, strings.HasSuffix(o.path, "-searches"):
		return http.StatusOK, ""
	case r.delayed:
		// It is refused when its turn comes: nothing of the filer's changes.
		return http.StatusAccepted, ""
	}
	// What may be written is about a position that is not theirs.
	return http.StatusUnprocessableEntity, "validation-failed"
}

// sees tells whether an answer may show the filer's position: nobody's who has another alone.
func (p part) sees(positionNumber string, a answer) bool {
	return p.elsewhere && bytes.Contains(a.body, []byte(positionNumber))
}

// listedDelegate adds an intermediary on its register.
func (w *fixture) listedDelegate(kind, taxCode string) uuid.UUID {
	w.t.Helper()
	id, now := uuid.New(), w.clock.Now()
	w.execute(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
		VALUES (?, ?, ?, 'Intermediario Altrove', 'registro', '1', ?, ?)`, id, kind, taxCode, now, now)
	return id
}

// activeDelegation adds one by the filer's contributor.
func (w *fixture) activeDelegation(f filer, delegate, position uuid.UUID, services string) uuid.UUID {
	w.t.Helper()
	id, now, scope := uuid.New(), w.clock.Now(), "partial"
	if services == everyService {
		scope = "total"
	}
	w.execute(`INSERT INTO delegations (id, delegate_id, contributor_id, reference_code, scope, services, exclusive, signatory_id, state,
		drafted_by, drafted_at, activated_at, version, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?, ?, 1, ?)`, id, delegate, f.contributor, id.String(), scope, services, false,
		f.person.PersonId, f.person.PersonId, now, now, now)
	w.execute("INSERT INTO delegation_positions (delegation_id, contributor_id, position_id) VALUES (?, ?, ?)", id, f.contributor, position)
	return id
}

// Services as they are stored: all, and one with which no operation of the table has to do.
const (
	everyService = `["*"]`
	payments     = `["view_payments"]`
)

// parts are logged in people with a part of what the filer's contributor can give, by what that is.
// The other position is one of the same contributor.
func (w *fixture) parts(f filer, other uuid.UUID) map[string]part {
	w.t.Helper()
	now := w.clock.Now()
	all, some := []string{"*"}, []string{"view_payments"}
	found := map[string]part{}
	add := func(name string, class client.UserClass, p part, right func(client.SandboxPerson, *part)) {
		holder := w.createPerson(map[string]any{"user_class": class})
		p.class = class
		right(holder, &p)
		p.token = w.loginAs(holder).AccessToken
		found[name] = p
	}
	professional := func(position uuid.UUID, services string) func(client.SandboxPerson, *part) {
		return func(holder client.SandboxPerson, p *part) {
			id := w.activeDelegation(f, w.listedDelegate("professional", holder.TaxCode), position, services)
			p.delegation = &id
		}
	}
	add("intermediary for another position", client.UserClassInstitutionalIntermediary, part{
		services: all, elsewhere: true,
	}, professional(other, everyService))
	add(
		"intermediary for another service", client.UserClassInstitutionalIntermediary, part{services: some},
		professional(f.position, payments),
	)
	add("employee for another service", client.UserClassCitizen, part{
		services: some, role: true,
	}, func(holder client.SandboxPerson, _ *part) {
		w.execute(
			"INSERT INTO contributor_roles (id, contributor_id, person_id, role, services, granted_at) VALUES (?, ?, ?, "+
				"'employee_delegate', ?, ?)",
			uuid.New(), f.contributor, holder.PersonId, payments, now,
		)
	})

	association := w.listedDelegate("association", "00488410010")
	here, there := w.activeDelegation(f, association, f.position, everyService), w.activeDelegation(f, association, other, everyService)
	add("employee of an intermediary, for another service", client.UserClassCitizen, part{
		services: some,
	}, func(holder client.SandboxPerson, _ *part) {
		w.execute(
			"INSERT INTO delegate_roles (id, delegate_id, person_id, role, services, granted_at) VALUES (?, ?, ?, "+
				"'employee_delegate', ?, ?)",
			uuid.New(), association, holder.PersonId, payments, now,
		)
	})
	worker := func(delegation uuid.UUID, services string) func(client.SandboxPerson, *part) {
		return func(holder client.SandboxPerson, _ *part) { w.subDelegate(association, holder, delegation, services) }
	}
	add("sub-delegate for another position", client.UserClassCitizen, part{services: all, elsewhere: true}, worker(there, everyService))
	add("sub-delegate for another service", client.UserClassCitizen, part{services: some}, worker(here, payments))
	return found
}

// subDelegate lets a person work with one delegation.
func (w *fixture) subDelegate(delegate uuid.UUID, holder client.SandboxPerson, delegation uuid.UUID, services string) {
	w.t.Helper()
	id := uuid.New()
	w.execute("INSERT INTO sub_delegations (id, delegate_id, person_id, every, services, granted_by, granted_at, version) VALUES (?, ?, "+
		"?, ?, ?, ?, ?, 1)",
		id, delegate, holder.PersonId, false, services, holder.PersonId, w.clock.Now())
	w.execute("INSERT INTO sub_delegation_items (sub_delegation_id, delegation_id) VALUES (?, ?)", id, delegation)
}

// checkPart looks at an answer to who has only a part.
func checkPart(t *testing.T, name string, p part, o operation, r row, draft bool, positionNumber string, a answer) {
	t.Helper()
	if o.to != "session" || namesAnothers(o.path) {
		if status, problem := p.expected(o, r, draft); a.status != status || problem != "" && a.problem() != problem {
			t.Errorf("%s as %s answered %d %s, want %d %s: %s", o.id, name, a.status, a.problem(), status, problem, a.body)
		}
	}
	if p.sees(positionNumber, a) {
		t.Errorf("%s as %s shows another's position", o.id, name)
	}
}
