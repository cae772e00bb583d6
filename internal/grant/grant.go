// Package grant gives people roles at contributors and at the organisations that are intermediaries, and takes them away
// (gestione utenti, INAIL circ. 46/2017). Only people who are registered with dispositive credentials get one: nobody
// issues credentials here.
package grant

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"diresco/internal/access"
	"diresco/internal/fault"
	"diresco/internal/taxcode"

	"github.com/google/uuid"
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
	Services  []access.Service
	GrantedAt time.Time
	// GrantedBy is nil for a role that was not given by user management; it has no tax code.
	GrantedBy *Identity
}

// Input is whom to give which role.
type Input struct {
	TaxCode taxcode.Code
	Role    access.ActingAs
	// Services are nil for all, those to come included.
	Services []access.Service
}

// Search is whom to find; both must match.
type Search struct {
	TaxCode    taxcode.Code
	FamilyName string
}

// stored returns the services as they are kept, or fault.Invalid. A user administrator manages users and uses no service.
func (in Input) stored() (string, error) {
	if in.Role == access.UserAdministrator {
		if len(in.Services) > 0 {
			return "", fault.InvalidFields(fault.Field{Pointer: "/services", Code: "not-applicable"})
		}
		return "[]", nil
	}
	services := in.Services
	if services == nil {
		services = []access.Service{access.AllServices}
	} else if wrong := checkServices(services); len(wrong) > 0 {
		return "", fault.InvalidFields(wrong...)
	}
	encoded, err := json.Marshal(services)
	return string(encoded), err
}

func checkServices(services []access.Service) []fault.Field {
	if len(services) == 0 {
		return []fault.Field{{Pointer: "/services", Code: "required"}}
	}
	var wrong []fault.Field
	for i, s := range services {
		pointer := "/services/" + strconv.Itoa(i)
		switch {
		case !slices.Contains(access.Services(), s):
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: "unknown-service"})
		case slices.Contains(services[:i], s):
			wrong = append(wrong, fault.Field{Pointer: pointer, Code: "repeated"})
		}
	}
	return wrong
}

// Who manages the users of a contributor, and of an organisation that is an intermediary.
var (
	contributorManagers  = []access.ActingAs{access.LegalRepresentative, access.Employer, access.UserAdministrator}
	intermediaryManagers = []access.ActingAs{access.LegalRepresentative, access.UserAdministrator}
)

// lastLegalRepresentative reports whether the role is the last of a legal representative among the live ones.
func lastLegalRepresentative(r Role, live []Role) bool {
	return r.Role == access.LegalRepresentative && !slices.ContainsFunc(live, func(other Role) bool {
		return other.Role == access.LegalRepresentative && other.ID != r.ID
	})
}

const (
	// searchesADay is how many people one person searches in 24 hours, wherever they give roles.
	searchesADay = 20
	day          = 24 * time.Hour
)

// The kinds of messages; their data name the role, where it is, and when.
const (
	grantedKind   = "role.granted"
	withdrawnKind = "role.withdrawn"
)

// The operations that are counted together as searches.
var searches = []string{"searchPeopleForRole", "searchPeopleForIntermediaryRole"}
