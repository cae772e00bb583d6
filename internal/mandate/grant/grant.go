// Package grant gives and takes away roles at contributors and intermediaries (gestione utenti,
// INAIL circ. 46/2017).
//
// Only people who are registered with dispositive credentials get one: nobody issues credentials
// here.
package grant

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"diresco/internal/kernel/access"
	"diresco/internal/kernel/outbox"
	"diresco/internal/platform/fault"
	"diresco/internal/platform/taxcode"
)

// Identity is who somebody is.
type Identity struct {
	ID         uuid.UUID
	TaxCode    taxcode.Code
	GivenName  string
	FamilyName string
}

// Grant is a role that somebody has.
type Grant struct {
	ID        uuid.UUID
	Person    Identity
	Role      access.ActingAs
	Services  access.ServiceSet
	GrantedAt time.Time
	// ContactEmail and ContactPhone are where the person is reached about what they do here; nil
	// where none is known, as at an intermediary. They are not the person's own contacts.
	ContactEmail, ContactPhone *string
	// GrantedBy is nil for a role that was not given by user management; it has no tax code.
	GrantedBy *Identity
}

// Input is whom to give which role.
type Input struct {
	TaxCode taxcode.Code
	Role    access.ActingAs
	// Services are nil for all, those to come included.
	Services access.ServiceSet
}

// Search is whom to find; both must match.
type Search struct {
	TaxCode    taxcode.Code
	FamilyName string
}

// covered returns the services that the role is to cover, or fault.Invalid. A user administrator
// manages users and uses no service.
func (in Input) covered() (access.ServiceSet, error) {
	switch {
	case in.Role == access.UserAdministrator && len(in.Services) > 0:
		return nil, fault.InvalidFields(fault.Field{Pointer: "/services", Code: fault.FieldNotApplicable})
	case in.Role == access.UserAdministrator:
		return access.ServiceSet{}, nil
	}
	if wrong := in.Services.Check("/services"); len(wrong) > 0 {
		return nil, fault.InvalidFields(wrong...)
	}
	return in.Services.OrAll(), nil
}

// checkPlace returns fault.Invalid for services that the place does not have; all of them are all
// that it has.
func checkPlace(services access.ServiceSet, has []access.Service) error {
	var wrong []fault.Field
	for i, s := range services {
		if s != access.AllServices && !slices.Contains(has, s) {
			wrong = append(wrong, fault.Field{Pointer: "/services/" + strconv.Itoa(i), Code: fault.FieldNotAtPlace})
		}
	}
	if len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// gives says who gives and withdraws which role, and so who manages users. The source is INAIL
// circ. 46/2017; the legal representative names the employer. What stands above oneself, or gives
// as much as one's own role, is the legal representative's to give alone. Nobody is an employer at
// an intermediary.
var gives = map[access.ActingAs][]access.ActingAs{
	access.LegalRepresentative: {access.LegalRepresentative, access.UserAdministrator, access.Employer, access.EmployeeDelegate},
	access.UserAdministrator:   {access.Employer, access.EmployeeDelegate},
	access.Employer:            {access.EmployeeDelegate},
}

// manages reports whether somebody with the role manages users.
func manages(role access.ActingAs) bool { return len(gives[role]) > 0 }

// giver returns the role among somebody's own by which they give one with the services. It returns
// fault.NotFound for who has none there, fault.Forbidden for who may not give it, and fault.Invalid
// at /services for more than the giver's own role covers; a user administrator uses no service and
// is not measured by its own.
func giver(own []Role, role access.ActingAs, services access.ServiceSet) (Role, error) {
	if _, err := manager(own); err != nil {
		return Role{}, err
	}
	err := error(fault.Because(fault.Forbidden, "role-not-yours-to-give"))
	for _, r := range own {
		if !slices.Contains(gives[r.Role], role) {
			continue
		}
		if r.Services.CoversAll(services) || r.Role == access.UserAdministrator {
			return r, nil
		}
		err = fault.InvalidFields(fault.Field{Pointer: "/services", Code: fault.FieldWiderThanOwn})
	}
	return Role{}, err
}

// withdrawer returns the role among somebody's own by which they withdraw one. That may be their
// own: whoever manages users may lay down a role. It returns fault.NotFound for who has none there
// and fault.Forbidden for who may not.
func withdrawer(own []Role, withdrawn Role) (Role, error) {
	m, err := manager(own)
	if err != nil || withdrawn.PersonID == m.PersonID {
		return m, err
	}
	for _, r := range own {
		if slices.Contains(gives[r.Role], withdrawn.Role) {
			return r, nil
		}
	}
	return Role{}, fault.Because(fault.Forbidden, "role-not-yours-to-withdraw")
}

// manager returns the first role among somebody's own by which they manage users. It returns
// fault.NotFound where they have none at all and fault.Forbidden where they have others.
func manager(own []Role) (Role, error) {
	if i := slices.IndexFunc(own, func(r Role) bool { return manages(r.Role) }); i >= 0 {
		return own[i], nil
	}
	if len(own) > 0 {
		return Role{}, fault.New(fault.Forbidden)
	}
	return Role{}, fault.New(fault.NotFound)
}

// mayEnd returns fault.Conflict for the last role by which somebody could sign for the place. That
// is a legal representative's or, where there is none, as in a household, an employer's.
func mayEnd(r Role, live []Role) error {
	others := func(roles ...access.ActingAs) bool {
		return slices.ContainsFunc(live, func(other Role) bool { return other.ID != r.ID && slices.Contains(roles, other.Role) })
	}
	switch {
	case r.Role == access.LegalRepresentative && !others(access.LegalRepresentative):
		return fault.Because(fault.Conflict, "last-legal-representative")
	case r.Role == access.Employer && !others(access.LegalRepresentative, access.Employer):
		return fault.Because(fault.Conflict, "last-employer")
	}
	return nil
}

// lookUpsADay is how many people one person searches, or tries to give a role, in 24 hours. All
// places count together.
const lookUpsADay = 20

// The kinds of messages; their data name the role, where it is, and when.
var (
	grantedKind   = outbox.Declare(outbox.Kind{Name: "role.granted"})
	withdrawnKind = outbox.Declare(outbox.Kind{Name: "role.withdrawn"})
	// removedKind tells who answers for a contributor of the end of another's role there.
	removedKind = outbox.Declare(outbox.Kind{Name: "role.removed"})
)

// lookups are the operations that are counted together. Giving a role tells as much about a tax
// code as a search does.
var lookups = []string{"searchPeopleForRole", "searchPeopleForIntermediaryRole", "grantContributorRole", "grantIntermediaryRole"}
