// Package platform has what any program could use: time, secrets, keys, configuration, files, pages
// of lists, telemetry.
//
// It knows nothing of contributors, people or declarations: what is about them belongs further up.
// The Italian calendar and the tax code stand here too, since they are facts, not rules of this
// service.
//
// Its packages import nothing of the other groups.
package platform
