package registerimport_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"diresco/internal/masterdata/registerimport"
	"diresco/internal/platform/clock"
	"diresco/internal/test/dbtest"
)

// TestRegisterImport_OfAnySizeHasItsTime: PostgreSQL brings all of a file in with one transaction,
// which takes many minutes for the largest file. Given up after one it would begin again for ever.
func TestRegisterImport_OfAnySizeHasItsTime(t *testing.T) {
	// SQLite brings it in by parts.
	d := dbtest.Open(t, dbtest.Postgres(t))
	w := newWorld(t, d)
	statements := 0
	err := d.From(t.Context()).Callback().Raw().Before("gorm:raw").Register("bounds", func(tx *gorm.DB) {
		if !strings.Contains(tx.Statement.SQL.String(), "INTO register_people") {
			return
		}
		statements++
		if until, bounded := tx.Statement.Context.Deadline(); !bounded || until.Sub(clock.System{}.Now()) < time.Hour {
			t.Errorf("it is given up at %s", until)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.bring(registerimport.People, peopleHeader, person(t, 1, "Via Roma 1", ""), person(t, 2, "Via Roma 2", ""))
	if statements != 1 {
		t.Errorf("%d statements brought it in", statements)
	}
}
