package e2e

import (
	"context"
	"slices"
)

// trailNamesRights looks at what every test leaves: where a right lets somebody in, the audit
// record says which it was.
func (w *fixture) trailNamesRights() {
	w.t.Helper()
	var scoped []string
	for id, o := range operations(w.t) {
		if slices.Contains([]string{"contributor", "declaration", "delegation", "delegate"}, o.to) {
			scoped = append(scoped, id)
		}
	}
	var nameless []string
	err := w.app.DB.From(context.Background()).Raw(
		"SELECT DISTINCT operation FROM audit_records WHERE operation IN ? AND (acting_as IS NULL OR right_id IS NULL) ORDER BY operation",
		scoped,
	).Scan(&nameless).Error
	if err != nil {
		w.t.Error(err)
	}
	if len(nameless) > 0 {
		w.t.Errorf("audit records of %v name no right", nameless)
	}
}
