package access

import "strings"

// The conditions below say in SQL when a row gives anything now, and stand nowhere else. Each takes
// the alias of its table, or "" in a statement about that table alone. Build a statement with them
// once, when the program starts. Each ? in a condition is the present.

// LiveRole is that a role, at a contributor or an intermediary, was not withdrawn.
func LiveRole(alias string) string { return column(alias, "withdrawn_at") + " IS NULL" }

// LiveWorkerRole is that a role at an intermediary lives and lets its holder work with the
// delegations.
func LiveWorkerRole(alias string) string {
	return LiveRole(alias) + " AND " + column(alias, "role") + " <> 'user_administrator'"
}

// LiveDelegation is that a delegation is active and has not expired. It is suspended all the same
// while its intermediary is not OnRegister.
func LiveDelegation(alias string) string {
	return column(alias, "state") + " = 'active' AND " + unexpired(alias)
}

// OfferedDelegation is that a delegation was offered to its contributor: a code was sent for it
// once. Before that it is the intermediary's alone. A program that does not write offered_at yet
// leaves it to the state.
func OfferedDelegation(alias string) string {
	return "(" + column(alias, "offered_at") + " IS NOT NULL OR " + column(alias, "activated_at") + " IS NOT NULL OR " +
		column(alias, "state") + " IN ('pending', 'active'))"
}

// LiveSubDelegation is that a sub-delegation was not revoked and has not expired.
func LiveSubDelegation(alias string) string {
	return column(alias, "revoked_at") + " IS NULL AND " + unexpired(alias)
}

// LiveApplication is that an application is approved and was not removed: only then does anything
// that people let it do hold.
func LiveApplication(alias string) string {
	return column(alias, "state") + " = 'approved' AND " + column(alias, "removed_at") + " IS NULL"
}

// OnRegister is that an intermediary is on its professional register, or in its association census.
func OnRegister(alias string) string { return column(alias, "struck_off_at") + " IS NULL" }

// OffRegister is that an intermediary has left its register.
func OffRegister(alias string) string { return column(alias, "struck_off_at") + " IS NOT NULL" }

// AboutDelegation is that a sub-delegation is about a delegation of its intermediary.
func AboutDelegation(subDelegation, delegation string) string {
	return "(" + subDelegation + ".every OR EXISTS (SELECT 1 FROM sub_delegation_items i WHERE i.sub_delegation_id = " + subDelegation +
		".id AND i.delegation_id = " + delegation + ".id))"
}

// Named is the condition for a statement with named arguments, in which the present is @now.
func Named(condition string) string { return strings.ReplaceAll(condition, "?", "@now") }

func unexpired(alias string) string {
	until := column(alias, "valid_until")
	return "(" + until + " IS NULL OR " + until + " > ?)"
}

func column(alias, name string) string {
	if alias == "" {
		return name
	}
	return alias + "." + name
}
