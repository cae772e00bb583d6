package calendar_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"diresco/internal/platform/calendar"
)

// at reads a time by the clocks of Rome.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	got, err := time.ParseInLocation("2006-01-02 15:04:05", s, calendar.Rome)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func utc(t *testing.T, s string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func date(s string) calendar.Date {
	got, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return calendar.Date{Year: got.Year(), Month: got.Month(), Day: got.Day()}
}

func TestCalendar_DateIn(t *testing.T) {
	for in, want := range map[string]string{
		"2026-01-01T12:00:00Z":      "2026-01-01",
		"2025-12-31T22:59:59Z":      "2025-12-31",
		"2025-12-31T23:00:00Z":      "2026-01-01", // the protocol year begins an hour before UTC's
		"2026-07-14T21:59:59.999Z":  "2026-07-14",
		"2026-07-14T22:00:00Z":      "2026-07-15", // two hours in summer
		"2026-07-14T20:00:00-05:00": "2026-07-15",
	} {
		if got := calendar.DateIn(utc(t, in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestCalendar_EndOfDay(t *testing.T) {
	tests := []struct {
		name, in, want string
		hours          float64
	}{
		{"winter", "2026-01-15T10:00:00Z", "2026-01-15T23:00:00Z", 24},
		{"summer", "2026-07-15T10:00:00Z", "2026-07-15T22:00:00Z", 24},
		{"clocks put forward: 23 hours", "2026-03-29T10:00:00Z", "2026-03-29T22:00:00Z", 23},
		{"clocks put back: 25 hours", "2026-10-25T10:00:00Z", "2026-10-25T23:00:00Z", 25},
		{"first instant of a day", "2026-01-14T23:00:00Z", "2026-01-15T23:00:00Z", 24},
		{"last instant of a day", "2026-01-14T22:59:59.999999999Z", "2026-01-14T23:00:00Z", 24},
		{"end of the year", "2026-12-31T10:00:00Z", "2026-12-31T23:00:00Z", 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := calendar.EndOfDay(utc(t, tt.in))
			if !got.Equal(utc(t, tt.want)) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if length := got.Sub(calendar.DateIn(utc(t, tt.in)).Start()).Hours(); length != tt.hours {
				t.Errorf("the day has %v hours", length)
			}
		})
	}
}

func TestCalendar_AddMonths(t *testing.T) {
	tests := []struct {
		name, from string
		n          int
		want       string
	}{
		{"same day", "2026-01-15 09:30:00", 6, "2026-07-15 09:30:00"},
		{"into a shorter month", "2026-08-31 09:30:00", 6, "2027-02-28 09:30:00"},
		{"into February of a leap year", "2027-08-31 09:30:00", 6, "2028-02-29 09:30:00"},
		{"from 29 February", "2028-02-29 09:30:00", 12, "2029-02-28 09:30:00"},
		{"four years from 29 February", "2028-02-29 09:30:00", 48, "2032-02-29 09:30:00"},
		{"into a month of 30 days", "2026-03-31 23:59:59", 3, "2026-06-30 23:59:59"},
		{"over the end of the year", "2026-11-30 00:00:00", 3, "2027-02-28 00:00:00"},
		{"last day of a short month stays that day", "2026-02-28 12:00:00", 1, "2026-03-28 12:00:00"},
		{"onto the day when clocks go forward", "2025-12-29 12:00:00", 3, "2026-03-29 12:00:00"},
		{"onto the day when clocks go back", "2026-04-25 12:00:00", 6, "2026-10-25 12:00:00"},
		{"backwards", "2026-03-31 08:00:00", -1, "2026-02-28 08:00:00"},
		{"backwards over the year", "2026-01-31 08:00:00", -2, "2025-11-30 08:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := calendar.AddMonths(at(t, tt.from), tt.n)
			if want := at(t, tt.want); !got.Equal(want) {
				t.Errorf("got %s, want %s", got.In(calendar.Rome), want)
			}
			if got.Location() != time.UTC {
				t.Error("not in UTC")
			}
		})
	}

	t.Run("the clock time is kept, not the length", func(t *testing.T) {
		from := utc(t, "2026-01-31T23:30:00.000001Z") // 1 February 00:30 in Rome
		if got, want := calendar.AddMonths(from, 6), utc(t, "2026-07-31T22:30:00.000001Z"); !got.Equal(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("an hour that does not exist", func(t *testing.T) {
		got := calendar.AddMonths(at(t, "2025-12-29 02:30:00"), 3)
		if got.Before(at(t, "2026-03-29 01:00:00")) || got.After(at(t, "2026-03-29 04:00:00")) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("no months in the hour that comes twice", func(t *testing.T) {
		for _, s := range []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"} {
			if got := calendar.AddMonths(utc(t, s), 0); !got.Equal(utc(t, s)) {
				t.Errorf("%s became %s", s, got)
			}
		}
	})
}

func TestCalendar_AddMonthsIsPredictable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(1_000_000_000, 3_000_000_000).Draw(t, "from"), 0)
		n := rapid.IntRange(-60, 60).Draw(t, "months")
		a, b := calendar.DateIn(from), calendar.DateIn(calendar.AddMonths(from, n))
		if moved := (b.Year-a.Year)*12 + int(b.Month) - int(a.Month); moved != n {
			t.Fatalf("%s moved by %d months to %s", a, moved, b)
		}
		if b.Day != a.Day && (b.Day > a.Day || b.AddDays(1).Day != 1) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func TestCalendar_DeadlineDays(t *testing.T) {
	tests := []struct {
		name, from string
		n          int
		want       string
	}{
		{"first day excluded, last one whole", "2026-01-10 09:00:00", 7, "2026-01-18 00:00:00"},
		{"from the first instant of a day", "2026-01-10 00:00:00", 7, "2026-01-18 00:00:00"},
		{"from the last instant of a day", "2026-01-10 23:59:59", 7, "2026-01-18 00:00:00"},
		{"no days: until tonight", "2026-01-10 09:00:00", 0, "2026-01-11 00:00:00"},
		{"over the end of February", "2026-02-27 09:00:00", 2, "2026-03-02 00:00:00"},
		{"over a leap day", "2028-02-27 09:00:00", 2, "2028-03-01 00:00:00"},
		{"ends on a holiday all the same", "2026-12-20 09:00:00", 5, "2026-12-26 00:00:00"},
		{"over the change to summer time", "2026-03-26 09:00:00", 5, "2026-04-01 00:00:00"},
		{"over the change to winter time", "2026-10-20 09:00:00", 30, "2026-11-20 00:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := calendar.DeadlineDays(at(t, tt.from), tt.n), at(t, tt.want); !got.Equal(want) {
				t.Errorf("got %s, want %s", got.In(calendar.Rome), want)
			}
		})
	}
}

func TestCalendar_DeadlineWorkingDays(t *testing.T) {
	tests := []struct {
		name, from string
		n          int
		want       string
	}{
		{"14 working days, no holiday", "2026-02-02 09:00:00", 14, "2026-02-21 00:00:00"},
		{"14 working days over Easter", "2026-03-31 09:00:00", 14, "2026-04-22 00:00:00"},
		{"over Christmas and Epiphany", "2026-12-23 09:00:00", 7, "2027-01-06 00:00:00"},
		{"from a Saturday", "2026-02-07 09:00:00", 1, "2026-02-10 00:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := calendar.DeadlineWorkingDays(at(t, tt.from), tt.n), at(t, tt.want); !got.Equal(want) {
				t.Errorf("got %s, want %s", got.In(calendar.Rome), want)
			}
		})
	}
}

func TestCalendar_AddWorkingDays(t *testing.T) {
	for _, tt := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-04-30", 1, "2026-05-04"}, // 1 May is a Friday
		{"2026-04-02", 1, "2026-04-03"}, // Good Friday is a working day
		{"2026-04-03", 1, "2026-04-07"}, // Easter Monday is not
		{"2026-04-07", -1, "2026-04-03"},
		{"2026-12-24", 1, "2026-12-28"}, // 26 December is a Saturday
		{"2026-02-07", 0, "2026-02-07"},
		{"2027-10-01", 1, "2027-10-05"}, // Saint Francis is a Monday
		{"2021-10-01", 1, "2021-10-04"}, // and was a working day then
	} {
		if got := calendar.AddWorkingDays(date(tt.from), tt.n); got != date(tt.want) {
			t.Errorf("%s %+d: %s, want %s", tt.from, tt.n, got, tt.want)
		}
	}
}

func TestCalendar_Holidays(t *testing.T) {
	holidays := map[int][]string{
		2024: {"01-01", "01-06", "04-01", "04-25", "05-01", "06-02", "08-15", "11-01", "12-08", "12-25", "12-26"},
		2025: {"01-01", "01-06", "04-21", "04-25", "05-01", "06-02", "08-15", "11-01", "12-08", "12-25", "12-26"},
		2026: {"01-01", "01-06", "04-06", "04-25", "05-01", "06-02", "08-15", "10-04", "11-01", "12-08", "12-25", "12-26"},
		2027: {"01-01", "01-06", "03-29", "04-25", "05-01", "06-02", "08-15", "10-04", "11-01", "12-08", "12-25", "12-26"},
	}
	for year, list := range holidays {
		want := map[calendar.Date]bool{}
		for _, d := range list {
			want[date(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006-")+d)] = true
		}
		for d := (calendar.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.AddDays(1) {
			if got := calendar.IsHoliday(d); got != (want[d] || d.Weekday() == time.Sunday) {
				t.Errorf("%s: holiday %v", d, got)
			}
		}
	}
}

func TestCalendar_Easter(t *testing.T) {
	for year, want := range map[int]string{
		1961: "1961-04-02", 2000: "2000-04-23", 2008: "2008-03-23", 2011: "2011-04-24", 2019: "2019-04-21",
		2024: "2024-03-31", 2025: "2025-04-20", 2026: "2026-04-05", 2027: "2027-03-28", 2028: "2028-04-16",
		2029: "2029-04-01", 2030: "2030-04-21", 2038: "2038-04-25", 2049: "2049-04-18", 2076: "2076-04-19",
	} {
		if got := calendar.Easter(year); got != date(want) {
			t.Errorf("%d: %s, want %s", year, got, want)
		}
	}
	for year := 1900; year < 2200; year++ {
		if e := calendar.Easter(year); e.Weekday() != time.Sunday || e.Before(calendar.Date{Year: year, Month: 3, Day: 22}) ||
			(calendar.Date{Year: year, Month: 4, Day: 25}).Before(e) {
			t.Errorf("%d: %s", year, e)
		}
	}
}

// TestOffset_TellsTheDoubleHourApart: on the last Sunday of October the clocks show 02:00 to 02:59
// twice.
func TestOffset_TellsTheDoubleHourApart(t *testing.T) {
	for at, want := range map[string]string{
		"2026-10-24T23:59:59Z": "", "2026-10-25T00:00:00Z": "UTC+2", "2026-10-25T00:59:59Z": "UTC+2", "2026-10-25T01:00:00Z": "UTC+1",
		"2026-10-25T01:59:59Z": "UTC+1", "2026-10-25T02:00:00Z": "", "2026-03-29T00:59:59Z": "", "2026-03-29T01:00:00Z": "",
		"2026-07-01T00:30:00Z": "",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.Offset(instant); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}
