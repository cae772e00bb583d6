// Package calendar does the arithmetic of days, months and working days that Italian law means. It
// counts in the time zone Europe/Rome and with Italy's public holidays. Instants go in and come
// out; those that come out are in UTC.
package calendar

import (
	"fmt"
	"time"
	// The time zone data rides in the binary, so that the rules are the same
	// on a machine without any.
	_ "time/tzdata"
)

// Rome is the time zone Europe/Rome.
var Rome = mustLoad("Europe/Rome")

func mustLoad(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(fmt.Sprintf("calendar: %v", err)) // impossible with embedded data
	}
	return loc
}

// Date is a day of the calendar, without a time. Dates can be compared by ==.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateIn returns the date that it is in Rome at the instant t.
func DateIn(t time.Time) Date {
	y, m, d := t.In(Rome).Date()
	return Date{y, m, d}
}

// String returns the date as YYYY-MM-DD.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// AddDays returns the date n days later, or earlier if n is negative.
func (d Date) AddDays(n int) Date {
	y, m, day := d.utc().AddDate(0, 0, n).Date()
	return Date{y, m, day}
}

// Before reports whether d is an earlier day than other.
func (d Date) Before(other Date) bool { return d.utc().Before(other.utc()) }

// Start returns the instant at which the day begins in Rome.
func (d Date) Start() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Rome).UTC()
}

// End returns the instant at which the day is over in Rome, its 24:00. It is
// the first instant that no longer belongs to the day.
func (d Date) End() time.Time { return d.AddDays(1).Start() }

// utc is for the arithmetic of dates, where no clock is put forward.
func (d Date) utc() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// EndOfDay returns 24:00 of the day that it is in Rome at t. What is due on that day is in time as
// long as it comes before this instant.
func EndOfDay(t time.Time) time.Time { return DateIn(t).End() }

// Offset tells the two instants apart that the clocks of Rome show alike. In the hour that exists
// twice it is UTC+2 for the first and UTC+1 for the second. It is empty at any other time.
func Offset(t time.Time) string {
	shown := t.In(Rome).Format(time.DateTime)
	switch shown {
	case t.Add(time.Hour).In(Rome).Format(time.DateTime):
		return "UTC+2"
	case t.Add(-time.Hour).In(Rome).Format(time.DateTime):
		return "UTC+1"
	}
	return ""
}

// AddMonths returns the instant n months after t, or before it if n is negative. It falls on the
// same day of the month or, where the month has no such day, its last, at the same time by the
// clocks of Rome.
func AddMonths(t time.Time, n int) time.Time {
	if n == 0 {
		return t.UTC() // also in the hour that the clocks show twice
	}
	local := t.In(Rome)
	year, month, day := local.Date()
	last := time.Date(year, month+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC)
	year, month, day = last.Year(), last.Month(), min(day, last.Day())
	return time.Date(year, month, day, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), Rome).UTC()
}

// DeadlineDays returns the end of a deadline of n days that starts to run at from. The first day is
// not counted, and the last runs to its 24:00. It is not put off when the last day is a holiday. n
// is at least 0.
func DeadlineDays(from time.Time, n int) time.Time {
	return DateIn(from).AddDays(n).End()
}

// DeadlineWorkingDays is [DeadlineDays] counted in working days.
func DeadlineWorkingDays(from time.Time, n int) time.Time {
	return AddWorkingDays(DateIn(from), n).End()
}
