package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const data = `[{"name": "clients", "along": "clients", "measured": "2026-11-30", "points": [
	{"work": "read & show", "at": 8, "rate": 4100.5, "p50": 1, "p99": 9.5}, {"work": "submit", "at": 1, "rate": 300, "p50": 3, "p99": 8},
	{"work": "read & show", "at": 1, "rate": 1200, "p50": 1, "p99": 2.25}, {"work": "submit", "at": 8, "rate": 1250, "p50": 6, "p99": 31}]}]`

func TestFigures_DrawWhatWasMeasured(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, dataFile), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := drawAll(dir); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(filepath.Join(dir, "growth-clients.svg"))
	if err != nil {
		t.Fatal(err)
	}
	texts := textsOf(t, drawn)
	// Ticks of both panels, titles, what grows, and each work once.
	for text, times := range map[string]int{
		"1": 3, "8": 2, "requests a second": 1, "p99, ms": 1, "clients": 2, "read & show": 1, "submit": 1, "4,000": 1, "10": 1, "100": 1,
	} {
		if texts[text] != times {
			t.Errorf("%q is written %d times, not %d: %v", text, texts[text], times, texts)
		}
	}
	if strings.Contains(string(drawn), "font-family:Liberation Sans;") || !strings.Contains(string(drawn), fonts) {
		t.Error("readers without the font get any")
	}
}

// textsOf counts the texts of a drawing, which must be well-formed.
func textsOf(t *testing.T, drawn []byte) map[string]int {
	t.Helper()
	texts := map[string]int{}
	decoder := xml.NewDecoder(bytes.NewReader(drawn))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if element, is := token.(xml.StartElement); is && element.Name.Local == "text" {
			var text string
			if err := decoder.DecodeElement(&text, &element); err != nil {
				t.Fatal(err)
			}
			texts[text]++
		}
	}
}

func TestFigures_RefuseWhatCannotBeDrawn(t *testing.T) {
	right := point{Work: "read", At: 1, Rate: 1, P99: 1}
	for name, c := range map[string]curve{
		"no name":          {Points: []point{right}},
		"a path as name":   {Name: "../clients", Points: []point{right}},
		"no points":        {Name: "clients"},
		"a rate of zero":   {Name: "clients", Points: []point{right, {Work: "read", At: 2, P99: 1}}},
		"no time":          {Name: "clients", Points: []point{right, {Work: "read", At: 2, Rate: 1}}},
		"no place on axis": {Name: "clients", Points: []point{right, {Work: "read", Rate: 1, P99: 1}}},
	} {
		if c.check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := (curve{Name: "clients", Points: []point{right}}).check(); err != nil {
		t.Error(err)
	}
}

func TestFigures_Decades(t *testing.T) {
	var labels []string
	for _, tick := range (decades{}).Ticks(0.1, 100) {
		if tick.Label != "" {
			labels = append(labels, tick.Label)
		}
	}
	if got := strings.Join(labels, " "); got != "0.1 1 10 100" {
		t.Errorf("labels %s", got)
	}
}
