// Package platform has what any program could use: time, secrets, keys, configuration, files, pages
// of lists, telemetry.
//
// It has no rules about contributors, people or declarations: those belong further up, and fault
// names what they refuse.
// The Italian calendar and the tax code stand here too, since they are facts, not rules of this
// service.
//
// Its packages import nothing of the other groups.
package platform
