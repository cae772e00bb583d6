package protocol

import (
	"context"
	"time"

	"diresco/db"
	"diresco/internal/platform/calendar"
)

// counter is the last number and instant given at an office.
type counter struct {
	OfficeCode string
	Year       int
	LastNumber int
	LastAt     time.Time
	// ReadAt is the database's time once the counter was locked, where the database has a clock of
	// its own.
	ReadAt time.Time
	// given is the last instant given in this group, also to what was refused then.
	given time.Time
}

// TableName tells GORM the table.
func (counter) TableName() string { return "protocol_counters" }

// time gives the next instant, never earlier than a microsecond after the last one. Time order and
// number order thereby agree even if a node's clock is behind.
func (c *counter) time(now time.Time) time.Time {
	last := c.LastAt
	if c.given.After(last) {
		last = c.given
	}
	if earliest := last.Add(time.Microsecond); now.Before(earliest) {
		now = earliest
	}
	c.given = now
	return now
}

// number gives the following number, of the year of its time in Europe/Rome.
func (c *counter) number(at time.Time) Number {
	date := at.In(calendar.Rome)
	if date.Year() != c.Year {
		c.Year, c.LastNumber = date.Year(), 0
	}
	c.LastNumber++
	c.LastAt = at
	return Number{Office: c.OfficeCode, Date: date, Serial: c.LastNumber}
}

// readCounters locks counters. PostgreSQL tells the time of each after its lock: a plain SELECT
// would tell that of before.
func readCounters(d *db.DB) string {
	locked := "SELECT office_code, year, last_number, last_at FROM protocol_counters WHERE office_code IN ? ORDER BY office_code" +
		d.ForUpdate()
	if d.Dialect() == db.Postgres {
		return "WITH locked AS MATERIALIZED (" + locked + ") SELECT locked.*, clock_timestamp() AS read_at FROM locked"
	}
	return locked
}

// lockedCounters locks the counters of offices, in the order of their codes, in which they are
// given.
func lockedCounters(ctx context.Context, d *db.DB, offices []string) (map[string]*counter, error) {
	for {
		var rows []counter
		if err := d.From(ctx).Raw(readCounters(d), offices).Scan(&rows).Error; err != nil {
			return nil, err
		}
		if len(rows) == len(offices) {
			counters := make(map[string]*counter, len(rows))
			for i := range rows {
				counters[rows[i].OfficeCode] = &rows[i]
			}
			return counters, nil
		}
		for _, office := range offices {
			err := d.From(ctx).Exec("INSERT INTO protocol_counters (office_code, year, last_number, last_at) VALUES ( ?, 0, 0, ?) ON "+
				"CONFLICT (office_code) DO NOTHING",
				office, time.Unix(0, 0).UTC()).Error
			if err != nil {
				return nil, err
			}
		}
	}
}

// save writes a counter in the context's transaction.
func (c *counter) save(ctx context.Context, d *db.DB) error {
	return d.From(ctx).Exec(
		"UPDATE protocol_counters SET year = ?, last_number = ?, last_at = ? WHERE office_code = ?", c.Year, c.LastNumber, c.LastAt,
		c.OfficeCode,
	).Error
}
