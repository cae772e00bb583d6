package sandbox_test

import (
	"testing"
	"time"

	"diresco/internal/sandbox"
)

func TestPeriod_ParsePeriod(t *testing.T) {
	for s, want := range map[string]sandbox.Period{
		"PT30M":             {Seconds: 1800},
		"P1DT2H":            {Seconds: 26 * 3600},
		"P6M":               {Months: 6},
		"P1Y2M3W4DT5H6M7S":  {Months: 14, Seconds: 25*86400 + 5*3600 + 6*60 + 7},
		"PT0S":              {},
		"P007D":             {Seconds: 7 * 86400},
		"-PT5M":             {Seconds: -300},
		"P99999999Y":        {Months: 12 * 99999999},
		"PT99999999H":       {Seconds: 99999999 * 3600},
		"P99999999WT1S":     {Seconds: 99999999*7*86400 + 1},
		"P1MT1M":            {Months: 1, Seconds: 60},
		"P0Y0M0W0DT0H0M90S": {Seconds: 90},
	} {
		if got, err := sandbox.ParsePeriod(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "P", "PT", "P1DT", "-P", "30M", "PT30", "P1", "p1d", "P1H", "PT1D", "P1D2Y", "P1M1Y", "P-1D", "+P1D", "PT1.5S", "PT1,5S",
		" P1D", "P1D\n", "P１D",
		"P999999999D", "P0001-02-03", "P1DT2H\x00",
	} {
		if got, err := sandbox.ParsePeriod(s); err == nil {
			t.Errorf("%q was read as %+v", s, got)
		}
	}
}

func TestPeriod_After(t *testing.T) {
	for _, tt := range []struct{ from, period, want string }{
		{"2026-03-02T09:00:00Z", "PT30M", "2026-03-02T09:30:00Z"},
		// A month later by the clocks of Rome, which were put forward in between.
		{"2026-03-02T09:00:00Z", "P1M", "2026-04-02T08:00:00Z"},
		{"2026-01-31T09:00:00Z", "P1M", "2026-02-28T09:00:00Z"},
		{"2024-02-29T09:00:00Z", "P1Y", "2025-02-28T09:00:00Z"},
		// A day is 24 hours.
		{"2026-03-28T12:00:00Z", "P1D", "2026-03-29T12:00:00Z"},
		{"2026-01-31T09:00:00Z", "P1M1DT1H", "2026-03-01T10:00:00Z"},
	} {
		from, err := time.Parse(time.RFC3339, tt.from)
		if err != nil {
			t.Fatal(err)
		}
		p, err := sandbox.ParsePeriod(tt.period)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.After(from); !ok || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s after %s: %v, want %s", tt.period, tt.from, got, tt.want)
		}
	}
	for _, s := range []string{"P201Y", "P99999999Y", "P99999999W"} {
		p, err := sandbox.ParsePeriod(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.After(time.Unix(0, 0)); ok {
			t.Errorf("%s after 1970 is %v", s, got)
		}
	}
}

func FuzzParsePeriod(f *testing.F) {
	for _, s := range []string{"PT30M", "P1DT2H", "P6M", "P1Y2M3W4DT5H6M7S", "-PT5M", "P", "PT", "P99999999Y", "PT1.5S"} {
		f.Add(s)
	}
	from := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := sandbox.ParsePeriod(s)
		if err != nil {
			return
		}
		again, err := sandbox.ParsePeriod("-" + s)
		switch {
		case s[0] == '-':
			if err == nil {
				t.Errorf("two signs before %q", s)
			}
		case err != nil || again.Months != -p.Months || again.Seconds != -p.Seconds:
			t.Errorf("the negative of %q is %+v, %v", s, again, err)
		}
		after, ok := p.After(from)
		if backwards := p.Months < 0 || p.Seconds < 0; ok && backwards == after.After(from) && !after.Equal(from) {
			t.Errorf("%q leads to %v", s, after)
		}
	})
}
