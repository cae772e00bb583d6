package db

import (
	"database/sql/driver"
	"strings"

	"github.com/google/uuid"
)

// UUIDs is a list of ids that travels to PostgreSQL as one value (uuid[]). The statement is
// therefore the same for any number of ids.
type UUIDs []uuid.UUID

// Value implements driver.Valuer.
func (u UUIDs) Value() (driver.Value, error) {
	var b strings.Builder
	b.Grow(len(u)*37 + 2)
	b.WriteByte('{')
	for i, id := range u {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	b.WriteByte('}')
	return b.String(), nil
}
