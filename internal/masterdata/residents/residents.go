// Package residents keeps the register of persons (anagrafe) as it was imported. It tells whether
// what somebody declares about themselves agrees with it.
package residents

import (
	"time"

	"diresco/internal/platform/taxcode"
)

// Identity is who somebody is and where they live.
type Identity struct {
	GivenName  string
	FamilyName string
	// BirthDate is YYYY-MM-DD.
	BirthDate string
	// BirthPlace is the municipality, or the country of who was born abroad.
	BirthPlace string
	// Street is street and number of the residence.
	Street     string
	PostalCode string
	Town       string
	// Province are its two letters.
	Province string
}

// Entry is a person in the register.
type Entry struct {
	TaxCode taxcode.Code
	Identity
	// OfficeCode is the office that is competent for the residence; nil where the import does not
	// say.
	OfficeCode *string
	// MovedAt is when an import brought another residence, or the first one of somebody registered
	// here; nil where none did.
	MovedAt   *time.Time
	UpdatedAt  time.Time `gorm:"autoUpdateTime:false"`
}

// settlesAfter is how long a residence that an import brought anew is not believed alone: who
// imports registers could have written it, and the person would not know.
const settlesAfter = 30 * 24 * time.Hour

// RecentlyMoved reports whether the residence is too new to send half of a PIN there.
func (e Entry) RecentlyMoved(now time.Time) bool {
	return e.MovedAt != nil && now.Before(e.MovedAt.Add(settlesAfter))
}

// TableName tells GORM the table.
func (Entry) TableName() string { return "register_people" }

// Part is a part of what is known of a person.
type Part string

// The parts that are compared.
const (
	Names     Part = "names"
	Birth     Part = "birth"
	Residence Part = "residence"
)

// Match compares what somebody declares with the register and returns the parts that differ, none
// when all agree. Case, accents, apostrophes and punctuation make no difference, nor do the usual
// abbreviations in the name of a street. Which part differs is not for whoever asked: it would tell
// a stranger what the register holds.
func Match(e Entry, declared Identity) []Part {
	var differ []Part
	if plain(e.GivenName) != plain(declared.GivenName) || plain(e.FamilyName) != plain(declared.FamilyName) {
		differ = append(differ, Names)
	}
	if e.BirthDate != declared.BirthDate || plain(e.BirthPlace) != plain(declared.BirthPlace) {
		differ = append(differ, Birth)
	}
	if street(e.Street) != street(declared.Street) || plain(e.PostalCode) != plain(declared.PostalCode) ||
		plain(e.Town) != plain(declared.Town) || plain(e.Province) != plain(declared.Province) {
		differ = append(differ, Residence)
	}
	return differ
}
