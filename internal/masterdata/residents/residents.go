// Package residents keeps the register of persons (anagrafe) as it was imported. It tells whether
// what somebody declares about themselves agrees with it.
package residents

import (
	"time"

	"diresco/internal/masterdata/matching"
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
	UpdatedAt time.Time `gorm:"autoUpdateTime:false"`
}

// settlesAfter is how long a residence that an import brought anew is not believed alone. Who
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
// when all agree. How something is written makes no difference (package matching). A word more or
// less in the name of the street makes none either where the rest agrees. What stands behind a town
// or a number is not compared, so no letter goes to a declared address. Which part differs is not
// for whoever asked: it would tell a stranger what the register holds.
func Match(e Entry, declared Identity) []Part {
	var differ []Part
	if !matching.Names(e.GivenName, declared.GivenName) || !matching.Names(e.FamilyName, declared.FamilyName) {
		differ = append(differ, Names)
	}
	if e.BirthDate != declared.BirthDate || !matching.Places(e.BirthPlace, declared.BirthPlace) {
		differ = append(differ, Birth)
	}
	street := matching.Streets(e.Street, declared.Street)
	if street == matching.Different || street == matching.ByAWord && len(differ) > 0 ||
		!matching.PostalCodes(e.PostalCode, declared.PostalCode) ||
		!matching.Places(e.Town, declared.Town) || !matching.Provinces(e.Province, declared.Province) {
		differ = append(differ, Residence)
	}
	return differ
}
