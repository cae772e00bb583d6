package taxcode

import (
	"strings"
	"time"
)

// BornOn returns the day of birth in a person's tax code, as midnight UTC. The code has two digits
// of the year: the century is the latest in which the person was born by the given day. It reports
// false for what is no person's code.
func BornOn(code string, by time.Time) (time.Time, bool) {
	code = strings.ToUpper(code)
	if len(code) != personLength || checkPerson(code) != nil {
		return time.Time{}, false
	}
	day := number(code[9:11])
	if day > femaleDays {
		day -= femaleDays
	}
	month := time.Month(strings.IndexByte(months, code[8]) + 1)
	for century := by.Year() / 100 * 100; ; century -= 100 {
		born := time.Date(century+number(code[6:8]), month, day, 0, 0, 0, 0, time.UTC)
		if !born.After(by) && born.Day() == day {
			return born, true
		}
		if century < 0 {
			return time.Time{}, false
		}
	}
}
