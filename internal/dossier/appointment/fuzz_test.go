package appointment

import (
	"strings"
	"testing"

	"diresco/internal/test/world"
)

// FuzzCalendar looks whether a text of an office can bring a property of its own into a calendar.
func FuzzCalendar(f *testing.F) {
	f.Add("Sede di Forlì", "Versamenti; rimborsi, e altro")
	f.Add("a\r\nATTACH:http://evil.example", "b\nBEGIN:VALARM\nEND:VALARM")
	f.Add("\\n\\", "\u2028\x85\x00\"")
	f.Fuzz(func(t *testing.T, office, topic string) {
		s := &Service{publicURL: world.PublicURL}
		shape := func(office, topic string) (names []string) {
			v := shown(func(v *View) { v.OfficeTitle, v.TopicTitleIt = office, topic })
			file := strings.ReplaceAll(string(s.Calendar(v, false)), "\r\n ", "")
			for line := range strings.SplitSeq(file, "\n") {
				name, _, _ := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
				names = append(names, name)
			}
			return names
		}
		if got, want := shape("a"+office, "b"+topic), shape("a", "b"); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q and %q make %v", office, topic, got)
		}
	})
}
