package contributor

import (
	"diresco/db"
	"diresco/internal/grant"
)

// Roles is where the roles at contributors are kept, for user management.
func Roles(d *db.DB) grant.Table {
	return grant.Table{DB: d, Roles: "contributor_roles", Place: "contributor_id", Places: "contributors"}
}
