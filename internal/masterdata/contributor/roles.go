package contributor

import (
	"slices"

	"diresco/db"
	"diresco/internal/kernel/access"
	"diresco/internal/mandate/grant"
)

// Roles is where the roles at contributors are kept, for user management.
func Roles(d *db.DB) grant.Table {
	return grant.Table{DB: d, Roles: "contributor_roles", Place: "contributor_id", Places: "contributors", Services: servicesOf}
}

// servicesOf lists the services that a contributor of the kind has: those of public bodies are theirs alone.
func servicesOf(kind string) []access.Service {
	if Kind(kind) == PublicBody {
		return access.Services()
	}
	return slices.DeleteFunc(access.Services(), func(s access.Service) bool { return slices.Contains(access.PublicBodyServices(), s) })
}
