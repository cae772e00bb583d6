package protocol

import (
	"context"
	"time"

	"diresco/db"
	"diresco/db/direct"
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

const selectCounters = "SELECT office_code, year, last_number, last_at FROM protocol_counters WHERE office_code "

// readCounters locks the counters that there are. PostgreSQL tells the time of each after its lock: a
// plain SELECT would tell that of before.
func readCounters(ctx context.Context, d *db.DB, offices []string) ([]*counter, error) {
	if d.Dialect() == db.Postgres {
		const locked = "WITH locked AS MATERIALIZED (" + selectCounters + "= ANY ((SELECT $1::text[])::text[]) ORDER BY office_code " +
			"FOR UPDATE) SELECT locked.*, clock_timestamp() AS read_at FROM locked"
		return direct.All(ctx, d, readCounter, locked, offices)
	}
	var rows []*counter
	err := d.From(ctx).Raw(selectCounters+"IN ? ORDER BY office_code", offices).Scan(&rows).Error
	return rows, err
}

func readCounter(r *direct.Row) *counter {
	return &counter{OfficeCode: r.Text(), Year: r.Int(), LastNumber: r.Int(), LastAt: r.Time(), ReadAt: r.Time()}
}

// lockedCounters locks the counters of offices, in the order of their codes, in which they are
// given.
func lockedCounters(ctx context.Context, d *db.DB, offices []string) (map[string]*counter, error) {
	for {
		rows, err := readCounters(ctx, d, offices)
		if err != nil {
			return nil, err
		}
		if len(rows) == len(offices) {
			counters := make(map[string]*counter, len(rows))
			for _, c := range rows {
				counters[c.OfficeCode] = c
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

// saveCounters writes counters in the context's transaction, which locked them.
func saveCounters(ctx context.Context, d *db.DB, counters map[string]*counter) error {
	if d.Dialect() == db.Postgres {
		var offices []string
		var years, numbers []int
		var times []time.Time
		for _, c := range counters {
			offices, years, numbers = append(offices, c.OfficeCode), append(years, c.Year), append(numbers, c.LastNumber)
			times = append(times, c.LastAt)
		}
		return d.Exec(ctx, "UPDATE protocol_counters c SET year = v.year, last_number = v.number, last_at = v.at "+
			"FROM unnest((SELECT $1::text[]), (SELECT $2::integer[]), (SELECT $3::integer[]), (SELECT $4::timestamptz[])) "+
			"AS v (office_code, year, number, at) "+
			"WHERE c.office_code = v.office_code", offices, years, numbers, times)
	}
	for _, c := range counters {
		err := d.From(ctx).Exec("UPDATE protocol_counters SET year = ?, last_number = ?, last_at = ? WHERE office_code = ?",
			c.Year, c.LastNumber, c.LastAt, c.OfficeCode).Error
		if err != nil {
			return err
		}
	}
	return nil
}
