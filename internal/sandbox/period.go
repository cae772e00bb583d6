package sandbox

import (
	"errors"
	"regexp"
	"strconv"
	"time"

	"diresco/internal/platform/calendar"
)

// Period is a duration as ISO 8601 writes it: months, whose length the calendar tells, and seconds.
type Period struct {
	// Months counts years as twelve.
	Months int64
	// Seconds counts weeks, days (of 24 hours), hours, minutes and seconds.
	Seconds int64
}

var errPeriod = errors.New("not an ISO 8601 duration")

// At most eight digits a part, so that no sum can overflow.
var periodPattern = regexp.MustCompile(
	`^(-?)P(?:([0-9]{1,8})Y)?(?:([0-9]{1,8})M)?(?:([0-9]{1,8})W)?(?:([0-9]{1,8})D)?(T(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,8})S)?)?$`,
)

// ParsePeriod reads a duration such as P1DT2H, PT30M or P6M. It has whole numbers in the order of
// ISO 8601, and at least one of them. A minus sign in front makes it negative.
func ParsePeriod(s string) (Period, error) {
	parts := periodPattern.FindStringSubmatch(s)
	if parts == nil || s[len(s)-1] == 'P' || s[len(s)-1] == 'T' {
		return Period{}, errPeriod
	}
	number := func(i int) int64 {
		// The pattern lets through nothing but up to eight digits, and none for a part that is not
		// there.
		n, _ := strconv.ParseInt("0"+parts[i], 10, 64)
		return n
	}
	p := Period{
		Months:  12*number(2) + number(3),
		Seconds: ((7*number(4)+number(5))*24+number(7))*3600 + 60*number(8) + number(9),
	}
	if parts[1] == "-" {
		p.Months, p.Seconds = -p.Months, -p.Seconds
	}
	return p, nil
}

// The longest period that After can add, far beyond any jump that the clock takes.
const (
	maxMonths  = 200 * 12
	maxSeconds = 200 * 366 * 24 * 3600
)

// After returns the instant one period after t: first the months, by the calendar of Europe/Rome,
// then the seconds. It reports false for more than 200 years.
func (p Period) After(t time.Time) (time.Time, bool) {
	if max(p.Months, -p.Months) > maxMonths || max(p.Seconds, -p.Seconds) > maxSeconds {
		return time.Time{}, false
	}
	return calendar.AddMonths(t, int(p.Months)).Add(time.Duration(p.Seconds) * time.Second), true
}

// negative reports whether the period leads back.
func (p Period) negative() bool { return p.Months < 0 || p.Seconds < 0 }
