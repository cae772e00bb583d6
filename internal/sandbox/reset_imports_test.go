package sandbox_test

import (
	"strings"

	"github.com/google/uuid"
)

// fillImports leaves a row in every table of imports of registers.
func (w *fixture) fillImports(positionID, personID uuid.UUID) {
	w.t.Helper()
	now := w.clock.Now()
	imported, delegate := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	w.execute(`INSERT INTO register_imports (id, register, format, digest, state, step, reached, rows_read, lines_done, errors,
		imported_by, created_at, lease_owner, lease_until)
		VALUES (?, 'albi', 'csv', 'x', 'running', 'leave', '', 1, 1, '[]', ?, ?, 'another', ?)`, imported, personID, now,
		now.AddDate(100, 0, 0))
	w.execute(`INSERT INTO delegates (id, kind, tax_code, legal_name, register_code, registration_number, listed_at, updated_at)
		VALUES (?, 'caf', '00743110157', 'x', 'x', 'x', ?, ?)`, delegate, now, now)
	w.execute(
		"INSERT INTO delegate_registrations (delegate_id, register_code, registration_number, listed_at) VALUES (?, 'x', 'x', ?)", delegate,
		now,
	)
	w.execute("INSERT INTO register_notices (import_id, delegate_id, kind) VALUES (?, ?, 'suspended')", imported, delegate)
	w.execute(
		"INSERT INTO public_body_data (id, position_id, kind, reference, date, amount, currency, description, updated_at) VALUES (?, ?, "+
			"'payment', 'x', 'x', 'x', 'x', 'x', ?)",
		uuid.Must(uuid.NewV7()), positionID, now,
	)
	for table, columns := range map[string]string{
		"staged_people":           "given_name, family_name, birth_date, birth_place, street, postal_code, town, province",
		"staged_public_body_data": "id, position_number, kind, reference, date, amount, currency, description",
		"staged_delegates":        "id, kind, tax_code, legal_name, register_code, registration_number",
		"staged_contributors":     "id, role_id, legal_name, kind",
		"staged_positions":        "id, contributor_tax_code, scheme, office_code, state",
	} {
		args := []any{imported}
		for column := range strings.SplitSeq(columns, ", ") {
			if column == "id" || column == "role_id" {
				args = append(args, uuid.Must(uuid.NewV7()))
			} else {
				args = append(args, "x")
			}
		}
		w.execute("INSERT INTO "+table+" (key, line, import_id, "+columns+") VALUES ('x', 1"+strings.Repeat(", ?", len(args))+")", args...)
	}
}
