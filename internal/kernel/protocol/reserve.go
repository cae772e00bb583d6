package protocol

import (
	"context"
	"time"

	"diresco/db"
	"diresco/internal/platform/calendar"
	"diresco/internal/platform/fault"
)

// Reserve is a range of numbers that the register leaves out. What was lost with a database may
// have had them.
type Reserve struct {
	OfficeCode  string
	Year        int
	FirstNumber int
	LastNumber  int
	Reason      string
	At          time.Time
}

// TableName tells GORM the table.
func (Reserve) TableName() string { return "protocol_reserves" }

// highest is the last number of a year.
const highest = 9_999_999

// reserve takes numbers out of a counter, of the year of the instant in Europe/Rome.
func (c *counter) reserve(numbers int, reason string, now time.Time) (Reserve, error) {
	if c.LastAt.After(now) {
		now = c.LastAt
	}
	year := now.In(calendar.Rome).Year()
	if c.Year != year {
		c.Year, c.LastNumber = year, 0
	}
	if numbers < 1 || numbers > highest-c.LastNumber {
		return Reserve{}, fault.New(fault.Conflict)
	}
	first := c.LastNumber + 1
	c.LastNumber += numbers
	c.LastAt = now
	return Reserve{
		OfficeCode: c.OfficeCode, Year: year, FirstNumber: first, LastNumber: c.LastNumber, Reason: reason, At: now,
	}, nil
}

// ReserveNumbers leaves out the next numbers of an office, or of all where none is named, in the
// context's transaction. It is for a database that was restored: the numbers that were given after
// its copy was made are never given again. It returns
//   - fault.NotFound where there is no such office,
//   - fault.Conflict where a year has not so many numbers left.
//
// Lock order: counters by office.
func ReserveNumbers(ctx context.Context, d *db.DB, office string, numbers int, reason string) ([]Reserve, error) {
	now, err := d.Now(ctx)
	if err != nil {
		return nil, err
	}
	query, args := "SELECT code FROM offices ORDER BY code", []any{}
	if office != "" {
		query, args = "SELECT code FROM offices WHERE code = ?", []any{office}
	}
	var offices []string
	if err := d.From(ctx).Raw(query, args...).Scan(&offices).Error; err != nil {
		return nil, err
	}
	if len(offices) == 0 {
		return nil, fault.New(fault.NotFound)
	}
	counters, err := lockedCounters(ctx, d, offices)
	if err != nil {
		return nil, err
	}
	reserves := make([]Reserve, 0, len(offices))
	for _, code := range offices {
		r, err := counters[code].reserve(numbers, reason, now)
		if err != nil {
			return nil, err
		}
		reserves = append(reserves, r)
	}
	if err := saveCounters(ctx, d, counters); err != nil {
		return nil, err
	}
	return reserves, db.InsertAll(ctx, d, reserves)
}
