package fault

import "time"

// Day is the time that OverDaily looks back over: 24 hours, wherever the midnights fall.
const Day = 24 * time.Hour

// OverDaily returns RateLimited, with the time to wait, where as many as allowed were made within a
// Day. before are when, the earliest first.
func OverDaily(before []time.Time, most int, now time.Time) error {
	if len(before) < most {
		return nil
	}
	return After(RateLimited, before[len(before)-most].Add(Day).Sub(now))
}

// OverOpen returns Conflict, naming the place, where as many as allowed are open already. Waiting
// does not help: some have to be finished or discarded first.
func OverOpen(open, most int, pointer string) error {
	if open < most {
		return nil
	}
	return &Fault{Code: Conflict, Reason: FieldTooManyOpen, Fields: []Field{{Pointer: pointer, Code: FieldTooManyOpen}}}
}
